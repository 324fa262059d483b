"""The daily audit of runs: each event of the calendar that is due has had its run, and the run has done its work."""

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
from prakerja.revocations.approval import NAMED
from prakerja.settings import WIB

PATIENCE = timedelta(hours=1)  # so long after its hour a run may begin
LOOKS_BACK = timedelta(days=400)  # what lies further back is for a person


@dataclass(frozen=True)
class SeenRuns:
    """What Airflow knows of an event's runs: how many, how many go on, how many have tasks."""

    all: int
    active: int
    with_tasks: int


@dataclass(frozen=True)
class Finding:
    """Something that lacks: `kind` is `no_run`, `run_without_tasks`, `deadline_moved`, `not_decided`,
    `not_carried_out`, `blocked`, `not_reminded`, or that of a `CalendarProblem`.

    `event` is what another run of repairs it; None where a person is needed.
    """

    kind: str
    event: CohortEvent | None
    text: str


def repair_run_id(event: CohortEvent, on: datetime) -> str:
    """The id of the run that repairs an event on a day: one a day at most."""
    return f"{event.name}__audit-{on.astimezone(WIB).date()}"


def resumed_run_id(event: CohortEvent, decision_id: str) -> str:
    """The id of the run that goes on where an attempt was stopped by deliveries that were missing: one an attempt."""
    return f"{event.name}__after-{decision_id.rsplit('-', 1)[1][:NAMED]}"


def repair_run_ids(event: CohortEvent, now: datetime) -> list[str]:
    """The ids that repairs of an event have had until now."""
    days = min((now - event.run_at).days + 1, LOOKS_BACK.days)
    ids = [repair_run_id(event, now - timedelta(days=day)) for day in range(days + 1)]
    if event.kind == "deadline":
        with warehouse.transaction() as connection:
            gaps = warehouse.rows(connection, "revocations/list_gaps", cohort=event.cohort, deadline_on=event.on)
        ids += [resumed_run_id(event, row["decision_id"]) for row in gaps]
    return ids


def resume(now: datetime, seen: Callable[[CohortEvent], SeenRuns]) -> list[tuple[str, CohortEvent, str]]:
    """Find the cohorts that were stopped by missing deliveries which have all arrived, and that no run decides.

    Gives of each the id of the run that goes on with it, the event that it is for, and why. Where others are missing
    than when a cohort was stopped, the attempt is recorded anew: a person answers for what is missing by now.
    """
    today = now.astimezone(WIB).date()
    with warehouse.transaction() as connection:
        stopped = {row["cohort"]: row for row in warehouse.rows(connection, "revocations/list_blocked")}
    found = []
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
        if not seen(event).active:
            text = f"gelombang-{number} is not decided, and the deliveries that were missing have arrived"
            found.append((resumed_run_id(event, attempt["decision_id"]), event, text))
    return found


def audit(now: datetime, seen: Callable[[CohortEvent], SeenRuns]) -> list[Finding]:
    """Compare the calendar, the decisions and the runs; gives what lacks: of the calendar, then by cohort.

    A cohort without a roster has nothing to run for, and one whose dates are not those that were announced runs for
    nothing. A reminder is worth its run on its own day only; after it, what was missed is told.
    """
    cohorts, problems = _audited_cohorts(now.astimezone(WIB).date())
    found = [Finding(problem.kind, None, problem.text) for problem in problems]
    for cohort in cohorts:
        found += _audited_reminders(cohort, _missed_reminders(cohort, now), now, seen)
        for event in cohort.events():
            if not event.run_at + PATIENCE <= now <= event.run_at + LOOKS_BACK:
                continue
            if event.kind == "deadline" and event.on == cohort.deadline_on:  # that of an earlier one is past
                found += _audited_deadline(cohort, event, now, seen)
    return found


def reminders_to_repair(now: datetime, seen: Callable[[CohortEvent], SeenRuns]) -> list[Finding]:
    """Find what `audit` finds of reminders and another run repairs: until the hours of their day have ended."""
    cohorts, _ = _audited_cohorts(now.astimezone(WIB).date())
    found = []
    for cohort in cohorts:
        repairable = [missed for missed in _missed_reminders(cohort, now) if not missed.is_over]
        found += _audited_reminders(cohort, repairable, now, seen)
    return found


def _audited_cohorts(today: date) -> tuple[list[Cohort], list[CalendarProblem]]:
    """Return the cohorts that have a roster and its dates, as known today, and what is wrong with others."""
    with warehouse.transaction() as connection:
        with_roster = {row["cohort"] for row in warehouse.rows(connection, "cohorts/known_cohorts")}
        problems = calendar_check.list_problems(connection, today)
    audited = with_roster - {problem.cohort for problem in problems}
    return [cohort.as_known_on(today) for number, cohort in calendar().items() if number in audited], problems


def _missed_reminders(cohort: Cohort, now: datetime) -> list[MissedReminder]:
    with warehouse.transaction() as connection:
        return missed_reminders.list_missed(connection, cohort, now)


def _audited_reminders(
    cohort: Cohort, missed: list[MissedReminder], now: datetime, seen: Callable[[CohortEvent], SeenRuns]
) -> list[Finding]:
    """Find the dates among these on which people were due and not reminded, and that no run makes up for by now."""
    kinds = ["not_reminded" if each.is_over else _missing_run(each.event, seen(each.event), now) for each in missed]
    if not any(kinds):
        return []
    with warehouse.transaction("remind") as connection:
        due = missed_reminders.count_due(connection, cohort, now.astimezone(WIB).date())
    return [
        Finding(kind, None if is_over else event, missed_reminders.describe(cohort, event, due, now))
        for kind, (event, is_over) in zip(kinds, missed, strict=True)
        if kind and due
    ]


def _missing_run(event: CohortEvent, runs: SeenRuns, now: datetime) -> str | None:
    """Return what is wrong with the runs of a reminder that began in none; None while one goes on or may start."""
    if runs.active or (not runs.all and now < event.run_at + PATIENCE):
        return None
    if not runs.all:
        return "no_run"
    return "not_reminded" if runs.with_tasks else "run_without_tasks"


def _audited_deadline(
    cohort: Cohort, event: CohortEvent, now: datetime, seen: Callable[[CohortEvent], SeenRuns]
) -> list[Finding]:
    with warehouse.transaction() as connection:
        made = decision.find_decision(connection, cohort.number)
        has_decision = decision.is_decided(connection, cohort)
    if has_decision and made and (made.is_carried_out or not made.overdue):
        return []
    runs = seen(event)
    if runs.active:
        return []
    if has_decision and made:
        text = (
            f"gelombang-{cohort.number} is decided, and its {made.overdue:,} overdue are not: no run asks for approval"
        )
        return [Finding("not_carried_out", event, text)]
    if not runs.all:
        if made or cohort.deadline_on != cohort.first_deadline_on:
            text = f"gelombang-{cohort.number} has got the deadline {cohort.deadline_on}, and no run for it"
            return [Finding("deadline_moved", event, text)]
        return [Finding("no_run", event, f"{event.name} has no run")]
    if not runs.with_tasks:
        return [Finding("run_without_tasks", event, f"{event.name} has a run without tasks")]
    try:
        stops = decision.rehearse(cohort, now.astimezone(WIB).date())["stops"]
    except PrakerjaError as error:  # its calendar is another than its roster's, for one
        stops = [str(error)]
    if stops:
        return [Finding("blocked", None, f"gelombang-{cohort.number} is not decided: {'; '.join(stops)}")]
    return [Finding("not_decided", event, f"gelombang-{cohort.number} is not decided, and all is there by now")]
