"""Rosters that come late: taken in by the next look, of cohorts that are announced and have none, and of no other."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from prakerja import landing, tasks, warehouse
from prakerja.cohorts.roster import take_in_rosters
from prakerja.landing import StorageError
from prakerja.settings import WIB
from tests.support.landing_zone import deliver_roster, roster_line

ANNOUNCED_AT = datetime(2021, 3, 5, tzinfo=WIB)
TEN = datetime(2021, 3, 6, 10, tzinfo=WIB)


def arrives(home: Path, *lines: str) -> None:
    """The roster of gelombang 12 comes into the landing zone; nobody has looked there yet."""
    deliver_roster(home / "landing", 12, [*lines] or [roster_line(1), roster_line(2)], "2021-03-05", "2021-03-13")


def test_a_roster_is_taken_in_when_it_arrives_and_its_people_stand_somewhere(home: Path) -> None:
    assert tasks.arrivals.take_in_late_rosters(TEN).accepted == {}
    arrives(home)
    rosters = tasks.arrivals.take_in_late_rosters(TEN)
    assert tasks.summaries.summarize_arrivals([], rosters) == "roster of gelombang-12: 2 taken in"
    with warehouse.transaction("read") as connection:
        assert connection.exec_driver_sql("select at_risk from standings").scalars().all() == [2]
    assert tasks.arrivals.take_in_late_rosters(TEN).accepted == {}


def test_a_roster_is_looked_for_from_its_announcement_on(home: Path) -> None:
    arrives(home)
    assert tasks.arrivals.take_in_late_rosters(ANNOUNCED_AT - timedelta(microseconds=1)).accepted == {}
    assert tasks.arrivals.take_in_late_rosters(ANNOUNCED_AT).accepted == {12: 2}


def test_a_roster_is_looked_for_in_its_own_folder_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(landing, "listed")
    (home / "landing" / "rosters" / "a stray").mkdir(parents=True)
    arrives(home)
    rosters = tasks.arrivals.take_in_late_rosters(TEN)
    assert (rosters.accepted, rosters.rejected) == ({12: 2}, [])


def test_nothing_is_looked_for_where_every_cohort_has_its_roster(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrives(home)
    tasks.arrivals.take_in_late_rosters(TEN)
    monkeypatch.delattr(landing, "landing_zone")
    assert tasks.arrivals.take_in_late_rosters(TEN).accepted == {}


def test_a_rejected_roster_is_reported_once_and_without_anything_personal(home: Path) -> None:
    line = roster_line(99)
    arrives(home, line, line)
    told = tasks.summaries.summarize_arrivals([], tasks.arrivals.take_in_late_rosters(TEN))
    assert told == "rejected: roster of gelombang-12: recipient_twice: the same card number appears in lines 2, 3"
    assert tasks.arrivals.take_in_late_rosters(TEN).rejected == []
    arrives(home, line)
    assert tasks.arrivals.take_in_late_rosters(TEN).accepted == {12: 1}


def test_a_landing_zone_that_is_gone_is_read_again(home: Path) -> None:
    arrives(home)
    (home / "landing").rename(home / "gone")
    with pytest.raises(StorageError):
        take_in_rosters(TEN.date())
    assert tasks.arrivals.take_in_late_rosters(TEN).accepted == {}
    (home / "gone").rename(home / "landing")
    assert tasks.arrivals.take_in_late_rosters(TEN).accepted == {12: 2}
