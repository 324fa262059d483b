"""The canonical rows of a delivery: every dialect's rows in the same columns, kept aside on disk until they are judged.

Whether a row repeats another or contradicts one is known only when all are read. So rows are read once and laid aside;
what a delivery needs of memory does not grow with its rows, but for a few bytes each.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prakerja.feeds import forms
from prakerja.feeds.readers import Batch
from prakerja.platforms import FIELDS, Platform
from prakerja.settings import Settings

#: Rows that are judged and loaded at once.
ROWS_AT_ONCE = 100_000

SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("raw", pa.string()),  # of an unreadable row; all else of it is empty
        ("transaction_id", pa.string()),
        ("event", pa.string()),  # PAID, CANCELLED, REFUNDED; null where it is another word
        ("occurred_at", pa.timestamp("us", "UTC")),  # null where it is no time of the platform's form
        ("card_number", pa.string()),
        ("course_id", pa.string()),
        ("amount_idr", pa.int64()),  # whole rupiah; null where it is not in the platform's form
        ("voucher_code", pa.string()),
        ("event_delivered", pa.string()),
        ("occurred_at_delivered", pa.string()),
        ("amount_idr_delivered", pa.string()),
        ("card_is_number", pa.bool_()),
    ]
)


def canonical(batch: Batch, platform: Platform) -> tuple[pa.Table, int]:
    """The batch's rows in the columns of `SCHEMA`, and the whole rupiah that they add up to as delivered."""
    column = dict(zip(FIELDS, batch.columns, strict=True))
    amount_idr, amount = forms.amounts(column["amount_idr"], platform)
    rows = len(batch.lines)
    return pa.table(
        {
            "line": pa.array(np.asarray(batch.lines, np.int64)),
            "raw": pa.nulls(rows, pa.string()) if batch.raw is None else pa.array(batch.raw, pa.string()),
            "transaction_id": forms.text_of(column["transaction_id"]),
            "event": forms.events(column["event"], platform),
            "occurred_at": forms.instants(column["occurred_at"], platform),
            "card_number": forms.text_of(column["card_number"]),
            "course_id": forms.text_of(column["course_id"]),
            "amount_idr": amount_idr,
            "voucher_code": forms.text_of(column["voucher_code"]),
            "event_delivered": forms.text_of(column["event"]),
            "occurred_at_delivered": forms.text_of(column["occurred_at"]),
            "amount_idr_delivered": forms.text_of(column["amount_idr"]),
            "card_is_number": forms.is_number(column["card_number"]),
        },
        SCHEMA,
    ), amount


class Rows:
    """All canonical rows of one delivery, in a file without a name: nobody else can open it, and a kill leaves nothing.

    Use as a context manager: `add` every batch, then take them `judgeable`.
    """

    def __init__(self) -> None:
        self.count = 0
        self._keys: list[np.ndarray[Any, np.dtype[np.int64]]] = []
        self._file = tempfile.TemporaryFile(dir=Settings.from_environment().make_home())  # noqa: SIM115 - closed on leaving
        self._writer = pa.ipc.new_stream(self._file, SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, table: pa.Table) -> None:
        """Lay rows aside."""
        self._writer.write_table(table)
        self.count += len(table)
        keys = pc.coalesce(table["raw"], table["transaction_id"]).to_pylist()
        self._keys.append(np.fromiter(map(hash, keys), np.int64, len(keys)))

    def judgeable(self) -> Iterator[pa.Table]:
        """The rows without their repeats, some at once, with a column `is_conflicting`."""
        self._writer.close()
        is_repeat, is_conflicting = self._compared()
        start = 0
        for table in self._tables():
            end = start + len(table)
            here = table.append_column("is_conflicting", pa.array(is_conflicting[start:end]))
            yield here.filter(pa.array(~is_repeat[start:end])) if is_repeat[start:end].any() else here
            start = end

    def _tables(self) -> Iterator[pa.Table]:
        self._file.seek(0)
        held: list[pa.RecordBatch] = []
        for batch in pa.ipc.open_stream(self._file):
            held.append(batch)
            if sum(map(len, held)) >= ROWS_AT_ONCE:
                yield pa.Table.from_batches(held).combine_chunks()
                held = []
        if held:
            yield pa.Table.from_batches(held).combine_chunks()

    def _compared(self) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], np.ndarray[Any, np.dtype[np.bool_]]]:
        """For every row, whether it repeats an earlier one, and whether another has its transaction and event.

        Only rows whose transaction id (or raw text) has the hash of another's can be either; just these are compared.
        """
        is_repeat, is_conflicting = np.zeros(self.count, np.bool_), np.zeros(self.count, np.bool_)
        keys = np.concatenate(self._keys) if self._keys else np.empty(0, np.int64)
        self._keys.clear()
        ordered = np.sort(keys)
        shared = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        if not len(shared):
            return is_repeat, is_conflicting
        suspects = np.flatnonzero(np.isin(keys, shared))
        seen: set[bytes] = set()
        of_event: dict[bytes, int] = {}
        position = 0
        for table in self._tables():
            here = suspects[(suspects >= position) & (suspects < position + len(table))]
            rows = _in_integers(table.take(pa.array(here - position))).to_pylist()
            for at, row in zip(here.tolist(), rows, strict=True):
                content = _digest(*_content(row))
                if content in seen:
                    is_repeat[at] = True
                    continue
                seen.add(content)
                if row["raw"] is None and row["transaction_id"].strip():
                    event = _digest(row["transaction_id"], row["event"], row["event"] or row["event_delivered"])
                    # Another row of the same transaction and event, with other content: nobody knows which is true.
                    if event in of_event:
                        is_conflicting[at] = is_conflicting[of_event[event]] = True
                    else:
                        of_event[event] = at
            position += len(table)
        return is_repeat, is_conflicting


def _in_integers(table: pa.Table) -> pa.Table:
    """The rows with their instants as microseconds: a delivered one may lie before Python's year 1."""
    place = table.schema.get_field_index("occurred_at")
    return table.set_column(place, "occurred_at", table["occurred_at"].cast(pa.int64()))


def _content(row: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two rows of a delivery the same: the canonical fields, as delivered where they have no meaning."""
    if row["raw"] is not None:
        return ("unreadable", row["raw"])
    content: list[Any] = [row["card_is_number"]]
    for name in FIELDS:
        content.append(row[name] if row[name] is not None else ("as delivered", row[f"{name}_delivered"]))
    return tuple(content)


def _digest(*content: Any) -> bytes:
    return hashlib.blake2b(repr(content).encode("utf-8", "surrogatepass"), digest_size=16).digest()
