"""Readers: a delivered file as batches of rows, told apart by the platform's layout, nothing repaired, nothing lost.

A file is read once and never held whole, where its layout allows that (CSV, JSON Lines). Text has a fast way for what
is plain, and an exact one for all else; where both can read, they read the same.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
import pyarrow as pa

from prakerja import landing, strict_csv
from prakerja.landing import RejectedError
from prakerja.platforms import FIELDS, Platform
from prakerja.strict_csv import (
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
KEYS_MAX = 1000  # of a JSON document

DEPTH_MAX = 256  # of a row's objects and lists in one another
BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
JSON_SPACE = " \t\r\n"
JSON_SPACES = re.compile(r"[ \t\r\n]*")
_DECODE = msgspec.json.Decoder().decode
#: What JSON can write and no database text can hold: U+0000, and halves of a character.
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
                header = first[1] if first[3] else []
                positions = positions_of(header, platform, reading)
            if chunk.is_last and platform.trailer is not None:
                rows = _before_trailer(rows, splitter, platform, reading)
        yield from _separate_unreadable(rows, len(header), positions)
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
    reading.trailer = _trailer(held[1] if held and held[3] else [""], platform)


def _separate_unreadable(rows: Iterator[CsvRow], width: int, positions: list[int]) -> Iterator[Batch]:
    def read(line: int, fields: list[str], raw: str, *, is_readable: bool) -> ReadRow:
        if len(fields) != width:
            return line, None, raw
        values = tuple(fields[i] for i in positions)
        return bounded(line, values, raw) if is_readable else (line, _amount_of(values), raw)

    return batched(read(line, fields, raw, is_readable=is_readable) for line, fields, raw, is_readable in rows)


def _amount_of(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what is known of an unreadable row: its amount, which counts in the delivery's."""
    return tuple(value if at == AMOUNT else None for at, value in enumerate(values))


def bounded(line: int, values: tuple[Any, ...], raw: str) -> ReadRow:
    """Return a row, unreadable where one of its texts is longer than any is; its amount counts all the same."""
    if len(raw) * 4 <= TEXT_BYTES_MAX:
        return line, values, None
    longest = max(len(value.encode()) if isinstance(value := values[at], str) else 0 for at in BOUND_TEXTS)
    if longest <= TEXT_BYTES_MAX:
        return line, values, None
    return line, _amount_of(values), raw


# -- JSON (RFC 8259) ---------------------------------------------------------------------------------------------------


def _read_jsonl(stream: Source, platform: Platform, reading: Reading) -> Iterator[Batch]:  # noqa: ARG001
    record = _record_reader(platform)
    for chunk in strict_csv.chunks(stream, platform.file):
        lines = enumerate(chunk.data.decode().split("\n"), chunk.line)
        yield from batched(record(line, raw.removesuffix("\r")) for line, raw in lines if raw.strip(JSON_SPACE))


def _read_json(stream: Source, platform: Platform, reading: Reading) -> Iterator[Batch]:  # noqa: ARG001
    yield from batched(_document_rows(_JsonText(stream, platform.file), platform))


def _document_rows(text: _JsonText, platform: Platform) -> Iterator[ReadRow]:
    """Yield the rows of a document, as they come; beside them it must say what the platform's do."""
    columns_missing = RejectedError("columns_missing", f"{platform.file} has no list {platform.records!r}")
    if text.next_character() != "{":
        text.value()
        text.require_end()
        raise columns_missing
    record, is_listed = _record_reader(platform), False
    says, keys = dict[str, Any](), set[str]()
    for key in text.members():
        if key in keys or len(keys) >= KEYS_MAX:
            raise text.undecodable()
        keys.add(key)
        if key == platform.records and text.next_character() == "[":
            is_listed = True
            for position, raw in enumerate(text.elements(), 1):
                yield record(position, raw)
            continue
        try:
            value = _json(text.value())
        except (ValueError, RecursionError):
            raise text.undecodable() from None
        if key in platform.says:  # of all else nothing is kept: it may be as large as the file
            says[key] = value
    text.require_end()
    if not is_listed:
        raise columns_missing
    for key, expected in platform.says.items():
        if says.get(key) != expected:
            raise RejectedError("path_mismatch", f"{platform.file} does not say {key}: {expected}")


