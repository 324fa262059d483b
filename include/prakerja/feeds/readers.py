"""Readers: a delivered file as batches of rows, told apart by the platform's layout, nothing repaired, nothing lost.

A file is read once and never held whole, where its layout allows that (CSV, JSON Lines). Text has a fast way for what
is plain, and an exact one for all else; where both can read, they read the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, TypeAlias

import msgspec
import pyarrow as pa

from prakerja import landing, strict_csv
from prakerja.landing import RejectedError
from prakerja.platforms import FIELDS, Platform
from prakerja.strict_csv import (
    BYTE_ORDER_MARK,
    CHUNK_BYTES,
    LINE_BYTES_MAX,
    LINE_ENDS,
    TEXT_BYTES_MAX,
    Chunk,
    CsvRow,
    Source,
    Splitter,
)

BATCH_ROWS = 25_000
PLAIN_WHOLE_MAX = 10**14  # a batch of these adds up within 64 bits
#: Where the texts stand that are bounded: a row with a longer id, course or voucher is unreadable.
BOUND_TEXTS = [FIELDS.index(name) for name in ("transaction_id", "course_id", "voucher_code")]
AMOUNT = FIELDS.index("amount_idr")
AROUND_BYTES_MAX = 16 << 20  # of a JSON document, beside its rows

DEPTH_MAX = 256  # of a row's objects and lists in one another
BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
JSON_SPACE = " \t\r\n"
_DECODE = msgspec.json.Decoder().decode
#: What JSON can write and no database text can hold: U+0000, and halves of a character.
ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)
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


def batched(rows: Iterator[ReadRow]) -> Iterator[Batch]:
    """Batches of (line, values, raw) rows."""
    while some := list(islice(rows, BATCH_ROWS)):
        yield Batch.of_rows(some)


# -- CSV ---------------------------------------------------------------------------------------------------------------


def _read_csv(stream: Source, platform: Platform, reading: Reading) -> Iterator[Batch]:
    splitter = Splitter(platform.file, platform.separator)
    header: list[str] | None = None
    positions: list[int] = []
    for given in strict_csv.chunks(stream, platform.file):
        chunk = given
        if header is None and not splitter.is_open and (found := strict_csv.plain_header(chunk, platform.separator)):
            header, chunk = found
            positions = positions_of(header, platform, reading)
        if not (chunk.data or chunk.is_last):
            continue
        if header is not None and not splitter.is_open and b'"' not in chunk.data:
            if chunk.is_last:
                _take_trailer(chunk, platform, reading)
            columns = strict_csv.plain_columns(chunk.data, platform.separator, len(header), positions)
            if columns is not None:
                yield Batch(range(chunk.line, chunk.line + len(columns[0])), [*columns])
                continue
            rows = splitter.rows(chunk)
        else:
            rows = splitter.rows(chunk)
            if header is None:
                if (first := next(rows, None)) is None:
                    continue
                header = first[1] or []
                positions = positions_of(header, platform, reading)
            if chunk.is_last and platform.trailer is not None:
                rows = _before_trailer(rows, splitter, platform, reading)
        yield from _told_apart(rows, len(header), positions)
    splitter.require_closed()
    if header is None:
        positions_of([], platform, reading)
    if platform.trailer is not None and reading.trailer is None:
        _trailer([""], platform)


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


def _before_trailer(
    rows: Iterator[CsvRow], splitter: Splitter, platform: Platform, reading: Reading
) -> Iterator[CsvRow]:
    held = next(rows, None)
    for row in rows:
        if held:
            yield held
        held = row
    splitter.require_closed()
    reading.trailer = _trailer((held[1] if held else None) or [""], platform)


def _told_apart(rows: Iterator[CsvRow], width: int, positions: list[int]) -> Iterator[Batch]:
    held: list[ReadRow] = []
    size = 0
    for line, row, raw in rows:
        if row is not None and len(row) == width:
            held.append(bounded(line, tuple(row[i] for i in positions), raw))
        else:
            held.append((line, None, raw))
        size += len(raw)
        if size >= CHUNK_BYTES:
            yield Batch.of_rows(held)
            held, size = [], 0
    if held:
        yield Batch.of_rows(held)


def bounded(line: int, values: tuple[Any, ...], raw: str) -> ReadRow:
    """A row, unreadable where one of its texts is longer than any is; its amount counts in the delivery's."""
    if len(raw) * 4 <= TEXT_BYTES_MAX:
        return line, values, None
    longest = max(len(value.encode()) if isinstance(value := values[at], str) else 0 for at in BOUND_TEXTS)
    if longest <= TEXT_BYTES_MAX:
        return line, values, None
    return line, tuple(value if at == AMOUNT else None for at, value in enumerate(values)), raw


