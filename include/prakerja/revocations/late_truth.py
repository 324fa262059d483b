"""Late truth: what deliveries show after a decision. It proposes and opens cases; it revokes and undoes nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date

from prakerja import warehouse
from prakerja.calendar import Cohort, calendar
from prakerja.cohorts.standing import standing_parameters
from prakerja.revocations.decision import Decision, made_decision
from prakerja.revocations.revocation import approve, approvers

log = logging.getLogger(__name__)


def notice_late_truth(clock: date) -> int:
    """Write down what the deliveries known at `clock` show about decided cohorts; gives the number of new findings."""
    found = 0
    with warehouse.transaction() as connection:
        for cohort, decision in _decided_before(connection, clock):
            new = warehouse.execute(
                connection,
                "revocations/insert_late_findings",
                decision_id=decision.decision_id,
                **standing_parameters(cohort),
                clock=clock,
            ).rowcount
            found += new
            if new:
                log.info("gelombang-%d: %d findings in deliveries after its decision", cohort.cohort, new)
    return found


def reinstate(clock: date, approve_as: str | None) -> int:
    """Reinstate whoever's proposal is approved (`approve_as` approves them in advance); gives how many were."""
    reinstated = 0
    with warehouse.transaction() as connection:
        for _, decision in _decided_before(connection, clock):
            proposed = {"decision_id": decision.decision_id, "clock": clock}
            if not warehouse.execute(connection, "revocations/count_proposals", **proposed).scalar_one():
                continue
            if approve_as:
                approve(connection, decision.decision_id, "reinstatement", approve_as, clock, in_advance=True)
            approved_by = approvers(connection, decision.decision_id, "reinstatement")
            reinstated += warehouse.execute(
                connection, "revocations/insert_reinstatements", approved_by=", ".join(approved_by), **proposed
            ).rowcount
    if reinstated:
        log.info("%d reinstated", reinstated)
    return reinstated


def _decided_before(connection: warehouse.Connection, clock: date) -> Iterator[tuple[Cohort, Decision]]:
    """The cohorts that were decided on an earlier day: the day's own decision comes after its intake."""
    for number, cohort in calendar().items():
        decision = made_decision(connection, number)
        if decision is not None and decision.as_of < clock:
            yield cohort, decision
