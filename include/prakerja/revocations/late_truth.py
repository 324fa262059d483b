"""Late truth: what deliveries show after a decision. It proposes and opens cases; it revokes and undoes nothing."""

from __future__ import annotations

import logging
from datetime import date

from prakerja import warehouse
from prakerja.calendar import calendar
from prakerja.cohorts.standing import standing_parameters
from prakerja.revocations.decision import made_decision
from prakerja.revocations.revocation import approve

log = logging.getLogger(__name__)


def notice_late_truth(clock: date) -> int:
    """Write down what the deliveries known at `clock` show about decided cohorts; gives the number of new findings."""
    found = 0
    with warehouse.transaction() as connection:
        for number, cohort in calendar().items():
            decision = made_decision(connection, number)
            if decision is None or decision.as_of > clock:
                continue
            new = warehouse.execute(
                connection,
                "revocations/insert_late_findings",
                decision_id=decision.decision_id,
                **standing_parameters(cohort),
                clock=clock,
            ).rowcount
            found += new
            if new:
                log.info("gelombang-%d: %d findings in deliveries after its decision", number, new)
    return found


def reinstate(clock: date, approve_as: str | None) -> int:
    """Reinstate whoever's proposal is approved (`approve_as` approves them in advance); gives how many were."""
    reinstated = 0
    for number in calendar():
        with warehouse.transaction() as connection:
            decision = made_decision(connection, number)
        if decision is None or decision.as_of > clock:
            continue
        if approve_as:
            approve(decision.decision_id, "reinstatement", approve_as, clock, in_advance=True)
        with warehouse.transaction() as connection:
            reinstated += warehouse.execute(
                connection,
                "revocations/insert_reinstatements",
                decision_id=decision.decision_id,
                approved_by=approve_as or "",
                clock=clock,
            ).rowcount
    if reinstated:
        log.info("%d reinstated", reinstated)
    return reinstated
