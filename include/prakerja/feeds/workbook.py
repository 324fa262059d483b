"""Read XLSX deliveries: the cells of one sheet as stored (ECMA-376, part 1: SpreadsheetML).

Nothing is computed and no number becomes a float: a number cell is its digits. A workbook that breaks the standard, or
that two programs would read differently, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from prakerja import landing
from prakerja.feeds.package import OFFICE, PARTS_MAX, Handlers, Package, pairs
from prakerja.feeds.rows import (
    NO_CHARACTER,
    PLAIN_WHOLE_MAX,
    Batch,
    DateCell,
    Number,
    Reading,
    ReadRow,
    batched,
    bounded,
    find_positions,
)
from prakerja.landing import RejectedError
from prakerja.platforms import FIELDS, Platform
from prakerja.strict_csv import TEXT_BYTES_MAX, Source

ROWS_MAX, COLUMNS_MAX = 1_048_576, 16_384  # the bounds of a sheet
CELLS_MAX, SPAN_MAX = 10 * ROWS_MAX, 32 * ROWS_MAX  # cells with content; rows times columns
#: Bounds on memory and time: distinct texts of a workbook; runs of texts, and elements of a sheet that are neither rows
#: nor cells.
TEXTS_MAX, OTHERS_MAX = 4_000_000, 1_000_000
PIECES_MAX = 256  # of a text, as the parser delivers it: about 16 MiB
OCCURRED_AT = FIELDS.index("occurred_at")
SHEETS = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
SHEET_IDS = tuple(f"{office[:-1]} id" for office in OFFICE)
LINE = re.compile(r"[1-9][0-9]{0,6}")
LETTERS = re.compile(r"[A-Za-z]{1,3}")
KINDS = ("s", "b", "e", "d")
TRUTHS = {"0": "FALSE", "1": "TRUE", "false": "FALSE", "true": "TRUE"}
WHOLE = re.compile(r"[0-9]{1,7}")
#: XML has no control characters: SpreadsheetML escapes them as `_x0007_`, and a literal underscore as `_x005F_`.
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
XML_SPACE = " \t\r\n"

# Dates: the number formats of dates, and the day from which they count.
DATE_FORMATS = {*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)}
NOT_A_DATE = re.compile(r'"[^"]*"|\\.|[_*].|\[(?!h+\]|m+\]|s+\])[^\]]*\]|General', re.IGNORECASE)
ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
STYLES_MAX, CODE_MAX = 100_000, 1000  # cell styles; characters of a number format
DATE_PARTS = re.compile("[dmyhs]", re.IGNORECASE)
SERIAL = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")
DAY_1900, DAY_1904 = datetime(1899, 12, 30), datetime(1904, 1, 1)  # noqa: DTZ001 - a cell's time has no zone
LEAP_DAY_1900 = 60
DAYS_MAX = 2_958_465  # 31 December 9999
FRACTION = re.compile(r"(\.\d{6})\d+", re.ASCII)
DATE_TEXT = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?", re.ASCII)


def read_xlsx(stream: Source, platform: Platform, reading: Reading) -> Iterator[Batch]:
    """Yield the rows of the platform's sheet. Raise `RejectedError` if the workbook is damaged or ambiguous."""
    package = Package(stream.read(), platform.file)
    book = _Workbook(package)
    part = book.part_of(platform.sheet or "")
    if part is None:
        raise RejectedError("columns_missing", f"{platform.file} has no sheet {platform.sheet!r}")
    positions: list[int] = []
    missing: list[RejectedError] = []

    def take_header(cells: dict[int, Any]) -> int:
        names = [str(cells.get(column) or "") for column in range(max(cells) + 1)]
        try:
            positions.extend(find_positions(names, platform, reading))
        except RejectedError as error:  # raised at the end: other faults of the sheet are reported first
            missing.append(error)
            return -1
        return positions[OCCURRED_AT]

    sheet = _Sheet(package, book, take_header)
    yield from batched(_row(line, cells, positions) for line, cells in sheet.rows(part) if positions)
    if missing:
        raise missing[0]
    if not positions:
        find_positions([], platform, reading)


