"""Changes of the list that people have signed for: where approvals are signed, the publisher lists nobody else.

A change is held against the people of its batch row by row, as it is going to be listed: whatever the warehouse answers
to another question, the rows that were verified are those that are published.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from prakerja import warehouse
from prakerja.errors import PrakerjaError
from prakerja.people import load_people
from prakerja.signed_batches import SHOWN, SignedBatch, load_signed_batches, wib_today

if TYPE_CHECKING:
    import pyarrow as pa

#: What an entry of the list is made of, in Arrow's types. `effective_at` is in seconds.
ENTRY = {"nik": "int64", "cohort": "int32", "reason": "string", "effective_at": "int64", "decision_id": "string"}
CHANGE = {"op": "string", **ENTRY}
_PROOF = {"card_number": "int64", "proof": "string"}
#: What a batch must be about.
_SUBJECTS = {"ADD": ("revocation", "hold"), "WITHDRAW": ("reinstatement",)}


def list_changes(connection: warehouse.Connection, version: int) -> pa.Table:
    """Return the changes of a version (`CHANGE`). Where approvals are signed, each is one that people have signed for.

    A withdrawal after an appeal has no batch, and is the warehouse's word. Raises `PrakerjaError`.
    """
    if not load_people().must_sign:
        return warehouse.table(connection, "blacklist/list_changes", CHANGE, version=version)
    changes = warehouse.table(connection, "blacklist/list_changes", CHANGE | _PROOF, version=version)
    named = set(changes["proof"].unique().to_pylist()) - {"none", "appeal"}
    batches = load_signed_batches(connection, named)
    for problem in _find_problems(batches).values():
        raise PrakerjaError(f"{problem}; nothing is published")
    _require_members(changes, batches)
    return changes.select([*CHANGE])


def find_unsigned(connection: warehouse.Connection, digests: Collection[str]) -> dict[str, str]:
    """Return which batches may not be published yet, by their digests, and why; none where approvals are not signed."""
    return _find_problems(load_signed_batches(connection, digests)) if load_people().must_sign else {}


def _find_problems(batches: dict[str, SignedBatch]) -> dict[str, str]:
    problems, today = {}, wib_today()
    for digest, batch in batches.items():
        signers = batch.signers(today)
        if not batch.is_whole:
            problems[digest] = f"batch {digest[:SHOWN]} is not of the people who would be listed or withdrawn"
        elif len(signers) < batch.needed:
            problems[digest] = (
                f"gelombang-{batch.cohort}: batch {digest[:SHOWN]} lacks signatures "
                f"({len(signers)} of {batch.needed}): nobody of it is listed or withdrawn: {batch.command}"
            )
    return problems


def _require_members(changes: pa.Table, batches: dict[str, SignedBatch]) -> None:
    """Raise `PrakerjaError` where a row is of nobody in the batch that it names, or not what that batch is for."""
    members = {digest: frozenset(batch.identities) for digest, batch in batches.items()}
    columns = (changes[name].to_pylist() for name in ("op", "card_number", "nik", "cohort", "decision_id", "proof"))
    for op, card, nik, cohort, decision_id, proof in zip(*columns, strict=True):
        if op == "WITHDRAW" and proof == "appeal":
            continue
        batch = batches.get(proof)
        if (
            batch is None
            or f"{card} {nik}" not in members[proof]
            or batch.subject not in _SUBJECTS.get(op, ())
            or (cohort, decision_id) != (batch.cohort, batch.decision_id)
        ):
            raise PrakerjaError(
                f"batch {proof[:SHOWN]} is not of the people who would be {'listed' if op == 'ADD' else 'withdrawn'}: "
                "nothing is published"
            )
