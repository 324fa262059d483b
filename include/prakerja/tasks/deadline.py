"""The tasks of `cohort_deadline`: reconcile a cohort, then remind its recipients or revoke the overdue."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from prakerja.calendar import Cohort, find_cohort
from prakerja.errors import PrakerjaError
from prakerja.run_context import RunContext

if TYPE_CHECKING:
    from prakerja.revocations.decision import Decision

log = logging.getLogger(__name__)


def has_complete_feeds(run: RunContext) -> bool:
    """Return whether every delivery that the run needs has been accepted.

    Raise `BlockedError` with the missing platforms and dates if the run's day has passed: such a run does not wait.
    Reminders do not wait either: one reminder too many harms nobody.
    """
    from prakerja.revocations import decision

    cohort = cohort_of(run)
    if run.kind != "deadline" or run.is_rehearsal or not has_roster(cohort):
        return True
    try:
        decision.require_complete_feeds(cohort, run.as_of)
    except decision.BlockedError as blocked:
        if run.is_replay or run.as_of > cohort.decided_on:
            raise
        log.warning("%s; waiting", blocked)
        return False
    return True


def reconcile(run: RunContext) -> dict[str, Any]:
    """Refresh the cohort's standing and return the counts; after the deadline, those that its decision is made of.

    A rehearsal returns what would be decided today and what would stop it, and changes nothing.
    """
    from prakerja.cohorts import standing
    from prakerja.revocations import decision

    cohort = cohort_of(run)
    if not has_roster(cohort):
        return {}
    if run.is_rehearsal:
        return decision.rehearse(cohort, run.as_of)
    if run.kind != "deadline":
        return dict(standing.refresh_standings(run.as_of).get(f"gelombang-{cohort.number}", {}))
    return decision.reconcile(cohort, run.as_of)


def recheck(run: RunContext) -> dict[str, Any]:
    """Read the cohort's files a second time by independent code, and decide the cohort if both readings agree.

    Return the decision's id and totals; nothing before the deadline, and nothing for a rehearsal.
    """
    from prakerja.revocations import decision

    cohort = cohort_of(run)
    if run.kind != "deadline" or run.is_rehearsal or not has_roster(cohort):
        return {}
    made = decision.decide(cohort, run.as_of)
    return {"decision_id": made.decision_id, "selected": made.selected, **made.totals}


def choose(run: RunContext) -> str:
    """Return the id of the task that comes next. Propose the revocations if approvers must be asked."""
    cohort = cohort_of(run)
    if not has_roster(cohort):
        return "cohort_has_no_roster"
    if run.is_rehearsal:
        return "rehearsal_is_over"
    if run.kind != "deadline":
        return "reminder_date_is_over" if run.is_late else "send_reminders"
    made = _require_decision(cohort)
    if made.deadline_on > cohort.deadline_on or (made.is_carried_out and made.deadline_on < cohort.deadline_on):
        return "cohort_was_decided"  # for a deadline that was extended since: nobody is decided twice
    if not made.overdue:
        return "nobody_is_overdue"
    if run.is_replay:  # nobody can answer in a replay
        return "approve_revocation"
    return "ask_approval" if request_approval(run) else "approve_revocation"


def request_approval(run: RunContext) -> dict[str, Any] | None:
    """Propose the revocations and return the request to the approvers, or None if no approval is missing."""
    from prakerja.revocations import revocation

    _require_real(run)
    cohort = cohort_of(run)
    made = _require_decision(cohort)
    made.require_unmoved(cohort)
    asked = revocation.request_approval(made, run.as_of)
    return asdict(asked) if asked else None


def send_reminders(run: RunContext, connections: Mapping[str, str] | None = None) -> tuple[bool, dict[str, int]]:
    """Send the reminders that may be sent now; return whether the run is done, and the recipients by outcome.

    `connections` has the providers' URLs (`reminders.channels.Accounts`); without it the environment's are used. A
    replay uses the environment, which points at a sandbox, and waits for its receipts here.
    """
    import time

    from prakerja.reminders import sending
    from prakerja.reminders.channels import Accounts

    _require_real(run)
    accounts = Accounts.from_connections({} if run.is_replay else connections or {})

    def send() -> sending.Progress:
        return sending.send_reminders(cohort_of(run), run.on, accounts, run.read_clock)

    progress = send()
    if run.is_replay:
        give_up_at = time.monotonic() + 30
        while progress.waiting.get("awaiting_receipt") and time.monotonic() < give_up_at:
            time.sleep(0.05)
            progress = send()
        if not progress.is_done:
            waits = ", ".join(
                f"{count:,} {what.replace('_', ' ')}" for what, count in progress.waiting.items() if count
            )
            raise sending.PartialError(f"{run.name}: {waits}, and a replayed day does not wait")
    return progress.is_done, progress.counts


def approve_revocation(run: RunContext) -> list[str]:
    """Propose the batch and return the ids of its approvers. In a replay, `approve_as` approves in advance.

    Raise `AwaitingApprovalError` if approvals are missing, or if the batch has changed since it was approved.
    """
    from prakerja.revocations import revocation

    _require_real(run)
    cohort = cohort_of(run)
    made = _require_decision(cohort)
    made.require_unmoved(cohort)
    return revocation.require_approval(made, run.as_of, approve_as=run.approve_as)


def revoke(run: RunContext) -> int:
    """Revoke the overdue recipients of the approved decision and return how many this run revoked."""
    from prakerja.revocations import revocation

    _require_real(run)
    cohort = cohort_of(run)
    return revocation.revoke(cohort, _require_decision(cohort), run.as_of)


def publish_blacklist(run: RunContext) -> int:
    """Publish the list as it stands after this run and return its version."""
    from prakerja.blacklist import publishing

    _require_real(run)
    version = publishing.publish(run.name, run.now, run.as_of, approve_as=run.approve_as)
    if version is None:
        raise PrakerjaError(f"{run.name}: nothing was published")
    return version


def _require_real(run: RunContext) -> None:
    if run.is_rehearsal:
        raise PrakerjaError(f"{run.name} is a rehearsal: it ends with its report")


def cohort_of(run: RunContext) -> Cohort:
    """Return the run's cohort as its calendar entry stood on the run's day."""
    if run.cohort is None:
        raise PrakerjaError(f"the run {run.name} names no cohort")
    return find_cohort(run.cohort).as_known_on(run.as_of)


def has_roster(cohort: Cohort) -> bool:
    """Return whether the cohort's roster was accepted."""
    from prakerja import warehouse

    with warehouse.transaction() as connection:
        return any(row["cohort"] == cohort.number for row in warehouse.rows(connection, "cohorts/known_cohorts"))


def _require_decision(cohort: Cohort) -> Decision:
    from prakerja import warehouse
    from prakerja.revocations import decision

    with warehouse.transaction() as connection:
        made = decision.find_decision(connection, cohort.number)
    if made is None:
        raise PrakerjaError(f"gelombang-{cohort.number} is not decided: clear the task `recheck` first")
    return made
