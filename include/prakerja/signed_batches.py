"""Whose signatures of a batch count.

What the warehouse says of a batch is not believed: its digest is computed from its people, how many must sign comes
from `program.yaml`, keys and rights from the list of people, and the day from this process's own clock.
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

SHOWN = 16  # hex digits of a digest that a person is shown, and gives


@dataclass(frozen=True)
class SignedBatch:
    """A batch as its signatures are held against it.

    `identities` has a line for each of its people: a card and the NIK that is in force. `had_a_part` are ids of people
    who may not approve it; `signed` has who signed on which day, over whom, and the signature. `corrected` has the NIK
    before each correction of one of them that was approved, in that order: a batch was proposed, and signed, with the
    NIKs of its time.
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
    #: What `signed_over` has found by a day: OpenSSH is started for each signature.
    _verified: dict[date, dict[str, str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def is_whole(self) -> bool:
        """Whether the digest is that of these very people, by the NIKs of now or of before a correction."""
        for niks, corrected in self._versions():
            people = (f"{card} {nik}" if card in corrected else card for card, nik in niks.items())
            content = "\n".join([self.subject, self.decision_id, *people])
            if hashlib.sha256(content.encode()).hexdigest() == self.digest:
                return True
        return False

    @property
    def identities_sha256(self) -> str:
        """The SHA-256 that signatures bind the cards and NIKs by."""
        return _sha256_of(self.identities)

    @cached_property
    def niks_by_sha256(self) -> dict[str, dict[str, str]]:
        """Its people's NIKs by their cards, now and before each correction, by what a signature of that time binds."""
        return {_sha256_of([f"{card} {nik}" for card, nik in niks.items()]): dict(niks) for niks, _ in self._versions()}

    def _versions(self) -> Iterator[tuple[dict[str, str], set[str]]]:
        """Yield the NIKs by the cards, and the cards whose NIK was corrected by then, from now on backwards."""
        niks = {card: nik for card, _, nik in (line.partition(" ") for line in self.identities)}
        corrected = {str(each["card"]) for each in self.corrected}
        yield niks, corrected
        for _, group in groupby(reversed(self.corrected), key=lambda each: each["decision"]):
            for each in group:
                niks[str(each["card"])] = str(each["nik_before"])
                if each["is_first"]:
                    corrected.discard(str(each["card"]))
            yield niks, corrected

    @property
    def needed(self) -> int:
        """How many people must sign it."""
        return programme().approvals.count_approvers(len(self.identities))

    @property
    def command(self) -> str:
        """The command that signs it."""
        return f"prakerja approve {self.cohort} --digest {self.digest[:SHOWN]} --as ID --sign-with KEY"

    def text(self, signed_by: str, on: date, identities_sha256: str | None = None) -> ApprovalText:
        """Return what a person signs on a day; over the people as they are by now, unless it says over whom."""
        return ApprovalText(
            self.warehouse_id, self.cohort, self.digest, len(self.identities),
            identities_sha256 or self.identities_sha256, self.subject, on, signed_by,
        )  # fmt: skip

    def signers(self, today: date) -> list[str]:
        """Return the ids of those whose signatures count today: who may approve, and had no part in the batch."""
        return sorted(self.signed_over(today))

    def signed_over(self, today: date) -> dict[str, str]:
        """Return over whom each of those has signed, as a key of `niks_by_sha256`, whose signatures count today.

        A signature counts for `approvals.signature_counts_for_days` of `program.yaml`, by a key that was valid on its
        day. The day is in the signed text, so that nobody but the signer can choose it; and who has stolen a key that
        retired longer ago can choose none that counts.
        """
        if today not in self._verified:
            self._verified[today] = self._verify(today) if self.is_whole else {}
        return self._verified[today]

    def _verify(self, today: date) -> dict[str, str]:
        listed, oldest = load_people().listed or {}, oldest_that_counts(today)
        found = dict[str, str]()
        for given in self.signed:
            person, on = listed.get(given["by"]), date.fromisoformat(given["on"])
            over = given["identities_sha256"]
            if (
                person is not None
                and person.id not in found
                and "approve" in person.may
                and person.id not in self.had_a_part
                and max(self.proposed_on, oldest) <= on <= today
                and over in self.niks_by_sha256
                and is_signed(self.text(person.id, on, over), given["signature"], person)
            ):
                found[person.id] = over
        return found


def load_signed_batches(connection: warehouse.Connection, digests: Collection[str]) -> dict[str, SignedBatch]:
    """Return batches by their digests; those that the warehouse has."""
    if not digests:
        return {}
    warehouse_id = warehouse.warehouse_id(connection)
    rows: Any = warehouse.rows(connection, "revocations/list_signed_batches", digests=sorted(digests))
    return {row["digest"]: SignedBatch(warehouse_id, **row) for row in rows}


def require_same_rule(connection: warehouse.Connection) -> bool:
    """Return whether approvals are signed. Raises `PrakerjaError` where this process has another list of people.

    Which list counts is said by who owns the warehouse, with `prakerja db upgrade`: a process that was given another
    one, or none, must not approve, revoke or publish by it.
    """
    people = load_people()
    if warehouse.execute(connection, "revocations/must_be_signed").scalar_one() == people.must_sign:
        return people.must_sign
    if people.must_sign:
        raise PrakerjaError(
            f"{people.source} gives keys, and the warehouse counts approvals without signatures: run `prakerja db "
            "upgrade` with this list, or set PRAKERJA_PEOPLE to the one that it was run with"
        )
    has = "no list of people" if people.listed is None else f"a list of people without keys, {people.source}"
    raise PrakerjaError(
        f"approvals are signed here, and this process has {has}: set PRAKERJA_PEOPLE to the list that `prakerja db "
        "upgrade` was run with"
    )


def oldest_that_counts(today: date) -> date:
    """Return the earliest day of which a signature still counts."""
    return today - timedelta(days=programme().approvals.signature_counts_for_days)


def _sha256_of(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