def _row(line: int, cells: dict[int, Any], positions: list[int]) -> ReadRow:
    values = tuple(map(cells.get, positions))
    if max([len(value) for value in values if isinstance(value, str)], default=0) * 4 <= TEXT_BYTES_MAX:
        return line, values, None
    return bounded(line, values, "\t".join("" if value is None else str(value) for value in values))


# -- the workbook ------------------------------------------------------------------------------------------------------


class _Workbook(Handlers):
    """A workbook's sheets, its shared texts, and which of its styles are dates."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self.counts_from, self._has_properties = DAY_1900, False
        self._sheets: dict[str, tuple[str, str]] = {}
        self._path: list[str] = []
        part = package.related(package.relationships(), "officeDocument")
        if part is None:
            raise package.undecodable()
        package.parse(part, self)
        self._relationships = package.relationships(part)
        self._sheet_type = tuple(f"{office}worksheet" for office in OFFICE)
        strings, styles = (package.related(self._relationships, kind) for kind in ("sharedStrings", "styles"))
        self.texts = _read_texts(package, strings) if strings else []
        self.is_date = (_read_styles(package, styles) if styles else []) or [False]

    def start(self, name: str, attributes: list[str]) -> None:
        space, _, element = name.rpartition(" ")
        self._path.append(element if space in SHEETS else "")
        if self._path == ["workbook", "workbookPr"]:
            if self._has_properties:
                raise self._package.undecodable("repeats its properties")
            self._has_properties = True
            if pairs(attributes).get("date1904", "0") in ("1", "true"):
                self.counts_from = DAY_1904
        elif self._path == ["workbook", "sheets", "sheet"]:
            given = pairs(attributes)
            sheet = given.get("name", "")
            if sheet.lower() in self._sheets or len(self._sheets) >= PARTS_MAX:
                raise self._package.undecodable("has two sheets with one name, or too many sheets")
            ids = [value for key, value in given.items() if key in SHEET_IDS]
            self._sheets[sheet.lower()] = sheet, ids[0] if len(ids) == 1 else ""

    def end(self, name: str) -> None:  # noqa: ARG002
        self._path.pop()

    def part_of(self, sheet: str) -> str | None:
        """Return the part of the sheet with this name, or None. Raise `RejectedError` if the sheet has no part."""
        name, relationship = self._sheets.get(sheet.lower(), ("", ""))
        if name != sheet:
            return None
        found = self._relationships.get(relationship)
        if found is None or found.part is None or found.type not in self._sheet_type:
            raise self._package.undecodable(f"has no part for its sheet {sheet!r}")
        return found.part


def _read_texts(package: Package, part: str) -> list[str]:
    texts = _Texts(package)
    for _ in package.parsed(part, texts):
        pass
    return texts.found


class _Texts(Handlers):
    """The shared texts that cells refer to by number, with their runs joined and without phonetic hints."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self.found: list[str] = []
        self._path: list[str] = []
        self._runs: list[str] = []
        self._others = 0

    def start(self, name: str, attributes: list[str]) -> None:  # noqa: ARG002
        space, _, element = name.rpartition(" ")
        path = self._path
        path.append(element if space in SHEETS else name)
        if len(path) == 2 and element == "si" and path[1] == "si":
            self._runs = []
            if len(self.found) >= TEXTS_MAX:
                raise RejectedError("too_large", f"more than {TEXTS_MAX:,} texts")
        elif path[2:] != ["t"]:
            self._others += 1
            if self._others > OTHERS_MAX:
                raise RejectedError("too_large", f"more than {OTHERS_MAX:,} runs of texts")
            # A text is a leaf in an item or in one of its runs. Formatting and phonetic hints are not text.
            is_beside = path[1:2] == ["extLst"] or path[2:3] in (["rPh"], ["phoneticPr"]) or path[2:4] == ["r", "rPr"]
            if not (len(path) == 1 or is_beside or path[2:] in (["r"], ["r", "t"])):
                raise self._package.undecodable("has texts with unknown elements")

    def end(self, name: str) -> None:  # noqa: ARG002
        if len(self._path) == 2 and self._path[1] == "si":
            self.found.append(_unescape("".join(self._runs)))
        self._path.pop()

    def text(self, text: str) -> None:
        if self._path[2:] in (["t"], ["r", "t"]):
            self._runs.append(text)
            if len(self._runs) > PIECES_MAX + self._others:
                raise RejectedError("too_large", "a text of more than 16 MiB")


