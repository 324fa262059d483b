"""The rows of a delivery's file as they were delivered: CSV, JSON Lines and JSON. `workbook` reads XLSX."""

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

csv.field_size_limit(sys.maxsize)


class DeliveredRow(NamedTuple):
    """One row: its line, its cells in the order of `FIELDS`, and its text as delivered.

    A cell is text, a `Number`, or another JSON value. Of a row that is not readable only the amount's cell counts.
    """

    line: int
    cells: tuple[Any, ...]
    raw: str
    is_readable: bool


class Lines:
    """The lines of a text, each with its line break, one at a time; `position` is where the next one begins.

    A list of them, or `io.StringIO`, would take several times the memory of the text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        start = self.position
        if start == len(self.text):
            raise StopIteration
        self.position = self.text.find("\n", start) + 1 or len(self.text)
        return self.text[start : self.position]


def read_text_rows(evidence: Evidence, platform: Platform) -> Iterator[DeliveredRow]:
    """Yield every data row of a text file, unreadable ones too. Raises `EvidenceError`."""
    content = open_gzip(evidence.where, evidence.content) if platform.compression == "gzip" else evidence.content
    try:
        text = decode_text(content)
    except ValueError as error:
        what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else f"no text of the contract: {error}"
        raise EvidenceError(evidence.where, f"the file is {what}") from None
    if platform.trailer:
        text = _cut_off_trailer(evidence, text, platform)
    if platform.layout == "csv":
        yield from read_csv(evidence.where, text, platform.separator, [platform.columns[field] for field in FIELDS])
    elif platform.layout == "jsonl":
        yield from _read_json_lines(text, platform)
    else:
        yield from _read_json_document(evidence.where, text, platform)


def read_csv(where: str, text: str, separator: str, columns: list[str]) -> Iterator[DeliveredRow]:
    """Yield the rows of a CSV file with a header; cells in the order of `columns`. Raises `EvidenceError`."""
    cell = _strict_cell(separator)
    record = re.compile(rf"{cell}(?:{re.escape(separator)}{cell})*+(?:\r?\n)?")
    if text and not text.endswith("\n"):
        text += "\n"
    lines = Lines(text)
    # "a quote still open at the end of the file rejects it": then it takes in this last line of our own.
    end = ["end of the file"]
    reader = csv.reader(chain(lines, end), delimiter=separator)
    order: list[int] | None = None
    width = first = start = 0
    cells: list[str] = []
    for cells in reader:
        line, first = first + 1, reader.line_num
        raw, start = text[start : lines.position], lines.position
        if not cells or not raw:
            continue  # An empty line is no row, and neither is our last line.
        # "CSV is RFC 4180, strictly ...; text after a closing quote makes the row unreadable". Python's reader takes
        # it, and a quote in a cell without quotes; it cuts a record at the same places. So the record is checked.
        is_strict = '"' not in raw or record.fullmatch(raw) is not None
        if order is None:
            if not is_strict:
                raise EvidenceError(where, "the header cannot be read")
            width, order = len(cells), _find_columns(where, cells, columns)
        elif len(cells) != width:
            # "`row_unreadable` (its columns cannot be told apart: a CSV row of another width ...; it counts in `rows`)"
            yield DeliveredRow(line, (None,) * len(order), raw, False)
        else:
            told: tuple[str | None, ...] = tuple([cells[position] for position in order])
            if not is_strict:
                told = _keep_clean_cells(raw, cells, order, separator)
            yield DeliveredRow(line, told, raw, is_strict)
    if cells != end:
        raise EvidenceError(where, "a quote is still open at the end of the file")
    if order is None:
        raise EvidenceError(where, "the file has no header")


def _find_columns(where: str, header: list[str], columns: list[str]) -> list[int]:
    # "columns are found by header name in any order, extra columns are ignored with a warning"
    if any(header.count(column) != 1 for column in columns):
        raise EvidenceError(where, "a column of the contract is missing, or there twice")
    return [header.index(column) for column in columns]


def _strict_cell(separator: str) -> str:
    return rf'(?:"(?:[^"]|"")*+"|[^"{re.escape(separator)}\r\n]*+)'


def _keep_clean_cells(raw: str, cells: list[str], order: list[int], separator: str) -> tuple[str | None, ...]:
    """Return the cells that can be told in a row with a stray quote: those that RFC 4180 allows as they stand."""
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


def _read_json_lines(text: str, platform: Platform) -> Iterator[DeliveredRow]:
    paths = _paths(platform)
    for line, raw in enumerate(Lines(text), 1):
        raw = raw.removesuffix("\n").removesuffix("\r")
        if skip_space(raw, 0) == len(raw):
            continue  # An empty line is no row, even if it holds spaces.
        try:
            value, end, has_repeated = parse_json(raw)
        except (ValueError, RecursionError):
            yield DeliveredRow(line, NO_CELLS, raw, False)  # "`row_unreadable` (... a broken JSON line ...)"
            continue
        if skip_space(raw, end) != len(raw):
            yield DeliveredRow(line, NO_CELLS, raw, False)
        else:
            yield _build_json_row(line, value, has_repeated, raw, paths)


def _read_json_document(where: str, text: str, platform: Platform) -> Iterator[DeliveredRow]:
    """Walk through the document by hand, because each record is needed as its text stands."""
    paths = _paths(platform)
    start = skip_space(text, 0)
    try:
        if platform.records is None:
            end = yield from _read_records(text, start, paths)
        else:
            seen: dict[str, Any] = {}
            end = _expect(text, start, "{")
            while text[end] != "}":
                key, end, _ = parse_json(text, _expect(text, end, ",") if seen else end)
                end = _expect(text, end, ":")
                # "a key twice ... in the document around the rows ... is a rejection"
                if not isinstance(key, str) or isinstance(key, Number) or key in seen:
                    raise EvidenceError(where, "a key of the document is no text, or there twice")
                if key == platform.records:
                    seen[key] = end = yield from _read_records(text, end, paths)
                else:
                    seen[key], end, has_repeated = parse_json(text, end)
                    if has_repeated:
                        raise EvidenceError(where, "a key of the document is there twice")
                end = skip_space(text, end)
            end = _expect(text, end, "}")
            if platform.records not in seen:
                raise EvidenceError(where, "the document holds no rows")
            # `{"platform":"sekolah.mu","data":[...]}`: the document names its platform.
            if any(seen.get(key) != says for key, says in platform.says.items()):
                raise EvidenceError(where, "the document names another platform, or none")
        if end != len(text):
            raise ValueError("text after the document")
    except (ValueError, IndexError, RecursionError):
        raise EvidenceError(where, "the document is not JSON") from None


def _read_records(text: str, start: int, paths: list[list[str]]) -> Generator[DeliveredRow, None, int]:
    """Yield the records of the list that begins at `start`; return where the text after it goes on."""
    end = _expect(text, start, "[")
    record = 0
    while text[end] != "]":
        start = _expect(text, end, ",") if record else end
        record += 1
        try:
            value, end, has_repeated = parse_json(text, start)
        except RecursionError:
            end = _find_end(text, start)
            yield DeliveredRow(record, NO_CELLS, text[start:end], False)
        else:
            yield _build_json_row(record, value, has_repeated, text[start:end], paths)
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
    """Return where the text after this sign and its white space goes on. Raises `ValueError`."""
    start = skip_space(text, start)
    if text[start] != sign:
        raise ValueError("another sign is due")
    return skip_space(text, start + 1)


def _find_end(text: str, start: int) -> int:
    """Return where a value ends that is too deep for Python to parse: behind its last closing bracket."""
    level = 0
    for found in re.compile(r'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]').finditer(text, start):
        level += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if level == 0:
            return found.end()
    raise ValueError("a bracket is still open")
