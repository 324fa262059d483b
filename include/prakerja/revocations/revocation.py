"""Revoking: one transaction over an approved batch of a decision, one revocation per recipient."""

from __future__ import annotations

import logging
from datetime import date

from prakerja import warehouse
from prakerja.calendar import Cohort
from prakerja.recheck.files import EvidenceError
from prakerja.revocations import approval, late_evidence, second_reading
from prakerja.revocations.approval import AwaitingApprovalError, Batch
from prakerja.revocations.decision import BlockedError, Decision
from prakerja.revocations.freezes import require_no_freeze
from prakerja.revocations.requests import Request, build_request, count_people

log = logging.getLogger(__name__)

#: Who proposes what a decision leaves to be revoked: the run, no person.
PROPOSER = "cohort_deadline"


def request_approval(decision: Decision, on: date) -> Request | None:
    """Propose the revocations and return what approvers are asked, or None where no approval is missing."""
    with warehouse.transaction("decide") as connection:
        require_no_freeze(connection, decision.cohort, on)
        batch = approval.propose(connection, decision, "revocation", on, PROPOSER)
        return build_request(connection, decision, batch) if batch is not None and batch.approvals_needed else None


def require_approval(decision: Decision, on: date, *, approve_as: str | None = None) -> list[str]:
    """Propose the revocations and return the ids of who has approved them: nobody, where nobody is left to be revoked.

    In a replay, `approve_as` approves in advance. Raises `AwaitingApprovalError` where approvals are missing.
    """
    with warehouse.transaction("decide") as connection:
        require_no_freeze(connection, decision.cohort, on)
        _require_unmoved(connection, decision, on)
        batch = approval.propose(connection, decision, "revocation", on, PROPOSER)
        if batch is not None and approve_as:
            approval.approve(connection, batch, approve_as, on, is_in_advance=True)
            batch = approval.known(connection, decision, "revocation", batch.digest)
    if batch is None:
        return []
    _require_approved(decision, batch)
    return batch.approved_by


def revoke(cohort: Cohort, decision: Decision, as_of: date) -> int:
    """Carry the decision out, once and for all; gives how many were revoked, 0 if that was done before.

    Whoever later deliveries speak for by now is spared, and that is written down. Raises `AwaitingApprovalError` where
    this very batch is not approved, `BlockedError` where the deadline has moved, or where deliveries that came since
    speak for somebody by a second reading.
    """
    decision.require_unmoved(cohort)
    _require_nobody_bought_since(decision, as_of)
    with warehouse.exclusive(f"revoke {cohort.number}"):
        try:
            revoked, spared = _carry_out(decision, as_of)
        except AwaitingApprovalError:
            with warehouse.transaction("decide") as connection:  # what lacks an approval stays proposed
                approval.propose(connection, decision, "revocation", as_of, PROPOSER)
            raise
    log.info("gelombang-%d: %d revoked, %d spared", cohort.number, revoked, spared)
    return revoked


def _carry_out(decision: Decision, as_of: date) -> tuple[int, int]:
    """How many were revoked, and how many spared; none where that was done before."""

    def revoke_and_spare(connection: warehouse.Connection) -> tuple[int, int]:
        require_no_freeze(connection, decision.cohort, as_of)
        _require_unmoved(connection, decision, as_of)
        batch = approval.propose(connection, decision, "revocation", as_of, PROPOSER)
        if batch is not None:
            _require_approved(decision, batch)
        if not warehouse.execute(
            connection, "revocations/insert_carrying_out", decision_id=decision.decision_id, as_of=as_of
        ).rowcount:
            return 0, 0
        revoked = 0 if batch is None else approval.revoke_batch(connection, batch, decision.effective_at, as_of)
        spared = warehouse.execute(connection, "revocations/insert_spared", **decision.window, as_of=as_of).rowcount
        return revoked, spared

    return warehouse.write_in_one_snapshot("decide", revoke_and_spare)


def _require_nobody_bought_since(decision: Decision, as_of: date) -> None:
    """Raise `BlockedError` where a second reading of what came since the decision speaks for somebody in the batch."""
    if decision.is_carried_out:
        return
    with warehouse.transaction("decide") as connection:
        batch = approval.propose(connection, decision, "revocation", as_of, PROPOSER)
        rows = warehouse.rows(connection, "revocations/list_batch_cards", digest=batch.digest) if batch else []
    name = f"gelombang-{decision.cohort}"
    try:
        if not rows or not second_reading.has_news(decision.decision_id, decision.cohort, decision.announced_on, as_of):
            return
        again = second_reading.read(decision.cohort, decision.announced_on, as_of)
        cards = {row["recipient_id"]: row["card_number"] for row in rows}
        bought = second_reading.list_bought(decision.decision_id, again, cards)
    except EvidenceError as error:
        raise BlockedError(f"{name}: nobody is revoked: evidence_unreadable: {error}") from None
    for reading in bought.values():
        row = f", for one by {reading.platform} {reading.business_date}, line {reading.line}" if reading.line else ""
        raise BlockedError(
            f"{name}: nobody is revoked: readings_disagree: by deliveries that came since the decision a second "
            f"reading speaks for {len(bought):,} of {len(cards):,}{row}: see docs/runbooks/second_reading.md"
        )


def _require_unmoved(connection: warehouse.Connection, decision: Decision, as_of: date) -> None:
    """A deadline that was promised, and is no more in the calendar, has moved all the same."""
    if not decision.is_carried_out and late_evidence.is_moved(connection, decision, as_of):
        raise BlockedError(
            f"gelombang-{decision.cohort} is blocked: deadline_moved: it was decided for {decision.deadline_on}, "
            "and extended since: it is decided anew"
        )


def _require_approved(decision: Decision, batch: Batch) -> None:
    if batch.approvals_needed:
        raise AwaitingApprovalError(
            f"gelombang-{decision.cohort} awaits approval: {batch.people} revocations of {decision.selected} selected, "
            f"by {count_people(batch.approvals_needed)}: {batch.command}"
        )
