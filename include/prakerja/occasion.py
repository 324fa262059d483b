"""What a DAG run is about: its cohort, its date, its clock. Runs name it in their configuration or in their id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from prakerja.errors import PrakerjaError
from prakerja.settings import WIB

RUN_ID = re.compile(r"gelombang-(?P<cohort>\d+)__(?P<kind>H-\d+|deadline)__(?P<on>\d{4}-\d\d-\d\d)")


@dataclass(frozen=True)
class Occasion:
    """One run: `kind` is `deadline`, `H-7`, ... or `daily`; `on` the deadline, the reminder date or the business date.

    `clock` is the WIB day that the run believes in: today, or the day that a replay is playing. Nothing below the DAGs
    reads another clock, so a replayed day knows only what had arrived by then.
    """

    kind: str
    on: date
    clock: date
    cohort: int | None = None
    is_replay: bool = False
    approve_as: str | None = None

    @property
    def name(self) -> str:
        """The readable name, also the run id: `gelombang-13__deadline__2021-04-08`."""
        return f"{self.kind}__{self.on}" if self.cohort is None else f"gelombang-{self.cohort}__{self.kind}__{self.on}"

    @property
    def is_late(self) -> bool:
        """Whether a reminder's date is over: such a run sends nothing."""
        return self.clock > self.on

    @property
    def at(self) -> datetime:
        """An instant for what this run publishes: its clock day at 06:00 WIB, the hour of the deadline runs."""
        return datetime.combine(self.clock, time(6), WIB)

    def conf(self) -> dict[str, Any]:
        """The occasion as a run's configuration (`from_run` reads it back)."""
        conf: dict[str, Any] = {"kind": self.kind, "on": self.on.isoformat(), "clock": self.clock.isoformat()}
        if self.cohort is not None:
            conf["cohort"] = self.cohort
        if self.is_replay:
            conf["is_replay"] = True
        if self.approve_as:
            conf["approve_as"] = self.approve_as
        return conf

    @classmethod
    def from_run(cls, run_id: str, conf: Mapping[str, Any] | None, today: date) -> Occasion:
        """Read a run's occasion from its configuration, else from its id; the clock is `today` unless a replay says.

        Raises `PrakerjaError` where neither says which cohort and date the run is for.
        """
        conf = conf or {}
        clock = date.fromisoformat(conf["clock"]) if "clock" in conf else today
        more: dict[str, Any] = {
            "clock": clock,
            "is_replay": bool(conf.get("is_replay")),
            "approve_as": conf.get("approve_as"),
        }
        if "kind" in conf and "on" in conf:
            cohort = conf.get("cohort")
            return cls(
                conf["kind"], date.fromisoformat(conf["on"]), cohort=None if cohort is None else int(cohort), **more
            )
        if named := RUN_ID.search(run_id):
            return cls(named["kind"], date.fromisoformat(named["on"]), cohort=int(named["cohort"]), **more)
        raise PrakerjaError(
            f"the run {run_id} does not say what it is for: trigger it with "
            '{"cohort": 13, "kind": "deadline", "on": "2021-04-08"}'
        )

    @classmethod
    def daily(cls, conf: Mapping[str, Any] | None, business_date: date, today: date) -> Occasion:
        """The daily intake of one business date, as its configuration says, else as it was scheduled."""
        return cls.from_run("", {"kind": "daily", "on": business_date.isoformat()} | dict(conf or {}), today)
