"""Approvals: a person answers for a batch, named by the digest of its exact content. Four eyes: never for one's own."""

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
from prakerja.revocations.decision import Decision, decided_cohorts, find_decision
from prakerja.settings import WIB, wib_today
from prakerja.signed_batches import SHOWN as SHOWN
from prakerja.signed_batches import load_signed_batches, require_same_rule

#: How many hex digits of a digest a person must give at least.
NAMED = 12
#: How many people an approver is shown.
SAMPLE = 5
#: What becomes of the people of a batch once it is approved.
LEADS_TO = {
    "revocation": "they are revoked, for life, and the blacklist is published",
    "hold": "the person is revoked, for life, and the blacklist is published",
    "reinstatement": "they are reinstated and withdrawn from the blacklist",
}


class AwaitingApprovalError(PrakerjaError):
    """A batch lacks approvals. Nothing was revoked or reinstated."""


@dataclass(frozen=True)
class Signature:
    """A person's signature of a batch, the day that it names, and the SHA-256 over cards and NIKs that it binds."""

    text: str
    signed_on: date
    identities_sha256: str


@dataclass(frozen=True)
class Batch:
    """People to be revoked (`revocation`), reinstated (`reinstatement`), or one held person to be revoked (`hold`).

    `approved_by` and `had_a_part` are ids of people: those who have approved it, and those who may not, because they
    proposed it, resolved its hold or overrode a breaker of its decision. `approvals_needed` are still missing; an
    approval in advance stands for all in a replay. Where approvals are signed, those count whose signatures this
    process has verified. `is_carried_out` when everybody in it is revoked, or reinstated; `has_lapsed` when nobody in
    it is to be any more, by what is known now.
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
        """How many are to be what: `110 revocations`, `1 revocation of someone held`."""
        what = "revocation" if self.subject == "hold" else self.subject
        return f"{self.people:,} {what}{'' if self.people == 1 else 's'}{' of someone held' * (self.subject == 'hold')}"

    @property
    def command(self) -> str:
        """The command that approves it, as its approver says it."""
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
    """Propose the batch that stands by what is known at `as_of` and return it, or None where nobody is concerned.

    A `hold` is of one person, `recipient_id`. Raises `PrakerjaError` where another list of people counts than this
    process has.
    """
    require_same_rule(connection)
    late_evidence.record_findings(connection, decision, as_of)
    found = warehouse.rows(
        connection,
        "revocations/propose_batch",
        decision_id=decision.decision_id,
        evidence_generation=decision.evidence_generation,
        subject=subject,
        **late_evidence.window_now(connection, decision, as_of),
        as_of=as_of,
        proposed_by=proposed_by,
        recipient_id=recipient_id,
    )
    return known(connection, decision, subject, found[0]["digest"]) if found else None


def known(connection: warehouse.Connection, decision: Decision, subject: str, digest: str) -> Batch:
    """Return a batch that was proposed, as it is approved by now."""
    return next(batch for batch in batches(connection, decision, subject) if batch.digest == digest)


def batches(connection: warehouse.Connection, decision: Decision, subject: str) -> list[Batch]:
    """Return every batch that was ever proposed of a decision, the latest first."""
    rows = warehouse.rows(connection, "revocations/list_batches", decision_id=decision.decision_id, subject=subject)
    return _verify_signatures(connection, [Batch(**row) for row in rows])


def _verify_signatures(connection: warehouse.Connection, found: list[Batch]) -> list[Batch]:
    """Count whose signatures are right, of the batches that have enough by the warehouse.

    Whoever may add an approval may add one with nonsense for a signature.
    """
    if not load_people().must_sign:
        return found
    enough = {batch.digest for batch in found if not batch.approvals_needed and not batch.is_carried_out}
    signed = load_signed_batches(connection, enough)
    signers = {digest: batch.signers(wib_today()) for digest, batch in signed.items()}
    return [
        replace(
            batch,
            approved_by=signers[batch.digest],
            approvals_needed=max(signed[batch.digest].needed - len(signers[batch.digest]), 0),
        )
        if batch.digest in signed
        else batch
        for batch in found
    ]


def is_named(batch: Batch, digest: str) -> bool:
    """Return whether a person means this batch by the start of a digest: long enough to be no other's."""
    return len(digest) >= NAMED and batch.digest.startswith(digest.lower())


def waiting(connection: warehouse.Connection, decision: Decision) -> list[Batch]:
    """Return the batches of a decision that lack approvals: the latest revocations and reinstatements, each hold."""
    found = {subject: batches(connection, decision, subject) for subject in ("revocation", "reinstatement", "hold")}
    latest = [*found["revocation"][:1], *found["reinstatement"][:1], *found["hold"]]
    return [batch for batch in latest if batch.approvals_needed and not (batch.is_carried_out or batch.has_lapsed)]


