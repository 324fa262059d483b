"""The daily audit of runs: what lacks is found and told, what a run mends is mended, and nothing else is touched."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja import calendar, tasks, warehouse
from prakerja.calendar import Cohort, CohortEvent
from prakerja.errors import PrakerjaError
from prakerja.revocations import decision
from prakerja.revocations.run_audit import SeenRuns
from prakerja.run_context import RunContext
from prakerja.settings import WIB
from tests.support.small_cohort import DECIDED_ON, carry_out, empty_days

MORNING = datetime(2021, 3, 15, 7, tzinfo=WIB)  # an hour after the deadline's run of gelombang 12 was due
NONE, ACTIVE, ENDED, EMPTY = SeenRuns(0, 0, 0), SeenRuns(1, 1, 1), SeenRuns(1, 0, 1), SeenRuns(1, 0, 0)


def audited(runs: SeenRuns, now: datetime = MORNING) -> list[dict[str, Any]]:
    """Of gelombang 12: that gelombang 13 has no roster is for `tests/integration/cohorts/test_calendar_check.py`."""
    return [finding for finding in tasks.audit.audit_runs(now, lambda _: runs) if finding["kind"] != "no_roster"]


def kinds(runs: SeenRuns, now: datetime = MORNING) -> list[str]:
    return [finding["kind"] for finding in audited(runs, now)]


@pytest.mark.parametrize(
    ("runs", "found"),
    [(NONE, ["no_run"]), (ACTIVE, []), (EMPTY, ["run_without_tasks"]), (ENDED, ["not_decided"])],
)
def test_a_cohort_that_is_due_and_not_decided_has_a_run_or_gets_one(
    cohort: Cohort, runs: SeenRuns, found: list[str]
) -> None:
    assert kinds(runs) == found
    assert kinds(runs, MORNING - timedelta(minutes=1)) == [], "its run may begin still"


def test_the_repair_is_a_run_of_that_very_event(cohort: Cohort) -> None:
    (finding,) = audited(NONE)
    repair = finding["repair"]
    assert repair["trigger_run_id"] == "gelombang-12__deadline__2021-03-13__audit-2021-03-15"
    run = RunContext.from_cohort_run(repair["trigger_run_id"], repair["conf"], MORNING)
    assert (run.cohort, run.kind, run.on) == (12, "deadline", date(2021, 3, 13))
    (later,) = audited(NONE, MORNING + timedelta(days=1))
    assert later["repair"]["trigger_run_id"].endswith("__audit-2021-03-16"), "one a day at most, each day anew"


def test_repairs_of_earlier_days_are_runs_too(cohort: Cohort) -> None:
    from prakerja.revocations.run_audit import repair_run_ids

    (event,) = [event for event in cohort.events() if event.kind == "deadline"]
    ids = repair_run_ids(event, MORNING + timedelta(days=2))
    assert {f"{event.name}__audit-2021-03-{day}" for day in (15, 16, 17)} <= set(ids)


def test_a_decided_cohort_lacks_nothing_once_its_revocations_are_carried_out(cohort: Cohort) -> None:
    decision.decide(cohort, DECIDED_ON)
    assert kinds(ENDED) == ["not_carried_out"], "two are overdue, and nobody is asked any more"
    assert kinds(ACTIVE) == [], "somebody is asked"
    carry_out(cohort)
    assert kinds(NONE) == []


def test_what_is_blocked_is_for_a_person(cohort: Cohort) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "delete from deliveries where platform = 'sisnaker' and business_date = '2021-03-12'"
        )
    (finding,) = audited(ENDED)
    assert (finding["kind"], finding["repair"]) == ("blocked", None)
    with pytest.raises(PrakerjaError, match="gelombang-12 is not decided: feeds_missing: sisnaker 2021-03-12"):
        tasks.audit.report_audit([finding])
    tasks.audit.report_audit(audited(NONE))


def test_a_deadline_that_moved_gets_a_run_of_its_own(cohort: Cohort, home: Path) -> None:
    decision.decide(cohort, DECIDED_ON)
    text = (home / "calendar.yaml").read_text()
    moved = text.replace(
        "deadline_on: 2021-03-13, ",
        "deadline_on: 2021-03-13, extensions: [{announced_on: 2021-03-14, deadline_on: 2021-03-15, because: flood}], ",
    )
    (home / "calendar.yaml").write_text(moved)
    calendar._read.cache_clear()
    after = datetime(2021, 3, 17, 7, tzinfo=WIB)
    empty_days("2021-03-15", "2021-03-16", arrives_on=lambda day: day)
    (finding,) = audited(NONE, after)
    assert finding["kind"] == "deadline_moved"
    assert finding["repair"]["trigger_run_id"].startswith("gelombang-12__deadline__2021-03-15__audit-")
    assert "has got the deadline 2021-03-15" in finding["text"]


@pytest.mark.parametrize(
    ("hour", "runs", "found"),
    [
        (9, NONE, []),
        (11, NONE, ["no_run"]),
        (11, EMPTY, ["run_without_tasks"]),
        (11, ENDED, ["not_reminded"]),
        (11, ACTIVE, []),
    ],
)
def test_a_reminder_is_worth_its_run_on_its_own_day(
    cohort: Cohort, hour: int, runs: SeenRuns, found: list[str]
) -> None:
    """The rest is in `tests/integration/reminders/test_late_roster.py`."""
    day = datetime(2021, 3, 6, hour, tzinfo=WIB)  # H-7
    assert kinds(runs, day) == found
    assert [(each["kind"], each["repair"]) for each in audited(runs, day + timedelta(days=1))] == [
        ("not_reminded", None)
    ]


def test_a_cohort_without_a_roster_has_nothing_to_run_for(home: Path) -> None:
    def never(event: CohortEvent) -> SeenRuns:
        raise AssertionError(event)

    found = tasks.audit.audit_runs(MORNING, never)
    assert [(finding["kind"], finding["repair"]) for finding in found] == [("no_roster", None)] * 2
