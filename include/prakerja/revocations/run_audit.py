"""The daily audit of runs: every due event of the calendar has a run, and the run has done its work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from prakerja import warehouse
from prakerja.calendar import Cohort, CohortEvent, calendar
from prakerja.cohorts import calendar_check, missed_reminders
from prakerja.cohorts.calendar_check import CalendarProblem
from prakerja.cohorts.completeness import as_text, missing_for
from prakerja.cohorts.missed_reminders import MissedReminder
from prakerja.errors import PrakerjaError
from prakerja.revocations import decision
from prakerja.revocations.approval import DIGEST_DIGITS_MIN
from prakerja.settings import WIB

GRACE_PERIOD = timedelta(hours=1)  # how long after its hour a run may still start
LOOKBACK = timedelta(days=400)  # older events are left to a person


@dataclass(frozen=True)
class RunCounts:
    """The number of an event's runs in Airflow: all, those that are active, and those with tasks."""

    all: int
    active: int
    with_tasks: int


@dataclass(frozen=True)
class Finding:
    """A missing run or missing work: `kind` is `no_run`, `run_without_tasks`, `deadline_moved`, `not_decided`,
    `not_carried_out`, `blocked`, `not_reminded`, or that of a `CalendarProblem`.

    `event` is the event whose run repairs it, or None if a person must act.
    """

    kind: str
    event: CohortEvent | None
    text: str


def repair_run_id(event: CohortEvent, on: datetime) -> str:
    """Return the id of the run that repairs an event on a day. There is at most one such run a day."""
    return f"{event.name}__audit-{on.astimezone(WIB).date()}"


def resumed_run_id(event: CohortEvent, decision_id: str) -> str:
    """Return the id of the run that resumes an attempt stopped by missing deliveries. There is one per attempt."""
    return f"{event.name}__after-{decision_id.rsplit('-', 1)[1][:DIGEST_DIGITS_MIN]}"


def repair_run_ids(event: CohortEvent, now: datetime) -> list[str]:
    """Return every id that a repair of an event may have had until now."""
    days = min((now - event.run_at).days + 1, LOOKBACK.days)
    ids = [repair_run_id(event, now - timedelta(days=day)) for day in range(days + 1)]
    if event.kind == "deadline":
        with warehouse.transaction() as connection:
            gaps = warehouse.rows(connection, "revocations/list_gaps", cohort=event.cohort, deadline_on=event.on)
        ids += [resumed_run_id(event, row["decision_id"]) for row in gaps]
    return ids


def find_resumable_cohorts(
    now: datetime, count_runs: Callable[[CohortEvent], RunCounts]
) -> list[tuple[str, CohortEvent, str]]:
    """Return the cohorts that were stopped by missing deliveries that have all arrived, and that have no active run.

    Each has the id of the run that resumes it, the event of that run, and the reason. If other deliveries are missing
    than when a cohort was stopped, record a new attempt, so that a person overrides what is missing now.
    """
    today = now.astimezone(WIB).date()
    with warehouse.transaction() as connection:
        stopped = {row["cohort"]: row for row in warehouse.rows(connection, "revocations/list_blocked")}
    resumable = []
    for number, cohort in calendar().items():
        cohort, attempt = cohort.as_known_on(today), stopped.get(number)
        if attempt is None or attempt["deadline_on"] != cohort.deadline_on or today < cohort.decided_on:
            continue
        with warehouse.transaction() as connection:
            missing = as_text(missing_for(connection, cohort, today))
            is_decided = decision.is_decided(connection, cohort)
        if is_decided:
            continue
        if missing:
            if missing != list(attempt["missing_feeds"]):
                with contextlib.suppress(PrakerjaError):
                    decision.require_complete_feeds(cohort, today)
            continue
        (event,) = (event for event in cohort.events() if (event.kind, event.on) == ("deadline", cohort.deadline_on))
        if not count_runs(event).active:
            text = f"gelombang-{number} is not decided, and the deliveries that were missing have arrived"
            resumable.append((resumed_run_id(event, attempt["decision_id"]), event, text))
    return resumable


