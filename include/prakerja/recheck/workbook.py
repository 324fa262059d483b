"""The rows of a workbook as delivered. openpyxl finds the parts and reads the cells."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import IO, Any
from xml.etree.ElementTree import Element

from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format
from openpyxl.worksheet._reader import FORMULA_TAG, ROW_TAG, VALUE_TAG, WorkSheetParser
from openpyxl.xml.constants import REL_NS, SHEET_MAIN_NS
from openpyxl.xml.functions import fromstring, iterparse

from prakerja.platforms import FIELDS, Platform
from prakerja.recheck.files import MOST_BYTES, Evidence, EvidenceError
from prakerja.recheck.reading import DeliveredRow
from prakerja.recheck.texts import NUMBER, Number, read_escapes

LAST_SERIAL = 2_958_466  # 10000-01-01 in a workbook of Windows
DAY_IN_MS = 86_400_000
NS = f"{{{SHEET_MAIN_NS}}}"
ROOT = "_rels/.rels"
STRICT_SHEET = "http://purl.oclc.org/ooxml/spreadsheetml/main"
STRICT_OFFICE = "http://purl.oclc.org/ooxml/officeDocument/relationships"
NO_CELL = {"value": None}
XML_SPACE = " \t\r\n"
ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")  # escapes what XML cannot hold: `_x000D_` is a CR
ISO_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?)?")
TRUTHS = {"0": False, "1": True, "false": False, "true": True}
# Far above what a spreadsheet program writes: a larger workbook is an attempt to fill the memory.
MOST_ROWS = 2**20
MOST_ELEMENTS = 2**20  # of a row, and of what is between two rows or after the last
MOST_TEXTS = 10_000_000
MOST_BYTES_AT_ONCE = 32_000_000  # of a part that is parsed as a whole: relations, styles
OCCURRED_AT = FIELDS.index("occurred_at")


class IsoDate(str):
    """A date cell that holds ISO 8601 instead of a number of days."""

    __slots__ = ()


class ExactCells(WorkSheetParser):  # type: ignore[misc] # openpyxl carries no types
    """openpyxl's reader of cells, but numbers, dates and booleans stay as stored."""

    def parse_cell(self, element: Element) -> dict[str, Any]:
        """Return a cell's column, value, type and style. Raise `ValueError` or `KeyError` if it is invalid."""
        # "a formula in that sheet is a rejection"
        if element.find(FORMULA_TAG) is not None:
            raise ValueError("a formula")
        kind = element.get("t", "n")
        held = element.find(VALUE_TAG)
        if held is not None and held.text and kind not in ("str", "inlineStr"):
            held.text = held.text.strip(XML_SPACE)  # XML's white space around a value that is not text is insignificant
        if kind == "s" and not re.fullmatch("[0-9]+", element.findtext(VALUE_TAG) or "0"):
            raise ValueError("the number of a text is not a number")  # int("-1") would take the last text
        if kind in ("n", "d", "b"):
            # "a number cell is the digits that the file holds, not a float's": openpyxl keeps "str" unchanged.
            element.set("t", "str")
        cell: dict[str, Any] = super().parse_cell(element)
        value = cell["value"]
        if value is not None:
            if kind == "n":
                cell["value"] = Number(value)
            elif kind == "d":
                cell["value"] = IsoDate(value)
            elif kind == "b":
                cell["value"] = TRUTHS[value]
            elif kind != "e" and "_x" in value:
                cell["value"] = read_escapes(value, ESCAPE)
        return cell


class BoundedArchive(zipfile.ZipFile):
    """The parts of a workbook. Refuses to read a part that is too large to be parsed as a whole."""

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        """Return a part. Raise `ValueError` if it is too large."""
        part = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        if part.file_size > MOST_BYTES_AT_ONCE:
            raise ValueError("a part is too large")
        return super().read(name, pwd)


