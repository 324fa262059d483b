"""What a DAG run is about: its cohort, its date, its clock. Runs name it in their configuration or in their id."""

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
    """While this is open, and only then, this process believes the clock that a run's configuration brings along.

    Otherwise a replayed run, cleared under a live scheduler, would take its past day for today and remind people.
    """
    before = is_replaying.set(True)
    try:
        yield
    finally:
        is_replaying.reset(before)


@dataclass(frozen=True)
class RunContext:
    """One run: `kind` is `deadline`, `H-7`, ... or `daily`; `on` the deadline, the reminder date or the business date.

    `at` is the instant that the run believes in (now, or the hour that a replay is playing), `as_of` its WIB day.
    Nothing below the DAGs reads another clock, so a replayed day knows only what had arrived by then. `approve_as` is
    who approves in advance, in a replay.
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
        """The WIB day of `at`."""
        return self.now.astimezone(WIB).date()

    def read_clock(self) -> datetime:
        """The instant that it is by now: a replayed run's stands still, so that it comes to the same each time."""
        return self.now if self.is_replay else datetime.now(WIB)

    @property
    def name(self) -> str:
        """The readable name, also the run id: `gelombang-13__deadline__2021-04-08`."""
        return f"{self.kind}__{self.on}" if self.cohort is None else f"gelombang-{self.cohort}__{self.kind}__{self.on}"

    @property
    def is_late(self) -> bool:
        """Whether a reminder's date is over: such a run sends nothing."""
        return self.as_of > self.on

    def conf(self) -> dict[str, Any]:
        """A replayed run's configuration (`of_cohort` and `of_day` read it back)."""
        conf: dict[str, Any] = {"kind": self.kind, "on": self.on.isoformat(), "at": self.now.isoformat()}
        if self.cohort is not None:
            conf["cohort"] = self.cohort
        if self.approve_as:
            conf["approve_as"] = self.approve_as
        return conf

    @classmethod
    def from_cohort_run(cls, run_id: str, conf: Mapping[str, Any] | None, now: datetime) -> RunContext:
        """A `cohort_deadline` run's run, from its configuration, else its id. Of a cohort alone, its deadline.

        Raises `PrakerjaError` where neither says which event of the calendar the run is for.
        """
        given = _given(conf)
        named = RUN_ID.search(run_id)
        number = given.get("cohort", named and named["cohort"])
        if not re.fullmatch(r"[0-9]{1,4}", str(number)):
            raise PrakerjaError(f'the run {run_id} names no cohort: trigger it with {{"cohort": 13}}')
        at, is_replay = _at(given, now)
        cohort = find_cohort(int(str(number))).as_known_on(at.astimezone(WIB).date())
        of_id = named and "cohort" not in given
        kind = str(given.get("kind", named["kind"] if of_id and named else "deadline"))
        on = given.get("on", named["on"] if of_id and named else None)
        for event in reversed(cohort.events()):  # of several deadlines the one that is known last
            if event.kind == kind and on in (None, event.on.isoformat()):
                is_rehearsal = bool(given.get("rehearsal", False))
                return cls(event.kind, event.on, at, event.cohort, is_replay, given.get("approve_as"), is_rehearsal)
        known = ", ".join(f"{event.kind} on {event.on}" for event in cohort.events())
        raise PrakerjaError(f"the run {run_id} is for nothing in the calendar: gelombang-{cohort.number} has {known}")

    @classmethod
    def from_daily_run(cls, conf: Mapping[str, Any] | None, scheduled_for: date | None, now: datetime) -> RunContext:
        """A `platform_feeds` run's run: the business date that its configuration names, else the scheduled one.

        A run triggered by hand may have none: then it is yesterday's. Raises `PrakerjaError` for what is no date,
        or not over yet.
        """
        given = _given(conf)
        at, is_replay = _at(given, now)
        yesterday = at.astimezone(WIB).date() - timedelta(days=1)
        try:
            on = date.fromisoformat(given["on"]) if "on" in given else scheduled_for or yesterday
        except (TypeError, ValueError):
            raise PrakerjaError('`on` is no business date: trigger it with {"on": "2021-04-05"}') from None
        if on >= at.astimezone(WIB).date():  # it would be published as that day, before the day is over
            raise PrakerjaError(f"the business date {on} is not over yet: trigger it with an earlier one")
        return cls("daily", on, at, None, is_replay, given.get("approve_as"))


def _given(conf: Mapping[str, Any] | None) -> dict[str, Any]:
    """The configuration without what a form left empty."""
    return {key: value for key, value in (conf or {}).items() if value is not None}


def _at(given: Mapping[str, Any], now: datetime) -> tuple[datetime, bool]:
    """The run's instant, and whether it is a replayed one."""
    if "at" not in given:
        if "approve_as" in given:
            raise PrakerjaError(
                "approve_as is for replays: a run's configuration approves nothing. Trigger the run without it, and "
                "approve in Airflow or by `prakerja approve`"
            )
        return now, False
    if not is_replaying.get():
        raise PrakerjaError("this run belongs to a replay: play its days again with `prakerja replay`")
    return datetime.fromisoformat(given["at"]), True