# -- JSON (RFC 8259) ---------------------------------------------------------------------------------------------------


def _read_jsonl(stream: Source, platform: Platform, reading: Reading) -> Iterator[Batch]:  # noqa: ARG001
    record = _record_reader(platform)
    for chunk in strict_csv.chunks(stream, platform.file):
        lines = enumerate(chunk.data.decode().split("\n"), chunk.line)
        yield from batched(record(line, raw.removesuffix("\r")) for line, raw in lines if raw.strip(JSON_SPACE))


def _read_json(stream: Source, platform: Platform, reading: Reading) -> Iterator[Batch]:  # noqa: ARG001
    data = stream.read().removeprefix(BYTE_ORDER_MARK)
    if b"\0" in data or data.count(b"\r") != data.count(b"\r\n"):
        raise RejectedError("file_undecodable", f"{platform.file} holds NUL bytes, or a CR without its LF")
    if not data.isascii():
        data.decode()
    items = _items(data, platform)
    del data
    record = _record_reader(platform)
    yield from batched(record(position, str(item, "utf-8")) for position, item in enumerate(items, 1))


def _items(data: bytes, platform: Platform) -> list[msgspec.Raw]:
    """The rows of a document, each as the bytes that it is until its batch is read. Raises `RejectedError`."""
    try:
        plain = data
        try:
            document = _members(plain)
        except msgspec.MsgspecError:
            plain = _without_halves(data)
            document = _members(plain)
        rows = document.get(platform.records or "", msgspec.Raw(b"null"))
        if bytes(memoryview(rows)[:1]) != b"[":
            raise RejectedError("columns_missing", f"{platform.file} has no list {platform.records!r}")
        items: list[msgspec.Raw] = msgspec.json.decode(rows, type=list[msgspec.Raw])
        # msgspec keeps the last of two keys: what is beside the rows is read a second time, by what sees both.
        at, size = plain.find(rows), len(memoryview(rows))
        around = plain[:at] + b"null" + plain[at + size :]
        if len(around) > AROUND_BYTES_MAX:
            raise RejectedError(
                "too_large", f"{platform.file} has more than {AROUND_BYTES_MAX:,} bytes beside its rows"
            )
        says = _json(around.decode())
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise RejectedError("file_undecodable", f"{platform.file} is not JSON, or has a key twice") from None
    for key, expected in platform.says.items():
        if says.get(key) != expected:
            raise RejectedError("path_mismatch", f"{platform.file} does not say {key}: {expected}")
    if any(len(memoryview(item)) > LINE_BYTES_MAX for item in items):
        raise RejectedError("too_large", f"{platform.file} has a row of more than {LINE_BYTES_MAX:,} bytes")
    return items if plain is data else _as_delivered(items, plain, data, at)


def _as_delivered(items: list[msgspec.Raw], plain: bytes, data: bytes, at: int) -> list[msgspec.Raw]:
    """The rows of `plain` as they stand in `data`, where the first one is at, or behind, `at`."""
    found = []
    for item in items:
        at = plain.find(item, at)
        end = at + len(memoryview(item))
        found.append(msgspec.Raw(data[at:end]))
        at = end
    return found


def _without_halves(data: bytes) -> bytes:
    """A JSON text with U+FFFD for each half of a character, as long: JSON has them, msgspec does not."""
    return ESCAPES.sub(lambda found: rb"\ufffd" if found[1] else found[0], data)


