"""Reinstating whom later deliveries, or a later deadline, speak for: proposed by the run, carried out once approved."""

from __future__ import annotations

import logging
from datetime import date

from prakerja import warehouse
from prakerja.revocations import approval
from prakerja.revocations.late_evidence import decided_before, window_now

log = logging.getLogger(__name__)

#: Who proposes what later deliveries show: the run, no person.
PROPOSER = "platform_feeds"


def reinstate(as_of: date, approve_as: str | None = None) -> int:
    """Propose whoever may be reinstated, and reinstate whoever's batch is approved; gives how many were.

    `approve_as` has approved in advance what is proposed now. An approved batch covers its own people: who was proposed
    later needs another, and a proposal that no longer holds is not carried out.
    """
    reinstated = 0
    with warehouse.transaction("decide") as connection:
        for decision in decided_before(connection, as_of):
            at = {"cohort": decision.cohort, "as_of": as_of}
            if not warehouse.execute(connection, "revocations/count_proposals", **at).scalar_one():
                continue
            batch = approval.propose(connection, decision, "reinstatement", as_of, PROPOSER)
            if batch is not None and approve_as:
                approval.approve(connection, batch, approve_as, as_of, is_in_advance=True)
            window = window_now(connection, decision, as_of)
            for each in approval.batches(connection, decision, "reinstatement"):
                if not each.approvals_needed and not each.is_carried_out:
                    reinstated += warehouse.execute(
                        connection,
                        "revocations/insert_reinstatements",
                        digest=each.digest,
                        as_of=as_of,
                        **{name: window[name] for name in ("announced_on", "deadline_now", "settlement_days")},
                    ).rowcount
    if reinstated:
        log.info("%d reinstated", reinstated)
    return reinstated
