"""Late truth: what deliveries show after a decision. It proposes and opens cases; it revokes and undoes nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date

from prakerja import warehouse
from prakerja.calendar import calendar
from prakerja.revocations import approval
from prakerja.revocations.decision import Decision, made_decision

log = logging.getLogger(__name__)

#: Who proposes what later deliveries show: the run, no person.
PROPOSER = "platform_feeds"


def notice_late_truth(clock: date) -> int:
    """Write down what the deliveries known at `clock` show about decided cohorts; gives the number of new findings."""
    found = 0
    with warehouse.transaction() as connection:
        for decision in _decided_before(connection, clock):
            new = warehouse.execute(
                connection,
                "revocations/insert_late_findings",
                decision_id=decision.decision_id,
                **decision.window,
                clock=clock,
            ).rowcount
            found += new
            if new:
                log.info("gelombang-%d: %d findings in deliveries after its decision", decision.cohort, new)
    return found


def reinstate(clock: date, approve_as: str | None) -> int:
    """Propose whoever may be reinstated, and reinstate whoever's batch is approved; gives how many were.

    `approve_as` has approved in advance what is proposed now. An approved batch covers its own people: who was proposed
    later needs another, and a proposal that no longer holds is not carried out.
    """
    reinstated = 0
    with warehouse.transaction() as connection:
        for decision in _decided_before(connection, clock):
            at = {"decision_id": decision.decision_id, "clock": clock}
            if not warehouse.execute(connection, "revocations/count_proposals", **at).scalar_one():
                continue
            batch = approval.propose(connection, decision, "reinstatement", clock, PROPOSER)
            if batch is not None and approve_as:
                approval.approve(connection, batch, approve_as, clock, in_advance=True)
            for each in approval.batches(connection, decision, "reinstatement"):
                if not each.approvals_needed and not each.is_carried_out:
                    reinstated += warehouse.execute(
                        connection,
                        "revocations/insert_reinstatements",
                        digest=each.digest,
                        approved_by=", ".join(each.approved_by),
                        clock=clock,
                        **decision.window,
                    ).rowcount
    if reinstated:
        log.info("%d reinstated", reinstated)
    return reinstated


def _decided_before(connection: warehouse.Connection, clock: date) -> Iterator[Decision]:
    """The decisions of earlier days: the day's own comes after its intake."""
    for number in calendar():
        decision = made_decision(connection, number)
        if decision is not None and decision.as_of < clock:
            yield decision
