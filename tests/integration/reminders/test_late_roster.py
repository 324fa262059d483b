"""A roster that comes after a reminder's run: its recipients are reminded the same day, or the audit says otherwise."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from prakerja import calendar, tasks
from prakerja.cohorts import people, standing
from prakerja.errors import PrakerjaError
from prakerja.monitor import figures, overview
from prakerja.revocations.run_audit import RunCounts
from prakerja.run_context import RunContext
from prakerja.settings import WIB
from tests.support.landing_zone import deliver_roster
from tests.support.reminder_desk import H7, MANY, NINE, Desk, buys, person, phone

NONE, ACTIVE, ENDED, EMPTY = RunCounts(0, 0, 0), RunCounts(1, 1, 1), RunCounts(1, 0, 1), RunCounts(1, 0, 0)
TEN = NINE.replace(hour=10)
EIGHT_IN_THE_EVENING = NINE.replace(hour=20)
NEXT_MORNING = datetime(2021, 3, 7, 7, tzinfo=WIB)
H3 = date(2021, 3, 10)
BY_A_MICROSECOND = timedelta(microseconds=1)
NOT_REMINDED = (
    "gelombang-12: 30 of its recipients got no reminder on 2021-03-06 (H-7) of the deadline 2021-03-13; "
    "the next is on 2021-03-10"
)


def repairs(at: datetime, runs: RunCounts = ENDED) -> list[dict[str, Any]]:
    return tasks.arrivals.list_resumed_runs(at, lambda _: runs)


def found(at: datetime, runs: RunCounts = ENDED) -> list[tuple[str, str, bool]]:
    """What the audit says of gelombang 12: kind, sentence, and whether a run repairs it."""
    audited = tasks.audit.audit_runs(at, lambda _: runs)
    return [(each["kind"], each["text"], bool(each["repair"])) for each in audited if "gelombang-12" in each["text"]]


def needs(at: datetime) -> list[str]:
    """What the monitor says, once it has been counted as each night does."""
    standing.refresh_standings(at.astimezone(WIB).date())
    figures.refresh(at)
    return [need.what for need in overview.page(at)["needs"] if "reminder" in need.what]


def change_calendar(desk: Desk, more: str) -> None:
    entry = f"cohorts:\n- {{cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-13, note: short, {more}}}\n"
    (desk.folder / "calendar.yaml").write_text(entry)
    calendar._read.cache_clear()


# -- the same day ------------------------------------------------------------------------------------------------------


def test_the_recipients_of_a_roster_that_comes_after_the_run_are_reminded_the_same_day(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the DAGs call it: the day's own run, a look of `late_deliveries`, the run that it triggers."""
    monkeypatch.setattr(RunContext, "read_clock", lambda run: run.now)
    own = RunContext.from_cohort_run("gelombang-12__H-7__2021-03-06", None, NINE)
    assert tasks.deadline.choose(own) == "cohort_has_no_roster"
    assert repairs(TEN) == []
    lines = [person(n, phone(n)) for n in range(1, MANY + 1)]
    deliver_roster(desk.folder / "landing", 12, lines, "2021-03-05", "2021-03-13")
    assert tasks.arrivals.take_in_late_rosters(TEN).accepted == {12: MANY}
    (run,) = repairs(TEN)
    assert run["trigger_run_id"] == "gelombang-12__H-7__2021-03-06__audit-2021-03-06"
    repaired = RunContext.from_cohort_run(run["trigger_run_id"], run["conf"], TEN)
    assert (repaired.cohort, repaired.kind, repaired.on) == (12, "H-7", H7)
    assert tasks.deadline.has_complete_feeds(repaired)
    assert tasks.deadline.reconcile(repaired)["at_risk"] == MANY
    assert tasks.deadline.recheck(repaired) == {}
    assert tasks.deadline.choose(repaired) == "send_reminders"
    for _ in range(2):
        tasks.deadline.send_reminders(repaired, desk.at.urls)
        assert len({to for _, to, _ in desk.messages()}) == len(desk.messages()) == MANY
        assert repairs(TEN) == []
    assert found(NEXT_MORNING) == []
    assert needs(NEXT_MORNING) == []


@pytest.mark.parametrize(
    ("runs", "kind"), [(NONE, "no_run"), (EMPTY, "run_without_tasks"), (ENDED, "not_reminded"), (ACTIVE, None)]
)
def test_a_date_without_a_reminder_is_repaired_after_any_end_of_its_run(
    many: Desk, runs: RunCounts, kind: str | None
) -> None:
    audited = found(TEN, runs)
    assert [(each, is_repaired) for each, _, is_repaired in audited] == ([(kind, True)] if kind else [])
    assert len(repairs(TEN, runs)) == len(audited)
    assert needs(TEN) == [], "a run repairs it"


def test_a_run_that_has_not_begun_has_an_hour_and_one_that_has_ended_has_none(many: Desk) -> None:
    for runs, since in ((NONE, TEN), (ENDED, NINE)):
        assert repairs(since - BY_A_MICROSECOND, runs) == []
        assert len(repairs(since, runs)) == 1


