"""The deadline decision: every recipient's outcome, once, from complete feeds, or a named reason why there is none."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from prakerja import warehouse
from prakerja.calendar import Cohort
from prakerja.cohorts.completeness import as_text, missing_for, sentence
from prakerja.cohorts.standing import standing_parameters
from prakerja.errors import NotReadyError, PrakerjaError
from prakerja.settings import program

log = logging.getLogger(__name__)


class BlockedError(PrakerjaError):
    """A cohort may not be decided, or its decision not be carried out. Nothing was revoked or published."""


@dataclass(frozen=True)
class Decision:
    """A carried decision: its id (derived from its content), the window it was made for, and its totals."""

    decision_id: str
    cohort: int
    as_of: date
    announced_on: date
    deadline_on: date
    settlement_days: int
    selected: int
    purchased: int
    held: int
    overdue: int
    excluded: int

    @property
    def window(self) -> dict[str, Any]:
        """What the warehouse's `standing` function takes: the window as it stood, whatever the calendar says by now."""
        return {
            "cohort": self.cohort,
            "announced_on": self.announced_on,
            "deadline_on": self.deadline_on,
            "settlement_days": self.settlement_days,
        }

    def require_unmoved(self, cohort: Cohort) -> None:
        """Refuse to carry out a decision whose dates have moved since. Raises `BlockedError`."""
        if (self.announced_on, self.deadline_on) != (cohort.announced_on, cohort.deadline_on):
            raise BlockedError(
                f"gelombang-{self.cohort} is blocked: deadline_moved: it was decided for {self.deadline_on}, "
                f"the calendar now says {cohort.deadline_on}"
            )


def made_decision(connection: warehouse.Connection, cohort: int) -> Decision | None:
    """The cohort's carried decision, if it has one."""
    rows = warehouse.rows(connection, "revocations/made_decision", cohort=cohort)
    return Decision(cohort=cohort, **rows[0]) if rows else None


def require_complete_feeds(cohort: Cohort, as_of: date) -> None:
    """The gate: fail closed while one delivery of the window or the settlement days is missing (R1 needs evidence).

    Records the blocked attempt and raises `BlockedError`, naming platforms and dates; before the day of the decision it
    records nothing and raises `NotReadyError`. A decided cohort passes.
    """
    with warehouse.transaction(one_snapshot=True) as connection:
        if made_decision(connection, cohort.cohort) is not None:
            return
        if as_of < cohort.decided_on:
            raise NotReadyError(f"gelombang-{cohort.cohort} is decided on {cohort.decided_on}, not before: wait")
        roster = _roster(connection, cohort)
        missing = missing_for(connection, cohort, as_of)
        if missing:
            totals = {"purchased": 0, "held": 0, "overdue": 0, "excluded": 0}
            _record(connection, cohort, roster, as_of, totals, [], "feeds_missing", sentence(missing), as_text(missing))
    if missing:
        raise BlockedError(f"gelombang-{cohort.cohort} is blocked: feeds_missing: {sentence(missing)}")


def decide(cohort: Cohort, as_of: date) -> Decision:
    """Decide the cohort by the deliveries known at `as_of`; gives the decision, or the one that was made before.

    One transaction over one snapshot: the deliveries that it cites are those that it saw. Raises `BlockedError` where
    feeds are missing or the result is implausible.
    """
    require_complete_feeds(cohort, as_of)
    reason = detail = None
    with warehouse.exclusive(f"decide {cohort.cohort}"), warehouse.transaction(one_snapshot=True) as connection:
        if made_decision(connection, cohort.cohort) is None:
            roster = _roster(connection, cohort)
            horizon = {"last_business_date": cohort.last_business_date, "as_of": as_of}
            warehouse.execute(connection, "revocations/create_decided", **standing_parameters(cohort), **horizon)
            totals = dict(warehouse.rows(connection, "revocations/count_decided")[0])
            evidence = warehouse.rows(
                connection, "revocations/list_evidence", announced_on=cohort.announced_on, **horizon
            )
            reason, detail = implausible(int(roster["selected"]), totals)
            decision_id = _record(connection, cohort, roster, as_of, totals, evidence, reason, detail, [])
            if reason is None:
                warehouse.execute(connection, "revocations/insert_outcomes", decision_id=decision_id)
                log.info("gelombang-%d decided: %s", cohort.cohort, totals)
        made = made_decision(connection, cohort.cohort)
    if made is None:
        raise BlockedError(f"gelombang-{cohort.cohort} is blocked: {reason}: {detail}")
    with warehouse.transaction() as connection:
        warehouse.execute(connection, "cohorts/analyze_tables")
    return made


