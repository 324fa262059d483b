"""What a DAG run is about: its cohort, its date, its clock. Runs name it in their configuration or in their id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from prakerja.errors import PrakerjaError
from prakerja.settings import WIB

RUN_ID = re.compile(r"gelombang-(?P<cohort>\d+)__(?P<kind>H-\d+|deadline)__(?P<on>\d{4}-\d\d-\d\d)")


@dataclass(frozen=True)
class Occasion:
    """One run: `kind` is `deadline`, `H-7`, ... or `daily`; `on` the deadline, the reminder date or the business date.

    `at` is the instant that the run believes in (now, or the hour that a replay is playing), `clock` its WIB day.
    Nothing below the DAGs reads another clock, so a replayed day knows only what had arrived by then.
    """

    kind: str
    on: date
    at: datetime
    cohort: int | None = None
    is_replay: bool = False
    approve_as: str | None = None

    @property
    def clock(self) -> date:
        """The WIB day of `at`."""
        return self.at.astimezone(WIB).date()

    @property
    def name(self) -> str:
        """The readable name, also the run id: `gelombang-13__deadline__2021-04-08`."""
        return f"{self.kind}__{self.on}" if self.cohort is None else f"gelombang-{self.cohort}__{self.kind}__{self.on}"

    @property
    def is_late(self) -> bool:
        """Whether a reminder's date is over: such a run sends nothing."""
        return self.clock > self.on

    def conf(self) -> dict[str, Any]:
        """A replayed run's configuration (`from_run` reads it back)."""
        conf: dict[str, Any] = {
            "kind": self.kind,
            "on": self.on.isoformat(),
            "at": self.at.isoformat(),
            "is_replay": True,
        }
        if self.cohort is not None:
            conf["cohort"] = self.cohort
        if self.approve_as:
            conf["approve_as"] = self.approve_as
        return conf

    @classmethod
    def from_run(
        cls, run_id: str, conf: Mapping[str, Any] | None, now: datetime, deadlines: Mapping[int, date] | None = None
    ) -> Occasion:
        """Read a run's occasion from its configuration, else from its id. Of a cohort alone, it is the deadline.

        Raises `PrakerjaError` where neither says which cohort and date the run is for.
        """
        given = {key: value for key, value in (conf or {}).items() if value is not None}
        try:
            at = datetime.fromisoformat(given["at"]) if "at" in given else now
            cohort = int(given["cohort"]) if "cohort" in given else None
            if "on" in given:
                kind, on = str(given.get("kind", "deadline")), date.fromisoformat(given["on"])
            elif cohort is not None and cohort in (deadlines or {}) and given.get("kind", "deadline") == "deadline":
                kind, on = "deadline", (deadlines or {})[cohort]
            elif named := RUN_ID.search(run_id):
                kind, on, cohort = named["kind"], date.fromisoformat(named["on"]), int(named["cohort"])
            else:
                raise ValueError
        except (ValueError, TypeError):
            raise PrakerjaError(
                f"the run {run_id} does not say what it is for: trigger it with "
                '{"cohort": 13}, or {"cohort": 13, "kind": "H-7", "on": "2021-04-01"}'
            ) from None
        return cls(kind, on, at, cohort, bool(given.get("is_replay")), given.get("approve_as"))

    @classmethod
    def daily(cls, conf: Mapping[str, Any] | None, business_date: date, now: datetime) -> Occasion:
        """The daily intake of one business date, as its configuration says, else as it was scheduled."""
        return cls.from_run("", {"on": business_date.isoformat()} | dict(conf or {}) | {"kind": "daily"}, now)
