"""Readers: a delivered file as batches of rows, told apart by the platform's layout, nothing repaired, nothing lost.

A file is read once and never held whole, where its layout allows that (CSV, JSON Lines). Each layout has a fast way for
what is plain, and the standard library's own parser for all else; where both can read, they read the same.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Protocol, TypeAlias

import msgspec
import pyarrow as pa
from pyarrow import csv as arrow_csv

from prakerja.landing import RejectedError
from prakerja.platforms import FIELDS, Platform

CHUNK_BYTES = 4 << 20
BATCH_ROWS = 25_000
LINE_BYTES_MAX = 16 << 20
PLAIN_WHOLE_MAX = 10**14  # a batch of these adds up within 64 bits
FIELD_CHARACTERS_MAX = csv.field_size_limit()
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LINE_ENDS = b"\r\n"

#: What JSON can write and no database text can hold: U+0000, and halves of a character.
NO_CHARACTER = re.compile("[\\0\ud800-\udfff]")


class Number(str):
    """A number as delivered (a JSON number, a number cell): its text, and the knowledge that it was no text."""

    __slots__ = ()


class Source(Protocol):
    """What a file is read from."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, or all that are left."""


#: A row's seven values, or its raw text where it is unreadable.
Values = tuple[tuple[Any, ...] | None, str | None]

#: One column of a batch: all of it text, or Python values (`str`, `Number`, `int`, a date, None for nothing).
Column: TypeAlias = "pa.Array | list[Any]"


@dataclass
class Batch:
    """Some rows as delivered: the line that each starts at, its seven columns, `raw` text where it is unreadable."""

    lines: list[int] | range
    columns: list[Column]
    raw: list[str | None] | None = None

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[int, tuple[Any, ...] | None, str | None]]) -> Batch:
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


def read(stream: Source, platform: Platform) -> Reading:
    """Tell the rows of an opened file apart. Taking batches raises `RejectedError` where the file cannot be read."""
    from prakerja.feeds import workbook

    readers: dict[str, Callable[[Source, Platform, Reading], Iterator[Batch]]] = {
        "csv": _read_csv,
        "jsonl": _read_jsonl,
        "json": _read_json,
        "xlsx": workbook.read_xlsx,
    }
    reading = Reading()
    reading.batches = _ahead(readers[platform.layout](stream, platform, reading), platform)
    return reading


def _ahead(batches: Iterator[Batch], platform: Platform) -> Generator[Batch]:
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, batches, None)
        try:
            while (batch := coming.result()) is not None:
                coming = reader.submit(next, batches, None)
                yield batch
        except UnicodeDecodeError:
            raise RejectedError("file_undecodable", f"{platform.file} is not UTF-8") from None


def positions_of(header: list[str], platform: Platform, reading: Reading) -> list[int]:
    """Where the canonical fields stand in the header; notes the columns that are not ours. Raises `RejectedError`."""
    wanted = [platform.columns[name] for name in FIELDS]
    missing = [name for name in wanted if header.count(name) != 1]
    if missing:
        raise RejectedError("columns_missing", f"{platform.file} must have each column once: {', '.join(missing)}")
    reading.extra_columns = [name for name in header if name and name not in wanted]
    return [header.index(name) for name in wanted]


def batched(rows: Iterator[tuple[int, tuple[Any, ...] | None, str | None]]) -> Iterator[Batch]:
    """Batches of (line, values, raw) rows."""
    while some := list(islice(rows, BATCH_ROWS)):
        yield Batch.of_rows(some)


# -- lines -------------------------------------------------------------------------------------------------------------


@dataclass
class Chunk:
    """Whole lines of a file, the first one's number, and whether no other line follows."""

    line: int
    data: bytes
    is_last: bool = False


def _chunks(stream: Source, platform: Platform) -> Iterator[Chunk]:
    """The file in chunks of whole lines, without chunks of empty lines only; no byte-order mark."""
    held: Chunk | None = None
    line, rest = 1, bytearray()
    while block := stream.read(CHUNK_BYTES):
        if b"\0" in block:
            raise RejectedError("file_undecodable", f"{platform.file} holds NUL bytes")
        end = block.rfind(b"\n") + 1
        if not end:
            rest += block
            if len(rest) > LINE_BYTES_MAX:
                raise RejectedError("file_undecodable", f"{platform.file}: line {line} has no end")
            continue
        data = (bytes(rest) + block[:end]).removeprefix(BYTE_ORDER_MARK if line == 1 else b"")
        rest = bytearray(block[end:])
        if data.strip(LINE_ENDS):
            if held:
                yield held
            held = Chunk(line, data)
        line += data.count(b"\n")
    tail = bytes(rest).removeprefix(BYTE_ORDER_MARK if line == 1 else b"")
    if tail.strip(LINE_ENDS):
        if held:
            yield held
        held = Chunk(line, tail)
    if held:
        held.is_last = True
        yield held


# -- CSV ---------------------------------------------------------------------------------------------------------------