def implausible(selected: int, totals: Mapping[str, int]) -> tuple[str | None, str | None]:
    """Why a result must not be carried out (a reason code and a sentence), or nothing.

    Bounds come from `program.yaml`; history runs from 1.5 to 7.8 % revoked.
    """
    if selected != sum(totals.values()):
        told = " + ".join(f"{count} {name}" for name, count in totals.items())
        return "totals_do_not_add_up", f"{selected} selected, but {told}"
    share = Fraction(str(program()["revocations"]["overdue_share_max"]))
    if totals["overdue"] > share * selected:
        return (
            "overdue_share_implausible",
            f"{totals['overdue']} of {selected} are overdue ({totals['overdue'] / selected:.1%}), "
            f"more than {float(share):.0%}",
        )
    most = int(program()["revocations"]["overdue_max"])
    if totals["overdue"] > most:
        return "overdue_too_many", f"{totals['overdue']:,} are overdue, more than {most:,}"
    return None, None


def _roster(connection: warehouse.Connection, cohort: Cohort) -> Any:
    for known in warehouse.rows(connection, "cohorts/known_cohorts"):
        if known["cohort"] == cohort.cohort:
            if (known["announced_on"], known["deadline_on"]) != (cohort.announced_on, cohort.deadline_on):
                raise BlockedError(
                    f"gelombang-{cohort.cohort} is blocked: calendar_mismatch: its roster says "
                    f"{known['announced_on']} to {known['deadline_on']}, "
                    f"the calendar {cohort.announced_on} to {cohort.deadline_on}"
                )
            return known
    raise NotReadyError(f"gelombang-{cohort.cohort} has no roster: deliver rosters/gelombang-{cohort.cohort}")


def _record(
    connection: warehouse.Connection,
    cohort: Cohort,
    roster: Any,
    as_of: date,
    totals: Mapping[str, int],
    evidence: Any,
    reason: str | None,
    detail: str | None,
    missing: list[str],
) -> str:
    content = {
        "cohort": cohort.cohort,
        "announced_on": cohort.announced_on.isoformat(),
        "deadline_on": cohort.deadline_on.isoformat(),
        "settlement_days": cohort.settlement_days,
        "roster": roster["roster_sha256"],
        "deliveries": [[e["platform"], e["business_date"].isoformat(), e["revision"], e["sha256"]] for e in evidence],
        "totals": dict(totals),
        "reason": reason,
        "missing": missing,
    }
    # Same evidence, same calendar: same id, whenever and wherever it is decided. So no clock and no row id in it.
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    decision_id = f"gelombang-{cohort.cohort}-{digest[:24]}"
    warehouse.execute(
        connection,
        "revocations/insert_decision",
        decision_id=decision_id,
        cohort=cohort.cohort,
        roster_id=roster["roster_id"],
        status="made" if reason is None else "blocked",
        reason=reason,
        detail=detail,
        announced_on=cohort.announced_on,
        deadline_on=cohort.deadline_on,
        settlement_days=cohort.settlement_days,
        as_of=as_of,
        selected=roster["selected"],
        missing_feeds=missing,
        **totals,
    )
    warehouse.execute(
        connection,
        "revocations/insert_decision_deliveries",
        decision_id=decision_id,
        delivery_ids=[e["delivery_id"] for e in evidence],
    )
    return decision_id
