"""The rows of a file as delivered: CSV, JSON Lines and JSON. `workbook` reads XLSX."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Generator, Iterator
from itertools import chain
from typing import Any, NamedTuple

from prakerja.platforms import FIELDS, Platform
from prakerja.recheck.files import Evidence, EvidenceError, open_gzip
from prakerja.recheck.texts import Number, decode_text, is_too_deep, keep_characters, parse_json, skip_space

NO_CELLS = (None,) * len(FIELDS)
# A thousand times longer than any delivered row. A row that fills the file would take many times its size in memory.
LONGEST_RECORD = 24 * 2**20  # characters
MOST_KEYS = 1000  # of the document around the rows
TO_BRACKET = re.compile(r'(?:[^][{}"]|"(?:[^"\\]|\\.)*+")*+[][{}]')
SCALAR = re.compile(r'"(?:[^"\\]|\\.)*+"|[^][{}",: \t\r\n]+')

csv.field_size_limit(sys.maxsize)


class DeliveredRow(NamedTuple):
    """One row: its line, its cells in the order of `FIELDS`, and its text as delivered.

    A cell is text, a `Number`, or another JSON value. Only the amount of an unreadable row counts.
    """

    line: int
    cells: tuple[Any, ...]
    raw: str
    is_readable: bool


class Lines:
    """An iterator over the lines of a text, each with its line break.

    `position` is the start of the next line, `record` the start of the current record, `line` its number. Empty lines
    before a record are skipped. A list of lines, or `io.StringIO`, would take several times the memory of the text.
    Raise `EvidenceError` if a record is too long.
    """

    def __init__(self, where: str, text: str, empty: str) -> None:
        self.where = where
        self.text = text
        self.empty = re.compile(empty)
        self.position = self.record = 0
        self.line = self.next_line = 1

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        if self.position == self.record:
            self.line = self.next_line
            if found := self.empty.match(self.text, self.record):
                self.line += self.text.count("\n", self.record, found.end())
                self.position = self.record = found.end()
            self.next_line = self.line
        start = self.position
        if start == len(self.text):
            raise StopIteration
        self.position = self.text.find("\n", start) + 1 or len(self.text)
        self.next_line += 1
        if self.position - self.record > LONGEST_RECORD:
            raise EvidenceError(self.where, f"a row has more than {LONGEST_RECORD:,} characters")
        return self.text[start : self.position]

    def cut_record(self) -> str:
        """Return the text of the record that ends here, and begin the next one."""
        cut, self.record = self.text[self.record : self.position], self.position
        return cut


def read_text_rows(evidence: Evidence, platform: Platform) -> Iterator[DeliveredRow]:
    """Yield every data row of a text file, including unreadable ones. Raise `EvidenceError` if the file is damaged."""
    content = open_gzip(evidence.where, evidence.content) if platform.compression == "gzip" else evidence.content
    try:
        text = decode_text(content)
    except ValueError as error:
        what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else f"not text of the contract: {error}"
        raise EvidenceError(evidence.where, f"the file is {what}") from None
    if platform.trailer:
        text = _cut_off_trailer(evidence, text, platform)
    if platform.layout == "csv":
        yield from read_csv(evidence.where, text, platform.separator, [platform.columns[field] for field in FIELDS])
    elif platform.layout == "jsonl":
        yield from _read_json_lines(evidence.where, text, platform)
    else:
        yield from _read_json_document(evidence.where, text, platform)


def read_csv(where: str, text: str, separator: str, columns: list[str]) -> Iterator[DeliveredRow]:
    """Yield the rows of a CSV file with a header; cells are in the order of `columns`. Raise `EvidenceError`."""
    cell = _strict_cell(separator)
    record = re.compile(rf"{cell}(?:{re.escape(separator)}{cell})*+(?:\r?\n)?")
    if text and not text.endswith("\n"):
        text += "\n"
    lines = Lines(where, text, r"(?:\r?\n)++")
    # "a quote still open at the end of the file rejects it": then the quoted cell takes in this added line.
    end = ["end of the file"]
    reader = csv.reader(chain(lines, end), delimiter=separator)
    order: list[int] | None = None
    width = 0
    cells: list[str] = []
    for cells in reader:
        line, raw = lines.line, lines.cut_record()
        if not raw:
            continue  # the added line
        # "CSV is RFC 4180, strictly ...; text after a closing quote makes the row unreadable". Python's reader
        # accepts such text, and a quote in an unquoted cell, but ends records at the same places: check the record.
        is_strict = '"' not in raw or record.fullmatch(raw) is not None
        if order is None:
            if not is_strict:
                raise EvidenceError(where, "the header cannot be read")
            width, order = len(cells), _find_columns(where, cells, columns)
        elif len(cells) != width:
            # "`row_unreadable` (its columns cannot be told apart: a CSV row of another width ...; it counts in `rows`)"
            yield DeliveredRow(line, (None,) * len(order), raw, False)
        else:
            values: tuple[str | None, ...] = tuple([cells[position] for position in order])
            if not is_strict:
                values = _keep_clean_cells(raw, cells, order, separator)
            yield DeliveredRow(line, values, raw, is_strict)
    if cells != end:
        raise EvidenceError(where, "a quote is still open at the end of the file")
    if order is None:
        raise EvidenceError(where, "the file has no header")


def _find_columns(where: str, header: list[str], columns: list[str]) -> list[int]:
    # "columns are found by header name in any order, extra columns are ignored with a warning"
    if any(header.count(column) != 1 for column in columns):
        raise EvidenceError(where, "a column of the contract is missing or repeated")
    return [header.index(column) for column in columns]


def _strict_cell(separator: str) -> str:
    return rf'(?:"(?:[^"]|"")*+"|[^"{re.escape(separator)}\r\n]*+)'


def _keep_clean_cells(raw: str, cells: list[str], order: list[int], separator: str) -> tuple[str | None, ...]:
    """Return the cells of a row with a stray quote that conform to RFC 4180, and None for the others."""
    apart = re.escape(separator)
    as_written = re.findall(rf'(?:\A|{apart})("(?:[^"]|"")*+"[^{apart}\r\n]*+|[^{apart}\r\n]*+)', raw)
    strict = re.compile(_strict_cell(separator))
    return tuple([cells[position] if strict.fullmatch(as_written[position]) else None for position in order])


def _cut_off_trailer(evidence: Evidence, text: str, platform: Platform) -> str:
    # "last line a trailer `T|<rows>|<amount>` which must agree; no trailer is a rejection"
    rows, _, last = text.rstrip("\r\n").rpartition("\n")
    sign, *numbers = [re.sub('^"(.*)"$', r"\1", cell) for cell in last.split(platform.separator)]
    stated = [int(number) for number in numbers if re.fullmatch("-?[0-9]{1,40}", number)]
    if sign != platform.trailer or len(numbers) != 2 or stated != [evidence.rows, evidence.amount_idr]:
        raise EvidenceError(evidence.where, "the trailer is missing, or disagrees with the manifest")
    return rows


def _read_json_lines(where: str, text: str, platform: Platform) -> Iterator[DeliveredRow]:
    paths = _paths(platform)
    # An empty line is not a row, even if it holds spaces.
    lines = Lines(where, text, r"(?:[ \t\r]*+\n)*+(?:[ \t\r]++\Z)?")
    for delivered in lines:
        line, raw = lines.line, delivered.removesuffix("\n").removesuffix("\r")
        lines.cut_record()
        try:
            value, has_repeated = parse_json(raw)
        except (ValueError, RecursionError):
            yield DeliveredRow(line, NO_CELLS, raw, False)  # "`row_unreadable` (... a broken JSON line ...)"
        else:
            yield _build_json_row(line, value, has_repeated, raw, paths)


def _read_json_document(where: str, text: str, platform: Platform) -> Iterator[DeliveredRow]:
    """Parse the document by hand, because the text of each record is needed."""
    paths = _paths(platform)
    start = skip_space(text, 0)
    try:
        if platform.records is None:
            end = yield from _read_records(text, start, paths)
        else:
            members: dict[str, Any] = {}
            end = _expect(text, start, "{")
            while text[end] != "}":
                start = _expect(text, end, ",") if members else end
                end = _find_end(text, start)
                key, _ = parse_json(text[start:end])
                start = _expect(text, end, ":")
                # "a key twice ... in the document around the rows ... is a rejection"
                if not isinstance(key, str) or isinstance(key, Number) or key in members or len(members) >= MOST_KEYS:
                    raise EvidenceError(where, "a key of the document is not text, is repeated, or is one of too many")
                if key == platform.records:
                    members[key] = end = yield from _read_records(text, start, paths)
                else:
                    end = _find_end(text, start)
                    members[key], has_repeated = parse_json(text[start:end])
                    if has_repeated:
                        raise EvidenceError(where, "a key of the document is repeated")
                end = skip_space(text, end)
            end = _expect(text, end, "}")
            if platform.records not in members:
                raise EvidenceError(where, "the document holds no rows")
            # `{"platform":"sekolah.mu","data":[...]}`: the document names its platform.
            if any(members.get(key) != says for key, says in platform.says.items()):
                raise EvidenceError(where, "the document names another platform, or none")
        if end != len(text):
            raise ValueError("text after the document")
    except (ValueError, IndexError, RecursionError):
        raise EvidenceError(where, "the document is not JSON") from None


def _read_records(text: str, start: int, paths: list[list[str]]) -> Generator[DeliveredRow, None, int]:
    """Yield the records of the list that begins at `start`; return the position after it."""
    end = _expect(text, start, "[")
    record = 0
    while text[end] != "]":
        start = _expect(text, end, ",") if record else end
        record += 1
        end = _find_end(text, start)
        raw = text[start:end]
        try:
            value, has_repeated = parse_json(raw)
        except RecursionError:
            yield DeliveredRow(record, NO_CELLS, raw, False)
        else:
            yield _build_json_row(record, value, has_repeated, raw, paths)
        end = skip_space(text, end)
    return _expect(text, end, "]")


def _build_json_row(line: int, value: Any, has_repeated: bool, raw: str, paths: list[list[str]]) -> DeliveredRow:
    if not isinstance(value, dict) or is_too_deep(raw, value):
        return DeliveredRow(line, NO_CELLS, raw, False)
    # "a key twice in one object makes the row unreadable"
    return DeliveredRow(line, tuple([_look_up(value, path) for path in paths]), raw, not has_repeated)


def _look_up(value: Any, path: list[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, str) and not isinstance(value, Number):
        return keep_characters(value)
    return value


def _paths(platform: Platform) -> list[list[str]]:
    return [platform.columns[field].split(".") for field in FIELDS]


def _expect(text: str, start: int, sign: str) -> int:
    """Return the position after this sign and its white space. Raise `ValueError` if another sign is there."""
    start = skip_space(text, start)
    if text[start] != sign:
        raise ValueError("another sign is expected")
    return skip_space(text, start + 1)


def _find_end(text: str, start: int) -> int:
    """Return the end of the value that begins at `start`, by its brackets. Raise `ValueError` or `IndexError`."""
    longest = start + LONGEST_RECORD
    if text[start] not in "{[":
        found = SCALAR.match(text, start, longest)
        if not found:
            raise ValueError("no value begins here, or it is too long")
        return found.end()
    level, end = 0, start
    while level or end == start:
        found = TO_BRACKET.match(text, end, longest)
        if not found:
            raise ValueError("a bracket is still open, or the value is too long")
        end = found.end()
        level += 1 if text[end - 1] in "{[" else -1
    return end
