"""Problems with the calendar: unreadable entries, dates that differ from the announced ones, missing rosters.

No run decides, reminds or revokes anybody because of these, and no run repairs them: they need a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

from prakerja import warehouse
from prakerja.calendar import Cohort, calendar, unreadable_entries
from prakerja.escaping import one_line
from prakerja.programme import programme

LOOKS_BACK = timedelta(days=400)  # no roster is expected later than this after the decision was due


class CalendarProblem(NamedTuple):
    """A problem with the calendar that needs a person: `text` says in one line what it is and what to do.

    `kind` is `entry_unreadable`, `calendar_mismatch` (the calendar no longer has what was announced) or
    `no_roster`. `cohort` is None if the entry's number cannot be read.
    """

    kind: str
    cohort: int | None
    text: str
    is_urgent: bool = True


def list_problems(connection: warehouse.Connection, day: date) -> list[CalendarProblem]:
    """Return the problems with the calendar on a day."""
    return [
        *(CalendarProblem("entry_unreadable", entry.cohort, entry.text) for entry in unreadable_entries()),
        *_mismatches(connection, day),
        *_without_roster(connection, day),
    ]


def describe_missing_roster(connection: warehouse.Connection, cohort: Cohort, day: date) -> str:
    """Describe a missing roster: the days left until the deadline, and why a delivered roster was rejected."""
    rejected = {row["cohort"]: row for row in warehouse.rows(connection, "cohorts/list_rejected_rosters")}
    return _missing_roster(cohort.as_known_on(day), day, rejected.get(cohort.number))


def cohorts_without_roster(connection: warehouse.Connection, day: date) -> list[Cohort]:
    """Return the cohorts announced on or before a day that have no roster, as known on that day."""
    loaded = {row["cohort"] for row in warehouse.rows(connection, "cohorts/known_cohorts")}
    cohorts = [cohort.as_known_on(day) for number, cohort in calendar().items() if number not in loaded]
    return [cohort for cohort in cohorts if cohort.announced_on <= day <= cohort.decided_on + LOOKS_BACK]


def _without_roster(connection: warehouse.Connection, day: date) -> Iterator[CalendarProblem]:
    rejected = {row["cohort"]: row for row in warehouse.rows(connection, "cohorts/list_rejected_rosters")}
    for cohort in cohorts_without_roster(connection, day):
        text = _missing_roster(cohort, day, rejected.get(cohort.number))
        yield CalendarProblem(
            "no_roster", cohort.number, text, (cohort.deadline_on - day).days <= _first_reminder(cohort)
        )


def _first_reminder(cohort: Cohort) -> int:
    """Return the days before the deadline from which on a missing roster is urgent."""
    return max(cohort.reminder_days or programme().reminders.days)


def _missing_roster(cohort: Cohort, day: date, rejected: Any) -> str:
    left = (cohort.deadline_on - day).days
    days = f"{abs(left)} day{'' if abs(left) == 1 else 's'}"
    when = f"its deadline, {cohort.deadline_on}, is " + (
        "today" if left == 0 else f"in {days}" if left > 0 else f"{days} past"
    )
    folder = f"rosters/gelombang-{cohort.number}"
    if rejected is None:
        return f"gelombang-{cohort.number} has no roster, and {when}: deliver {folder}"
    why = one_line(f"{rejected['reason']}: {rejected['detail']}")
    return f"gelombang-{cohort.number} has no roster, and {when}: it was rejected, {why}: deliver {folder} again"


def _mismatches(connection: warehouse.Connection, day: date) -> Iterator[CalendarProblem]:
    """Yield a problem for each loaded cohort whose dates differ from the calendar's."""
    unreadable = {entry.cohort for entry in unreadable_entries()}
    promises = {row["cohort"]: row for row in warehouse.rows(connection, "cohorts/list_promises", as_of=day)}
    for known in warehouse.rows(connection, "cohorts/known_cohorts"):
        if known["cohort"] in unreadable:
            continue  # its dates may be right
        if text := _mismatch(known, promises.get(known["cohort"]), day):
            yield CalendarProblem("calendar_mismatch", known["cohort"], text)


def _mismatch(known: Any, promise: Any, day: date) -> str | None:
    number, decided_for = known["cohort"], known["decided_deadline_on"]
    name = f"gelombang-{number}, decided for {decided_for}," if decided_for else f"gelombang-{number}"
    extension = ""
    if promise is not None:
        of_it = f"announced_on: {promise['announced_on']}, deadline_on: {promise['deadline_on']}"
        extension = f"extensions: [{{{of_it}, because: {one_line(promise['because'])}}}]"
    dates = f"announced_on: {known['announced_on']}, deadline_on: {known['deadline_on']}"
    found = calendar().get(number)
    if found is None:
        entry = ", ".join(filter(None, [f"cohort: {number}", dates, extension]))
        return f"{name} has a roster but is not in the calendar: restore {{{entry}}}"
    if (found.announced_on, found.first_deadline_on) != (known["announced_on"], known["deadline_on"]):
        given = f"{found.announced_on} to {found.first_deadline_on}"
        return f"{name} has other dates in the calendar ({given}) than its roster: restore {dates}"
    known_now = found.as_known_on(day).deadline_on
    if promise is not None and promise["deadline_on"] > known_now:
        return (
            f"{name} has a deadline in the calendar, {known_now}, that is earlier than the one that was announced: "
            f"restore {extension}"
        )
    return None
