"""The plainest reading of a delivered file: each rule of the feeds' contract beside the lines that follow it.

Nothing here is fast, and nothing is shared with the product's readers but the platforms' files (columns, words). Tests
hold the readers against it.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from prakerja.platforms import FIELDS, Platform

FIELD_BYTES_MAX = 1 << 20
UNDECODABLE = "file_undecodable"


class Number(str):
    """A JSON number or a number cell, in the digits of the file."""


class DateCell(Number):
    """A number cell that the workbook shows as a date."""


class Composite(str):
    """`true`, `false`, a list or an object, as JSON: neither a text nor a number."""


@dataclass
class DeliveredRow:
    """A row as delivered: its seven values, or its raw text where they cannot be told apart."""

    line: int
    values: tuple[Any, ...] | None
    raw: str | None = None
    amount: Any = None  # also of an unreadable row, where it can be told


@dataclass
class PlainFile:
    """The rows of a file, and every reason for which the file itself is rejected; any one of them is a right answer."""

    platform: Platform
    faults: set[str] = field(default_factory=set)
    rows: list[DeliveredRow] = field(default_factory=list)
    trailer: tuple[str, str] | None = None


def read_plainly(platform: Platform, data: bytes) -> PlainFile:
    """Return the file's rows and faults."""
    file = PlainFile(platform)
    if platform.layout == "xlsx":
        _read_workbook(data, file)
        return file
    if platform.compression == "gzip":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            file.faults |= {UNDECODABLE, "columns_missing"}  # whichever is seen first in what still comes out of it
            return file
    # "UTF-8 in every byte (ignored columns too)". A database's text holds no U+0000, so neither does a file.
    text = data.decode(errors="replace")
    if text.encode() != data or "\0" in text:
        file.faults.add(UNDECODABLE)
    # "A byte-order mark and CRLF tolerated everywhere, CR alone nowhere (rejected)."
    if re.search("\r(?!\n)", text):
        file.faults.add(UNDECODABLE)
    {"csv": _read_csv, "jsonl": _read_json_lines, "json": _read_json}[platform.layout](
        text.removeprefix("\ufeff"), file
    )
    return file


# -- CSV: RFC 4180, strictly -------------------------------------------------------------------------------------------


def _read_csv(text: str, file: PlainFile) -> None:
    platform = file.platform
    records = list(split_csv(text, platform.separator, file.faults))
    _, header, _, is_strict = records.pop(0) if records else (0, [], "", True)
    header = header if is_strict else None
    # "Columns are found by header name in any order, extra columns are ignored." A broken header names no columns.
    wanted = [platform.columns[name] for name in FIELDS]
    if header is None or any(header.count(name) != 1 for name in wanted):
        file.faults |= {"columns_missing"} if header is not None else {"columns_missing", UNDECODABLE}
    if platform.trailer is not None:
        # "Last line a trailer `T|<rows>|<amount>`; no trailer is a rejection."
        _, last, _, is_strict = records.pop() if records else (0, [], "", False)
        if not is_strict or len(last) != 3 or last[0] != platform.trailer:
            file.faults.add("trailer_missing")
        else:
            file.trailer = (last[1], last[2])
    if header is None or "columns_missing" in file.faults:
        return
    positions = [header.index(name) for name in wanted]
    for line, cells, raw, is_strict in records:
        # "row_unreadable (its columns cannot be told apart: a CSV row of another width ...)"
        if len(cells) != len(header):
            file.rows.append(DeliveredRow(line, None, raw))
        elif not is_strict:  # "every amount as delivered that is a whole number" is one wherever it can be told
            file.rows.append(DeliveredRow(line, None, raw, cells[positions[FIELDS.index("amount_idr")]]))
        else:
            _add_row(file, line, tuple(cells[position] for position in positions), raw)


