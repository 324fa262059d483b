"""The calendar of cohorts: `announced_on` and `deadline_on` are explicit data, read from YAML and never computed."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from prakerja.calendar_entries import GivenEntry
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.settings import WIB, Settings

log = logging.getLogger(__name__)


class CohortEvent(NamedTuple):
    """A run of a cohort: its deadline run, or one of its reminder runs. Events sort in the order in which they run.

    `kind` is `deadline` or `H-7`, `H-3`, ...; `on` is the deadline or the reminder date; `run_at` is when its run is
    due.
    """

    run_at: datetime
    cohort: int
    kind: str
    on: date

    @property
    def name(self) -> str:
        """The name for people, also the run id: `gelombang-13__deadline__2021-04-08`."""
        return f"gelombang-{self.cohort}__{self.kind}__{self.on}"

    @property
    def deadline_on(self) -> date:
        """The deadline that it belongs to: for a reminder, as many days later as its `kind` says."""
        return self.on if self.kind == "deadline" else self.on + timedelta(days=int(self.kind.removeprefix("H-")))

    @property
    def logical_date(self) -> datetime:
        """A unique instant, as Airflow requires: events of several cohorts differ by the cohort in microseconds."""
        return self.run_at.astimezone(UTC) + timedelta(microseconds=self.cohort)


class Extension(NamedTuple):
    """A deadline that was moved to a later day, and the day on which that was announced."""

    announced_on: date
    deadline_on: date
    because: str


class NotBought(NamedTuple):
    """How many recipients were reported to have bought nothing yet as of a day, by the feeds up to the day before."""

    as_of: date
    recipients: int


@dataclass(frozen=True, order=True)
class Cohort:
    """One gelombang. Dates are WIB dates, and a deadline ends with its day (23:59).

    `deadline_on` is the latest deadline that was announced, `first_deadline_on` the one that the roster was announced
    with. `reminder_days` (before the deadline) and `audience` are empty where the programme's count.
    """

    announced_on: date
    number: int
    deadline_on: date
    recipients: int | None = field(default=None, compare=False)
    extensions: tuple[Extension, ...] = field(default=(), compare=False)
    first_deadline_on: date = field(default=date.min, compare=False)
    revoked: int | None = field(default=None, compare=False)
    not_bought: NotBought | None = field(default=None, compare=False)
    reminder_days: tuple[int, ...] = field(default=(), compare=False)
    audience: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.first_deadline_on == date.min:
            object.__setattr__(self, "first_deadline_on", self.deadline_on)

    def as_known_on(self, day: date) -> Cohort:
        """Return the cohort with the extensions that were announced by a day."""
        announced = tuple(extension for extension in self.extensions if extension.announced_on <= day)
        deadline_on = announced[-1].deadline_on if announced else self.first_deadline_on
        return replace(self, deadline_on=deadline_on, extensions=announced)

    @property
    def settlement_days(self) -> int:
        """The days of feeds after the deadline that a decision waits for."""
        return programme().settlement_days

    @property
    def reminded_audience(self) -> str:
        """Whom its reminders are for, `not_purchased` or `all`; the programme's audience if the cohort has none."""
        return self.audience or programme().reminders.audience

    @property
    def last_business_date(self) -> date:
        """The last business date that the decision takes into account."""
        return self.deadline_on + timedelta(days=self.settlement_days)

    @property
    def decided_on(self) -> date:
        """The day of the deadline run."""
        return self.last_business_date + timedelta(days=1)

    @property
    def effective_at(self) -> datetime:
        """The end of the deadline day, when a revocation takes effect."""
        return datetime.combine(self.deadline_on + timedelta(days=1), time(), WIB)

    def is_open_on(self, business_date: date) -> bool:
        """Whether a feed of a business date counts for the cohort's decision."""
        return self.announced_on <= business_date <= self.last_business_date

    def events(self) -> list[CohortEvent]:
        """Return the cohort's runs in order: for each deadline, the reminders and the decision of its own days.

        A deadline's days begin with its announcement and end with that of the next, so each day has the events of the
        deadline that is known on it. A deadline that is announced after its decision was due is decided on the day of
        its announcement.
        """
        found = []
        for stage in (self.as_known_on(date.min), *map(self.as_known_on, (e.announced_on for e in self.extensions))):
            found += [event for event in stage._all_events() if self.as_known_on(event.run_at.date()) == stage]
        return sorted(set(found))

    def _all_events(self) -> list[CohortEvent]:
        """Return the reminders and the decision of the latest deadline, also those before its announcement."""
        days = self.reminder_days or programme().reminders.days
        remind_at, decide_at = time(programme().reminders.at_hour), time(programme().decides_at_hour)
        decided_on = max([self.decided_on, *(extension.announced_on for extension in self.extensions)])
        return [
            *(
                CohortEvent(datetime.combine(on, remind_at, WIB), self.number, f"H-{n}", on)
                for n in days
                if (on := self.deadline_on - timedelta(days=n)) >= self.announced_on
            ),
            CohortEvent(
                datetime.combine(decided_on, decide_at, WIB),
                self.number,
                "deadline",
                self.deadline_on,
            ),
        ]