def _read_csv(stream: Source, platform: Platform, reading: Reading) -> Iterator[Batch]:
    chunks = _chunks(stream, platform)
    first = next(chunks, None)
    if first is None:
        positions_of([], platform, reading)
        return
    header, body = _header(first, platform)
    chunks = chain([body], chunks)
    if header is None:
        yield from _read_quoted(chunks, platform, reading)
        return
    positions = positions_of(header, platform, reading)
    for chunk in chunks:
        if b'"' in chunk.data:
            # A quoted field may run on into the next chunk: from here to the end, rows are told apart one by one.
            yield from _read_quoted(chain([chunk], chunks), platform, reading, header)
            return
        if chunk.is_last:
            _take_trailer(chunk, platform, reading)
        columns = _plain(chunk.data, platform.separator, len(header), positions)
        if columns is not None:
            yield Batch(range(chunk.line, chunk.line + len(columns[0])), columns)
        else:
            yield from _told_apart(_csv_rows([chunk], platform), len(header), positions)


def _header(chunk: Chunk, platform: Platform) -> tuple[list[str] | None, Chunk]:
    """The header and the chunk after it; no header where it is quoted, and has to be told apart with the rest."""
    data = chunk.data.lstrip(LINE_ENDS)
    line, _, body = data.partition(b"\n")
    if b'"' in line or b"\r" in line.removesuffix(b"\r"):
        return None, chunk
    empty = chunk.data[: len(chunk.data) - len(data)].count(b"\n")
    header = line.removesuffix(b"\r").decode().split(platform.separator)
    return header, Chunk(chunk.line + empty + 1, body, chunk.is_last)


def _take_trailer(chunk: Chunk, platform: Platform, reading: Reading) -> None:
    if platform.trailer is None:
        return
    lines, _, last = (b"\n" + chunk.data.rstrip(LINE_ENDS)).rpartition(b"\n")
    reading.trailer = _trailer(last.decode().split(platform.separator), platform)
    chunk.data = lines[1:] + b"\n" if lines else b""


def _trailer(row: list[str], platform: Platform) -> tuple[str, str]:
    if row[0] != platform.trailer or len(row) != 3:
        raise RejectedError("trailer_missing", f"{platform.file} does not end with {platform.trailer}|<rows>|<amount>")
    return row[1], row[2]