def _read_styles(package: Package, part: str) -> list[bool]:
    styles = _Styles(package)
    package.parse(part, styles)
    dates = DATE_FORMATS | {number for number, code in styles.codes.items() if _is_date(code)}
    return [number in dates for number in styles.formats]


class _Styles(Handlers):
    """The workbook's own number formats, and the format of each cell style."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self.codes: dict[int, str] = {}
        self.formats: list[int] = []
        self._path: list[str] = []

    def start(self, name: str, attributes: list[str]) -> None:
        space, _, element = name.rpartition(" ")
        self._path.append(element if space in SHEETS else "")
        if self._path[1:] == ["cellXfs", "xf"]:
            self.formats.append(self._number(pairs(attributes).get("numFmtId", "0")))
            if len(self.formats) > STYLES_MAX:
                raise RejectedError("too_large", f"more than {STYLES_MAX:,} styles")
        elif self._path[1:] == ["numFmts", "numFmt"]:  # other formats belong to conditional formatting, not to cells
            given = pairs(attributes)
            number, code = self._number(given.get("numFmtId", "")), given.get("formatCode", "")
            if self.codes.setdefault(number, code) != code or len(code) > CODE_MAX:
                raise self._package.undecodable("has two number formats with one number, or an endless one")

    def end(self, name: str) -> None:  # noqa: ARG002
        self._path.pop()

    def _number(self, text: str) -> int:
        if not WHOLE.fullmatch(text):
            raise self._package.undecodable("has a number format without a number")
        return int(text)


def _is_date(code: str) -> bool:
    """Whether a number format is of dates, by its first section without quotes, colours and languages."""
    plain = NOT_A_DATE.sub("", code).partition(";")[0]
    return bool(DATE_PARTS.search(ELAPSED.sub("", plain))) and not ELAPSED.search(plain)


# -- the sheet ---------------------------------------------------------------------------------------------------------

#: The states of a sheet's parser: before the rows, between them, in a row, in a cell, in its value, in its inline text,
#: in a run of that, in the characters of one of these, or after the rows.
BEFORE, ROWS, ROW, CELL, VALUE, INLINE, RUN, CHARACTERS, AFTER = range(9)


class _Sheet(Handlers):
    """The non-empty rows of a sheet, each with its line and its values by column (from 0).

    The first is the header: `take_header` receives it and returns the column whose numbers may be dates.
    """

    def __init__(self, package: Package, book: _Workbook, take_header: Callable[[dict[int, Any]], int]) -> None:
        self._package, self._texts, self._take_header = package, book.texts, take_header
        self._styles = {str(number): is_date for number, is_date in enumerate(book.is_date)}
        self._counts_from = book.counts_from
        self._time_column: int | None = None
        self._done: list[tuple[int, dict[int, Any]]] = []
        self._columns: dict[str, int] = {}
        self._space = ""
        self._where, self._skipped, self._others, self._cells, self._widest = BEFORE, 0, 0, 0, 0
        self._line, self._line_text, self._column = 0, "", -1
        self._row: dict[int, Any] = {}
        self._kind, self._style, self._runs_in = "n", "0", INLINE
        self._given: list[str] | None = None
        self._handed_out, self._opened_max = 0, landing.opened_bytes_max()

    def rows(self, part: str) -> Iterator[tuple[int, dict[int, Any]]]:
        """Yield each row after the header. Raise `RejectedError` if the sheet is damaged."""
        for _ in self._package.parsed(part, self):
            yield from self._done
            self._done.clear()
        yield from self._done
        if self._where != AFTER:
            raise self._wrong("has a sheet without rows")

    def start(self, name: str, attributes: list[str]) -> None:
        where = self._where
        if self._skipped:
            self._skipped += 1
            self._count_other()
        elif where == ROW and name == self._c:
            self._start_cell(attributes)
        elif where == CELL and name == self._v and self._given is None and self._kind != "inlineStr":
            self._given, self._where = [], VALUE
        elif where == CELL and name == self._is and self._given is None and self._kind == "inlineStr":
            self._given, self._where = [], INLINE
        elif where in (INLINE, RUN) and name == self._t:
            self._runs_in, self._where = where, CHARACTERS
            if where == RUN or self._given:
                self._count_other()
        elif where == ROWS and name == self._row_name:
            self._start_row(pairs(attributes))
        elif where == BEFORE:
            self._start_outside(name)
        elif where == INLINE and name == f"{self._space} r":
            self._where = RUN
            self._count_other()
        elif where == CELL and name == f"{self._space} f":
            raise self._wrong("holds formulas: values are delivered as values")
        elif where == AFTER and name != f"{self._space} sheetData":
            self._count_other()
        elif where in (ROW, CELL, INLINE, RUN) and name in self._beside:
            self._skipped = 1
        else:
            raise self._wrong("has a sheet with elements in the wrong place")

    def end(self, name: str) -> None:  # noqa: ARG002
        where = self._where
        if self._skipped:
            self._skipped -= 1
        elif where == CELL:
            if self._given is not None and (value := self._value("".join(self._given))) is not None:
                self._row[self._column] = value
            self._where = ROW
        elif where == CHARACTERS:
            self._where = self._runs_in
        elif where in (VALUE, INLINE):
            self._where = CELL
        elif where == ROW:
            self._end_row()
        elif where == RUN:
            self._where = INLINE
        elif where == ROWS:
            self._where = AFTER

    def text(self, text: str) -> None:
        if self._where in (VALUE, CHARACTERS) and self._given is not None and not self._skipped:
            self._given.append(text)
            if len(self._given) > PIECES_MAX:
                raise RejectedError("too_large", "a cell with a text of more than 16 MiB")
        elif self._where in (ROW, CELL, INLINE, RUN) and not self._skipped and text.strip(XML_SPACE):
            raise self._wrong("has a sheet with text between its cells")

    def _start_outside(self, name: str) -> None:
        space, _, element = name.rpartition(" ")
        if not self._space:
            if element != "worksheet" or space not in SHEETS:
                raise self._wrong("has a sheet that does not hold cells")
            self._space = space
            self._row_name, self._c, self._v, self._is, self._t = (
                f"{space} {each}" for each in ("row", "c", "v", "is", "t")
            )
            self._beside = {f"{space} {each}" for each in ("extLst", "rPr", "rPh", "phoneticPr")}
        elif name == f"{self._space} sheetData":
            self._where = ROWS
        self._count_other()

    def _start_row(self, given: dict[str, str]) -> None:
        number = given.get("r", str(self._line + 1))
        if not LINE.fullmatch(number) or int(number) <= self._line:
            raise self._wrong("has rows out of order")
        self._line, self._line_text = int(number), number
        if self._line > ROWS_MAX:
            raise RejectedError("too_large", f"a sheet has no row {self._line:,}")
        self._column, self._where = -1, ROW

    def _end_row(self) -> None:
        self._where = ROWS
        if not self._row:
            return
        self._widest = max(self._widest, self._column + 1)
        if self._widest * self._line > SPAN_MAX:
            raise RejectedError("too_large", f"its cells span {self._widest:,} columns and {self._line:,} rows")
        if self._time_column is None:
            self._time_column = self._take_header(self._row)
        else:
            self._done.append((self._line, self._row))
        self._row = {}

    def _start_cell(self, attributes: list[str]) -> None:
        self._kind, self._style, self._given, self._where = "n", "0", None, CELL
        column = self._column + 1
        for at in range(0, len(attributes), 2):
            key, value = attributes[at], attributes[at + 1]
            if key == "t":
                self._kind = value
            elif key == "s":
                self._style = value
            elif key == "r":
                letters = value.rstrip("0123456789")
                column = self._columns[letters] if letters in self._columns else self._column_of(letters)
                if column <= self._column or value[len(letters) :] != self._line_text:
                    raise self._wrong("has cells out of order, or in the wrong row")
        self._column = column
        self._cells += 1
        if column >= COLUMNS_MAX or self._cells > CELLS_MAX:
            raise RejectedError("too_large", f"a sheet has at most {COLUMNS_MAX:,} columns, here {CELLS_MAX:,} cells")

    def _column_of(self, letters: str) -> int:
        if not LETTERS.fullmatch(letters):
            raise self._wrong("has a cell without a valid place")
        column = 0
        for letter in letters.upper():
            column = column * 26 + ord(letter) - 64
        self._columns[letters] = column - 1
        return column - 1

    def _value(self, given: str) -> Any:
        """Return the value of a cell, or None if it is empty."""
        kind = self._kind
        if kind in ("inlineStr", "str"):
            return _unescape(given) or None
        if kind == "n":
            return self._number(given.strip(XML_SPACE))
        plain = given.strip(XML_SPACE)
        if not plain and kind in KINDS:
            return None
        if kind == "s":
            if plain.isascii() and plain.isdecimal() and len(plain) < 9 and int(plain) < len(self._texts):
                text = self._texts[int(plain)]
                self._handed_out += len(text)
                if self._handed_out > self._opened_max:
                    raise RejectedError("too_large", f"its cells have more than {self._opened_max:,} characters")
                return text or None
            raise self._wrong("has a cell whose text is missing")
        if kind == "e":
            return plain  # `#REF!`, which is a text and not a number
        if kind == "b" and plain in TRUTHS:
            return Number(TRUTHS[plain])
        if kind == "d":
            return _parse_date(plain) if self._column == self._time_column else plain
        raise self._wrong("has a cell of an unknown kind, or with an invalid value")

    def _number(self, digits: str) -> Any:
        if self._style not in self._styles:
            raise self._wrong("has a cell whose style is missing")
        if not digits:
            return None
        if self._column == self._time_column and self._styles[self._style]:
            return _parse_serial(digits, self._counts_from)
        if digits.isascii() and digits.isdecimal() and digits[0] != "0" and int(digits[:20]) < PLAIN_WHOLE_MAX:
            return int(digits)
        return Number(digits)

    def _count_other(self) -> None:
        self._others += 1
        if self._others > OTHERS_MAX:
            raise RejectedError("too_large", f"a sheet with more than {OTHERS_MAX:,} elements beside its cells")

    def _wrong(self, why: str) -> RejectedError:
        return self._package.undecodable(why)


# -- values ------------------------------------------------------------------------------------------------------------


def _parse_serial(digits: str, counts_from: datetime) -> Number:
    """Return a date cell from its number of days since the workbook's first day, or the number if it is not a date.

    A time is rounded to the nearest millisecond, but never into the next day: 23:59:59.9999 is still that day.
    """
    if not SERIAL.fullmatch(digits):
        return Number(digits)
    serial = Decimal(digits)
    days = int(serial)
    if counts_from == DAY_1900 and days < LEAP_DAY_1900:
        counts_from += timedelta(days=1)  # these days are counted with a 29 February 1900, which never was
    elif counts_from == DAY_1900 and days == LEAP_DAY_1900:
        return Number(digits)
    if days > DAYS_MAX - (counts_from - DAY_1900).days:
        return Number(digits)
    fraction = (serial - days) * 86_400
    milliseconds = int((fraction * 1000).to_integral_value(ROUND_HALF_UP))
    if milliseconds < 86_400_000:
        return DateCell(digits, counts_from + timedelta(days=days, milliseconds=milliseconds))
    return DateCell(digits, counts_from + timedelta(days=days, microseconds=min(int(fraction * 10**6), 86_399_999_999)))


def _parse_date(text: str) -> str:
    """Return a date cell from its ISO 8601 text, or the text if it is not a date."""
    try:
        if DATE_TEXT.fullmatch(text):
            return DateCell(text, datetime.fromisoformat(FRACTION.sub(r"\1", text)))
    except ValueError:
        pass
    return text


def _unescape(text: str) -> str:
    if "_x" not in text:
        return text
    plain = ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    whole = plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return NO_CHARACTER.sub("\ufffd", whole)
