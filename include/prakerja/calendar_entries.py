"""Entries of the calendar's file as typed models: strict types, dates within bounds, fields that agree.

An entry is read by itself, so that one that cannot be read stops no other cohort.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from prakerja import plain_yaml
from prakerja.errors import PrakerjaError
from prakerja.escaping import one_line
from prakerja.programme import programme
from prakerja.typed_yaml import FrozenModel, Problem, expects, expects_list, expects_mapping, misfit

#: Dates outside of these are slips of the pen, and days before and after them could not be counted.
FIRST_DATE, LAST_DATE = date(2020, 1, 1), date(2099, 12, 31)
MOST_PEOPLE = 10**9


def _require_bounds(day: date) -> date:
    if not FIRST_DATE <= day <= LAST_DATE:
        raise misfit(f"not from {FIRST_DATE} to {LAST_DATE}")
    return day


def _require_inside_window(days: tuple[int, ...]) -> tuple[int, ...]:
    last = programme().window_days - 1
    if not all(0 <= each <= last for each in days):
        raise misfit(f"not a list of days before the deadline, from 0 to {last}, as [7, 3, 1]")
    return tuple(dict.fromkeys(days))


#: A field that the file must have; without it, it is read as None and shown as "not there".
REQUIRED: Any = Field(default=None, validate_default=True)
Number = Annotated[int, Field(ge=1, le=9999), expects("not a number from 1 to 9999")]
Day = Annotated[
    date,
    expects("not a date: write a day that exists, without quotes, as 2021-04-08", kind=date),
    AfterValidator(_require_bounds),
]
Count = Annotated[int, Field(ge=0, le=MOST_PEOPLE), expects("not a number of people, as 600000")]
Words = Annotated[str, Field(pattern=r"\S"), expects("not the reason, in words"), AfterValidator(str.strip)]
ReminderDays = Annotated[
    tuple[int, ...],
    Field(strict=False),
    expects("not a list of days before the deadline, as [7, 3, 1]", kind=list),
    AfterValidator(_require_inside_window),
]
Audience = Annotated[Literal["not_purchased", "all"], expects("not one of not_purchased and all")]


class ExtensionEntry(FrozenModel):
    """A deadline that was moved to a later day."""

    model_config = ConfigDict(extra="ignore")

    announced_on: Day = REQUIRED
    deadline_on: Day = REQUIRED
    because: Words = REQUIRED


class NotBoughtEntry(FrozenModel):
    """How many recipients had bought nothing yet, as of a day."""

    model_config = ConfigDict(extra="ignore")

    as_of: Day = REQUIRED
    recipients: Annotated[Count, expects("not a number from those revoked to those selected")] = REQUIRED


class CohortEntry(FrozenModel):
    """One entry of the calendar. `note` and `estimated` are for people."""

    model_config = ConfigDict(extra="ignore")

    cohort: Number = REQUIRED
    announced_on: Day = REQUIRED
    deadline_on: Day = REQUIRED
    recipients: Count | None = None
    revoked: Count | None = None
    not_bought: Annotated[NotBoughtEntry, expects_mapping("as_of and recipients")] | None = None
    extensions: Annotated[
        list[Annotated[ExtensionEntry, expects_mapping("announced_on, deadline_on and because")]],
        expects_list("announced_on, deadline_on and because"),
    ] | None = None  # fmt: skip
    reminder_days: ReminderDays | None = None
    audience: Audience | None = None
    note: Any = None
    estimated: Any = None

    @property
    def expected_deadline_on(self) -> date:
        """The last day of the programme's window, in which the day of announcement is the first."""
        return self.announced_on + timedelta(days=programme().window_days - 1)

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.deadline_on <= self.announced_on:
            raise misfit(f"not after announced_on, {self.announced_on}", "deadline_on", value=self.deadline_on)
        announced_on, deadline_on = self.announced_on, self.deadline_on
        for place, each in enumerate(self.extensions or []):
            if each.deadline_on <= deadline_on:
                what = f"not after {deadline_on}: a deadline never moves earlier"
                raise misfit(what, "extensions", place, "deadline_on", value=each.deadline_on)
            if each.announced_on < announced_on:
                what = f"before {announced_on}: list them as they were announced"
                raise misfit(what, "extensions", place, "announced_on", value=each.announced_on)
            announced_on, deadline_on = each.announced_on, each.deadline_on
        return self

    @model_validator(mode="after")
    def _require_possible_figures(self) -> Self:
        found = self.not_bought
        if found is None:
            return self
        if not self.announced_on < found.as_of <= self.deadline_on:
            what = f"not from after {self.announced_on} to {self.deadline_on}"
            raise misfit(what, "not_bought", "as_of", value=found.as_of)
        most = MOST_PEOPLE if self.recipients is None else self.recipients
        if not (self.revoked or 0) <= found.recipients <= most:
            what = "not a number from those revoked to those selected"
            raise misfit(what, "not_bought", "recipients", value=found.recipients)
        return self


class GivenEntry:
    """An entry as it was written: `number` is None where its cohort cannot be read."""

    def __init__(self, given: Any, where: str) -> None:
        self.given = given
        self.number = _read_number(given)
        self.where = where if self.number is None else f"{where} (cohort {self.number})"

    def read(self) -> CohortEntry:
        """Return the entry. Raises `PrakerjaError` in one line: the place, the field, its value, what is expected."""
        if not isinstance(self.given, dict):
            raise PrakerjaError(f"{self.where}: {show_value(self.given)} has no cohort, announced_on and deadline_on")
        if repeated := plain_yaml.find_repeated(self.given):
            raise PrakerjaError(f"{self.where}: `{_name_field(repeated)}` stands there twice: take one away")
        try:
            return CohortEntry.model_validate(self.given)
        except ValidationError as error:
            problem = Problem.from_error(error)
        raise PrakerjaError(
            f"{self.where}: `{_name_field(problem.path)}` is {show_value(problem.value)}, {problem.text}"
        )

    def unknown_keys(self) -> list[str]:
        """Return the keys that no entry has, as people find them in the file."""
        return [show_value(key) for key in self.given if key not in CohortEntry.model_fields]


def show_value(value: Any) -> str:
    """Return a value as a person finds it in the file: one line, cut off where it is long."""
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


def _read_number(given: Any) -> int | None:
    if not isinstance(given, dict) or "cohort" in getattr(given, "repeated", ()):
        return None
    try:
        return _NUMBER.validate_python(given.get("cohort"), strict=True)
    except ValidationError:
        return None


def _name_field(path: tuple[int | str, ...]) -> str:
    """Return a path as a person counts: `extensions[1].because` is of the first extension."""
    named = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{one_line(step[:40])}" for step in path)
    return named.removeprefix(".")


_NUMBER = TypeAdapter(Number)
