"""Reminder dates without a run: those that a run can still make up for, and those that a person must know of."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from prakerja import warehouse
from prakerja.calendar import Cohort, CohortEvent
from prakerja.cohorts import evidence
from prakerja.cohorts.standing import window_of
from prakerja.programme import programme
from prakerja.settings import WIB


class MissedReminder(NamedTuple):
    """A due reminder date on which no run began for the deadline in force.

    `is_over` is true if no run may begin any more: the hours in which messages are sent have passed, or a run for an
    earlier deadline has already sent the messages of this date.
    """

    event: CohortEvent
    is_over: bool


def list_missed(connection: warehouse.Connection, cohort: Cohort, now: datetime) -> list[MissedReminder]:
    """Return the missed reminder dates of a cohort since its last reminder, in order.

    A later reminder reaches the same people, so earlier misses no longer matter; after the deadline none does.
    `cohort` is as known on the day of `now`.
    """
    if now >= cohort.effective_at:
        return []
    missed: list[MissedReminder] = []
    for event in reversed(_reminders(cohort)):
        if now < event.run_at:
            continue
        begun = warehouse.rows(connection, "reminders/find_run", cohort=cohort.number, remind_on=event.on)
        if any(run["deadline_on"] == cohort.deadline_on for run in begun):
            break
        missed.append(MissedReminder(event, bool(begun) or now >= _hours_end_at(event)))
    return missed[::-1]


def count_due(connection: warehouse.Connection, cohort: Cohort, as_of: date) -> int:
    """Return the number of recipients whom a reminder addresses and may be sent to, as known on a day."""
    evidence.refresh(connection, window_of(cohort), as_of, is_decided=False)
    targets = warehouse.rows(
        connection,
        "reminders/count_targets",
        cohort=cohort.number,
        deadline_on=cohort.deadline_on,
        as_of=as_of,
        audience=cohort.reminded_audience,
    )
    return sum(row["people"] for row in targets if row["refused"] is None)


def describe(cohort: Cohort, event: CohortEvent, people: int, now: datetime) -> str:
    """Describe a missed reminder: how many recipients it did not reach, and the date of the next one."""
    following = next((str(each.on) for each in _reminders(cohort) if each.run_at > now), None)
    return (
        f"gelombang-{cohort.number}: {people:,} of its recipients got no reminder on {event.on} ({event.kind}) of the "
        f"deadline {cohort.deadline_on}; {f'the next is on {following}' if following else 'no other is left'}"
    )


def _reminders(cohort: Cohort) -> list[CohortEvent]:
    """Return the reminder dates of the deadline in force, without those of an earlier deadline."""
    return [event for event in cohort.events() if event.kind != "deadline" and event.deadline_on == cohort.deadline_on]


def _hours_end_at(event: CohortEvent) -> datetime:
    """Return the instant (WIB) from which nothing is sent on the reminder date."""
    return datetime.combine(event.on, time(), WIB) + timedelta(hours=programme().reminders.leave_until_hour)
