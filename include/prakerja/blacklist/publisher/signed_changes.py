"""Changes of the list that people have signed for. If approvals are signed, the publisher lists nobody else.

Each row is compared with the people of its batch as it is going to be listed: the verified rows are those that are
published, whatever the warehouse returns to another query. A person whose NIK was corrected since their batch was
signed is in it under the earlier NIK, and somebody has signed for the correction.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prakerja import warehouse
from prakerja.blacklist.publisher.version_files import arrow_types
from prakerja.cohorts import corrections
from prakerja.cohorts.contacts import Contacts, DamagedError
from prakerja.errors import PrakerjaError
from prakerja.people import load_people
from prakerja.settings import wib_today
from prakerja.signatures import CorrectionText, is_signed
from prakerja.signed_batches import SHOWN, SignedBatch, load_signed_batches, oldest_valid_signing_day
from prakerja_blacklist.format.contract import FIRST_CONTRACT, Contract
from prakerja_blacklist.format.documents import Document

if TYPE_CHECKING:
    import pyarrow as pa

_PROOF = {"card_number": "int64", "proof": "string"}
#: What a batch must be for, by the kind of change.
_SUBJECTS = {"ADD": ("revocation", "hold"), "WITHDRAW": ("reinstatement",)}
#: Stands in place of a batch's digest if there is none: an appeal that was upheld has no batch.
_APPEAL = "appeal"


@dataclass(frozen=True)
class _SignedCorrections:
    """The corrections of some cards that people have signed for.

    `steps` are by card, from which NIK to which. `problems` say by request what is wrong with it.
    """

    steps: dict[int, set[tuple[int, int]]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def connects(self, card: int, before: int, after: int) -> bool:
        """Return whether signed corrections alone lead from one NIK of a person to another."""
        found, steps = {before}, self.steps.get(card, set())
        while more := {new for old, new in steps if old in found} - found:
            found |= more
        return after in found


def person_types(kind: type[Document]) -> dict[str, str]:
    """Return the columns of people who are to be rows of a kind, in Arrow's types: their NIK, and the row's others."""
    return {"nik": "int64"} | {name: each for name, each in arrow_types(kind).items() if name != "subject"}


def list_changes(connection: warehouse.Connection, version: int, contract: Contract = FIRST_CONTRACT) -> pa.Table:
    """Return the changes of a version as people. If approvals are signed, people have signed for each of them.

    They have signed for who is listed by which decision: columns of later contracts rest on the warehouse's word, and
    so does a withdrawal after an appeal, which has no batch. Raise `PrakerjaError`.
    """
    types = person_types(contract.delta_row)
    if not load_people().must_sign:
        return warehouse.table(connection, "blacklist/list_changes", types, version=version)
    changes = warehouse.table(connection, "blacklist/list_changes", types | _PROOF, version=version)
    columns = (changes[name].to_pylist() for name in ("op", "card_number", "nik", "cohort", "decision_id", "proof"))
    rows = [*zip(*columns, strict=True)]
    exchanged = {row[1] for row in rows if row[0] == "ADD"} & {row[1] for row in rows if row[0] == "WITHDRAW"}
    _require_corrected(connection, [row for row in rows if row[1] in exchanged])
    rows = [row for row in rows if row[1] not in exchanged]
    batches = load_signed_batches(connection, {row[5] for row in rows} - {"none", _APPEAL})
    for problem in _find_problems(batches).values():
        raise PrakerjaError(f"{problem}; nothing is published")
    _require_members(connection, rows, batches)
    return changes.select([*types])


def find_unsigned(connection: warehouse.Connection, digests: Collection[str]) -> dict[str, str]:
    """Return by its digest why a batch may not be published yet. None is returned if approvals are not signed.

    `appeal` is no batch. An empty digest stands for people who are in no batch, and may not be published.
    """
    if not load_people().must_sign:
        return {}
    named = {*digests} - {_APPEAL}
    batches = load_signed_batches(connection, named)
    unknown = {
        digest: f"{f'batch {digest[:SHOWN]}' if digest else 'who is in no batch'} is not of the people who would be "
        "listed or withdrawn"
        for digest in sorted(named - {*batches})
    }
    return unknown | _find_problems(batches)


def find_unsigned_corrections(
    connection: warehouse.Connection, corrected: Sequence[Any], unsigned: Collection[str]
) -> dict[str, str]:
    """Return the requests of corrected NIKs under which nobody may be listed yet, and why.

    `corrected` are the pending changes that corrections are part of. Additions by `unsigned` batches wait in any case.
    A NIK that the batch was signed with needs no other signature. None is returned if approvals are not signed.
    """
    added = [row for row in corrected if row["op"] == "ADD" and row["request"] and row["digest"] not in unsigned]
    if not added or not load_people().must_sign:
        return {}
    batches = load_signed_batches(connection, {row["digest"] for row in added if not row["is_replacement"]})
    signed = {digest: _signed_niks(batch) for digest, batch in batches.items()}
    listed = {row["recipient_id"]: row["nik"] for row in corrected if row["op"] == "LISTED"}
    found = _load_corrections(connection, {row["card_number"] for row in added})
    problems = {}
    for row in added:
        card = row["card_number"]
        if row["is_replacement"]:
            before = [listed.get(row["recipient_id"])]
        else:
            before = [_nik_of(niks, card) for niks in signed.get(row["digest"], [])]
        if all(nik is not None and found.connects(card, nik, row["nik"]) for nik in before):
            continue
        problems[row["request"]] = found.problems.get(row["request"], _not_of_the_niks(row["request"]))
    return problems


def _find_problems(batches: dict[str, SignedBatch]) -> dict[str, str]:
    problems, today = {}, wib_today()
    for digest, batch in batches.items():
        signers = batch.signers(today)
        if not batch.is_whole:
            problems[digest] = f"batch {digest[:SHOWN]} is not of the people who would be listed or withdrawn"
        elif len(signers) < batch.approvals_needed:
            problems[digest] = (
                f"gelombang-{batch.cohort}: batch {digest[:SHOWN]} lacks signatures "
                f"({len(signers)} of {batch.approvals_needed}): nobody of it is listed or withdrawn: {batch.command}"
            )
    return problems


def _require_members(
    connection: warehouse.Connection, rows: Iterable[tuple[Any, ...]], batches: dict[str, SignedBatch]
) -> None:
    """Raise `PrakerjaError` if the batch that a row names does not have its person, or is for something else.

    A withdrawal has the NIK that is listed, which may be older than a correction that its batch was signed with.
    """
    signed = {digest: _signed_niks(batch) for digest, batch in batches.items()}
    corrected = []
    for op, card, nik, cohort, decision_id, proof in rows:
        if op == "WITHDRAW" and proof == _APPEAL:
            continue
        batch = batches.get(proof)
        niks = [its for each in signed.get(proof, []) if (its := _nik_of(each, card)) is not None]
        if (
            batch is None
            or len(niks) < len(signed[proof])
            or batch.subject not in _SUBJECTS.get(op, ())
            or (cohort, decision_id) != (batch.cohort, batch.decision_id)
        ):
            raise PrakerjaError(_not_of_the_batch(op, proof))
        corrected += [(op, card, each, nik, proof) for each in niks if each != nik]
    found = _load_corrections(connection, {card for _, card, *_ in corrected})
    for op, card, of_batch, nik, proof in corrected:
        if not found.connects(card, of_batch, nik) and not (op == "WITHDRAW" and found.connects(card, nik, of_batch)):
            raise PrakerjaError(_not_of_the_batch(op, proof))


def _require_corrected(connection: warehouse.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Raise `PrakerjaError` if a version exchanges a person's NIK and nobody has signed for that correction."""
    found = _load_corrections(connection, {row[1] for row in rows})
    added = {row[1]: row for row in rows if row[0] == "ADD"}
    withdrawn = {row[1]: row for row in rows if row[0] == "WITHDRAW"}
    for card, (_, _, nik, *entry, _) in added.items():
        _, _, before, *entry_before, _ = withdrawn[card]
        if entry != entry_before or not found.connects(card, before, nik):
            raise PrakerjaError(
                "a NIK that is listed would be exchanged for one that nobody has signed for: nothing is published"
            )