def split_csv(text: str, separator: str, faults: set[str]) -> Iterator[tuple[int, list[str], str, bool]]:
    """Yield the line, the cells, the raw text, and whether RFC 4180 has such cells, of each row that is not empty."""
    # "Quotes, separators and line breaks inside quotes": a quoted cell ends at a quote that no other follows.
    quoted = re.compile(r'"([^"]*(?:""[^"]*)*)"(?!")')
    bare = re.compile(rf'[^"{re.escape(separator)}\n]*?(?=["{re.escape(separator)}]|\r?\n|\Z)')
    to_the_cells_end = re.compile(rf"[^{re.escape(separator)}\n]*?(?=[{re.escape(separator)}]|\r?\n|\Z)")
    position, line = 0, 1
    while position < len(text):
        start, cells, is_strict = position, list[str](), True
        while True:
            cell_start = position
            found = quoted.match(text, position)
            if found:
                cells.append(found[1].replace('""', '"'))
            elif text.startswith('"', position):
                # "A quote still open at the end of the file rejects it."
                faults.add(UNDECODABLE)
                yield line, [], text[start:], False
                return
            else:
                found = bare.match(text, position)
                assert found is not None
                cells.append(found[0])
            position = found.end()
            # "Text after a closing quote makes the row unreadable"; so does a quote inside a cell that has none around.
            rest = to_the_cells_end.match(text, position)
            assert rest is not None
            if rest[0]:
                is_strict, cells[-1] = False, text[cell_start : rest.end()]
            position = rest.end()
            if not text.startswith(separator, position):
                break
            position += 1
        raw = text[start:position]
        position += 2 if text.startswith("\r\n", position) else 1
        if raw:  # an empty line is no row
            yield line, cells, raw, is_strict
        line += text.count("\n", start, position)


def _add_row(file: PlainFile, line: int, values: tuple[Any, ...], raw: str) -> None:
    """Add a row that is readable, unless a field that is kept as text is over 1 MiB."""
    row = dict(zip(FIELDS, values, strict=True))
    kept = [str(row[name] or "") for name in ("transaction_id", "course_id", "voucher_code")]
    if max(len(text.encode(errors="replace")) for text in kept) > FIELD_BYTES_MAX:
        file.rows.append(DeliveredRow(line, None, raw, row["amount_idr"]))
    else:
        file.rows.append(DeliveredRow(line, values, None, row["amount_idr"]))


# -- JSON: RFC 8259, strictly ------------------------------------------------------------------------------------------


class _Decoder(json.JSONDecoder):
    """Keeps the digits of numbers, refuses NaN and Infinity, and notes whether some object has a key twice."""

    def __init__(self) -> None:
        super().__init__(
            object_pairs_hook=self._build_object, parse_int=Number, parse_float=Number, parse_constant=self._refuse
        )
        self.has_key_twice = False

    def _build_object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set[str]()
        self.has_key_twice |= bool(twice)
        return {name: value for name, value in pairs if name not in twice}  # nobody knows which of two is meant

    def _refuse(self, name: str) -> Any:
        raise ValueError(name)


def _read_json_lines(text: str, file: PlainFile) -> None:
    for line, raw in enumerate(text.split("\n"), 1):
        raw = raw.removesuffix("\r")
        if not raw.strip(" \t\r"):  # an empty line is no row
            continue
        decoder = _Decoder()
        try:
            document = decoder.decode(raw)
        except (ValueError, RecursionError):
            document = None  # "a broken JSON line" is unreadable
        _add_record(file, line, document, raw, has_key_twice=decoder.has_key_twice)