def test_it_is_repaired_until_eight_in_the_evening_and_then_reported(many: Desk) -> None:
    last = EIGHT_IN_THE_EVENING - BY_A_MICROSECOND
    assert len(repairs(last)) == 1
    assert [is_repaired for *_, is_repaired in found(last)] == [True]
    assert needs(last) == []
    assert repairs(EIGHT_IN_THE_EVENING) == []
    assert found(EIGHT_IN_THE_EVENING) == [("not_reminded", NOT_REMINDED, False)]
    assert needs(EIGHT_IN_THE_EVENING) == [NOT_REMINDED]


def test_nobody_is_due_if_all_have_bought_or_are_suspended(desk: Desk) -> None:
    desk.roster([person(n, phone(n)) for n in (1, 2)])
    buys(desk, 1)
    people.suspend(str(10**15 + 2), H7, is_permanent=False, because="x", suspended_by="siti")
    assert repairs(TEN) == found(NEXT_MORNING) == needs(NEXT_MORNING) == []


# -- what could not be made up for -------------------------------------------------------------------------------------


def test_the_audit_of_the_next_morning_reports_who_was_not_reminded(many: Desk) -> None:
    for runs in (NONE, EMPTY, ENDED, ACTIVE):
        assert found(NEXT_MORNING, runs) == [("not_reminded", NOT_REMINDED, False)]
    assert repairs(NEXT_MORNING) == []
    assert needs(NEXT_MORNING) == [NOT_REMINDED]
    audited = tasks.audit.audit_runs(NEXT_MORNING, lambda _: ENDED)
    assert NOT_REMINDED in tasks.summaries.summarize_audit(audited)
    with pytest.raises(PrakerjaError, match="got no reminder on 2021-03-06"):
        tasks.audit.report_audit(audited)
    secrets = {value for n in range(1, MANY + 1) for value in person(n, phone(n)).split(",") if len(value) > 4}
    assert not [secret for secret in secrets if secret in json.dumps(audited)]


def test_it_ends_when_a_later_reminder_has_begun(many: Desk) -> None:
    nine = datetime(2021, 3, 10, 9, tzinfo=WIB)
    assert len(found(nine - BY_A_MICROSECOND)) == len(needs(nine - BY_A_MICROSECOND)) == 1
    many.send(nine, H3)
    assert found(nine) == needs(nine) == []


def test_consecutive_missed_dates_are_each_reported(many: Desk) -> None:
    after = datetime(2021, 3, 13, 7, tzinfo=WIB)
    assert [told.partition("(")[2].partition(")")[0] for _, told, _ in found(after)] == ["H-7", "H-3", "H-1"]
    assert {told.rpartition("; ")[2] for _, told, _ in found(after)} == {"no other is left"}
    assert len(needs(after)) == 3


def test_it_ends_with_the_deadline(many: Desk) -> None:
    midnight = datetime(2021, 3, 14, tzinfo=WIB)
    assert len(found(midnight - BY_A_MICROSECOND)) == len(needs(midnight - BY_A_MICROSECOND)) == 3
    assert found(midnight) == needs(midnight) == []


def test_an_operator_makes_up_for_it_by_another_reminder_date(many: Desk) -> None:
    """As the runbook says: in the calendar. Airflow makes no run for a date before its latest one, so one is made."""
    change_calendar(many, "reminder_days: [7, 6, 3, 1]")
    ten = TEN + timedelta(days=1)
    (run,) = repairs(ten, NONE)
    assert run["trigger_run_id"] == "gelombang-12__H-6__2021-03-07__audit-2021-03-07"
    many.send(ten, date(2021, 3, 7))
    assert len(many.messages()) == MANY
    assert found(ten) == repairs(ten) == needs(ten) == []


# -- deadlines that move -----------------------------------------------------------------------------------------------

EXTENDED = "extensions: [{announced_on: 2021-03-06, deadline_on: 2021-03-16, because: flood}], reminder_days: [10, 7]"


def test_a_date_of_the_later_deadline_is_repaired_as_any_other(many: Desk) -> None:
    change_calendar(many, EXTENDED)
    (run,) = repairs(TEN)
    assert run["conf"] == {"cohort": 12, "kind": "H-10"}


def test_a_date_of_the_earlier_deadline_is_past_once_the_later_one_is_announced(many: Desk) -> None:
    change_calendar(many, EXTENDED.replace("announced_on: 2021-03-06", "announced_on: 2021-03-08"))
    announced_at = datetime(2021, 3, 8, tzinfo=WIB)
    assert len(found(announced_at - BY_A_MICROSECOND)) == len(needs(announced_at - BY_A_MICROSECOND)) == 1
    assert found(announced_at) == needs(announced_at) == []


def test_a_date_that_began_for_the_earlier_deadline_is_reported_and_not_repeated(many: Desk) -> None:
    """One message a recipient and date: the one that left names the earlier deadline, and a run of it would be red."""
    many.send()
    change_calendar(many, EXTENDED)
    told = (
        "gelombang-12: 30 of its recipients got no reminder on 2021-03-06 (H-10) of the deadline 2021-03-16; "
        "the next is on 2021-03-09"
    )
    assert repairs(TEN) == []
    assert found(TEN) == [("not_reminded", told, False)]
    assert needs(TEN) == [told]
