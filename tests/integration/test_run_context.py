"""What a run is about: an event of the calendar, from its configuration, its id, or a cohort alone; never guessed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja.errors import PrakerjaError
from prakerja.run_context import RunContext, replaying
from prakerja.settings import WIB

NOW = datetime(2021, 3, 18, 6, tzinfo=WIB)

pytestmark = pytest.mark.usefixtures("home")  # its calendar: gelombang 13 from 8 to 16 March


@pytest.mark.parametrize(
    ("run_id", "conf", "name"),
    [
        ("gelombang-13__H-7__2021-03-09", None, "gelombang-13__H-7__2021-03-09"),
        ("gelombang-13__deadline__2021-03-16", {}, "gelombang-13__deadline__2021-03-16"),
        ("manual__x", {"cohort": 13}, "gelombang-13__deadline__2021-03-16"),
        ("manual__x", {"cohort": 13, "kind": None, "approve_as": None}, "gelombang-13__deadline__2021-03-16"),
        ("manual__x", {"cohort": "13", "kind": "H-7"}, "gelombang-13__H-7__2021-03-09"),
        ("gelombang-12__H-7__2021-03-06", {"cohort": 13}, "gelombang-13__deadline__2021-03-16"),
    ],
)
def test_a_run_says_what_it_is_for(run_id: str, conf: dict[str, Any] | None, name: str) -> None:
    assert RunContext.from_cohort_run(run_id, conf, NOW).name == name


@pytest.mark.parametrize(
    ("run_id", "conf", "said"),
    [
        ("manual__2021-03-16", {}, "names no cohort"),
        ("manual__x", {"cohort": "x"}, "names no cohort"),
        ("manual__x", {"cohort": 99}, "cohort 99 is not in the calendar"),
        ("manual__x", {"cohort": 13, "kind": "Deadline"}, "is for nothing in the calendar"),
        ("manual__x", {"cohort": 13, "kind": "H-6"}, "H-7 on 2021-03-09, H-3 on 2021-03-13"),
        ("manual__x", {"cohort": 13, "kind": "H-7", "on": "2021-03-10"}, "is for nothing in the calendar"),
        ("gelombang-13__deadline__2021-03-15", {}, "is for nothing in the calendar"),
        ("manual__x", {"cohort": 13, "approve_as": "Direktur Utama"}, "a run's configuration approves nothing"),
    ],
)
def test_a_run_for_nothing_in_the_calendar_is_refused(run_id: str, conf: dict[str, Any], said: str) -> None:
    with pytest.raises(PrakerjaError, match=said):
        RunContext.from_cohort_run(run_id, conf, NOW)


def test_a_replays_clock_is_believed_while_it_plays_and_at_no_other_time() -> None:
    run = RunContext("deadline", date(2021, 3, 16), NOW, 13, is_replay=True, approve_as="Siti")
    daily = RunContext("daily", date(2021, 3, 17), NOW, is_replay=True)
    later = NOW + timedelta(days=2000)
    with replaying():
        assert RunContext.from_cohort_run("x", run.conf(), later) == run
        assert RunContext.from_daily_run(daily.conf(), date(2026, 1, 1), later) == daily
    for conf in (run.conf(), daily.conf()):
        with pytest.raises(PrakerjaError, match="belongs to a replay"):
            RunContext.from_cohort_run("x", {"cohort": 13, **conf, "kind": "deadline", "on": "2021-03-16"}, later)
        with pytest.raises(PrakerjaError, match="belongs to a replay"):
            RunContext.from_daily_run(conf, None, later)


def test_a_days_intake_is_the_scheduled_one_or_the_named_one_or_yesterdays() -> None:
    assert RunContext.from_daily_run({}, date(2021, 3, 10), NOW).on == date(2021, 3, 10)
    assert RunContext.from_daily_run({"on": "2021-03-05"}, date(2021, 3, 10), NOW).on == date(2021, 3, 5)
    assert RunContext.from_daily_run(None, None, NOW).on == date(2021, 3, 17)
    with pytest.raises(PrakerjaError, match="a run's configuration approves nothing"):
        RunContext.from_daily_run({"approve_as": "Direktur Utama"}, None, NOW)
    with pytest.raises(PrakerjaError, match="no business date"):
        RunContext.from_daily_run({"on": "kemarin"}, None, NOW)


def test_the_clock_is_the_wib_day(home: Path) -> None:
    late = RunContext("H-7", date(2021, 3, 17), datetime(2021, 3, 17, 23, tzinfo=WIB))
    assert (late.as_of, late.is_late) == (date(2021, 3, 17), False)
    assert RunContext("H-7", date(2021, 3, 17), NOW).is_late
