"""Waves 8, 9 and 10 at a hundredth of their size: exactly the official figures are revoked, and published."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from prakerja import calendar
from prakerja.blacklist.sources import folder_of
from prakerja.blacklist.verification import verified_versions
from prakerja.cohorts import overview
from prakerja.settings import INCLUDE
from prakerja.simulation import world
from tests.day_by_day import Player

#: A hundredth of 34,747, 28,786 and 9,123 revoked of 800,000, 800,000 and 116,261 selected.
REVOKED = {8: 347, 9: 288, 10: 91}
SELECTED = {8: 8_000, 9: 8_000, 10: 1_163}


@pytest.fixture
def made(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plain world by the project's own calendar, as the landing zone."""
    out = home / "world"
    monkeypatch.setenv("PRAKERJA_CALENDAR", str(INCLUDE / "cohorts.yaml"))
    world.write(list(REVOKED), 0.01, 7, out, is_nasty=False, progress=lambda _: None)
    monkeypatch.setenv("PRAKERJA_CALENDAR", str(out / "calendar.yaml"))
    monkeypatch.setenv("PRAKERJA_LANDING", str(out / "landing"))
    return out


def test_as_many_are_revoked_and_published_as_were_in_2020(made: Path, home: Path) -> None:
    truths = {truth["cohort"]: truth for truth in json.loads((made / "expected.json").read_text())["cohorts"]}
    assert {number: truth["overdue"] for number, truth in truths.items()} == REVOKED
    assert {number: truth["selected"] for number, truth in truths.items()} == SELECTED

    # The mornings of the decisions, and the one after the last: each takes in what came since the one before, as after
    # an outage. Those between would refresh standings that nothing here asks for, and take half as long again.
    decided = [wave.decided_on for wave in calendar.calendar().values()]
    Player("Siti").play([*decided, decided[-1] + timedelta(days=1)])

    for row in overview.cohort_table():
        truth = truths[row["cohort"]]
        names = ("status", "selected", "purchased", "held", "overdue", "excluded", "reinstated")
        assert {name: row[name] for name in names} == {name: truth[name] for name in names}
        assert row["revoked"] == REVOKED[row["cohort"]]
    versions = list(verified_versions(folder_of(str(home / "publish"))))
    published = [version.manifest.counts.entries for version in versions if version.manifest.counts.added]
    assert published == [347, 347 + 288, 347 + 288 + 91]
