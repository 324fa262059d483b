"""Rows as delivered: what the reader of each layout yields."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import pyarrow as pa

from prakerja.landing import RejectedError
from prakerja.platforms import FIELDS, Platform
from prakerja.strict_csv import CHUNK_BYTES, TEXT_BYTES_MAX

BATCH_ROWS = 25_000
PLAIN_WHOLE_MAX = 10**14  # a batch of smaller numbers adds up within 64 bits
#: The positions of bounded texts: a row with a longer id, course or voucher is unreadable.
BOUND_TEXTS = [FIELDS.index(name) for name in ("transaction_id", "course_id", "voucher_code")]
AMOUNT = FIELDS.index("amount_idr")
#: Characters that JSON and SpreadsheetML can escape and no database text can hold: U+0000 and lone surrogates.
NO_CHARACTER = re.compile("[\\0\ud800-\udfff]")


class Number(str):
    """The text of a value that was delivered as a number (a JSON number, a number cell)."""

    __slots__ = ()


class DateCell(Number):
    """A date cell of a workbook: its text, and its instant without a time zone."""

    instant: datetime

    def __new__(cls, text: str, instant: datetime) -> DateCell:
        cell = super().__new__(cls, text)
        cell.instant = instant
        return cell


#: A row's line, its seven values, and its text if it is unreadable. Of an unreadable row at most the amount is known.
ReadRow: TypeAlias = "tuple[int, tuple[Any, ...] | None, str | None]"

#: One column of a batch: an array of text, or Python values (`str`, `Number`, `int`, `DateCell` or None).
Column: TypeAlias = "pa.Array | list[Any]"


@dataclass
class Batch:
    """Several rows as delivered: the line of each, the seven columns, and the `raw` text of an unreadable row."""

    lines: list[int] | range
    columns: list[Column]
    raw: list[str | None] | None = None

    @classmethod
    def from_rows(cls, rows: Iterable[ReadRow]) -> Batch:
        """Build a batch from (line, values, raw) of each row."""
        blank = (None,) * len(FIELDS)
        lines, values, raw = (list(column) for column in zip(*rows, strict=True))
        columns = [list(column) for column in zip(*(row or blank for row in values), strict=True)]
        return cls(lines, [pa.array(c, pa.string()) if set(map(type, c)) == {str} else c for c in columns], raw)


@dataclass
class Reading:
    """A file that is being read, one batch ahead of its use: close `batches` before the file.

    `extra_columns` and `trailer` are complete once the last batch was taken. `trailer` holds the rows and the amount
    that the file's last line states.
    """

    batches: Generator[Batch] = field(init=False)
    extra_columns: list[str] = field(default_factory=list)
    trailer: tuple[str, str] | None = None


def find_positions(header: list[str], platform: Platform, reading: Reading) -> list[int]:
    """Return the positions of the canonical fields in the header, and note all other columns in `reading`.

    Raise `RejectedError` if a column is missing or repeated.
    """
    wanted = [platform.columns[name] for name in FIELDS]
    missing = [name for name in wanted if header.count(name) != 1]
    if missing:
        raise RejectedError("columns_missing", f"{platform.file} must have each column once: {', '.join(missing)}")
    reading.extra_columns = [name for name in header if name and name not in wanted]
    return [header.index(name) for name in wanted]


def batched(rows: Iterable[ReadRow]) -> Iterator[Batch]:
    """Yield rows in batches of bounded length and size."""
    held: list[ReadRow] = []
    size = 0
    for row in rows:
        held.append(row)
        size += len(row[2] or "") + sum([len(value) for value in row[1] or () if isinstance(value, str)])
        if len(held) >= BATCH_ROWS or size >= CHUNK_BYTES:
            yield Batch.from_rows(held)
            held, size = [], 0
    if held:
        yield Batch.from_rows(held)


def amount_alone(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values of an unreadable row without all but its amount, which counts in the delivery's total."""
    return tuple(value if at == AMOUNT else None for at, value in enumerate(values))


def bounded(line: int, values: tuple[Any, ...], raw: str) -> ReadRow:
    """Return a row, as an unreadable one if one of its texts is too long. Its amount counts in either case."""
    if len(raw) * 4 <= TEXT_BYTES_MAX:
        return line, values, None
    longest = max(len(value.encode()) if isinstance(value := values[at], str) else 0 for at in BOUND_TEXTS)
    if longest <= TEXT_BYTES_MAX:
        return line, values, None
    return line, amount_alone(values), raw
