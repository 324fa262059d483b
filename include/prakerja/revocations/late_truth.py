"""Late truth: what deliveries show after a decision. It proposes and opens cases; it revokes and undoes nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from prakerja import warehouse
from prakerja.calendar import calendar
from prakerja.cohorts import evidence
from prakerja.cohorts.standing import as_promised
from prakerja.revocations.decision import Decision, made_decision

log = logging.getLogger(__name__)


def notice_late_truth(clock: date) -> int:
    """Write down what the deliveries known at `clock` show about decided cohorts; gives the number of new findings."""
    found = 0
    with warehouse.transaction("decide") as connection:
        for decision in decided_before(connection, clock):
            found += notice(connection, decision, clock)
            if decision.is_carried_out:
                found += _notice_of_the_revoked(connection, decision, clock)
    return found


def notice(connection: warehouse.Connection, decision: Decision, clock: date) -> int:
    """Bring a decided cohort's evidence up to date, and write down what is new about its people; gives how much."""
    window = window_now(connection, decision, clock)
    by_now = {key: window[key] for key in ("cohort", "announced_on", "settlement_days")}
    evidence.refresh(connection, by_now | {"deadline_on": window["deadline_now"]}, clock, is_decided=True)
    since = {"cohort": decision.cohort, "evidence_generation": decision.evidence_generation}
    found = 0
    # Whoever refreshed the evidence meanwhile: nobody whom it touched is passed over.
    if warehouse.execute(connection, "revocations/is_touched", **since).scalar_one():
        found = warehouse.execute(
            connection,
            "revocations/insert_late_findings",
            evidence_generation=decision.evidence_generation,
            **window,
            clock=clock,
        ).rowcount
        warehouse.execute(connection, "revocations/mark_noticed", cohort=decision.cohort)
    if found:
        log.info("gelombang-%d: %d findings in deliveries after its decision", decision.cohort, found)
    return found


def _notice_of_the_revoked(connection: warehouse.Connection, decision: Decision, clock: date) -> int:
    """Payments that platforms took from them after the deadline; and a deadline that was extended."""
    deadline_now = window_now(connection, decision, clock)["deadline_now"]
    at = {"decision_id": decision.decision_id, "clock": clock}
    found = warehouse.execute(connection, "revocations/insert_late_purchases", deadline_now=deadline_now, **at).rowcount
    if decision.deadline_on < deadline_now and clock <= deadline_now:
        found += warehouse.execute(connection, "revocations/insert_extended", **at).rowcount
    return found


def window_now(connection: warehouse.Connection, decision: Decision, clock: date) -> dict[str, Any]:
    """The window as decided, with `deadline_now`: a deadline that was extended since is later."""
    if cohort := calendar().get(decision.cohort):
        known = as_promised(connection, cohort, clock).deadline_on
    else:  # taken out, or not to be read: what was promised stands
        at = {"cohort": decision.cohort, "known_by": clock}
        known = warehouse.execute(connection, "cohorts/promised_deadline", **at).scalar() or decision.deadline_on
    return decision.window | {"deadline_now": max(known, decision.deadline_on)}


def is_moved(connection: warehouse.Connection, decision: Decision, clock: date) -> bool:
    """Whether the deadline was extended, and the days until its decision are not over: nobody is revoked meanwhile.

    One that was not carried out is decided anew.
    """
    deadline_now: date = window_now(connection, decision, clock)["deadline_now"]
    is_over = clock > deadline_now + timedelta(days=decision.settlement_days)
    return deadline_now > decision.deadline_on and not (decision.is_carried_out and is_over)


def decided_before(connection: warehouse.Connection, clock: date) -> Iterator[Decision]:
    """The decisions of earlier days, whatever the calendar has by now: the day's own comes after its intake."""
    for number in decided_cohorts(connection):
        decision = made_decision(connection, number)
        if decision is not None and decision.as_of < clock:
            yield decision


def decided_cohorts(connection: warehouse.Connection) -> list[int]:
    """The cohorts that have a decision, in the order of their announcement."""
    known = warehouse.rows(connection, "cohorts/known_cohorts")
    return [row["cohort"] for row in known if row["decided_as_of"] is not None]
