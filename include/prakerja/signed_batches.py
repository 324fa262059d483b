"""The signatures of a batch that count.

The warehouse is not trusted about a batch: the digest is computed again from the batch's people, the number of
approvals comes from `program.yaml`, keys and rights from the list of people, and the day from this process's own clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from itertools import groupby
from typing import Any

from prakerja import warehouse
from prakerja.errors import PrakerjaError
from prakerja.people import load_people
from prakerja.programme import programme
from prakerja.signatures import ApprovalText, is_signed

SHOWN = 16  # hex digits of a digest that a person is shown


@dataclass(frozen=True)
class SignedBatch:
    """A batch with everything that its signatures are verified against.

    `identities` has a line for each person in the batch: a card and the NIK in force. `had_a_part` has the ids of
    people who may not approve the batch. `signed` has the signer, the day, the SHA-256 of the identities and the
    signature of each signed approval. `corrected` has the NIK before each approved correction, in the order of the
    corrections: a batch was proposed and signed with the NIKs of its time.
    """

    warehouse_id: str
    digest: str
    decision_id: str
    cohort: int
    subject: str
    proposed_on: date
    had_a_part: list[str]
    identities: list[str]
    signed: list[dict[str, str]]
    corrected: list[dict[str, Any]] = field(default_factory=list)
    #: The result of `verified_signatures` by day: each signature takes an OpenSSH process.
    _verified: dict[date, dict[str, str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def is_whole(self) -> bool:
        """Whether the digest matches exactly these people, by the NIKs of now or of before a correction."""
        for niks, corrected in self._identities_backwards():
            people = (f"{card} {nik}" if card in corrected else card for card, nik in niks.items())
            content = "\n".join([self.subject, self.decision_id, *people])
            if hashlib.sha256(content.encode()).hexdigest() == self.digest:
                return True
        return False

    @property
    def identities_sha256(self) -> str:
        """The SHA-256 of the cards and NIKs in force, which signatures cover."""
        return _sha256_of(self.identities)

    @cached_property
    def niks_by_sha256(self) -> dict[str, dict[str, str]]:
        """The NIKs by card, now and before each correction, by the SHA-256 that a signature of that time covers."""
        return {
            _sha256_of([f"{card} {nik}" for card, nik in niks.items()]): dict(niks)
            for niks, _ in self._identities_backwards()
        }

    def _identities_backwards(self) -> Iterator[tuple[dict[str, str], set[str]]]:
        """Yield the NIKs by card, and the cards with a corrected NIK, now and before each correction backwards."""
        niks = {card: nik for card, _, nik in (line.partition(" ") for line in self.identities)}
        corrected = {str(correction["card"]) for correction in self.corrected}
        yield niks, corrected
        for _, group in groupby(reversed(self.corrected), key=lambda correction: correction["decision"]):
            for correction in group:
                niks[str(correction["card"])] = str(correction["nik_before"])
                if correction["is_first"]:
                    corrected.discard(str(correction["card"]))
            yield niks, corrected

    @property
    def approvals_needed(self) -> int:
        """The number of people who must sign the batch."""
        return programme().approvals.count_approvers(len(self.identities))

    @property
    def command(self) -> str:
        """The command that signs the batch."""
        return f"prakerja approve {self.cohort} --digest {self.digest[:SHOWN]} --as ID --sign-with KEY"

    def build_text(self, signed_by: str, on: date, identities_sha256: str | None = None) -> ApprovalText:
        """Return the text that a person signs on a day, for `identities_sha256` or else the identities in force."""
        return ApprovalText(
            self.warehouse_id, self.cohort, self.digest, len(self.identities),
            identities_sha256 or self.identities_sha256, self.subject, on, signed_by,
        )  # fmt: skip

    def signers(self, today: date) -> list[str]:
        """Return the ids of the people whose signatures count today."""
        return sorted(self.verified_signatures(today))

    def verified_signatures(self, today: date) -> dict[str, str]:
        """Return the identities that each counting signature covers, as a key of `niks_by_sha256`, by the signer's id.

        The signer must have the right to approve and no part in the batch. A signature counts for
        `approvals.signature_counts_for_days` of `program.yaml`, by a key that was valid on its day. The day is part of
        the signed text, so only the signer can choose it. A thief with a key that was retired before that many days
        cannot choose a day that counts.
        """
        if today not in self._verified:
            self._verified[today] = self._verify(today) if self.is_whole else {}
        return self._verified[today]

    def _verify(self, today: date) -> dict[str, str]:
        listed, oldest = load_people().listed or {}, oldest_valid_signing_day(today)
        verified: dict[str, str] = {}
        for approval in self.signed:
            person, on = listed.get(approval["by"]), date.fromisoformat(approval["on"])
            identities_sha256 = approval["identities_sha256"]
            if (
                person is not None
                and person.id not in verified
                and "approve" in person.may
                and person.id not in self.had_a_part
                and max(self.proposed_on, oldest) <= on <= today
                and identities_sha256 in self.niks_by_sha256
                and is_signed(self.build_text(person.id, on, identities_sha256), approval["signature"], person)
            ):
                verified[person.id] = identities_sha256
        return verified


def load_signed_batches(connection: warehouse.Connection, digests: Collection[str]) -> dict[str, SignedBatch]:
    """Return those of the batches that the warehouse has, by digest."""
    if not digests:
        return {}
    warehouse_id = warehouse.warehouse_id(connection)
    rows: Any = warehouse.rows(connection, "revocations/list_signed_batches", digests=sorted(digests))
    return {row["digest"]: SignedBatch(warehouse_id, **row) for row in rows}


def require_same_rule(connection: warehouse.Connection) -> bool:
    """Return whether approvals are signed. Raise `PrakerjaError` if the warehouse and the list of people disagree.

    The owner of the warehouse sets the rule with `prakerja db upgrade`. A process with another list of people, or
    without one, must not approve, revoke or publish.
    """
    people = load_people()
    if warehouse.execute(connection, "revocations/must_be_signed").scalar_one() == people.must_sign:
        return people.must_sign
    if people.must_sign:
        raise PrakerjaError(
            f"{people.source} has keys, and the warehouse counts approvals without signatures: run `prakerja db "
            "upgrade` with this list, or set PRAKERJA_PEOPLE to the list that it was run with"
        )
    given = "no list of people" if people.listed is None else f"a list of people without keys, {people.source}"
    raise PrakerjaError(
        f"approvals are signed here, and this process has {given}: set PRAKERJA_PEOPLE to the list that `prakerja db "
        "upgrade` was run with"
    )


def oldest_valid_signing_day(today: date) -> date:
    """Return the earliest day whose signatures still count today."""
    return today - timedelta(days=programme().approvals.signature_counts_for_days)


def _sha256_of(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