def read_workbook_rows(evidence: Evidence, platform: Platform) -> Iterator[DeliveredRow]:
    """Yield every data row of the contract's sheet; a date cell is a datetime without zone. Raise `EvidenceError`."""
    try:
        yield from _read_rows(evidence, platform)
    except EvidenceError:
        raise
    except Exception:
        # openpyxl has no error for an invalid workbook: it fails with whatever error it meets.
        raise EvidenceError(evidence.where, "the workbook cannot be read, or its sheet holds a formula") from None


def _read_rows(evidence: Evidence, platform: Platform) -> Iterator[DeliveredRow]:
    _check_parts(evidence)
    content = _name_as_openpyxl_does(evidence.content)
    reader = ExcelReader(BytesIO(content), read_only=True, keep_links=False)
    reader.archive = BoundedArchive(BytesIO(content))
    reader.read_manifest()
    reader.read_workbook()
    # "Of a workbook only the contract's sheet is read"
    paths = [relation.target for sheet, relation in reader.parser.find_sheets() if sheet.name == platform.sheet]
    if len(paths) != 1:
        raise EvidenceError(evidence.where, "the sheet of the contract is missing or repeated")
    texts = _read_shared_texts(reader)
    date_styles = _read_date_styles(reader)
    columns: list[int] | None = None
    with reader.archive.open(paths[0]) as source:
        for line, cells in _parse_rows(source, texts):
            # "rows without any value are no rows"
            if all(cell["value"] in (None, "") for cell in cells):
                continue
            if columns is None:
                columns = _find_columns(evidence.where, cells, platform)
                continue
            by_column = {cell["column"]: cell for cell in cells}
            row = [by_column.get(column, NO_CELL) for column in columns]
            yield _build_row(line, row, cells, date_styles, reader.wb.epoch)
    if columns is None:
        raise EvidenceError(evidence.where, "the sheet has no header")


def _check_parts(evidence: Evidence) -> None:
    with zipfile.ZipFile(BytesIO(evidence.content)) as archive:
        parts = archive.infolist()
    if sum(part.file_size for part in parts) > MOST_BYTES:
        raise EvidenceError(evidence.where, f"the workbook opens to more than {MOST_BYTES:,} bytes")
    # Programs disagree on which of two parts they open if their names differ only in case.
    if len({part.filename.replace("\\", "/").casefold() for part in parts}) < len(parts):
        raise EvidenceError(evidence.where, "two parts of the workbook have the same name")


def _name_as_openpyxl_does(content: bytes) -> bytes:
    """Return the workbook with transitional namespaces, the only ones that openpyxl knows."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        if ROOT not in archive.namelist() or STRICT_OFFICE.encode() not in archive.read(ROOT):
            return content
        named = BytesIO()
        with zipfile.ZipFile(named, "w") as copy:
            for part in archive.infolist():
                text = archive.read(part).replace(STRICT_OFFICE.encode(), REL_NS.encode())
                copy.writestr(part, text.replace(STRICT_SHEET.encode(), SHEET_MAIN_NS.encode()))
    return named.getvalue()


def _read_shared_texts(reader: ExcelReader) -> list[str]:
    """Return the shared texts as stored. openpyxl's own reading removes `x005F_` from them."""
    texts: list[str] = []
    for path in _find_parts(reader, "sharedStrings"):
        with reader.archive.open(path) as source:
            for element in _parse_each(source, f"{NS}si"):
                texts.append(Text.from_tree(element).content)
                if len(texts) > MOST_TEXTS:
                    raise ValueError("too many texts")
    return texts


def _read_date_styles(reader: ExcelReader) -> set[int]:
    """Return the cell styles that show a number as a date. openpyxl's own reading refuses some programs' workbooks."""
    formats: dict[int, str] = dict(BUILTIN_FORMATS)
    codes: list[str | None] = []
    for path in _find_parts(reader, "styles"):
        root = fromstring(reader.archive.read(path))
        for each in root.iterfind(f"{NS}numFmts/{NS}numFmt"):
            formats[int(each.get("numFmtId"))] = each.get("formatCode")
        codes += [formats.get(int(each.get("numFmtId", 0))) for each in root.iterfind(f"{NS}cellXfs/{NS}xf")]
    return {style for style, code in enumerate(codes) if is_date_format(code) and not is_timedelta_format(code)}


