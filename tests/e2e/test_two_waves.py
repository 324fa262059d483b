"""A world that was not written by our own simulator: two full windows, with what came to light after the decisions."""

from __future__ import annotations

import json
import shutil
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from prakerja import calendar
from prakerja.cohorts import overview
from prakerja.cohorts.roster import take_in_rosters
from prakerja.feeds import intake
from prakerja.feeds.overview import count_unmatched, list_deliveries
from prakerja.platforms import platforms
from prakerja.revocations import decision, late_truth, reinstatement, revocation

WORLD = Path(__file__).parents[1] / "worlds" / "two_waves.zip"


@pytest.fixture
def expected(home: Path) -> dict[str, Any]:
    """The world decided over its landing zone, then with the late deliveries laid over it."""
    with zipfile.ZipFile(WORLD) as archive:
        archive.extractall(home / "world")
    shutil.copy(home / "world" / "calendar.yaml", home / "calendar.yaml")
    calendar._read.cache_clear()
    shutil.copytree(home / "world" / "landing", home / "landing", dirs_exist_ok=True)
    last = date(2021, 4, 12)
    assert take_in_rosters(last, is_replay=True).rejected == []
    for platform in platforms():
        assert intake.take_in(platform, last, is_replay=True).rejected == []
    for wave in calendar.calendar().values():
        made = decision.decide(wave, wave.decided_on)
        revocation.require_approval(made, "Siti", wave.decided_on, in_advance=True)
        revocation.revoke(wave, made, wave.decided_on)
    shutil.copytree(home / "world" / "late", home / "landing", dirs_exist_ok=True)
    for platform in platforms():
        assert intake.take_in(platform, date(2021, 4, 16), is_replay=True).rejected == []
    late_truth.notice_late_truth(date(2021, 4, 16))
    reinstatement.reinstate(date(2021, 4, 16), "Siti")
    loaded: dict[str, Any] = json.loads((home / "world" / "expected.json").read_text())
    return loaded


def test_everything_comes_out_as_expected(expected: dict[str, Any]) -> None:
    table = {row["cohort"]: row for row in overview.cohort_table()}
    for truth in expected["cohorts"]:
        row = table[truth["cohort"]]
        names = ("status", "selected", "purchased", "held", "overdue", "excluded", "reinstated")
        assert {name: row[name] for name in names} == {name: truth[name] for name in names}
        assert row["cases"] == truth["cases"] + truth["held_later"]
        assert row["holds_resolvable"] == truth["resolved"]
    found = {f"feeds/{d['platform']}/{d['business_date']}/r{d['revision']}": d for d in list_deliveries()}
    for delivery in expected["deliveries"]:
        row = found[delivery["path"]]
        assert row["status"] == "accepted"
        for name in ("rows", "loaded", "quarantined", "duplicates"):
            assert row[name] == delivery[name], (name, delivery)
    assert count_unmatched() == expected["unmatched_cards"]