def audit(now: datetime, count_runs: Callable[[CohortEvent], RunCounts]) -> list[Finding]:
    """Compare the calendar, the decisions and the runs. Return the findings: those of the calendar, then by cohort.

    Cohorts without a roster are skipped, and so are cohorts whose dates differ from those announced. A reminder can be
    repaired on its own day only; afterwards it is only reported as missed.
    """
    cohorts, problems = _list_audited_cohorts(now.astimezone(WIB).date())
    findings = [Finding(problem.kind, None, problem.text) for problem in problems]
    for cohort in cohorts:
        findings += _audit_reminders(cohort, _missed_reminders(cohort, now), now, count_runs)
        for event in cohort.events():
            if not event.run_at + GRACE_PERIOD <= now <= event.run_at + LOOKBACK:
                continue
            if event.kind == "deadline" and event.on == cohort.deadline_on:  # an earlier deadline was extended
                findings += _audit_deadline(cohort, event, now, count_runs)
    return findings


def list_reminders_to_repair(now: datetime, count_runs: Callable[[CohortEvent], RunCounts]) -> list[Finding]:
    """Return the findings of `audit` about reminders that another run can repair, before the hours of their day end."""
    cohorts, _ = _list_audited_cohorts(now.astimezone(WIB).date())
    findings = []
    for cohort in cohorts:
        repairable = [missed for missed in _missed_reminders(cohort, now) if not missed.is_over]
        findings += _audit_reminders(cohort, repairable, now, count_runs)
    return findings


def _list_audited_cohorts(today: date) -> tuple[list[Cohort], list[CalendarProblem]]:
    """Return the cohorts whose dates match their roster, as known today, and the problems of the others."""
    with warehouse.transaction() as connection:
        with_roster = {row["cohort"] for row in warehouse.rows(connection, "cohorts/known_cohorts")}
        problems = calendar_check.list_problems(connection, today)
    audited = with_roster - {problem.cohort for problem in problems}
    return [cohort.as_known_on(today) for number, cohort in calendar().items() if number in audited], problems


def _missed_reminders(cohort: Cohort, now: datetime) -> list[MissedReminder]:
    with warehouse.transaction() as connection:
        return missed_reminders.list_missed(connection, cohort, now)


def _audit_reminders(
    cohort: Cohort, missed: list[MissedReminder], now: datetime, count_runs: Callable[[CohortEvent], RunCounts]
) -> list[Finding]:
    """Return a finding for each missed reminder that was due for somebody and that no run can still send."""
    kinds = [
        "not_reminded" if reminder.is_over else _missing_run(reminder.event, count_runs(reminder.event), now)
        for reminder in missed
    ]
    if not any(kinds):
        return []
    with warehouse.transaction("remind") as connection:
        due = missed_reminders.count_due(connection, cohort, now.astimezone(WIB).date())
    return [
        Finding(kind, None if is_over else event, missed_reminders.describe(cohort, event, due, now))
        for kind, (event, is_over) in zip(kinds, missed, strict=True)
        if kind and due
    ]


def _missing_run(event: CohortEvent, runs: RunCounts, now: datetime) -> str | None:
    """Return the kind of finding for a reminder that no run has sent, or None while a run is active or may start."""
    if runs.active or (not runs.all and now < event.run_at + GRACE_PERIOD):
        return None
    if not runs.all:
        return "no_run"
    return "not_reminded" if runs.with_tasks else "run_without_tasks"


def _audit_deadline(
    cohort: Cohort, event: CohortEvent, now: datetime, count_runs: Callable[[CohortEvent], RunCounts]
) -> list[Finding]:
    with warehouse.transaction() as connection:
        latest = decision.find_decision(connection, cohort.number)
        has_decision = decision.is_decided(connection, cohort)
    if has_decision and latest and (latest.is_carried_out or not latest.overdue):
        return []
    runs = count_runs(event)
    if runs.active:
        return []
    if has_decision and latest:
        text = (
            f"gelombang-{cohort.number} is decided, and its {latest.overdue:,} overdue are not revoked: "
            "no run asks for approval"
        )
        return [Finding("not_carried_out", event, text)]
    if not runs.all:
        if latest or cohort.deadline_on != cohort.first_deadline_on:
            text = f"gelombang-{cohort.number} has the new deadline {cohort.deadline_on}, and no run for it"
            return [Finding("deadline_moved", event, text)]
        return [Finding("no_run", event, f"{event.name} has no run")]
    if not runs.with_tasks:
        return [Finding("run_without_tasks", event, f"{event.name} has a run without tasks")]
    try:
        stops = decision.rehearse(cohort, now.astimezone(WIB).date())["stops"]
    except PrakerjaError as error:  # e.g. its dates differ from those of its roster
        stops = [str(error)]
    if stops:
        return [Finding("blocked", None, f"gelombang-{cohort.number} is not decided: {'; '.join(stops)}")]
    return [Finding("not_decided", event, f"gelombang-{cohort.number} is not decided, and nothing is missing")]