class _JsonText:
    """A JSON text that is read while it is taken apart: what lies in memory is the value that is next, and a chunk."""

    def __init__(self, stream: Source, file: str) -> None:
        self._stream, self._file = stream, file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        # It tells where a value ends; what it is is read from its text.
        self._scan = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=landing.refuse_constant).raw_decode
        self._text, self._at, self._is_whole, self._has_open_cr = "", 0, False, False

    def next_character(self) -> str:
        """Return what is next behind space; nothing at the end."""
        while True:
            found = JSON_SPACES.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._is_whole:
                return ""
            self._read_on()

    def value(self) -> str:
        """Return the next value, as it stands there. Raises `RejectedError`."""
        self.next_character()
        while True:
            try:
                end = self._scan(self._text, self._at)[1]
            except ValueError:
                end = -1
            except RecursionError:
                raise self.undecodable() from None
            if 0 <= end < len(self._text) or (end >= 0 and self._is_whole):  # a number may go on
                value, self._at = self._text[self._at : end], end
                return value
            if self._is_whole or len(self._text) - self._at > LINE_BYTES_MAX:
                raise self.undecodable()
            self._read_on()

    def members(self) -> Iterator[str]:
        """Yield the keys of the object that is next; each one's value is to be taken before the next."""
        self._take("{")
        if self.next_character() == "}":
            self._take("}")
            return
        while True:
            if self.next_character() != '"':
                raise self.undecodable()
            key: str = json.loads(self.value())
            self._take(":")
            yield key
            if self._is_over("}"):
                return

    def elements(self) -> Iterator[str]:
        """Yield the values of the list that is next."""
        self._take("[")
        if self.next_character() == "]":
            self._take("]")
            return
        while True:
            yield self.value()
            if self._is_over("]"):
                return

    def require_end(self) -> None:
        """Raise `RejectedError` where something follows."""
        if self.next_character():
            raise self.undecodable()

    def undecodable(self) -> RejectedError:
        """Return the rejection of what is no JSON, or too large in a part."""
        return RejectedError(
            "file_undecodable",
            f"{self._file} is not JSON, has a key twice, or a value of more than {LINE_BYTES_MAX:,} bytes",
        )

    def _take(self, character: str) -> None:
        if self.next_character() != character:
            raise self.undecodable()
        self._at += 1

    def _is_over(self, closing: str) -> bool:
        follows = self.next_character()
        if follows not in (",", closing):
            raise self.undecodable()
        self._at += 1
        return follows == closing

    def _read_on(self) -> None:
        block = self._stream.read(CHUNK_BYTES)
        text = self._decode(block, not block)
        whole = "\r" * self._has_open_cr + text
        self._is_whole, self._has_open_cr = not block, bool(block) and whole.endswith("\r")
        if "\0" in text or whole.count("\r") - self._has_open_cr != whole.count("\r\n"):
            raise RejectedError("file_undecodable", f"{self._file} holds NUL bytes, or a CR without its LF")
        self._text, self._at = self._text[self._at :] + text, 0


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
            return line, _amount_alone(document, paths, raw), raw
        return bounded(line, tuple(_value(document, path, raw) for path in paths), raw)

    return record


class _Pairs(list[tuple[str, Any]]):
    """A JSON object's members, where a key may stand twice."""


def _json_of_row(raw: str) -> Any:
    """Return a row as JSON, its objects as `_Pairs` where a key stands twice in it; None for no JSON, or too deep."""
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
            raw, parse_int=Number, parse_float=Number, parse_constant=landing.refuse_constant, object_pairs_hook=_Pairs
        )
    except ValueError:
        return None


def _amount_alone(document: Any, paths: list[list[str]], raw: str) -> tuple[Any, ...] | None:
    """Of a row with a key twice what counts in its delivery's amount: an amount that stands there once."""
    value = document
    for key in paths[AMOUNT]:
        found = [each for name, each in value if name == key] if isinstance(value, _Pairs) else []
        if len(found) != 1:
            return None
        value = found[0]
    value = _storable(value, raw)
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
    """Return how many texts a JSON value has, keys among them."""
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
    return _storable(value, raw)


def _storable(value: Any, raw: str) -> Any:
    """Return a value as a text column takes it: JSON can write U+0000 and halves of a character, which none does."""
    if isinstance(value, bool | list | dict):
        return Number(json.dumps(value))  # no text, and no whole number either: no field takes it
    if isinstance(value, str) and "\\u" in raw and not isinstance(value, Number):
        return NO_CHARACTER.sub("\ufffd", value)
    return value


def _json(text: str) -> Any:
    # Numbers keep their text: a card that came as a number must not be told from what a float makes of it.
    return landing.strict_json(text, Number)
