"""Approvals: a person approves a batch, which is identified by the digest of its exact content.

Nobody approves a batch that they proposed, or had another part in. Revocations after a deadline are proposed by the
run, a hold's by the person who resolved it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from prakerja import signatures, warehouse
from prakerja.cohorts.overview import cohort_table
from prakerja.errors import PrakerjaError
from prakerja.people import load_people
from prakerja.revocations import late_evidence
from prakerja.revocations.decision import Decision, find_decision, list_decided_cohorts
from prakerja.settings import WIB, wib_today
from prakerja.signed_batches import SHOWN as SHOWN
from prakerja.signed_batches import load_signed_batches, require_same_rule

#: The fewest hex digits of a digest by which a person may name a batch.
DIGEST_DIGITS_MIN = 12
#: The number of people in the sample that an approver sees.
SAMPLE = 5
#: What happens to the people of a batch once it is approved, by subject.
CONSEQUENCES = {
    "revocation": "they are revoked, for life, and the blacklist is published",
    "hold": "the person is revoked, for life, and the blacklist is published",
    "reinstatement": "they are reinstated and withdrawn from the blacklist",
}


class AwaitingApprovalError(PrakerjaError):
    """A batch needs more approvals. Nothing was revoked or reinstated."""


@dataclass(frozen=True)
class Signature:
    """A person's signature of a batch, the day that it names, and the SHA-256 of the cards and NIKs that it covers."""

    text: str
    signed_on: date
    identities_sha256: str


@dataclass(frozen=True)
class Batch:
    """People to revoke (`revocation`) or reinstate (`reinstatement`), or one held person to revoke (`hold`).

    `approved_by` has the ids of the people who have approved the batch. `had_a_part` has the ids of those who may not
    approve it, because they proposed it, resolved its hold or overrode a breaker of its decision. `approvals_needed`
    is the number of approvals still missing; in a replay, one approval in advance replaces all of them. If approvals
    are signed, only approvals count whose signatures this process has verified. `is_carried_out` is true once everybody
    in the batch is revoked or reinstated. `has_lapsed` is true if, by what is known now, nobody in it should be.
    """

    digest: str
    cohort: int
    subject: str
    people: int
    proposed_by: str
    proposed_on: date
    approved_by: list[str]
    had_a_part: list[str]
    approvals_needed: int
    is_carried_out: bool
    has_lapsed: bool

    @property
    def described(self) -> str:
        """The size and subject of the batch: `110 revocations`, `1 revocation of someone held`."""
        what = "revocation" if self.subject == "hold" else self.subject
        return f"{self.people:,} {what}{'' if self.people == 1 else 's'}{' of someone held' * (self.subject == 'hold')}"

    @property
    def command(self) -> str:
        """The command with which an approver approves the batch."""
        signed = " --sign-with KEY" if load_people().must_sign else ""
        return f"prakerja approve {self.cohort} --digest {self.digest[:SHOWN]} --as ID{signed}"


def propose(
    connection: warehouse.Connection,
    decision: Decision,
    subject: str,
    as_of: date,
    proposed_by: str,
    recipient_id: int | None = None,
) -> Batch | None:
    """Propose the batch that follows from what is known at `as_of`. Return it, or None if it would be empty.

    A `hold` is about one person, `recipient_id`. Raise `PrakerjaError` if the warehouse's rule on signatures differs
    from this process's list of people.
    """
    require_same_rule(connection)
    late_evidence.record_findings(connection, decision, as_of)
    proposed = warehouse.rows(
        connection,
        "revocations/propose_batch",
        decision_id=decision.decision_id,
        evidence_generation=decision.evidence_generation,
        subject=subject,
        **late_evidence.current_window(connection, decision, as_of),
        as_of=as_of,
        proposed_by=proposed_by,
        recipient_id=recipient_id,
    )
    return load_batch(connection, decision, subject, proposed[0]["digest"]) if proposed else None


def load_batch(connection: warehouse.Connection, decision: Decision, subject: str, digest: str) -> Batch:
    """Return a proposed batch with the approvals that it has now."""
    return next(batch for batch in list_batches(connection, decision, subject) if batch.digest == digest)


