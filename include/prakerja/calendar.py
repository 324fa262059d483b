"""The calendar of cohorts: `announced_on` and `deadline_on` as explicit data, read from YAML, never computed."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from prakerja.errors import PrakerjaError
from prakerja.escaping import one_line
from prakerja.programme import programme
from prakerja.settings import WIB, Settings

log = logging.getLogger(__name__)


class CohortEvent(NamedTuple):
    """One thing that happens to one cohort, once; events sort in the order in which they run.

    `kind` is `deadline` or `H-7`, `H-3`, ...; `on` the deadline or the reminder date; `run_at` when its run is due.
    """

    run_at: datetime
    cohort: int
    kind: str
    on: date

    @property
    def name(self) -> str:
        """What it is, for people, and its run id: `gelombang-13__deadline__2021-04-08`."""
        return f"gelombang-{self.cohort}__{self.kind}__{self.on}"

    @property
    def deadline_on(self) -> date:
        """The deadline that it belongs to: of a reminder, so many days later as its `kind` says."""
        return self.on if self.kind == "deadline" else self.on + timedelta(days=int(self.kind.removeprefix("H-")))

    @property
    def logical_date(self) -> datetime:
        """Unique, as Airflow demands: several cohorts may share an instant, so the cohort counts as microseconds."""
        return self.run_at.astimezone(UTC) + timedelta(microseconds=self.cohort)


class Extension(NamedTuple):
    """A deadline that was moved to a later day, from the day on which that was announced."""

    announced_on: date
    deadline_on: date
    because: str


class NotBought(NamedTuple):
    """How many recipients were told to have bought nothing yet, as of a day: from the feeds up to the day before."""

    as_of: date
    recipients: int


@dataclass(frozen=True, order=True)
class Cohort:
    """One gelombang: both dates are WIB dates, the deadline is 23:59 of its day, that is before the next midnight.

    `deadline_on` is the latest that was announced; `first_deadline_on` the one that the roster was announced with.
    `reminder_days` (before the deadline) and `audience` of reminders are the program's, where the cohort has none.
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
        """The cohort with the extensions that were announced by a day."""
        announced = tuple(extension for extension in self.extensions if extension.announced_on <= day)
        deadline_on = announced[-1].deadline_on if announced else self.first_deadline_on
        return replace(self, deadline_on=deadline_on, extensions=announced)

    @property
    def settlement_days(self) -> int:
        """Days of feeds after the deadline that a decision waits for."""
        return programme().settlement_days

    @property
    def reminded_audience(self) -> str:
        """Whom its reminders are for, `not_purchased` or `all`: the programme's where the cohort has no own."""
        return self.audience or programme().reminders.audience

    @property
    def last_business_date(self) -> date:
        """The last business date that the deadline decision sees."""
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
        """Whether a feed of this business date bears on the cohort's decision."""
        return self.announced_on <= business_date <= self.last_business_date

    def events(self) -> list[CohortEvent]:
        """The cohort's runs, in order: of each deadline the reminders and the decision that fall into its own days.

        A deadline's days begin with its announcement and end with that of the next: whatever the calendar tells in
        advance, each day has the events of the deadline that is known on it. A deadline that is announced when its
        decision is due already is decided on the day of its announcement.
        """
        found = []
        for stage in (self.as_known_on(date.min), *map(self.as_known_on, (e.announced_on for e in self.extensions))):
            found += [event for event in stage._all_events() if self.as_known_on(event.run_at.date()) == stage]
        return sorted(set(found))

    def _all_events(self) -> list[CohortEvent]:
        """The reminders and the decision of the latest deadline, those before its announcement too."""
        days = self.reminder_days or programme().reminders.days
        at = time(programme().reminders.at_hour)
        decided_on = max([self.decided_on, *(extension.announced_on for extension in self.extensions)])
        return [
            *(
                CohortEvent(datetime.combine(on, at, WIB), self.number, f"H-{n}", on)
                for n in days
                if (on := self.deadline_on - timedelta(days=n)) >= self.announced_on
            ),
            CohortEvent(datetime.combine(decided_on, time(6), WIB), self.number, "deadline", self.deadline_on),
        ]


class UnreadableEntry(NamedTuple):
    """An entry of the calendar that cannot be read: `told` says where, which field and which value, in one line.

    `position` counts from 1; `cohort` is None where its number cannot be read either.
    """

    position: int
    cohort: int | None
    told: str


