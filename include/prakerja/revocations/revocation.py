"""Revoking: one transaction over an approved decision, one revocation per recipient."""

from __future__ import annotations

import logging
from datetime import date

from prakerja import warehouse
from prakerja.calendar import Cohort
from prakerja.errors import PrakerjaError
from prakerja.revocations.decision import Decision

log = logging.getLogger(__name__)


class AwaitingApprovalError(PrakerjaError):
    """People are overdue, and nobody has approved their revocation. Nothing was revoked."""


def approve(
    connection: warehouse.Connection, decision_id: str, subject: str, approved_by: str, on: date, *, in_advance: bool
) -> None:
    """Record that a person approves the decision's `revocation` or `reinstatement`s. Twice is once."""
    warehouse.execute(
        connection,
        "revocations/insert_approval",
        decision_id=decision_id,
        subject=subject,
        approved_by=approved_by,
        approved_on=on,
        is_recorded_in_advance=in_advance,
    )


def approvers(connection: warehouse.Connection, decision_id: str, subject: str) -> list[str]:
    """Who has approved the decision's revocations or reinstatements."""
    rows = warehouse.rows(connection, "revocations/list_approvals", decision_id=decision_id, subject=subject)
    return [row["approved_by"] for row in rows]


def require_approval(decision: Decision, approve_as: str | None, on: date, *, in_advance: bool) -> list[str]:
    """Who has approved the revocations, now `approve_as` among them. Raises `AwaitingApprovalError` for nobody."""
    with warehouse.transaction() as connection:
        if approve_as:
            approve(connection, decision.decision_id, "revocation", approve_as, on, in_advance=in_advance)
        approved_by = approvers(connection, decision.decision_id, "revocation")
    if not approved_by:
        raise AwaitingApprovalError(
            f"gelombang-{decision.cohort} awaits approval: {decision.overdue} revocations "
            f"of {decision.selected} selected"
        )
    return approved_by


def revoke(cohort: Cohort, decision: Decision, clock: date) -> int:
    """Carry the approved decision out, once and for all; gives how many were revoked, 0 if that was done before.

    Whoever later deliveries speak for by now is spared, and that is written down. Raises `AwaitingApprovalError` where
    nobody has approved, `BlockedError` where the deadline has moved.
    """
    decision.require_unmoved(cohort)
    approved_by = require_approval(decision, None, clock, in_advance=False)
    at = {"decision_id": decision.decision_id, "clock": clock}
    with warehouse.exclusive(f"revoke {cohort.cohort}"), warehouse.transaction(one_snapshot=True) as connection:
        if not warehouse.execute(connection, "revocations/insert_carrying_out", **at).rowcount:
            return 0
        revoked = warehouse.execute(
            connection,
            "revocations/insert_revocations",
            **at,
            **decision.window,
            effective_at=cohort.effective_at,
            approved_by=", ".join(approved_by),
        ).rowcount
        spared = warehouse.execute(connection, "revocations/insert_spared", **at).rowcount
    log.info("gelombang-%d: %d revoked, %d spared", cohort.cohort, revoked, spared)
    return revoked