def list_batches(connection: warehouse.Connection, decision: Decision, subject: str) -> list[Batch]:
    """Return every batch that was ever proposed for a decision, the latest first."""
    rows = warehouse.rows(connection, "revocations/list_batches", decision_id=decision.decision_id, subject=subject)
    return _verify_signatures(connection, [Batch(**row) for row in rows])


def _verify_signatures(connection: warehouse.Connection, recorded: list[Batch]) -> list[Batch]:
    """Return the batches with only the approvals whose signatures this process has verified.

    The warehouse's count is not enough: a login that may insert approvals may insert one with an invalid signature.
    Only batches with enough recorded approvals are verified, since the others wait in any case.
    """
    if not load_people().must_sign:
        return recorded
    complete = {batch.digest for batch in recorded if not batch.approvals_needed and not batch.is_carried_out}
    signed = load_signed_batches(connection, complete)
    signers = {digest: batch.signers(wib_today()) for digest, batch in signed.items()}
    return [
        replace(
            batch,
            approved_by=signers[batch.digest],
            approvals_needed=max(signed[batch.digest].approvals_needed - len(signers[batch.digest]), 0),
        )
        if batch.digest in signed
        else batch
        for batch in recorded
    ]


def is_named(batch: Batch, digest: str) -> bool:
    """Return whether `digest` is a prefix of this batch's digest, and long enough to identify it."""
    return len(digest) >= DIGEST_DIGITS_MIN and batch.digest.startswith(digest.lower())


def list_waiting_batches(connection: warehouse.Connection, decision: Decision) -> list[Batch]:
    """Return a decision's batches that need approvals: the latest revocations and reinstatements, and every hold."""
    revocations = list_batches(connection, decision, "revocation")
    reinstatements = list_batches(connection, decision, "reinstatement")
    latest = [*revocations[:1], *reinstatements[:1], *list_batches(connection, decision, "hold")]
    return [batch for batch in latest if batch.approvals_needed and not (batch.is_carried_out or batch.has_lapsed)]


def find_waiting_batch(cohort: int, digest: str, *, is_to_sign: bool = False) -> tuple[Decision, Batch]:
    """Return a cohort's decision and the waiting batch that a digest names. Raise `PrakerjaError` if there is none.

    With `is_to_sign`, the batch need not wait: a batch that was carried out without enough signatures may be signed
    later, and is listed once it has them.
    """
    with warehouse.transaction() as connection:
        decision = find_decision(connection, cohort)
        candidates = list_waiting_batches(connection, decision) if decision else []
        if decision and is_to_sign:
            candidates = [batch for subject in CONSEQUENCES for batch in list_batches(connection, decision, subject)]
        matching = [batch for batch in candidates if is_named(batch, digest)]
    if decision is None or not matching:
        raise PrakerjaError(
            f"gelombang-{cohort}: no batch {digest} waits for approval: see `prakerja approve {cohort}`"
        )
    return decision, matching[0]


def yield_waiting_batches() -> Iterator[tuple[Decision, Batch]]:
    """Yield every batch that needs approvals, with its decision, in the order in which the cohorts were announced."""
    with warehouse.transaction() as connection:
        for number in list_decided_cohorts(connection):
            if decision := find_decision(connection, number):
                for batch in list_waiting_batches(connection, decision):
                    yield decision, batch


def load_review(connection: warehouse.Connection, decision: Decision, batch: Batch) -> dict[str, Any]:
    """Return what an approver must see before they approve a batch.

    `second_reading` has the number of `recipients` that were read twice and of those on whom the readings are
    `differing`; it is None for a decision that was read once. `doubts` counts unusual deliveries and rows. `overrides`
    has the breakers that were overridden, by whom and why. `rates` has the selected and revoked people of earlier
    cohorts. `sample` has a few people of the batch, without names.
    """
    doubts = warehouse.rows(connection, "revocations/count_doubts", decision_id=decision.decision_id)[0]
    second_readings = warehouse.rows(connection, "revocations/find_second_reading", decision_id=decision.decision_id)
    overrides = warehouse.rows(connection, "revocations/list_overrides", decision_id=decision.decision_id)
    rates = {
        row["cohort"]: (row["selected"], row["revoked"])
        for row in cohort_table()
        if row["status"] == "decided" and row["cohort"] != decision.cohort and row["selected"]
    }
    sample = warehouse.rows(connection, "revocations/sample_batch", digest=batch.digest, count=SAMPLE)
    return {
        "second_reading": dict(second_readings[0]) if second_readings else None,
        "doubts": dict(doubts),
        "overrides": [dict(row) for row in overrides],
        "rates": rates,
        "sample": [dict(row) for row in sample],
    }