def calendar() -> dict[int, Cohort]:
    """The cohorts by number, in the order of their announcement: those whose entries can be read.

    Raises `PrakerjaError` in one line where the file cannot be read, or is no list of cohorts.
    """
    return _read(*_file())[0]


def unreadable_entries() -> list[UnreadableEntry]:
    """The entries of the calendar that cannot be read. Nothing is decided for their cohorts; the others go on.

    Raises `PrakerjaError` as `calendar` does.
    """
    return _read(*_file())[1]


def _file() -> tuple[Path, int]:
    """The calendar's file, and when it was changed."""
    path = Settings.from_environment().calendar
    try:
        return path, path.stat().st_mtime_ns
    except OSError:
        return path, 0  # reading it says what is wrong


def deadlines(cohorts: Iterable[Cohort]) -> dict[str, list[Any]]:
    """The cohorts' deadlines as the warehouse's statements take them: `cohorts`, `deadlines`."""
    by_cohort = {cohort.number: cohort.deadline_on for cohort in cohorts}
    return {"cohorts": list(by_cohort), "deadlines": list(by_cohort.values())}


def find_cohort(number: int) -> Cohort:
    """The cohort of this number. Raises `PrakerjaError` where the calendar has none, or its entry cannot be read."""
    known = calendar()
    if number not in known:
        for entry in unreadable_entries():
            if entry.cohort == number:
                raise PrakerjaError(entry.told)
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
    found: list[tuple[int, Cohort]] = []
    unreadable: list[UnreadableEntry] = []
    positions: dict[int, list[int]] = defaultdict(list)
    for position, given in enumerate(entries, 1):
        entry = _Entry(given, f"{where}, entry {position}")
        if entry.number is not None:
            positions[entry.number].append(position)
        try:
            found.append((position, entry.read()))
        except PrakerjaError as error:
            unreadable.append(UnreadableEntry(position, entry.number, str(error)))
    for number, several in positions.items():
        if len(several) > 1:
            named = " and ".join(map(str, several))
            told = f"{where}, entries {named} (cohort {number}): both have `cohort` {number}: take one away"
            unreadable.append(UnreadableEntry(several[0], number, told))
    readable = sorted(cohort for _, cohort in found if len(positions[cohort.number]) == 1)
    return {cohort.number: cohort for cohort in readable}, sorted(unreadable)


#: Dates outside of these are slips of the pen, and days before and after them could not be counted.
FIRST_DATE, LAST_DATE = date(2020, 1, 1), date(2099, 12, 31)
MOST_PEOPLE = 10**9
KEYS = {
    "cohort", "announced_on", "deadline_on", "recipients", "revoked", "not_bought", "extensions", "reminder_days",
    "audience", "note", "estimated",
}  # fmt: skip


