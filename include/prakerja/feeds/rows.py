"""Rows as delivered: what every reader yields, whatever the layout of the file."""

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
PLAIN_WHOLE_MAX = 10**14  # a batch of these adds up within 64 bits
#: Where the texts stand that are bounded: a row with a longer id, course or voucher is unreadable.
BOUND_TEXTS = [FIELDS.index(name) for name in ("transaction_id", "course_id", "voucher_code")]
AMOUNT = FIELDS.index("amount_idr")
#: What JSON and SpreadsheetML can write and no database text can hold: U+0000, and halves of a character.
NO_CHARACTER = re.compile("[\\0\ud800-\udfff]")


class Number(str):
    """A number as delivered (a JSON number, a number cell): its text, and the knowledge that it was no text."""

    __slots__ = ()


class DateCell(Number):
    """A cell that a workbook has as a date: its text, and the instant that it says, of no time zone."""

    instant: datetime

    def __new__(cls, text: str, instant: datetime) -> DateCell:
        """Keep both."""
        cell = super().__new__(cls, text)
        cell.instant = instant
        return cell


#: A row's line, its seven values, and where it is unreadable its text: what is known of its values is then its amount.
ReadRow: TypeAlias = "tuple[int, tuple[Any, ...] | None, str | None]"

#: One column of a batch: all of it text, or Python values (`str`, `Number`, `int`, a date, None for nothing).
Column: TypeAlias = "pa.Array | list[Any]"


@dataclass
class Batch:
    """Some rows as delivered: the line that each starts at, its seven columns, `raw` text where it is unreadable."""

    lines: list[int] | range
    columns: list[Column]
    raw: list[str | None] | None = None

    @classmethod
    def of_rows(cls, rows: Iterable[ReadRow]) -> Batch:
        """A batch from (line, values, raw) of each row."""
        blank = (None,) * len(FIELDS)
        lines, values, raw = (list(column) for column in zip(*rows, strict=True))
        columns = [list(column) for column in zip(*(row or blank for row in values), strict=True)]
        return cls(lines, [pa.array(c, pa.string()) if set(map(type, c)) == {str} else c for c in columns], raw)


@dataclass
class Reading:
    """A file that is being read, each batch while the one before is in use: close `batches` before the file.

    What is not in a batch is known once the last was taken. `trailer` is (rows, amount) as the file's own last line
    states them.
    """

    batches: Generator[Batch] = field(init=False)
    extra_columns: list[str] = field(default_factory=list)
    trailer: tuple[str, str] | None = None


def positions_of(header: list[str], platform: Platform, reading: Reading) -> list[int]:
    """Where the canonical fields stand in the header; notes the columns that are not ours. Raises `RejectedError`."""
    wanted = [platform.columns[name] for name in FIELDS]
    missing = [name for name in wanted if header.count(name) != 1]
    if missing:
        raise RejectedError("columns_missing", f"{platform.file} must have each column once: {', '.join(missing)}")
    reading.extra_columns = [name for name in header if name and name not in wanted]
    return [header.index(name) for name in wanted]


def batched(rows: Iterable[ReadRow]) -> Iterator[Batch]:
    """Yield batches of rows, neither too many nor too large."""
    held: list[ReadRow] = []
    size = 0
    for row in rows:
        held.append(row)
        size += len(row[2] or "") + sum([len(value) for value in row[1] or () if isinstance(value, str)])
        if len(held) >= BATCH_ROWS or size >= CHUNK_BYTES:
            yield Batch.of_rows(held)
            held, size = [], 0
    if held:
        yield Batch.of_rows(held)


def amount_alone(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what is known of an unreadable row: its amount, which counts in the delivery's."""
    return tuple(value if at == AMOUNT else None for at, value in enumerate(values))


def bounded(line: int, values: tuple[Any, ...], raw: str) -> ReadRow:
    """Return a row, unreadable where one of its texts is longer than any is; its amount counts all the same."""
    if len(raw) * 4 <= TEXT_BYTES_MAX:
        return line, values, None
    longest = max(len(value.encode()) if isinstance(value := values[at], str) else 0 for at in BOUND_TEXTS)
    if longest <= TEXT_BYTES_MAX:
        return line, values, None
    return line, amount_alone(values), raw
