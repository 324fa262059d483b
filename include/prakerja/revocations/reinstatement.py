"""Reinstatements: proposed for revoked people after late evidence or an extension, and carried out once approved."""

from __future__ import annotations

import logging
from datetime import date

from prakerja import warehouse
from prakerja.revocations import approval
from prakerja.revocations.late_evidence import current_window, yield_decisions_made_before

log = logging.getLogger(__name__)

#: The proposer of reinstatements: the daily run, which is not a person.
PROPOSER = "platform_feeds"


def reinstate(as_of: date, approve_as: str | None = None) -> int:
    """Propose reinstatements, carry out the approved batches, and return how many people were reinstated.

    In a replay, `approve_as` approves in advance what is proposed now. An approved batch covers only its own people:
    those proposed later need another batch. A proposal that no longer applies is not carried out.
    """
    reinstated = 0
    with warehouse.transaction("decide") as connection:
        for decision in yield_decisions_made_before(connection, as_of):
            at = {"cohort": decision.cohort, "as_of": as_of}
            if not warehouse.execute(connection, "revocations/count_proposals", **at).scalar_one():
                continue
            batch = approval.propose(connection, decision, "reinstatement", as_of, PROPOSER)
            if batch is not None and approve_as:
                approval.approve(connection, batch, approve_as, as_of, is_in_advance=True)
            window = current_window(connection, decision, as_of)
            for proposed in approval.list_batches(connection, decision, "reinstatement"):
                if not proposed.approvals_needed and not proposed.is_carried_out:
                    reinstated += warehouse.execute(
                        connection,
                        "revocations/insert_reinstatements",
                        digest=proposed.digest,
                        as_of=as_of,
                        **{name: window[name] for name in ("announced_on", "deadline_now", "settlement_days")},
                    ).rowcount
    if reinstated:
        log.info("%d reinstated", reinstated)
    return reinstated
