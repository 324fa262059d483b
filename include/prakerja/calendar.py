"""The calendar of cohorts: `announced_on` and `deadline_on` as explicit data, read from YAML, never computed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from prakerja.errors import PrakerjaError
from prakerja.settings import WIB, Settings, program

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
    cohort: int
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
        return int(program()["settlement_days"])

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
        """The cohort's runs, in order: its reminders, then the deadline's."""
        days = sorted(self.reminder_days or program()["reminders"]["days"], reverse=True)
        at = time(int(program()["reminders"]["at_hour"]))
        reminders = [(self.deadline_on - timedelta(days=n), f"H-{n}") for n in days]
        return [
            *(
                CohortEvent(datetime.combine(on, at, WIB), self.cohort, kind, on)
                for on, kind in reminders
                if on >= self.announced_on
            ),
            CohortEvent(datetime.combine(self.decided_on, time(6), WIB), self.cohort, "deadline", self.deadline_on),
        ]


def calendar() -> dict[int, Cohort]:
    """All cohorts by number, in the order of their announcement. Raises `PrakerjaError` in one line."""
    path = Settings.from_environment().calendar
    try:
        changed_at = path.stat().st_mtime_ns
    except OSError:
        changed_at = 0  # reading it says what is wrong
    return _read(path, changed_at)


def deadlines(waves: Iterable[Cohort]) -> dict[str, list[Any]]:
    """The cohorts' deadlines as the warehouse's statements take them: `cohorts`, `deadlines`."""
    by_cohort = {wave.cohort: wave.deadline_on for wave in waves}
    return {"cohorts": list(by_cohort), "deadlines": list(by_cohort.values())}


def cohort(number: int) -> Cohort:
    """The cohort of this number. Raises `PrakerjaError` where the calendar has none."""
    known = calendar()
    if number not in known:
        raise PrakerjaError(f"cohort {number} is not in the calendar: known are {', '.join(map(str, known))}")
    return known[number]


@cache
def _read(path: Path, changed_at: int) -> dict[int, Cohort]:  # noqa: ARG001 - another is another calendar
    import yaml

    where = f"the calendar {path}"
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PrakerjaError(
            f"{where} cannot be read ({error.strerror}): set PRAKERJA_CALENDAR to a YAML file"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise PrakerjaError(f"{where} is not YAML{line}: correct it") from None
    entries = loaded.get("cohorts") if isinstance(loaded, dict) else None
    if not isinstance(entries, list) or not entries:
        raise PrakerjaError(f"{where} has no list `cohorts`: each entry has cohort, announced_on, deadline_on")
    found: dict[int, Cohort] = {}
    for position, entry in enumerate(entries, 1):
        cohort = _cohort(entry, f"{where}, entry {position}")
        if cohort.cohort in found:
            raise PrakerjaError(f"{where} names cohort {cohort.cohort} twice: take one away")
        found[cohort.cohort] = cohort
    return {cohort.cohort: cohort for cohort in sorted(found.values())}


def _cohort(entry: Any, where: str) -> Cohort:
    number, announced_on, deadline_on = (
        (entry.get(key) for key in ("cohort", "announced_on", "deadline_on"))
        if isinstance(entry, dict)
        else (None,) * 3
    )
    if type(number) is not int or not 1 <= number <= 9999:
        raise PrakerjaError(f"{where}: `cohort` must be a number from 1 to 9999")
    if type(announced_on) is not date or type(deadline_on) is not date:
        raise PrakerjaError(f"{where} (cohort {number}): announced_on and deadline_on must be dates, as 2021-04-08")
    if deadline_on <= announced_on:
        raise PrakerjaError(f"{where} (cohort {number}): the deadline {deadline_on} is not after {announced_on}")
    expected = announced_on + timedelta(days=int(program()["window_days"]) - 1)
    if deadline_on != expected and not entry.get("note"):
        log.warning(
            "%s (cohort %s): the deadline %s is not the thirtieth day, %s; it is taken as given (a `note` says so)",
            where, number, deadline_on, expected,
        )  # fmt: skip
    recipients, revoked = (
        value if type(value := entry.get(key)) is int and value >= 0 else None for key in ("recipients", "revoked")
    )
    extensions = _extensions(entry.get("extensions") or [], deadline_on, f"{where} (cohort {number})")
    return Cohort(
        announced_on,
        number,
        extensions[-1].deadline_on if extensions else deadline_on,
        recipients,
        extensions,
        deadline_on,
        revoked=revoked,
        not_bought=_not_bought(
            entry.get("not_bought"), announced_on, deadline_on, revoked or 0, recipients, f"{where} (cohort {number})"
        ),
        reminder_days=_reminder_days(entry.get("reminder_days") or [], f"{where} (cohort {number})"),
        audience=_audience(entry.get("audience"), f"{where} (cohort {number})"),
    )


def _not_bought(
    given: Any, announced_on: date, deadline_on: date, least: int, most: int | None, where: str
) -> NotBought | None:
    if given is None:
        return None
    as_of, recipients = (given.get(key) for key in ("as_of", "recipients")) if isinstance(given, dict) else (None, None)
    if type(as_of) is not date or not announced_on < as_of <= deadline_on:
        raise PrakerjaError(f"{where}: `not_bought` is `as_of` a day from after {announced_on} to {deadline_on}")
    if type(recipients) is not int or recipients < least or (most is not None and recipients > most):
        raise PrakerjaError(f"{where}: `not_bought` has `recipients`, a number from those revoked to those selected")
    return NotBought(as_of, recipients)


def _reminder_days(entries: Any, where: str) -> tuple[int, ...]:
    if not isinstance(entries, list) or any(type(days) is not int or not 0 <= days <= 29 for days in entries):
        raise PrakerjaError(f"{where}: `reminder_days` is a list of days before the deadline, as [7, 3, 1]")
    return tuple(dict.fromkeys(entries))


def _audience(given: Any, where: str) -> str | None:
    if given not in (None, "not_purchased", "all"):
        raise PrakerjaError(f"{where}: `audience` is not_purchased or all")
    return str(given) if given else None


def _extensions(entries: Any, deadline_on: date, where: str) -> tuple[Extension, ...]:
    found: list[Extension] = []
    for entry in entries if isinstance(entries, list) else [None]:
        given = entry if isinstance(entry, dict) else {}
        announced, moved_to, because = (given.get(key) for key in ("announced_on", "deadline_on", "because"))
        if type(announced) is not date or type(moved_to) is not date or not str(because or "").strip():
            raise PrakerjaError(f"{where}: each of `extensions` has announced_on, deadline_on and because")
        if moved_to <= (found[-1].deadline_on if found else deadline_on):
            raise PrakerjaError(f"{where}: an extension to {moved_to} is not later: a deadline never moves forward")
        if found and announced < found[-1].announced_on:
            raise PrakerjaError(f"{where}: the extensions stand in the order of their announcement")
        found.append(Extension(announced, moved_to, str(because).strip()))
    return tuple(found)
