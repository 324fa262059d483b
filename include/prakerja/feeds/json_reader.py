"""Read JSON and JSON Lines deliveries (RFC 8259, strictly). Plain records take a fast path, all others an exact one."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from prakerja import landing, strict_csv
from prakerja.feeds.rows import AMOUNT, NO_CHARACTER, PLAIN_WHOLE_MAX, Batch, Number, Reading, ReadRow, batched, bounded
from prakerja.landing import RejectedError
from prakerja.platforms import FIELDS, Platform
from prakerja.strict_csv import CHUNK_BYTES, LINE_BYTES_MAX, TEXT_BYTES_MAX, Source

KEYS_MAX = 1000  # of a JSON document's top level
DEPTH_MAX = 256  # levels of nested objects and lists in a row
BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
JSON_SPACE = " \t\r\n"
JSON_SPACES = re.compile(r"[ \t\r\n]*")
_DECODE = msgspec.json.Decoder().decode


def read_jsonl(stream: Source, platform: Platform, reading: Reading) -> Iterator[Batch]:  # noqa: ARG001
    record = _record_reader(platform)
    for chunk in strict_csv.chunks(stream, platform.file):
        lines = enumerate(chunk.data.decode().split("\n"), chunk.line)
        yield from batched(record(line, raw.removesuffix("\r")) for line, raw in lines if raw.strip(JSON_SPACE))


def read_json(stream: Source, platform: Platform, reading: Reading) -> Iterator[Batch]:  # noqa: ARG001
    yield from batched(_document_rows(_JsonText(stream, platform.file), platform))


def _document_rows(text: _JsonText, platform: Platform) -> Iterator[ReadRow]:
    """Yield the rows of a document as they are read. Its other members must say what `platform.says` requires."""
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
        if key in platform.says:  # other members are dropped: they may be as large as the file
            says[key] = value
    text.require_end()
    if not is_listed:
        raise columns_missing
    for key, expected in platform.says.items():
        if says.get(key) != expected:
            raise RejectedError("path_mismatch", f"{platform.file} does not say {key}: {expected}")


class _JsonText:
    """A JSON text that is read as it is parsed. Only the next value and a chunk are in memory."""

    def __init__(self, stream: Source, file: str) -> None:
        self._stream, self._file = stream, file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        # Used only to find the end of a value, whose text is parsed later.
        self._scan = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=landing.refuse_constant).raw_decode
        self._text, self._at, self._is_whole, self._has_open_cr = "", 0, False, False

    def next_character(self) -> str:
        """Return the next character after white space, or an empty string at the end."""
        while True:
            found = JSON_SPACES.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._is_whole:
                return ""
            self._read_on()

    def value(self) -> str:
        """Return the text of the next value. Raise `RejectedError` if it is not JSON."""
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
        """Yield the keys of the next object. Take the value of each before the next key."""
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
        """Yield the texts of the values of the next list."""
        self._take("[")
        if self.next_character() == "]":
            self._take("]")
            return
        while True:
            yield self.value()
            if self._is_over("]"):
                return

    def require_end(self) -> None:
        """Raise `RejectedError` if anything but white space follows."""
        if self.next_character():
            raise self.undecodable()

    def undecodable(self) -> RejectedError:
        """Return the rejection of a file that is not JSON or has too large a value, to be raised."""
        return RejectedError(
            "file_undecodable",
            f"{self._file} is not JSON, repeats a key, or has a value of more than {LINE_BYTES_MAX:,} bytes",
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
            raise RejectedError("file_undecodable", f"{self._file} holds NUL bytes, or a CR without an LF")
        self._text, self._at = self._text[self._at :] + text, 0


def _paths(platform: Platform) -> list[list[str]]:
    return [platform.columns[name].split(".") for name in FIELDS]


def _record_reader(platform: Platform) -> Callable[[int, str], ReadRow]:
    """Return the function that reads one record from its text."""
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
    """The members of a JSON object, in which a key may be repeated."""


def _json_of_row(raw: str) -> Any:
    """Return a row's JSON, with its objects as `_Pairs` if it repeats a key; None if it is not JSON, or too deep."""
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
    """Return the amount of a row that repeats a key, if the amount itself is there once; else None."""
    value = document
    for key in paths[AMOUNT]:
        found = [each for name, each in value if name == key] if isinstance(value, _Pairs) else []
        if len(found) != 1:
            return None
        value = found[0]
    value = _storable(value, raw)
    return tuple(value if at == AMOUNT else None for at in range(len(paths)))


def _plain_record(raw: str, paths: list[list[str]], kinds: Sequence[type]) -> tuple[Any, ...] | None:
    """Return the values of a plain record, in which each has its usual type and there are no escapes; else None."""
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
    # Without escapes each text has two quotes. A repeated key is one key in the document, so its quotes are surplus.
    return tuple(values) if raw.count('"') == 2 * _texts_in(document) else None


def _texts_in(value: Any) -> int:
    """Return the number of texts in a JSON value, including its keys."""
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
    """Return a value that a text column can hold: without U+0000 and lone surrogates, which JSON can escape."""
    if isinstance(value, bool | list | dict):
        return Number(json.dumps(value))  # neither a text nor a whole number: no field accepts it
    if isinstance(value, str) and "\\u" in raw and not isinstance(value, Number):
        return NO_CHARACTER.sub("\ufffd", value)
    return value


def _json(text: str) -> Any:
    # Numbers keep their text: as floats, cards would lose digits.
    return landing.strict_json(text, Number)