def _members(data: bytes) -> dict[str, msgspec.Raw]:
    """The members of a JSON object; none of another value."""
    if data.lstrip(JSON_SPACE.encode()).startswith(b"{"):
        return msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    msgspec.json.decode(data, type=msgspec.Raw)  # which raises, where it is no JSON at all
    return {}


def _paths(platform: Platform) -> list[list[str]]:
    return [platform.columns[name].split(".") for name in FIELDS]


def _record_reader(platform: Platform) -> Callable[[int, str], ReadRow]:
    """How one JSON record is read from its text."""
    paths = _paths(platform)
    is_number = {
        "occurred_at": platform.occurred_at["form"] == "epoch_ms",
        "amount_idr": platform.amount_idr["form"] == "number",
    }
    kinds = [int if is_number.get(name) else str for name in FIELDS]

    def record(line: int, raw: str) -> ReadRow:
        if (values := _plain_record(raw, paths, kinds)) is not None:
            return line, values, None
        document = _json_of_row(raw)
        if not isinstance(document, dict):
            return line, _amount_alone(document, paths), raw
        return bounded(line, tuple(_value(document, path, raw) for path in paths), raw)

    return record


class _Pairs(list[tuple[str, Any]]):
    """A JSON object's members, where a key may stand twice."""


def _json_of_row(raw: str) -> Any:
    """A row as JSON, its objects as `_Pairs` where a key stands twice in it; None for what is no JSON, or too deep."""
    depth = deepest = 0
    if raw.count("{") + raw.count("[") > DEPTH_MAX:
        for found in BRACKETS.finditer(raw):
            depth += 1 if found[0] in "{[" else -1 if found[0] in "}]" else 0
            deepest = max(deepest, depth)
    if deepest > DEPTH_MAX:
        return None
    try:
        return _json(raw)
    except ValueError:
        pass
    try:
        return json.loads(
            raw, parse_int=Number, parse_float=Number, parse_constant=_no_constant, object_pairs_hook=_Pairs
        )
    except ValueError:
        return None


def _amount_alone(document: Any, paths: list[list[str]]) -> tuple[Any, ...] | None:
    """Of a row with a key twice what counts in its delivery's amount: an amount that stands there once."""
    value = document
    for key in paths[AMOUNT]:
        found = [each for name, each in value if name == key] if isinstance(value, _Pairs) else []
        if len(found) != 1:
            return None
        value = found[0]
    return tuple(value if at == AMOUNT else None for at in range(len(paths)))


def _plain_record(raw: str, paths: list[list[str]], kinds: Sequence[type]) -> tuple[Any, ...] | None:
    """The values of a record where each has its usual type and is no more than its characters; else nothing."""
    if "\\" in raw or len(raw) * 4 > TEXT_BYTES_MAX or raw.count("{") + raw.count("[") > DEPTH_MAX:
        return None
    try:
        document = _DECODE(raw)
        values: list[Any] = []
        for path in paths:
            value = document
            for key in path:
                value = value[key]
            values.append(value)
    except (msgspec.MsgspecError, RecursionError, KeyError, TypeError):
        return None
    for value, kind in zip(values, kinds, strict=True):
        if type(value) is not kind or (type(value) is int and not 0 < value < PLAIN_WHOLE_MAX):
            return None
    # Without escapes each text has two quotes. A key that stood twice is one in the document, and its quotes are left.
    return tuple(values) if raw.count('"') == 2 * _texts_in(document) else None


def _texts_in(value: Any) -> int:
    """How many texts a JSON value has, keys among them."""
    if type(value) is dict:
        count = len(value)
        for each in value.values():
            kind = type(each)
            if kind is str:
                count += 1
            elif kind is dict or kind is list:
                count += _texts_in(each)
        return count
    return sum(1 if type(each) is str else _texts_in(each) for each in value) if type(value) is list else 0


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
    return json.loads(
        text, parse_int=Number, parse_float=Number, parse_constant=_no_constant, object_pairs_hook=landing.unique_keys
    )


def _no_constant(name: str) -> Any:
    raise ValueError(name)
