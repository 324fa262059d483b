"""Approvals: a person answers for a batch, named by the digest of its exact content. Four eyes: never for one's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from prakerja import warehouse
from prakerja.cohorts.overview import cohort_table
from prakerja.errors import PrakerjaError
from prakerja.revocations import late_truth
from prakerja.revocations.decision import Decision
from prakerja.settings import program

#: How many hex digits of a digest a person is shown, and must give at least.
SHOWN, NAMED = 16, 12
#: How many people an approver is shown.
SAMPLE = 5


class AwaitingApprovalError(PrakerjaError):
    """A batch lacks approvals. Nothing was revoked or reinstated."""


@dataclass(frozen=True)
class Batch:
    """People to be revoked (`revocation`), reinstated (`reinstatement`), or one held person to be revoked (`hold`).

    `is_carried_out` when everybody in it is revoked, or reinstated.
    """

    digest: str
    cohort: int
    subject: str
    people: int
    proposed_by: str
    proposed_on: date
    approved_by: list[str]
    is_approved_in_advance: bool
    is_carried_out: bool

    @property
    def approvals_needed(self) -> int:
        """How many approvals it lacks. One given in advance, for a replay of the past, stands for all."""
        if self.is_approved_in_advance:
            return 0
        return max(0, approvers_for(self.people) - len(self.approved_by))


def approvers_for(people: int) -> int:
    """How many people must approve so many revocations or reinstatements."""
    return 1 if people <= int(program()["approvals"]["one_approver_up_to"]) else 2


def propose(
    connection: warehouse.Connection,
    decision: Decision,
    subject: str,
    clock: date,
    proposed_by: str,
    recipient_id: int | None = None,
) -> Batch | None:
    """The batch that stands to be approved by what is known at `clock`; nothing where nobody is concerned.

    A `hold` is of one person, `recipient_id`.
    """
    late_truth.notice(connection, decision, clock)
    found = warehouse.rows(
        connection,
        "revocations/propose_batch",
        decision_id=decision.decision_id,
        evidence_generation=decision.evidence_generation,
        subject=subject,
        **late_truth.window_now(connection, decision, clock),
        clock=clock,
        proposed_by=proposed_by,
        recipient_id=recipient_id,
    )
    return known(connection, decision, subject, found[0]["digest"]) if found else None


def known(connection: warehouse.Connection, decision: Decision, subject: str, digest: str) -> Batch:
    """A batch that was proposed, as it is approved by now."""
    return next(batch for batch in batches(connection, decision, subject) if batch.digest == digest)


def batches(connection: warehouse.Connection, decision: Decision, subject: str) -> list[Batch]:
    """Every batch that was ever proposed of a decision, the latest first."""
    rows = warehouse.rows(connection, "revocations/list_batches", decision_id=decision.decision_id, subject=subject)
    return [Batch(**row) for row in rows]


def is_named(batch: Batch, digest: str) -> bool:
    """Whether a person means this batch by the start of a digest: long enough to be no other's."""
    return len(digest) >= NAMED and batch.digest.startswith(digest.lower())


def waiting(connection: warehouse.Connection, decision: Decision) -> list[Batch]:
    """The batches of a decision that lack approvals: of revocations and reinstatements the latest, of holds each."""
    found = {subject: batches(connection, decision, subject) for subject in ("revocation", "reinstatement", "hold")}
    latest = [*found["revocation"][:1], *found["reinstatement"][:1], *found["hold"]]
    return [batch for batch in latest if batch.approvals_needed and not batch.is_carried_out]


def review(connection: warehouse.Connection, decision: Decision, batch: Batch) -> dict[str, Any]:
    """What an approver must see: `doubts` of the deliveries, `rates` of earlier decisions, a `sample` without names."""
    doubts = warehouse.rows(connection, "revocations/count_doubts", decision_id=decision.decision_id)[0]
    rates = {
        row["cohort"]: (row["selected"], row["revoked"])
        for row in cohort_table()
        if row["status"] == "decided" and row["cohort"] != decision.cohort and row["selected"]
    }
    sample = warehouse.rows(connection, "revocations/sample_batch", digest=batch.digest, count=SAMPLE)
    return {"doubts": dict(doubts), "rates": rates, "sample": [dict(row) for row in sample]}


def question(connection: warehouse.Connection, decision: Decision, batch: Batch) -> dict[str, str]:
    """What Airflow asks an approver about a batch: `digest`, `title`, `text` (Markdown).

    It says nothing of any person, since Airflow keeps it and shows it to whoever may see the run; and nothing of who
    has approved, since Airflow shows it unchanged when it asks a second one.
    """
    seen = review(connection, decision, batch)
    doubts = seen["doubts"]
    rates = {**seen["rates"], f"**{decision.cohort}, this batch**": (decision.selected, batch.people)}
    needed = approvers_for(batch.people)
    lines = [
        f"**{batch.people:,}** of {decision.selected:,} selected have bought nothing by the deadline. Once this is "
        "approved, they are revoked, for life, and the blacklist is published.",
        "",
        f"- decided: {decision.purchased:,} purchased, {decision.held:,} held, {decision.overdue:,} overdue, "
        f"{decision.excluded:,} excluded",
        f"- by {doubts['deliveries']:,} deliveries: {doubts['quarantined']:,} rows quarantined, "
        f"{doubts['unusual']:,} of an unusual size, {doubts['waived']:,} accepted over their bound",
        "",
        "| gelombang | selected | revoked | rate |",
        "|---|--:|--:|--:|",
        *(f"| {name} | {of:,} | {people:,} | {people / of:.1%} |" for name, (of, people) in rates.items()),
        "",
        f"It takes {'one person' if needed == 1 else 'two people'}; `prakerja approve {decision.cohort}` has a sample.",
        "",
        f"Batch `{batch.digest}`",
    ]
    title = f"gelombang-{decision.cohort}: revoke {batch.people:,} of {decision.selected:,}? ({batch.digest[:SHOWN]})"
    return {"digest": batch.digest, "title": title, "text": "\n".join(lines)}


def carry_out(connection: warehouse.Connection, batch: Batch, effective_at: datetime, clock: date) -> int:
    """Revoke everybody in an approved batch, once; gives how many were."""
    return int(
        warehouse.execute(
            connection,
            "revocations/insert_revocations",
            digest=batch.digest,
            approved_by=", ".join(batch.approved_by),
            effective_at=effective_at,
            clock=clock,
        ).rowcount
    )


def approve(
    connection: warehouse.Connection, batch: Batch, approved_by: str, on: date, *, in_advance: bool = False
) -> None:
    """Record that a person approves a batch. Twice is once.

    Raises `PrakerjaError` for whoever proposed it, and for whoever overrode a breaker of its decision.
    """
    if approved_by == batch.proposed_by:
        raise PrakerjaError(f"{approved_by} has proposed this batch: another person must approve it")
    if warehouse.rows(connection, "revocations/has_overridden", digest=batch.digest, person=approved_by):
        raise PrakerjaError(f"{approved_by} has overridden what stopped this decision: another person must approve it")
    warehouse.execute(
        connection,
        "revocations/insert_approval",
        digest=batch.digest,
        approved_by=approved_by,
        approved_on=on,
        is_recorded_in_advance=in_advance,
    )
