"""Revoking: one transaction over an approved decision, one revocation per recipient."""

from __future__ import annotations

import logging
from datetime import date

from prakerja import warehouse
from prakerja.calendar import Cohort
from prakerja.cohorts.standing import standing_parameters
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


def require_approval(cohort: Cohort, decision: Decision, approve_as: str | None, on: date) -> list[str]:
    """Who has approved the revocations, `approve_as` in advance among them. Raises `AwaitingApprovalError`."""
    with warehouse.transaction() as connection:
        if approve_as:
            approve(connection, decision.decision_id, "revocation", approve_as, on, in_advance=True)
        approved_by = approvers(connection, decision.decision_id, "revocation")
    if not approved_by:
        raise AwaitingApprovalError(
            f"gelombang-{cohort.cohort} awaits approval: {decision.overdue} revocations of {decision.selected} selected"
        )
    return approved_by


def revoke(cohort: Cohort, decision: Decision, clock: date) -> int:
    """Revoke the overdue of an approved decision; gives how many this run revoked. Twice is once.

    Raises `AwaitingApprovalError` where nobody has approved.
    """
    approved_by = require_approval(cohort, decision, None, clock)
    with warehouse.transaction() as connection:
        revoked = warehouse.execute(
            connection,
            "revocations/insert_revocations",
            decision_id=decision.decision_id,
            **standing_parameters(cohort),
            effective_at=cohort.effective_at,
            approved_by=", ".join(approved_by),
            clock=clock,
        ).rowcount
    log.info("gelombang-%d: %d revoked", cohort.cohort, revoked)
    return revoked
