"""The rows of a workbook as they were delivered. openpyxl finds the parts, the texts and the styles."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.worksheet._reader import FORMULA_TAG, ROW_TAG, VALUE_TAG, WorkSheetParser
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS
from openpyxl.xml.functions import iterparse

from prakerja.platforms import FIELDS, Platform
from prakerja.recheck.files import MOST_BYTES, Evidence, EvidenceError
from prakerja.recheck.reading import DeliveredRow
from prakerja.recheck.texts import NUMBER, Number

LAST_SERIAL = 2_958_466  # 10000-01-01 in a workbook of Windows
DAY_IN_MS = 86_400_000
OCCURRED_AT = FIELDS.index("occurred_at")


class Doubtful(str):
    """Text of a cell that spreadsheets may show otherwise (`_x0041_` for A): its row is not to be relied on."""

    __slots__ = ()


class ExactBook(ExcelReader):  # type: ignore[misc] # openpyxl carries no types
    """openpyxl's reader of books, except that shared texts stay as they stand (it takes `x005F_` out of them)."""

    def read_strings(self) -> None:
        """Read the texts that cells share."""
        part = self.package.find(SHARED_STRINGS)
        if part is not None:
            with self.archive.open(part.PartName[1:]) as source:
                for _, element in iterparse(source):
                    if element.tag == f"{{{SHEET_MAIN_NS}}}si":
                        self.shared_strings.append(Text.from_tree(element).content)
                        element.clear()


class ExactCells(WorkSheetParser):  # type: ignore[misc] # openpyxl carries no types
    """openpyxl's reader of cells, except that a number stays the digits that the file holds."""

    def parse_cell(self, element: Element) -> dict[str, Any]:
        """Return a cell: its column, value, type and style. Raises `ValueError`."""
        # "a formula in that sheet is a rejection"
        if element.find(FORMULA_TAG) is not None:
            raise ValueError("a formula")
        kind = element.get("t", "n")
        if kind == "s" and not re.fullmatch("[0-9]+", element.findtext(VALUE_TAG) or ""):
            raise ValueError("the number of a text is no number")  # int("-1") would take the last text
        if kind == "n":
            # "a number cell is the digits that the file holds, not a float's": openpyxl keeps "str" as it stands.
            element.set("t", "str")
        cell: dict[str, Any] = super().parse_cell(element)
        if kind == "n" and cell["value"] is not None:
            cell["value"] = Number(cell["value"])
        elif isinstance(cell["value"], str) and re.search("_x[0-9A-Fa-f]{4}_", cell["value"]):
            cell["value"] = Doubtful(cell["value"])
        return cell


def read_workbook_rows(evidence: Evidence, platform: Platform) -> Iterator[DeliveredRow]:
    """Yield every data row of the contract's sheet; a date cell is a datetime without zone. Raises `EvidenceError`."""
    try:
        yield from _read_rows(evidence, platform)
    except EvidenceError:
        raise
    except (
        ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError,
        OSError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, ParseError,
    ):  # fmt: skip
        # openpyxl has no error of its own for a workbook that breaks the rules; it fails wherever it happens to.
        raise EvidenceError(evidence.where, "the workbook cannot be read, or its sheet holds a formula") from None


def _read_rows(evidence: Evidence, platform: Platform) -> Iterator[DeliveredRow]:
    _check_parts(evidence)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what openpyxl does not support outside the cells
        reader = ExactBook(BytesIO(evidence.content), read_only=True, keep_links=False)
        reader.read()
    book = reader.wb
    # "Of a workbook only the contract's sheet is read"
    if book.sheetnames.count(platform.sheet) != 1:
        raise EvidenceError(evidence.where, "the sheet of the contract is missing, or there twice")
    sheet = book[platform.sheet]
    with reader.archive.open(sheet._worksheet_path) as source:
        parser = ExactCells(
            source,
            reader.shared_strings,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        columns: list[int] | None = None
        for line, cells in _parse_rows(parser):
            # "rows without any value are no rows"
            if all(cell["value"] in (None, "") for cell in cells):
                continue
            by_column = {cell["column"]: cell for cell in cells}
            if columns is None:
                columns = _find_columns(evidence.where, cells, platform)
                continue
            row = [by_column.get(column, {"value": None}) for column in columns]
            yield _build_row(line, row, parser, [cell["value"] for cell in cells])
        if columns is None:
            raise EvidenceError(evidence.where, "the sheet has no header")


def _check_parts(evidence: Evidence) -> None:
    with zipfile.ZipFile(BytesIO(evidence.content)) as archive:
        parts = archive.infolist()
    if sum(part.file_size for part in parts) > MOST_BYTES:
        raise EvidenceError(evidence.where, f"the workbook opens to more than {MOST_BYTES:,} bytes")
    # Of parts whose names differ in case alone, each program opens the one that it likes.
    if len({part.filename.replace("\\", "/").casefold() for part in parts}) < len(parts):
        raise EvidenceError(evidence.where, "two parts of the workbook have the same name")


def _parse_rows(parser: ExactCells) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield number and cells of each row. Raises `ValueError` where rows or cells are there twice or out of order."""
    last = 0
    for _, element in iterparse(parser.source):
        if element.tag == ROW_TAG:
            line, cells = parser.parse_row(element)
            element.clear()
            columns = [cell["column"] for cell in cells]
            if line <= last or len(set(columns)) < len(columns) or any(cell["row"] != line for cell in cells):
                raise ValueError("rows or cells overlap")
            last = line
            yield line, cells


def _find_columns(where: str, header: list[dict[str, Any]], platform: Platform) -> list[int]:
    # "columns are found by header name in any order"
    names = [cell["value"] for cell in header]
    wanted = [platform.columns[field] for field in FIELDS]
    if any(names.count(name) != 1 for name in wanted):
        raise EvidenceError(where, "a column of the contract is missing, or there twice")
    return [header[names.index(name)]["column"] for name in wanted]


def _build_row(line: int, row: list[dict[str, Any]], parser: ExactCells, values: list[Any]) -> DeliveredRow:
    cells = [cell["value"] for cell in row]
    moment = row[OCCURRED_AT]
    if isinstance(moment["value"], Number) and moment["style_id"] in parser.date_formats - parser.timedelta_formats:
        cells[OCCURRED_AT] = _read_serial(moment["value"], parser.epoch)
    elif isinstance(moment["value"], datetime):
        cells[OCCURRED_AT] = None  # an ISO date cell (`t="d"`): openpyxl reads it leniently, so it tells no time
    raw = "\n".join(str(value) for value in values if value is not None)
    return DeliveredRow(line, tuple(cells), raw, not any(isinstance(cell, Doubtful) for cell in cells))


def _read_serial(serial: Number, epoch: datetime) -> datetime | None:
    """Return the time of a date cell to the millisecond, as spreadsheets keep it; never in another day."""
    if not NUMBER.fullmatch(serial) or not 61 <= (exact := Decimal(serial)) < LAST_SERIAL:
        return None  # before March 1900 spreadsheets disagree
    day = int(exact)
    thousandths = min(round((exact - day) * DAY_IN_MS), DAY_IN_MS - 1)
    try:
        return epoch + timedelta(days=day, milliseconds=thousandths)
    except OverflowError:
        return None
