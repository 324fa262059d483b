"""The reader of XLSX deliveries: a workbook is checked before anything parses it, and its cells keep their kinds."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from prakerja import landing
from prakerja.feeds.readers import PLAIN_WHOLE_MAX, Batch, Number, Reading, Source, batched, positions_of
from prakerja.landing import RejectedError
from prakerja.platforms import FIELDS, Platform

CELLS_MAX = 10_000_000
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
# Where a cell or row says that it stands. Near: up to column Z and row 99,999, as nearly every sheet is.
FAR = re.compile(rb"""\br\s*=\s*["'](?![A-Z]?\d{1,5}["'])""")
PLACE = re.compile(rb"""<[^<>]*?\sr\s*=\s*["']([^"']*)["']""")
PLACE_FORM = re.compile(rb"([A-Za-z]{0,3})(\d{1,7})")
OCCURRED_AT = FIELDS.index("occurred_at")


def read_xlsx(stream: Source, platform: Platform, reading: Reading) -> Iterator[Batch]:
    """The rows of the platform's sheet. Raises `RejectedError`."""
    data = stream.read()
    _check_workbook(data, platform.file)
    table, start = _table(data, platform)
    positions = positions_of([str(cell) for cell in table[0]] if table else [], platform, reading)
    column = positions[OCCURRED_AT]
    serials: list[list[Any]] | None = None
    if any(_is_midnight(row[column]) for row in table[1:]):
        serials = _table(_without_styles(data), platform)[0]
    del data

    def rows() -> Iterator[tuple[int, tuple[Any, ...], None]]:
        for index, row in enumerate(table[1:], 1):
            cells = [_cell(cell) for cell in row]
            if all(cell is None for cell in cells):
                continue
            if serials is not None:
                cells[column] = _unrounded(cells[column], serials[index][column])
            yield index + start + 1, tuple(cells[i] for i in positions), None

    yield from batched(rows())


def _check_workbook(data: bytes, name: str) -> None:
    """An XLSX must open within the cap, to plain values in a table of a bearable size.

    Sizes are counted while inflating, since the archive's own figures may lie. The parser lays out a table from the
    first to the last cell, so that two cells far apart would take all memory.
    """
    cap, total = landing.opened_bytes_max(), 0
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                part = bytearray()
                with archive.open(entry) as member:
                    while chunk := member.read(1 << 20):
                        total += len(chunk)
                        if total > cap:
                            raise RejectedError("too_large", f"{name} opens to more than {cap:,} bytes")
                        part += chunk
                if entry.filename.endswith((".xml", ".rels")):
                    _check_part(bytes(part), name, is_sheet="worksheets/" in entry.filename)
    except RejectedError:
        raise
    except Exception:  # zipfile raises a dozen kinds on a damaged archive; all mean the same here
        raise RejectedError("file_undecodable", f"{name} is no XLSX file, or is damaged") from None


def _check_part(part: bytes, name: str, *, is_sheet: bool) -> None:
    if part.startswith(UTF_16) or b"<!DOCTYPE" in part or b"<!ENTITY" in part or b"\0" in part:
        raise RejectedError("file_undecodable", f"{name} holds XML that declares entities, or is no UTF-8 text")
    if not is_sheet:
        return
    if (b"<f" in part or b":f" in part) and FORMULA.search(part):
        raise RejectedError("file_undecodable", f"{name} holds formulas: values are delivered as values")
    if FAR.search(part) is None:
        return
    columns = rows = 1
    for place in set(PLACE.findall(part)):
        if not (found := PLACE_FORM.fullmatch(place)):
            raise RejectedError("file_undecodable", f"{name} has a cell that says no place")
        column = 0
        for letter in found[1].upper():
            column = column * 26 + letter - 64
        columns, rows = max(columns, column), max(rows, int(found[2]))
    if columns * rows > CELLS_MAX:
        raise RejectedError("too_large", f"{name} spans {columns:,} columns and {rows:,} rows")


def _table(data: bytes, platform: Platform) -> tuple[list[list[Any]], int]:
    """The sheet's cells as Python values, and the number of empty rows above them."""
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        if platform.sheet not in book.sheet_names:
            raise RejectedError("columns_missing", f"{platform.file} has no sheet {platform.sheet!r}")
        sheet = book.get_sheet_by_name(platform.sheet)
        return sheet.to_python(skip_empty_area=True), sheet.start[0] if sheet.start else 0
    except RejectedError:
        raise
    except Exception:  # the parser has many kinds of error for a damaged file; all mean the same here
        raise RejectedError("file_undecodable", f"{platform.file} is no readable XLSX file") from None


def _is_midnight(cell: Any) -> bool:
    return isinstance(cell, date) and (not isinstance(cell, datetime) or cell.time() == time())


def _unrounded(cell: Any, serial: Any) -> Any:
    """Take back where the parser has rounded a time up to midnight: 23:59:59.9999 is still that day.

    It rounds date cells to milliseconds; `serial` is the same cell as the number that it is, in days.
    """
    if not (_is_midnight(cell) and isinstance(serial, float) and not serial.is_integer()):
        return cell
    early = timedelta(microseconds=math.ceil((math.ceil(serial) - serial) * 86_400_000_000))
    return datetime.combine(cell, time()) - early


def _without_styles(data: bytes) -> bytes:
    """The workbook with no cell formatted as a date."""
    plain = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(plain, "w") as after:
        for entry in before.infolist():
            if entry.filename != "xl/styles.xml":
                after.writestr(entry.filename, before.read(entry))
    return plain.getvalue()


def _cell(cell: Any) -> Any:
    if isinstance(cell, str):
        return cell.replace("\0", "\ufffd") or None
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return cell
    if not float(cell).is_integer():
        return Number(cell)
    return int(cell) if 0 < cell < PLAIN_WHOLE_MAX else Number(int(cell))