def find_waiting(cohort: int, digest: str, *, is_to_sign: bool = False) -> tuple[Decision, Batch]:
    """Return a cohort's decision and its waiting batch that a digest names. Raises `PrakerjaError`.

    A batch that `is_to_sign` need not wait: what was carried out without enough signatures is listed once it has them.
    """
    with warehouse.transaction() as connection:
        decision = find_decision(connection, cohort)
        candidates = waiting(connection, decision) if decision else []
        if decision and is_to_sign:
            candidates = [each for subject in LEADS_TO for each in batches(connection, decision, subject)]
        found = [batch for batch in candidates if is_named(batch, digest)]
    if decision is None or not found:
        raise PrakerjaError(f"gelombang-{cohort}: no batch {digest} waits: see `prakerja approve {cohort}`")
    return decision, found[0]


def waiting_batches() -> Iterator[tuple[Decision, Batch]]:
    """Yield every batch that lacks approvals, with its decision, in the order of the cohorts' announcement."""
    with warehouse.transaction() as connection:
        for number in decided_cohorts(connection):
            if decision := find_decision(connection, number):
                for batch in waiting(connection, decision):
                    yield decision, batch


def review(connection: warehouse.Connection, decision: Decision, batch: Batch) -> dict[str, Any]:
    """Return what an approver must see.

    `second_reading` (`recipients` read twice, and on how many the readings are `differing`), `doubts` of the
    deliveries, `overrides` of breakers (what it said, who answers for it, why), `rates` of earlier decisions, and a
    `sample` without names.
    """
    doubts = warehouse.rows(connection, "revocations/count_doubts", decision_id=decision.decision_id)[0]
    twice = warehouse.rows(connection, "revocations/find_second_reading", decision_id=decision.decision_id)
    overrides = warehouse.rows(connection, "revocations/list_overrides", decision_id=decision.decision_id)
    rates = {
        row["cohort"]: (row["selected"], row["revoked"])
        for row in cohort_table()
        if row["status"] == "decided" and row["cohort"] != decision.cohort and row["selected"]
    }
    sample = warehouse.rows(connection, "revocations/sample_batch", digest=batch.digest, count=SAMPLE)
    return {
        "second_reading": dict(twice[0]) if twice else None,
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
    """Record that a person approves a batch; return whether that is new: the same approval is kept once.

    Raises `PrakerjaError` for whoever had a part in it, and without a signature where approvals are signed.
    """
    if require_same_rule(connection) and not signature:
        raise PrakerjaError(
            f"approvals are signed here{', and none is in advance' * is_in_advance}: "
            "prakerja approve ... --sign-with KEY"
        )
    if approved_by.lower() in batch.had_a_part and not is_in_advance:
        raise PrakerjaError(
            f"{approved_by} has proposed or resolved this batch, or overridden what stopped its decision: "
            "another person must approve it"
        )
    written = warehouse.execute(
        connection,
        "revocations/insert_approval",
        digest=batch.digest,
        approved_by=approved_by,
        approved_on=on,
        is_recorded_in_advance=is_in_advance,
        signature=signature.text if signature else None,
        identities_sha256=signature.identities_sha256 if signature else None,
    )
    return bool(written.rowcount)


def require_new(is_new: bool, batch: Batch, person_id: str) -> None:
    """Raise `PrakerjaError` where a person has said before what they say now: it brings the batch no approval."""
    if not is_new:
        raise PrakerjaError(
            f"{person_id} has approved this batch already, and nothing was recorded: another person must, where one is "
            f"missing; see `prakerja approve {batch.cohort}`"
        )


def sign(batch: Batch, person_id: str, key: Path, on: date) -> Signature:
    """Return a person's signature of a batch on a day.

    Raises `PrakerjaError` where it is by no key that the list gives the person.
    """
    with warehouse.transaction() as connection:
        content = load_signed_batches(connection, [batch.digest])[batch.digest]
    if not content.is_whole:
        raise PrakerjaError(f"batch {batch.digest[:SHOWN]} is not of the people whom the warehouse has in it")
    text, person = content.text(person_id, on), load_people().find(person_id, "approve")
    signature = signatures.sign(text, key)
    if not signatures.is_signed(text, signature, person):
        raise PrakerjaError(f"{key} is not a key that the list of people gives {person_id} today")
    return Signature(signature, on, content.identities_sha256)


def require_never_live() -> None:
    """Raise `PrakerjaError` where this warehouse has decided, revoked or reinstated outside a replay.

    Nobody approves in advance there: the database would refuse it.
    """
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "revocations/went_live")
    if rows:
        since = rows[0]["went_live_at"].astimezone(WIB)
        raise PrakerjaError(
            f"this warehouse has been live since {since:%Y-%m-%d %H:%M} WIB: --approve-as is for one that never was; "
            "replay in another PRAKERJA_HOME, or without it"
        )


def require_unsigned() -> None:
    """Raise `PrakerjaError` where approvals are signed: nobody signs in advance."""
    with warehouse.transaction() as connection:
        if require_same_rule(connection):
            raise PrakerjaError(
                "approvals are signed here, and nobody signs in advance: replay without --approve-as, or in another "
                "PRAKERJA_HOME with a list of people that gives no keys"
            )


def revoke_batch(connection: warehouse.Connection, batch: Batch, effective_at: datetime, as_of: date) -> int:
    """Revoke everybody in an approved batch, once, and return how many were."""
    return int(
        warehouse.execute(
            connection, "revocations/insert_revocations", digest=batch.digest, effective_at=effective_at, as_of=as_of
        ).rowcount
    )