def _signed_niks(batch: SignedBatch) -> list[dict[str, str]]:
    """Return the NIKs by card over which a batch's valid signatures were given, once for each different set."""
    return [batch.niks_by_sha256[over] for over in {*batch.verified_signatures(wib_today()).values()}]


def _nik_of(niks: dict[str, str], card: int) -> int | None:
    found = niks.get(str(card))
    return int(found) if found is not None else None


def _load_corrections(connection: warehouse.Connection, cards: Collection[int]) -> _SignedCorrections:
    """Return the corrections of some cards that people have signed for, and what is wrong with the others.

    As with batches, the warehouse is not trusted: what was signed is computed from the NIKs, here from those under each
    correction's seal. A signature counts as a batch's does, except one by the person who made the correction.
    """
    found = _SignedCorrections()
    if not cards:
        return found
    listed, today = load_people().listed or {}, wib_today()
    warehouse_id, contacts = warehouse.warehouse_id(connection), Contacts.configured()
    judged = dict[str, bool]()
    for row in warehouse.rows(connection, "cohorts/list_approved_corrections", cards=sorted(cards)):
        request = row["request"]
        niks = None
        if row["sealed"] is not None and corrections.request_of(row["digests"]) == request:
            with contextlib.suppress(DamagedError):
                niks = corrections.niks_of(row["card_number"], bytes(row["sealed"]), row["digest"], contacts)
        if niks is None:
            found.problems[request] = _not_of_the_niks(request)
            continue
        if request not in judged:
            person, on = listed.get(row["decided_by"]), row["decided_on"]
            judged[request] = (
                person is not None
                and row["signature"] is not None
                and "approve" in person.may
                and person.id not in row["corrected_by"]
                and max(row["corrected_on"], oldest_valid_signing_day(today)) <= on <= today
                and is_signed(
                    CorrectionText(warehouse_id, request, len(row["digests"]), on, person.id), row["signature"], person
                )
            )
        if judged[request]:
            found.steps.setdefault(row["card_number"], set()).add(niks)
        else:
            found.problems.setdefault(
                request, f"correction {request[:SHOWN]} lacks its signature: nobody is listed by it"
            )
    return found


def _not_of_the_niks(request: str) -> str:
    return f"correction {request[:SHOWN]} is not of the NIKs that would be listed: nobody is listed by it"


def _not_of_the_batch(op: str, proof: str) -> str:
    would_be = "listed" if op == "ADD" else "withdrawn"
    return f"batch {proof[:SHOWN]} is not of the people who would be {would_be}: nothing is published"
