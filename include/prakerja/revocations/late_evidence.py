"""Late truth: what deliveries show after a decision. It proposes and opens cases; it revokes and undoes nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from prakerja import warehouse
from prakerja.calendar import calendar
from prakerja.cohorts import evidence
from prakerja.cohorts.standing import promised_deadline
from prakerja.revocations.decision import Decision, decided_cohorts, find_decision

log = logging.getLogger(__name__)


def record_late_evidence(as_of: date) -> int:
    """Write down what the deliveries known at `as_of` show about decided cohorts; gives the number of new findings."""
    found = 0
    with warehouse.transaction("decide") as connection:
        for decision in decided_before(connection, as_of):
            found += record_findings(connection, decision, as_of) + _record_findings_of_revoked(
                connection, decision, as_of
            )
    return found


def record_findings(connection: warehouse.Connection, decision: Decision, as_of: date) -> int:
    """Bring a decided cohort's evidence up to date, and write down what is new about its people; gives how much."""
    window = window_now(connection, decision, as_of)
    by_now = {key: window[key] for key in ("cohort", "announced_on", "settlement_days")}
    evidence.refresh(connection, by_now | {"deadline_on": window["deadline_now"]}, as_of, is_decided=True)
    found = 0
    # Whoever refreshed the evidence meanwhile: nobody whom it touched is passed over.
    if warehouse.execute(connection, "revocations/is_touched", cohort=decision.cohort).scalar_one():
        found = warehouse.execute(
            connection,
            "revocations/insert_late_findings",
            evidence_generation=decision.evidence_generation,
            **window,
            as_of=as_of,
        ).rowcount
        warehouse.execute(connection, "revocations/mark_noticed", cohort=decision.cohort)
    if found:
        log.info("gelombang-%d: %d findings in deliveries after its decision", decision.cohort, found)
    return found


def _record_findings_of_revoked(connection: warehouse.Connection, decision: Decision, as_of: date) -> int:
    """Record payments that platforms took from them after the deadline, and a deadline that was extended.

    By cohort: single people may be revoked by a decision that is not carried out, and replaced by another.
    """
    deadline_now = window_now(connection, decision, as_of)["deadline_now"]
    at = {"cohort": decision.cohort, "deadline_now": deadline_now, "as_of": as_of}
    found = warehouse.execute(connection, "revocations/insert_late_purchases", **at).rowcount
    if as_of <= deadline_now:
        found += warehouse.execute(connection, "revocations/insert_extended", **at).rowcount
    return found


def window_now(connection: warehouse.Connection, decision: Decision, as_of: date) -> dict[str, Any]:
    """Return the window as decided, with `deadline_now`: later where it was extended since.

    A deadline that was promised once stands, also where the calendar has no such cohort any more.
    """
    cohort = calendar().get(decision.cohort)
    known = cohort.as_known_on(as_of).deadline_on if cohort else decision.deadline_on
    promised = promised_deadline(connection, decision.cohort, as_of) or known
    return decision.window | {"deadline_now": max(known, promised, decision.deadline_on)}


def is_moved(connection: warehouse.Connection, decision: Decision, as_of: date) -> bool:
    """Whether the deadline was extended, and the days until its decision are not over: nobody is revoked meanwhile.

    One that was not carried out is decided anew.
    """
    deadline_now: date = window_now(connection, decision, as_of)["deadline_now"]
    is_over = as_of > deadline_now + timedelta(days=decision.settlement_days)
    return deadline_now > decision.deadline_on and not (decision.is_carried_out and is_over)


def decided_before(connection: warehouse.Connection, as_of: date) -> Iterator[Decision]:
    """Yield the decisions of earlier days: the day's own comes after its intake.

    Also of cohorts that the calendar has no more: what came to light about their people counts all the same.
    """
    for number in decided_cohorts(connection):
        decision = find_decision(connection, number)
        if decision is not None and decision.as_of < as_of:
            yield decision