class _Entry:
    """One entry of the calendar as it was written. Its methods raise `PrakerjaError`: place, field and value."""

    def __init__(self, given: Any, where: str) -> None:
        self.given = given if isinstance(given, dict) else None
        is_once = self.given is not None and "cohort" not in getattr(given, "repeated", ())
        number = given["cohort"] if is_once and "cohort" in given else None
        self.number = number if type(number) is int and 1 <= number <= 9999 else None
        self.where = where if self.number is None else f"{where} (cohort {self.number})"
        self.written = given

    def read(self) -> Cohort:
        """The cohort that the entry tells of."""
        if self.given is None:
            raise PrakerjaError(f"{self.where}: {_shown(self.written)} has no cohort, announced_on and deadline_on")
        self._require_once(self.given, "")
        if self.number is None:
            self._refuse("cohort", self.given.get("cohort"), "not a number from 1 to 9999")
        number = self.number or 0
        announced_on, deadline_on = (self._date(self.given, key) for key in ("announced_on", "deadline_on"))
        if deadline_on <= announced_on:
            self._refuse("deadline_on", deadline_on, f"not after announced_on, {announced_on}")
        expected = announced_on + timedelta(days=programme().window_days - 1)
        if deadline_on != expected and not self.given.get("note"):
            log.warning(
                "%s: the deadline %s is not the thirtieth day, %s; it is taken as given (a `note` says so)",
                self.where, deadline_on, expected,
            )  # fmt: skip
        if unknown := [_shown(key) for key in self.given if key not in KEYS]:
            log.warning("%s: %s is not known, and ignored", self.where, ", ".join(unknown))
        recipients, revoked = (self._count(self.given, key) for key in ("recipients", "revoked"))
        extensions = self._extensions(announced_on, deadline_on)
        return Cohort(
            announced_on,
            number,
            extensions[-1].deadline_on if extensions else deadline_on,
            recipients,
            extensions,
            deadline_on,
            revoked=revoked,
            not_bought=self._not_bought(announced_on, deadline_on, revoked or 0, recipients),
            reminder_days=self._reminder_days(),
            audience=self._audience(),
        )

    def _refuse(self, field: str, value: Any, what: str) -> NoReturn:
        raise PrakerjaError(f"{self.where}: `{field}` is {_shown(value)}, {what}")

    def _require_once(self, given: Any, prefix: str) -> None:
        for key in getattr(given, "repeated", ()):
            raise PrakerjaError(f"{self.where}: `{prefix}{one_line(key[:40])}` stands there twice: take one away")

    def _date(self, given: dict[Any, Any], key: str, prefix: str = "") -> date:
        value = given.get(key)
        if type(value) is not date:
            what = "not a date: write a day that exists, without quotes, as 2021-04-08"
            self._refuse(f"{prefix}{key}", value, what)
        if not FIRST_DATE <= value <= LAST_DATE:
            self._refuse(f"{prefix}{key}", value, f"not from {FIRST_DATE} to {LAST_DATE}")
        return value

    def _count(self, given: dict[Any, Any], key: str, prefix: str = "") -> int | None:
        value = given.get(key)
        if value is not None and (type(value) is not int or not 0 <= value <= MOST_PEOPLE):
            self._refuse(f"{prefix}{key}", value, "not a number of people, as 600000")
        return value

    def _not_bought(self, announced_on: date, deadline_on: date, least: int, most: int | None) -> NotBought | None:
        given = self._value("not_bought")
        if given is None:
            return None
        if not isinstance(given, dict):
            self._refuse("not_bought", given, "not a mapping with as_of and recipients")
        self._require_once(given, "not_bought.")
        as_of, recipients = self._date(given, "as_of", "not_bought."), self._count(given, "recipients", "not_bought.")
        if not announced_on < as_of <= deadline_on:
            self._refuse("not_bought.as_of", as_of, f"not from after {announced_on} to {deadline_on}")
        if recipients is None or recipients < least or (most is not None and recipients > most):
            what = "not a number from those revoked to those selected"
            self._refuse("not_bought.recipients", given.get("recipients"), what)
        return NotBought(as_of, recipients)

    def _reminder_days(self) -> tuple[int, ...]:
        days = self._value("reminder_days")
        if days is None:
            return ()
        if not isinstance(days, list) or any(type(each) is not int or not 0 <= each <= 29 for each in days):
            self._refuse("reminder_days", days, "not a list of days before the deadline, as [7, 3, 1]")
        return tuple(dict.fromkeys(days))

    def _audience(self) -> str | None:
        given = self._value("audience")
        if given not in (None, "not_purchased", "all"):
            self._refuse("audience", given, "not one of not_purchased and all")
        return None if given is None else str(given)

    def _extensions(self, announced_on: date, deadline_on: date) -> tuple[Extension, ...]:
        entries = self._value("extensions")
        if entries is None:
            return ()
        if not isinstance(entries, list):
            self._refuse("extensions", entries, "not a list of announced_on, deadline_on and because")
        found: list[Extension] = []
        for position, given in enumerate(entries, 1):
            name = f"extensions[{position}]"
            if not isinstance(given, dict):
                self._refuse(name, given, "not a mapping with announced_on, deadline_on and because")
            self._require_once(given, f"{name}.")
            announced, moved_to = (self._date(given, key, f"{name}.") for key in ("announced_on", "deadline_on"))
            because = given.get("because")
            if not isinstance(because, str) or not because.strip():
                self._refuse(f"{name}.because", because, "not the reason, in words")
            if moved_to <= (before := found[-1].deadline_on if found else deadline_on):
                self._refuse(f"{name}.deadline_on", moved_to, f"not after {before}: a deadline never moves earlier")
            if announced < (since := found[-1].announced_on if found else announced_on):
                self._refuse(f"{name}.announced_on", announced, f"before {since}: list them as they were announced")
            found.append(Extension(announced, moved_to, because.strip()))
        return tuple(found)

    def _value(self, key: str) -> Any:
        return (self.given or {}).get(key)


def _shown(value: Any) -> str:
    """A value as a person finds it in the file, in one line, cut off where it is long."""
    if value is None:
        return "not there"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{one_line(value[:60])}"'
    if isinstance(value, int) and value.bit_length() > 200:
        return "a number of more than sixty digits"
    if isinstance(value, date | int | float):
        return str(value)
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else "something else"