class UnreadableEntry(NamedTuple):
    """An entry of the calendar that cannot be read. `text` names the place, the field and the value, in one line.

    `position` counts from 1; `cohort` is None where its number cannot be read either.
    """

    position: int
    cohort: int | None
    text: str


def calendar() -> dict[int, Cohort]:
    """Return the cohorts whose entries can be read, by number, in the order of their announcement.

    Raises `PrakerjaError` in one line for a file that cannot be read or has no list of cohorts.
    """
    return _read(*_file())[0]


def unreadable_entries() -> list[UnreadableEntry]:
    """Return the entries that cannot be read. Nothing is decided for their cohorts; the others go on.

    Raises `PrakerjaError` as `calendar` does.
    """
    return _read(*_file())[1]


def _file() -> tuple[Path, int]:
    """Return the calendar's file, and when it was changed."""
    path = Settings.from_environment().calendar
    try:
        return path, path.stat().st_mtime_ns
    except OSError:
        return path, 0  # the error is raised when the file is read


def deadlines(cohorts: Iterable[Cohort]) -> dict[str, list[Any]]:
    """Return the cohorts' deadlines as the warehouse's statements take them: `cohorts`, `deadlines`."""
    by_cohort = {cohort.number: cohort.deadline_on for cohort in cohorts}
    return {"cohorts": list(by_cohort), "deadlines": list(by_cohort.values())}


def find_cohort(number: int) -> Cohort:
    """Return a cohort by number. Raises `PrakerjaError` if it is not in the calendar or its entry cannot be read."""
    known = calendar()
    if number not in known:
        for entry in unreadable_entries():
            if entry.cohort == number:
                raise PrakerjaError(entry.text)
        raise PrakerjaError(f"cohort {number} is not in the calendar: known are {', '.join(map(str, known))}")
    return known[number]


@cache
def _read(path: Path, changed_at: int) -> tuple[dict[int, Cohort], list[UnreadableEntry]]:  # noqa: ARG001 - another is another calendar
    import yaml

    from prakerja import plain_yaml

    where = f"the calendar {path}"
    try:
        loaded = plain_yaml.load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PrakerjaError(
            f"{where} cannot be read ({error.strerror}): set PRAKERJA_CALENDAR to a YAML file"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise PrakerjaError(f"{where} is not YAML{line}: correct it") from None
    entries = loaded.get("cohorts") if isinstance(loaded, dict) else None
    if not isinstance(entries, list) or not entries:
        raise PrakerjaError(f"{where} has no list `cohorts`: each entry has cohort, announced_on, deadline_on")
    if "cohorts" in loaded.repeated:
        raise PrakerjaError(f"{where} has `cohorts` twice: make one list of them")
    found: list[Cohort] = []
    unreadable: list[UnreadableEntry] = []
    positions: dict[int, list[int]] = defaultdict(list)
    for position, given in enumerate(entries, 1):
        entry = GivenEntry(given, f"{where}, entry {position}")
        if entry.number is not None:
            positions[entry.number].append(position)
        try:
            found.append(_build_cohort(entry))
        except PrakerjaError as error:
            unreadable.append(UnreadableEntry(position, entry.number, str(error)))
    for number, several in positions.items():
        if len(several) > 1:
            named = " and ".join(map(str, several))
            text = f"{where}, entries {named} (cohort {number}): both have `cohort` {number}: take one away"
            unreadable.append(UnreadableEntry(several[0], number, text))
    readable = sorted(cohort for cohort in found if len(positions[cohort.number]) == 1)
    return {cohort.number: cohort for cohort in readable}, sorted(unreadable)


def _build_cohort(given: GivenEntry) -> Cohort:
    entry = given.read()
    if entry.deadline_on != entry.expected_deadline_on and not entry.note:
        log.warning(
            "%s: the deadline %s is not day %d of the window, %s; it is taken as given (add a `note` to confirm it)",
            given.where, entry.deadline_on, programme().window_days, entry.expected_deadline_on,
        )  # fmt: skip
    if unknown := given.unknown_keys():
        log.warning("%s: %s is not known, and ignored", given.where, ", ".join(unknown))
    extensions = tuple(Extension(each.announced_on, each.deadline_on, each.because) for each in entry.extensions or [])
    return Cohort(
        entry.announced_on,
        entry.cohort,
        extensions[-1].deadline_on if extensions else entry.deadline_on,
        entry.recipients,
        extensions,
        entry.deadline_on,
        revoked=entry.revoked,
        not_bought=NotBought(entry.not_bought.as_of, entry.not_bought.recipients) if entry.not_bought else None,
        reminder_days=entry.reminder_days or (),
        audience=entry.audience,
    )