def _plain(data: bytes, separator: str, width: int, positions: list[int]) -> list[Column] | None:
    """The columns of unquoted lines of one width, none of them empty; nothing where there are others."""
    has_empty = data.startswith((b"\n", b"\r")) or b"\n\n" in data or b"\n\r" in data
    if not data or has_empty or (b"\r" in data and data.count(b"\r") != data.count(b"\r\n")):
        return None
    names = [str(position) for position in range(width)]
    wanted = [names[position] for position in positions]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            arrow_csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False),
            arrow_csv.ParseOptions(delimiter=separator, quote_char=False, newlines_in_values=False),
            arrow_csv.ConvertOptions(
                include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:  # a row of another width, or no UTF-8: the csv module tells which, and where
        return None
    columns = [column.combine_chunks() for column in table.columns]
    longest = max(pa.compute.max(pa.compute.binary_length(column)).as_py() or 0 for column in columns)
    return columns if longest <= FIELD_CHARACTERS_MAX else None


def _read_quoted(
    chunks: Iterable[Chunk], platform: Platform, reading: Reading, header: list[str] | None = None
) -> Iterator[Batch]:
    rows = _csv_rows(chunks, platform)
    if header is None:
        header = next(rows, (0, [], ""))[1]
    positions = positions_of(header, platform, reading)
    if platform.trailer is not None:
        rows = _before_trailer(rows, platform, reading)
    yield from _told_apart(rows, len(header), positions)


def _csv_rows(chunks: Iterable[Chunk], platform: Platform) -> Iterator[tuple[int, list[str], str]]:
    """(line, fields, raw) of each row that is not empty, told apart by the csv module."""
    taken: list[str] = []
    starts = before = 0

    def lines() -> Iterator[str]:
        nonlocal starts, before
        for chunk in chunks:
            if not starts:
                starts, before = chunk.line, chunk.line - 1
            for line in io.StringIO(chunk.data.decode(), newline=""):
                taken.append(line)
                yield line

    reader = csv.reader(lines(), delimiter=platform.separator)
    try:
        for row in reader:
            raw, line = "".join(taken), starts
            taken.clear()
            starts = before + reader.line_num + 1
            if row:
                yield line, row, raw
    except csv.Error:
        raise RejectedError("file_undecodable", f"{platform.file}: line {starts} is no CSV") from None


def _told_apart(rows: Iterator[tuple[int, list[str], str]], width: int, positions: list[int]) -> Iterator[Batch]:
    held: list[tuple[int, tuple[str, ...] | None, str | None]] = []
    size = 0
    for line, row, raw in rows:
        if len(row) == width:
            held.append((line, tuple(row[i] for i in positions), None))
        else:
            held.append((line, None, raw.rstrip("\r\n")))
        size += len(raw)
        if size >= CHUNK_BYTES:
            yield Batch.of_rows(held)
            held, size = [], 0
    if held:
        yield Batch.of_rows(held)


def _before_trailer(
    rows: Iterator[tuple[int, list[str], str]], platform: Platform, reading: Reading
) -> Iterator[tuple[int, list[str], str]]:
    held = next(rows, None)
    for row in rows:
        if held:
            yield held
        held = row
    reading.trailer = _trailer(held[1] if held else [""], platform)


# -- JSON --------------------------------------------------------------------------------------------------------------


def _read_jsonl(stream: Source, platform: Platform, reading: Reading) -> Iterator[Batch]:  # noqa: ARG001
    record = _record_reader(platform)
    for chunk in _chunks(stream, platform):
        lines = enumerate(chunk.data.decode().split("\n"), chunk.line)
        yield from batched((line, *record(raw.rstrip("\r"))) for line, raw in lines if raw.strip())


def _read_json(stream: Source, platform: Platform, reading: Reading) -> Iterator[Batch]:  # noqa: ARG001
    data = stream.read().removeprefix(BYTE_ORDER_MARK)
    if b"\0" in data:
        raise RejectedError("file_undecodable", f"{platform.file} holds NUL bytes")
    text = data.decode()
    try:
        document = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        # Raw: each record stays the bytes that it is until its batch is read.
        items: Any = msgspec.json.decode(document[platform.records or ""], type=list[msgspec.Raw])
        says = {key: msgspec.json.decode(document[key]) for key in platform.says if key in document}
        record: Callable[[Any], Values] = _record_reader(platform)
    except (msgspec.MsgspecError, KeyError, RecursionError):
        # No such list, no JSON, or what msgspec does not take and the standard library does (halves of a character).
        says, items = _document(text, platform)
        paths = _paths(platform)
        record = lambda item: _record(item, json.dumps(item), paths)  # noqa: E731
    if not isinstance(items, list):
        raise RejectedError("columns_missing", f"{platform.file} has no list {platform.records!r}")
    for key, expected in platform.says.items():
        if says.get(key) != expected:
            raise RejectedError("path_mismatch", f"{platform.file} does not say {key}: {expected}")
    yield from batched((position, *record(item)) for position, item in enumerate(items, 1))


def _document(text: str, platform: Platform) -> tuple[dict[str, Any], Any]:
    try:
        document = _json(text)
    except (ValueError, RecursionError):
        raise RejectedError("file_undecodable", f"{platform.file} is not JSON") from None
    return (document, document.get(platform.records)) if isinstance(document, dict) else ({}, None)


def _paths(platform: Platform) -> list[list[str]]:
    return [platform.columns[name].split(".") for name in FIELDS]


def _record_reader(platform: Platform) -> Callable[[str | msgspec.Raw], Values]:
    """How one JSON record is read from its text."""
    paths = _paths(platform)
    is_number = {
        "occurred_at": platform.occurred_at["form"] == "epoch_ms",
        "amount_idr": platform.amount_idr["form"] == "number",
    }
    usual = [int if is_number.get(name) else str for name in FIELDS]
    decode = msgspec.json.Decoder().decode

    def plain(raw: str) -> tuple[Any, ...] | None:
        """The values of a record where each has its usual type and is no more than its characters."""
        if "\\" in raw:
            return None
        try:
            document = decode(raw)
            values: list[Any] = []
            for path in paths:
                value = document
                for key in path:
                    value = value[key]
                values.append(value)
        except (msgspec.MsgspecError, RecursionError, KeyError, TypeError):
            return None
        for value, kind in zip(values, usual, strict=True):
            if type(value) is not kind or (type(value) is int and not 0 < value < PLAIN_WHOLE_MAX):
                return None
        return tuple(values)

    def record(item: str | msgspec.Raw) -> Values:
        raw = item if isinstance(item, str) else str(item, "utf-8")
        if (values := plain(raw)) is not None:
            return values, None
        try:
            document = _json(raw)
        except (ValueError, RecursionError):
            document = None
        return _record(document, raw, paths)

    return record


def _record(document: Any, raw: str, paths: list[list[str]]) -> Values:
    if not isinstance(document, dict):
        return None, raw
    return tuple(_value(document, path, raw) for path in paths), None


def _value(document: dict[str, Any], path: list[str], raw: str) -> Any:
    value: Any = document
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool | list | dict):
        return Number(json.dumps(value))  # no text, and no whole number either: no field takes it
    if isinstance(value, str) and "\\u" in raw and not isinstance(value, Number):
        return NO_CHARACTER.sub("\ufffd", value)
    return value


def _json(text: str) -> Any:
    # Numbers keep their text: a card that came as a number must not be told from what a float makes of it.
    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_no_constant)


def _no_constant(name: str) -> Any:
    raise ValueError(name)
