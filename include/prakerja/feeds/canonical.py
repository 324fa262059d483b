"""The canonical rows of a delivery: the rows of every dialect in the same columns, kept on disk until validation.

Whether a row repeats or contradicts another is known only once all have been read. Rows are therefore read once and
stored; the memory that a delivery needs grows by only a few bytes for each row.
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
from prakerja.feeds.rows import Batch
from prakerja.landing import StorageError
from prakerja.platforms import FIELDS, Platform
from prakerja.settings import Settings

#: About how many rows are validated, sorted and loaded at once. More take memory; fewer lose the locality of the card
#: index.
ROWS_AT_ONCE = 60_000

SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("raw", pa.string()),  # the text of an unreadable row, whose other columns are empty
        ("transaction_id", pa.string()),
        ("event", pa.string()),  # one of `platforms.EVENTS`; null if the platform has no such word
        ("occurred_at", pa.timestamp("us", "UTC")),  # null if it is not a time in the platform's form
        ("card_number", pa.string()),
        ("course_id", pa.string()),
        ("amount_idr", pa.int64()),  # whole rupiah; null if it is not in the platform's form
        ("voucher_code", pa.string()),
        ("event_delivered", pa.string()),
        ("occurred_at_delivered", pa.string()),
        ("amount_idr_delivered", pa.string()),
        ("card_is_number", pa.bool_()),
        ("transaction_id_is_malformed", pa.bool_()),  # it came as a number, and may have lost digits
    ]
)


def canonical(batch: Batch, platform: Platform) -> tuple[pa.Table, int]:
    """Return a batch in the columns of `SCHEMA`, and the sum of its amounts as delivered."""
    column = dict(zip(FIELDS, batch.columns, strict=True))
    amount_idr, amount = forms.amounts(column["amount_idr"], platform)
    transaction_id, is_malformed = forms.ids(column["transaction_id"])
    rows = len(batch.lines)
    raw = pa.nulls(rows, pa.string()) if batch.raw is None else pa.array(batch.raw, pa.string())
    return pa.table(
        {
            "line": pa.array(np.asarray(batch.lines, np.int64)),
            "raw": raw,
            "transaction_id": transaction_id,
            "event": forms.events(column["event"], platform),
            "occurred_at": forms.instants(column["occurred_at"], platform),
            "card_number": forms.text_of(column["card_number"]),
            "course_id": forms.text_of(column["course_id"]),
            "amount_idr": pc.if_else(raw.is_null(), amount_idr, pa.scalar(None, pa.int64())),
            "voucher_code": forms.text_of(column["voucher_code"]),
            "event_delivered": forms.text_of(column["event"]),
            "occurred_at_delivered": forms.text_of(column["occurred_at"]),
            "amount_idr_delivered": forms.text_of(column["amount_idr"]),
            "card_is_number": forms.is_number(column["card_number"]),
            "transaction_id_is_malformed": is_malformed,
        },
        SCHEMA,
    ), amount


class Rows:
    """All canonical rows of one delivery, in an unnamed file: nobody else can open it, and a kill leaves nothing.

    Use as a context manager: `add` every batch, then read the `distinct` rows.
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
        """Store rows. Raise `StorageError` if the home has no space for them."""
        try:
            self._writer.write_table(table)
            self._file.flush()
        except OSError as error:
            raise StorageError(
                f"the home cannot store a delivery's rows ({type(error).__name__}): free some space"
            ) from None
        self.count += len(table)
        keys = pc.coalesce(table["raw"], table["transaction_id"]).to_pylist()
        self._keys.append(np.fromiter(map(hash, keys), np.int64, len(keys)))

    def distinct(self) -> Iterator[pa.Table]:
        """Yield the rows without repeats, with a column `is_conflicting`; one empty table if there are none."""
        self._writer.close()
        is_repeat, is_conflicting = self._compare()
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
        if held or not self.count:
            yield pa.Table.from_batches(held, SCHEMA).combine_chunks()

    def _compare(self) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], np.ndarray[Any, np.dtype[np.bool_]]]:
        """Return for every row whether it repeats an earlier one, and whether it conflicts with another.

        Only rows whose transaction id (or raw text) shares a hash with another's can do so: only these are compared.
        """
        is_repeat, is_conflicting = np.zeros(self.count, np.bool_), np.zeros(self.count, np.bool_)
        keys = np.concatenate(self._keys) if self._keys else np.empty(0, np.int64)
        self._keys.clear()
        ordered = np.sort(keys)
        shared = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        if not len(shared):
            return is_repeat, is_conflicting
        del ordered
        nearest = np.searchsorted(shared, keys).clip(max=len(shared) - 1)
        suspects = np.flatnonzero(shared[nearest] == keys)
        del keys, nearest
        seen: set[bytes] = set()
        of_event: dict[bytes, int] = {}
        position = 0
        for table in self._tables():
            here = suspects[(suspects >= position) & (suspects < position + len(table))]
            contents, events = _contents_and_events(table.take(pa.array(here - position)))
            for at, content, event in zip(here.tolist(), contents, events, strict=True):
                digest = _digest(content)
                if digest in seen:
                    is_repeat[at] = True
                    continue
                seen.add(digest)
                if event is not None:
                    # Two rows of one transaction and event differ in content: neither can be trusted.
                    first = of_event.setdefault(_digest(event), at)
                    if first != at:
                        is_conflicting[at] = is_conflicting[first] = True
            position += len(table)
        return is_repeat, is_conflicting


def _contents_and_events(rows: pa.Table) -> tuple[list[str], list[str | None]]:
    """Return each row's content, by which repeats are found, and its transaction and event, or None.

    The content is the canonical fields, or the delivered value where it has no meaning. No text holds the separator,
    U+0000.
    """

    def known(column: str) -> Any:
        values = rows[column].cast(pa.int64()) if column == "occurred_at" else rows[column]
        return pc.coalesce(values.cast(pa.string()), pc.binary_join_element_wise("?", rows[f"{column}_delivered"], ""))

    events = pc.binary_join_element_wise(rows["transaction_id"], known("event"), "\0")
    contents = pc.binary_join_element_wise(
        events,
        known("occurred_at"),
        rows["card_number"],
        rows["card_is_number"].cast(pa.string()),
        rows["transaction_id_is_malformed"].cast(pa.string()),
        rows["course_id"],
        known("amount_idr"),
        rows["voucher_code"],
        "\0",
    )
    has_event = pc.and_(pc.is_null(rows["raw"]), pc.not_equal(pc.utf8_trim_whitespace(rows["transaction_id"]), ""))
    return (
        pc.coalesce(pc.binary_join_element_wise("unreadable", rows["raw"], "\0"), contents).to_pylist(),
        pc.if_else(has_event, events, pa.scalar(None, pa.string())).to_pylist(),
    )


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