def _read_json(text: str, file: PlainFile) -> None:
    scanner = _Scanner(text)
    try:
        members = scanner.take_members()
    except (ValueError, RecursionError):
        file.faults.add(UNDECODABLE)
        return
    document = dict(members)
    # "A key twice in one object ... in the document around the rows it is a rejection."
    beside = [value for name, value in members if name != file.platform.records and isinstance(value, list)]
    has_key_twice = scanner.decoder.has_key_twice or any(item[2] for items in beside for item in items)
    if has_key_twice or len(document) < len(members):
        file.faults.add(UNDECODABLE)
    if any(document.get(key) != said for key, said in file.platform.says.items()):
        file.faults.add("path_mismatch")
    records = document.get(file.platform.records or "")
    if not isinstance(records, list):
        file.faults.add("columns_missing")
        return
    for number, (record, raw, has_key_twice) in enumerate(records, 1):
        _add_record(file, number, record, raw, has_key_twice=has_key_twice)


class _Scanner:
    """Takes one object from a text, member by member; each item of its lists with the text that it is written in."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.decoder = text, 0, _Decoder()

    def take_members(self) -> list[tuple[str, Any]]:
        """Return the members; none of a document that is no object. Raises `ValueError` where it is no JSON."""
        if self._next() != "{":
            self.decoder.decode(self.text)
            return []
        self.at += 1
        members: list[tuple[str, Any]] = []
        while self._next() != "}" or members:
            if self._next() != '"':
                raise ValueError("a name is missing")
            name = self._value()
            self._take(":")
            members.append((name, self._items() if self._next() == "[" else self._value()))
            if self._take(",}") == "}":
                break
        else:
            self.at += 1
        if self._next():
            raise ValueError("text after the document")
        return members

    def _items(self) -> list[tuple[Any, str, bool]]:
        """Return each item, its text, and whether some object in it has a key twice."""
        self._take("[")
        items: list[tuple[Any, str, bool]] = []
        has_key_twice = self.decoder.has_key_twice
        while self._next() != "]" or items:
            self.decoder.has_key_twice, start = False, self.at
            items.append((self._value(), self.text[start : self.at], self.decoder.has_key_twice))
            if self._take(",]") == "]":
                break
        else:
            self.at += 1
        self.decoder.has_key_twice = has_key_twice
        return items

    def _value(self) -> Any:
        self._next()
        value, self.at = self.decoder.raw_decode(self.text, self.at)
        return value

    def _take(self, marks: str) -> str:
        mark = self._next()
        if not mark or mark not in marks:
            raise ValueError(f"one of {marks} is missing")
        self.at += 1
        return mark

    def _next(self) -> str:
        """Return the next character that is no white space; nothing at the end."""
        while self.text[self.at : self.at + 1] in tuple(" \t\r\n"):
            self.at += 1
        return self.text[self.at : self.at + 1]


def _add_record(file: PlainFile, line: int, document: Any, raw: str, *, has_key_twice: bool) -> None:
    if not isinstance(document, dict):
        file.rows.append(DeliveredRow(line, None, raw))
        return
    values = tuple(_find(document, file.platform.columns[name].split(".")) for name in FIELDS)
    if has_key_twice:  # "a key twice in one object makes the row unreadable"
        file.rows.append(DeliveredRow(line, None, raw, values[FIELDS.index("amount_idr")]))
    else:
        _add_row(file, line, values, raw)


def _find(value: Any, path: list[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool | list | dict):
        return Composite(json.dumps(value))
    if type(value) is str:
        # JSON can write U+0000 and halves of a character; no database text holds them.
        return re.sub("[\0\ud800-\udfff]", "\ufffd", value)
    return value


# -- workbooks ---------------------------------------------------------------------------------------------------------

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
DATE_FORMATS = {*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)}  # 46 is a span of time


def _read_workbook(data: bytes, file: PlainFile) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if len({name.lower() for name in archive.namelist()}) < len(archive.namelist()):
                raise ValueError("two parts of one name")
            cells = _sheet(archive, file)
    except Exception:
        file.faults.add(UNDECODABLE)
        return
    # "Rows without any value are no rows."
    rows = [(number, values) for number, values in cells if any(value is not None for value in values.values())]
    _, header = rows.pop(0) if rows else (0, {})
    wanted = [file.platform.columns[name] for name in FIELDS]
    names = [str(name) for name in header.values()]
    if any(names.count(name) != 1 for name in wanted):
        file.faults.add("columns_missing")
        return
    column = {str(name): at for at, name in header.items()}
    for number, values in rows:
        _add_row(file, number, tuple(values.get(column[name]) for name in wanted), "")


def _sheet(archive: zipfile.ZipFile, file: PlainFile) -> Iterator[tuple[int, dict[int, Any]]]:
    """Return each row's number and its cells' values, by column, of the contract's sheet alone."""
    book = _xml(archive.read("xl/workbook.xml"))
    targets = {each.get("Id"): each.get("Target") for each in _xml(archive.read("xl/_rels/workbook.xml.rels"))}
    wanted = [each for each in book.iter(f"{MAIN}sheet") if each.get("name") == file.platform.sheet]
    if not wanted:
        return iter([])
    sheet = _xml(archive.read("xl/" + str(targets[wanted[0].get(RELATION)])))
    if sheet.find(f".//{MAIN}c/{MAIN}f") is not None:
        raise ValueError("a formula in that sheet is a rejection")
    has_shared = "xl/sharedStrings.xml" in archive.namelist()
    shared = [_string(each) for each in _xml(archive.read("xl/sharedStrings.xml"))] if has_shared else []
    is_date = _date_styles(_xml(archive.read("xl/styles.xml")))
    rows, number = [], 0
    for row in sheet.iter(f"{MAIN}row"):
        number = int(row.get("r", number + 1))
        values, column = dict[int, Any](), 0
        for cell in row.iter(f"{MAIN}c"):
            column = _column(cell.get("r", "")) or column + 1
            values[column] = _cell(cell, shared, is_date)
        rows.append((number, values))
    return iter(rows)


