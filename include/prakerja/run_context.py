"""The context of a DAG run: its cohort, its date and its instant. A run's configuration or its id names them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from prakerja.acting import is_replaying
from prakerja.calendar import find_cohort
from prakerja.errors import PrakerjaError
from prakerja.settings import WIB

RUN_ID = re.compile(r"gelombang-(?P<cohort>\d+)__(?P<kind>H-\d+|deadline)__(?P<on>\d{4}-\d\d-\d\d)", re.ASCII)


@contextlib.contextmanager
def replaying() -> Iterator[None]:
    """Let this process use the instant in a run's configuration as its clock, until the context ends.

    Without this limit, a replayed run that is cleared under a live scheduler would take a past day for today and send
    reminders.
    """
    before = is_replaying.set(True)
    try:
        yield
    finally:
        is_replaying.reset(before)


@dataclass(frozen=True)
class RunContext:
    """One run: `kind` is `deadline`, `H-7`, ... or `daily`; `on` the deadline, the reminder date or the business date.

    `now` is the run's instant (the current time, or the hour that is replayed), and `as_of` its WIB day. Code below the
    DAGs reads no other clock, so a replayed day knows only what had arrived by then. In a replay, `approve_as` is the
    person who approves in advance.
    """

    kind: str
    on: date
    now: datetime
    cohort: int | None = None
    is_replay: bool = False
    approve_as: str | None = None
    is_rehearsal: bool = False  # it decides and reports, and changes nothing

    @property
    def as_of(self) -> date:
        """The WIB day of `now`."""
        return self.now.astimezone(WIB).date()

    def read_clock(self) -> datetime:
        """Return the current instant. In a replay the clock stands still, so that every replay has the same result."""
        return self.now if self.is_replay else datetime.now(WIB)

    @property
    def name(self) -> str:
        """The readable name, also the run id: `gelombang-13__deadline__2021-04-08`."""
        return f"{self.kind}__{self.on}" if self.cohort is None else f"gelombang-{self.cohort}__{self.kind}__{self.on}"

    @property
    def is_late(self) -> bool:
        """Whether the run's date has passed. A late reminder run sends nothing."""
        return self.as_of > self.on

    def conf(self) -> dict[str, Any]:
        """Return a replayed run's configuration, which `from_cohort_run` and `from_daily_run` read back."""
        conf: dict[str, Any] = {"kind": self.kind, "on": self.on.isoformat(), "at": self.now.isoformat()}
        if self.cohort is not None:
            conf["cohort"] = self.cohort
        if self.approve_as:
            conf["approve_as"] = self.approve_as
        return conf

    @classmethod
    def from_cohort_run(cls, run_id: str, conf: Mapping[str, Any] | None, now: datetime) -> RunContext:
        """Return the context of a `cohort_deadline` run, from its configuration or else its id.

        A configuration with a cohort alone is for its deadline. Raise `PrakerjaError` if neither the configuration nor
        the id names an event of the calendar.
        """
        given = _given(conf)
        named = RUN_ID.search(run_id)
        number = given.get("cohort", named and named["cohort"])
        if not re.fullmatch(r"[0-9]{1,4}", str(number)):
            raise PrakerjaError(f'the run {run_id} does not name a cohort: trigger it with {{"cohort": 13}}')
        at, is_replay = _at(given, now)
        cohort = find_cohort(int(str(number))).as_known_on(at.astimezone(WIB).date())
        from_id = named if "cohort" not in given else None
        kind = str(given.get("kind", from_id["kind"] if from_id else "deadline"))
        on = given.get("on", from_id["on"] if from_id else None)
        for event in reversed(cohort.events()):  # the latest of several deadlines
            if event.kind == kind and on in (None, event.on.isoformat()):
                is_rehearsal = bool(given.get("rehearsal", False))
                return cls(event.kind, event.on, at, event.cohort, is_replay, given.get("approve_as"), is_rehearsal)
        known = ", ".join(f"{event.kind} on {event.on}" for event in cohort.events())
        raise PrakerjaError(
            f"the run {run_id} is not for an event of the calendar: gelombang-{cohort.number} has {known}"
        )

    @classmethod
    def from_daily_run(cls, conf: Mapping[str, Any] | None, scheduled_for: date | None, now: datetime) -> RunContext:
        """Return the context of a `platform_feeds` run, for the date in its configuration or else in its schedule.

        A run that was triggered by hand may have neither, and is then for yesterday. Raise `PrakerjaError` if the
        configuration does not have a date, or if the date is not over yet.
        """
        given = _given(conf)
        at, is_replay = _at(given, now)
        yesterday = at.astimezone(WIB).date() - timedelta(days=1)
        try:
            on = date.fromisoformat(given["on"]) if "on" in given else scheduled_for or yesterday
        except (TypeError, ValueError):
            raise PrakerjaError('`on` is not a business date: trigger the run with {"on": "2021-04-05"}') from None
        if on >= at.astimezone(WIB).date():  # it would be published as that day before the day is over
            raise PrakerjaError(f"the business date {on} is not over yet: trigger the run with an earlier one")
        return cls("daily", on, at, None, is_replay, given.get("approve_as"))


def _given(conf: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the configuration without the fields that a form left empty."""
    return {key: value for key, value in (conf or {}).items() if value is not None}


def _at(given: Mapping[str, Any], now: datetime) -> tuple[datetime, bool]:
    """Return the run's instant, and whether the run is a replay."""
    if "at" not in given:
        if "approve_as" in given:
            raise PrakerjaError(
                "approve_as is for replays: a run's configuration approves nothing. Trigger the run without it, and "
                "approve in Airflow or by `prakerja approve`"
            )
        return now, False
    if not is_replaying.get():
        raise PrakerjaError("this run belongs to a replay: replay its days with `prakerja replay`")
    return datetime.fromisoformat(given["at"]), True
