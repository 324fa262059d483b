"""Whole worlds in the landing zone, played in this process."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from prakerja import calendar
from prakerja.cohorts.roster import take_in_rosters
from prakerja.feeds import intake
from prakerja.platforms import platforms
from prakerja.revocations import decision, late_evidence, revocation
from prakerja.settings import INCLUDE
from prakerja.simulation import world
from tests.support.small_cohort import approve, reinstate


def late_announced(text: str) -> str:
    """Return a calendar in which each cohort is announced as late before its deadline as a simulated one may be."""
    entries = yaml.safe_load(text)["cohorts"]
    for entry in entries:
        latest = entry["deadline_on"] - timedelta(days=world.SHORTEST_WINDOW)
        entry["announced_on"], entry["note"] = max(entry["announced_on"], latest), "short for tests"
    return yaml.safe_dump({"cohorts": entries})


@pytest.fixture
def make(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[int, Any]]:
    """Makes a plain world by the project's own calendar the landing zone; gives what must come out, by cohort.

    Unless it is to be whole, its windows are cut at their beginning: a day more is seven feeds more to judge.
    """

    def made(cohorts: list[int], *, is_whole: bool = False) -> dict[int, Any]:
        out, known = home / "world", (INCLUDE / "cohorts.yaml").read_text()
        (home / "calendar.yaml").write_text(known if is_whole else late_announced(known))
        calendar._read.cache_clear()
        world.write(cohorts, 0.01, 7, out, is_nasty=False, progress=lambda _: None)
        monkeypatch.setenv("PRAKERJA_CALENDAR", str(out / "calendar.yaml"))
        monkeypatch.setenv("PRAKERJA_LANDING", str(out / "landing"))
        return {truth["cohort"]: truth for truth in json.loads((out / "expected.json").read_text())["cohorts"]}

    return made


WORLD = Path(__file__).with_name("two_waves.zip")


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
    for cohort in calendar.calendar().values():
        made = decision.decide(cohort, cohort.decided_on)
        approve(made, "siti", cohort.decided_on)
        revocation.revoke(cohort, made, cohort.decided_on)
    shutil.copytree(home / "world" / "late", home / "landing", dirs_exist_ok=True)
    for platform in platforms():
        assert intake.take_in(platform, date(2021, 4, 16), is_replay=True).rejected == []
    late_evidence.record_late_evidence(date(2021, 4, 16))
    reinstate(date(2021, 4, 16))
    loaded: dict[str, Any] = json.loads((home / "world" / "expected.json").read_text())
    return loaded