def _xml(part: bytes) -> ET.Element:
    return ET.fromstring(part)  # noqa: S314 - of our own making


def _cell(cell: ET.Element, shared: list[str], is_date: list[bool]) -> Any:
    kind, text = cell.get("t", "n"), cell.findtext(f"{MAIN}v")
    if kind == "inlineStr":
        text = _string(cell.find(f"{MAIN}is"))
    if text is not None and kind not in ("inlineStr", "str"):
        text = text.strip(" \t\r\n")  # around what is no string, XML's white space counts for nothing
    if text is not None and kind == "s":
        if not re.fullmatch(r"\d{1,8}", text, re.ASCII):
            raise ValueError("no index of a shared string")
        text = shared[int(text)]
    if not text:
        return None
    if kind == "n":
        # "A number cell is the digits that the file holds, not a float's."
        return DateCell(text) if is_date[int(cell.get("s", "0"))] else Number(text)
    if kind == "b" and text not in ("0", "1", "false", "true"):
        raise ValueError("no truth")
    return Composite(text) if kind == "b" else text


def _string(element: ET.Element | None) -> str:
    """Return a string's text, plain or in runs, without the readings (phonetic runs) beside it."""
    found = [] if element is None else element.findall(f"{MAIN}t") + element.findall(f"{MAIN}r/{MAIN}t")
    return "".join(each.text or "" for each in found)


def _column(place: str) -> int:
    column = 0
    for letter in place.rstrip("0123456789"):
        column = column * 26 + ord(letter) - ord("A") + 1
    return column


def _date_styles(styles: ET.Element) -> list[bool]:
    """Return of each cell format whether it shows a number as a date."""
    codes = {each.get("numFmtId"): each.get("formatCode", "") for each in styles.iter(f"{MAIN}numFmt")}

    def shows_date(number: str) -> bool:
        code = re.sub(r'"[^"]*"|\\.|\[[^]]*\]', "", codes.get(number, ""))  # without literals, colours, locales
        return int(number) in DATE_FORMATS or re.search("[ymdhs]", code, re.IGNORECASE) is not None

    return [shows_date(each.get("numFmtId", "0")) for each in styles.findall(f"{MAIN}cellXfs/{MAIN}xf")]