def _find_parts(reader: ExcelReader, kind: str) -> list[str]:
    """Return the path of the part of a kind in a list, empty if there is none. Raise `ValueError` if several."""
    paths = [relation.target for relation in reader.parser.rels.values() if relation.Type.endswith(f"/{kind}")]
    if len(paths) > 1:
        raise ValueError("several parts of a kind of which a workbook has one")
    return paths


def _parse_rows(source: IO[bytes], texts: list[str]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield the number and cells of each row. Raise `ValueError` if rows or cells are repeated or out of order."""
    parser = ExactCells(source, texts)
    last = 0
    for element in _parse_each(source, ROW_TAG):
        line, cells = parser.parse_row(element)
        columns = [cell["column"] for cell in cells]
        if (
            not last < line <= MOST_ROWS
            or len(set(columns)) < len(columns)
            or any(cell["row"] != line for cell in cells)
        ):
            raise ValueError("rows or cells overlap, or there are too many")
        last = line
        yield line, cells


def _parse_each(source: IO[bytes], tag: str) -> Iterator[Element]:
    """Yield the elements of this tag and free each. Raise `ValueError` if too many others are in or between them."""
    around: list[Element] = []
    elements = 0
    for event, element in iterparse(source, events=("start", "end")):
        if event == "start":
            around.append(element)
            elements += 1
            if elements > MOST_ELEMENTS:
                raise ValueError("too many elements")
            continue
        around.pop()
        if element.tag == tag:
            yield element
            element.clear()
            if around:
                # Otherwise the parent would keep all of them, emptied.
                around[-1].remove(element)
            elements = 0


def _find_columns(where: str, header: list[dict[str, Any]], platform: Platform) -> list[int]:
    # "columns are found by header name in any order"
    names = [cell["value"] for cell in header]
    wanted = [platform.columns[field] for field in FIELDS]
    if any(names.count(name) != 1 for name in wanted):
        raise EvidenceError(where, "a column of the contract is missing or repeated")
    return [header[names.index(name)]["column"] for name in wanted]


def _build_row(
    line: int, row: list[dict[str, Any]], cells: list[dict[str, Any]], date_styles: set[int], epoch: datetime
) -> DeliveredRow:
    values = [cell["value"] for cell in row]
    moment = row[OCCURRED_AT]
    if isinstance(moment["value"], Number) and moment["style_id"] in date_styles:
        values[OCCURRED_AT] = _read_serial(moment["value"], epoch)
    elif isinstance(moment["value"], IsoDate):
        values[OCCURRED_AT] = _read_iso_date(moment["value"]) or moment["value"]
    raw = "\n".join(str(cell["value"]) for cell in cells if cell["value"] is not None)
    return DeliveredRow(line, tuple(values), raw, True)


def _read_iso_date(value: IsoDate) -> datetime | None:
    """Return the time of a date cell that holds ISO 8601 without an offset, or None."""
    try:
        # "More than six fractional digits are cut off, never rounded up"
        return datetime.fromisoformat(value[:26]) if ISO_DATE.fullmatch(value) else None
    except ValueError:
        return None


def _read_serial(serial: Number, epoch: datetime) -> datetime | None:
    """Return the time of a date cell to the nearest millisecond, like spreadsheets, but never in another day."""
    if not NUMBER.fullmatch(serial) or not 0 <= (exact := Decimal(serial)) < LAST_SERIAL:
        return None
    day = int(exact)
    microseconds = 1000 * int((exact - day) * DAY_IN_MS + Decimal("0.5"))
    if microseconds == 1000 * DAY_IN_MS:
        microseconds = int((exact - day) * 1000 * DAY_IN_MS)
    try:
        return epoch + timedelta(days=day, microseconds=microseconds)
    except OverflowError:
        return None