def approve(
    connection: warehouse.Connection,
    batch: Batch,
    approved_by: str,
    on: date,
    *,
    is_in_advance: bool = False,
    signature: Signature | None = None,
) -> bool:
    """Record that a person approves a batch. Return False if the same approval was recorded before.

    Raise `PrakerjaError` if the person had a part in the batch, or if approvals are signed and `signature` is None.
    """
    if require_same_rule(connection) and not signature:
        raise PrakerjaError(
            f"approvals are signed here{' and cannot be given in advance' * is_in_advance}: "
            "prakerja approve ... --sign-with KEY"
        )
    if approved_by.lower() in batch.had_a_part and not is_in_advance:
        raise PrakerjaError(
            f"{approved_by} proposed this batch, resolved its hold, or overrode a breaker of its decision: "
            "another person must approve it"
        )
    inserted = warehouse.execute(
        connection,
        "revocations/insert_approval",
        digest=batch.digest,
        approved_by=approved_by,
        approved_on=on,
        is_recorded_in_advance=is_in_advance,
        signature=signature.text if signature else None,
        identities_sha256=signature.identities_sha256 if signature else None,
    )
    return bool(inserted.rowcount)


def require_new_approval(is_new: bool, batch: Batch, person_id: str) -> None:
    """Raise `PrakerjaError` unless the approval is new: repeating an approval does not add one."""
    if not is_new:
        raise PrakerjaError(
            f"{person_id} has already approved this batch, and nothing was recorded: a missing approval must come from "
            f"another person; see `prakerja approve {batch.cohort}`"
        )


def sign(batch: Batch, person_id: str, key: Path, on: date) -> Signature:
    """Return a person's signature of a batch for a day.

    Raise `PrakerjaError` if the list of people does not give the person this key today, or if the batch's digest does
    not match its people.
    """
    with warehouse.transaction() as connection:
        content = load_signed_batches(connection, [batch.digest])[batch.digest]
    if not content.is_whole:
        raise PrakerjaError(
            f"the digest of batch {batch.digest[:SHOWN]} does not match the people that the warehouse has in it"
        )
    text = content.build_text(person_id, on)
    person = load_people().find(person_id, "approve")
    signature = signatures.sign(text, key)
    if not signatures.is_signed(text, signature, person):
        raise PrakerjaError(f"{key} is not a key that the list of people gives {person_id} today")
    return Signature(signature, on, content.identities_sha256)


def require_never_live() -> None:
    """Raise `PrakerjaError` if this warehouse has decided, revoked or reinstated outside a replay.

    Such a warehouse accepts no approvals in advance: the database refuses them.
    """
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "revocations/went_live")
    if rows:
        since = rows[0]["went_live_at"].astimezone(WIB)
        raise PrakerjaError(
            f"this warehouse has been live since {since:%Y-%m-%d %H:%M} WIB, and --approve-as needs one that never "
            "was: replay without it, or in another PRAKERJA_HOME"
        )


def require_unsigned() -> None:
    """Raise `PrakerjaError` if approvals are signed: an approval in advance has no signature."""
    with warehouse.transaction() as connection:
        if require_same_rule(connection):
            raise PrakerjaError(
                "approvals are signed here and cannot be given in advance: replay without --approve-as, or in another "
                "PRAKERJA_HOME with a list of people without keys"
            )


def revoke_batch(connection: warehouse.Connection, batch: Batch, effective_at: datetime, as_of: date) -> int:
    """Revoke the people in an approved batch, and return how many were revoked. Safe to repeat."""
    return int(
        warehouse.execute(
            connection, "revocations/insert_revocations", digest=batch.digest, effective_at=effective_at, as_of=as_of
        ).rowcount
    )
