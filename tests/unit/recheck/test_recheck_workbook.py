"""Workbooks cell by cell: the digits of numbers, dates that stay in their day, and what is no workbook."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from datetime import datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja.platforms import platforms
from prakerja.recheck.files import Evidence, EvidenceError
from prakerja.recheck.reading import DeliveredRow
from prakerja.recheck.texts import Number
from prakerja.recheck.workbook import _parse_each, read_workbook_rows

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
KIND = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
COLUMNS = ["ID Transaksi", "Status", "Waktu", "Nomor Kartu", "Kelas", "Harga", "Voucher"]
GOOD = ["a", "Lunas", "<c s='1'><v>44265.5</v></c>", "1000000000000001", "K", "<c><v>5000</v></c>", ""]
PARTS = {
    "[Content_Types].xml": "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'><Override "
    "PartName='/xl/workbook.xml' ContentType='application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main"
    "+xml'/></Types>",
    "xl/workbook.xml": f"<workbook xmlns='{MAIN}' xmlns:r='{KIND}'><sheets>"
    "<sheet name='Transaksi' sheetId='1' r:id='r1'/></sheets></workbook>",
    "xl/_rels/workbook.xml.rels": f"<Relationships xmlns='{RELATIONS}'>"
    f"<Relationship Id='r1' Type='{KIND}/worksheet' Target='worksheets/sheet1.xml'/>"
    f"<Relationship Id='r2' Type='{KIND}/styles' Target='styles.xml'/>"
    f"<Relationship Id='r3' Type='{KIND}/sharedStrings' Target='strings.xml'/></Relationships>",
    "xl/styles.xml": f"<styleSheet xmlns='{MAIN}'><numFmts><numFmt numFmtId='164' formatCode='yyyy-mm-dd hh:mm:ss'/>"
    "<numFmt numFmtId='165' formatCode='[h]:mm:ss'/></numFmts><cellXfs><xf numFmtId='0'/><xf numFmtId='164'/>"
    "<xf numFmtId='165'/></cellXfs></styleSheet>",
    "xl/strings.xml": f"<sst xmlns='{MAIN}'><si><t>Lunas</t></si><si><r><t>a_</t></r><r><t>b</t></r></si>"
    "<si><t>_x005F_</t></si></sst>",
}


def write_row(number: int, cells: list[str]) -> str:
    """Return a row; a cell that is no XML is a text."""
    written = []
    for letter, cell in zip("ABCDEFG", cells, strict=False):
        if not cell.startswith("<c"):
            cell = f"<c t='inlineStr'><is><t xml:space='preserve'>{escape(cell)}</t></is></c>" if cell else "<c/>"
        written.append(cell.replace("<c", f"<c r='{letter}{number}'", 1))
    return f"<row r='{number}'>{''.join(written)}</row>"


def write_book(*rows: str, parts: dict[str, str] | None = None, after: str = "") -> bytes:
    """Return a workbook with these rows below the header."""
    sheet = (
        f"<worksheet xmlns='{MAIN}'><sheetData>{write_row(1, COLUMNS)}{''.join(rows)}</sheetData>{after}</worksheet>"
    )
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in {**PARTS, "xl/worksheets/sheet1.xml": sheet, **(parts or {})}.items():
            archive.writestr(name, text)
    return content.getvalue()


def read(content: bytes) -> list[DeliveredRow]:
    """Return the rows of a workbook of Mau Belajar Apa."""
    return list(read_workbook_rows(Evidence("f", content, 0, 0), platforms()["mau-belajar-apa"]))


def read_cell(column: int, cell: str) -> Any:
    """Return the value of one cell in a good row."""
    [row] = read(write_book(write_row(2, [*GOOD[:column], cell, *GOOD[column + 1 :]])))
    return row.cells[column]


def test_good_row() -> None:
    [row] = read(write_book(write_row(2, GOOD)))
    noon = datetime(2021, 3, 10, 12)  # noqa: DTZ001 - a date cell has no zone
    assert row.cells == ("a", "Lunas", noon, "1000000000000001", "K", "5000", None)
    assert isinstance(row.cells[5], Number)
    assert not isinstance(row.cells[3], Number)
    assert row.is_readable


def test_book_as_openpyxl_writes_it() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Transaksi"
    noon = datetime(2021, 3, 10, 12, 0, 0, 999_000)  # noqa: DTZ001 - a date cell has no zone
    sheet.append(["Catatan", *COLUMNS])
    sheet.append([None, "a", "Lunas", noon, "1000000000000001", "K", 5000, "V"])
    content = io.BytesIO()
    book.save(content)
    [row] = read(content.getvalue())
    assert row.cells == ("a", "Lunas", noon, "1000000000000001", "K", "5000", "V")


@pytest.mark.parametrize("digits", ["9007199254740993", "1.5", "1E3", "5000.0", "1.23456789012345678E+15", "NaN", "-1"])
def test_number_cell_is_the_digits_that_the_file_holds(digits: str) -> None:
    found = read_cell(3, f"<c><v>{digits}</v></c>")
    assert isinstance(found, Number)
    assert found == digits


@pytest.mark.parametrize(
    ("serial", "time"),
    [
        ("44265", (10, 0, 0, 0)),
        ("44265.99999998842", (10, 23, 59, 59_999_000)),
        ("44265.999999999999", (10, 23, 59, 59_999_999)),
        ("44265.50000000579", (10, 12, 0, 1_000)),
        ("44266", (11, 0, 0, 0)),
    ],
)
def test_date_cell_stays_in_its_day(serial: str, time: tuple[int, int, int, int]) -> None:
    day, hour, minute, rest = time
    found = read_cell(2, f"<c s='1'><v>{serial}</v></c>")
    assert found == datetime(2021, 3, day, hour, minute) + timedelta(microseconds=rest)  # noqa: DTZ001


@given(st.integers(0, 86_399_999))
def test_every_millisecond_of_a_day_is_kept(millisecond: int) -> None:
    exact = datetime(2021, 3, 10) + timedelta(milliseconds=millisecond)  # noqa: DTZ001 - a date cell has no zone
    assert read_cell(2, f"<c s='1'><v>{44265 + millisecond / 86_400_000!r}</v></c>") == exact


@pytest.mark.parametrize("serial", ["NaN", "-62135596800000", "-1", "2958466", "1e300", "x"])
def test_date_cell_that_tells_no_time(serial: str) -> None:
    assert read_cell(2, f"<c s='1'><v>{serial}</v></c>") is None


@pytest.mark.parametrize(
    "cell",
    [
        "<c><v>44265.5</v></c>",
        "<c s='2'><v>44265.5</v></c>",
        "<c s='9'><v>44265.5</v></c>",
        "<c t='d'><v>2021-03-10T12:00:00+08:00</v></c>",
        "<c t='d'><v>2021-02-30T12:00:00</v></c>",
        "<c t='d'><v>12:00:00</v></c>",
        "<c t='d'><v>x</v></c>",
        "2021-03-10T12:00:00",
    ],
)
def test_cell_of_another_kind_is_not_a_date(cell: str) -> None:
    assert not isinstance(read_cell(2, cell), datetime)


def test_dates_of_1904() -> None:
    book = PARTS["xl/workbook.xml"].replace("<sheets>", "<workbookPr date1904='1'/><sheets>")
    [row] = read(write_book(write_row(2, GOOD), parts={"xl/workbook.xml": book}))
    assert row.cells[2] == datetime(2025, 3, 11, 12)  # noqa: DTZ001 - a date cell has no zone


def test_strict_open_xml_is_read_as_any_other() -> None:
    root = f"<Relationships xmlns='{RELATIONS}'><Relationship Id='r1' Type='{KIND}/officeDocument' Target='x'/>"
    parts = {**PARTS, "_rels/.rels": root + "</Relationships>"}
    strict = {MAIN: "http://purl.oclc.org/ooxml/spreadsheetml/main"}
    strict[KIND] = "http://purl.oclc.org/ooxml/officeDocument/relationships"
    content = io.BytesIO()
    archive = zipfile.ZipFile(io.BytesIO(write_book(write_row(2, GOOD), parts=parts)))
    with zipfile.ZipFile(content, "w") as copy:
        for name in archive.namelist():
            text = archive.read(name).decode()
            copy.writestr(name, text.replace(MAIN, strict[MAIN]).replace(KIND, strict[KIND]))
    assert read(content.getvalue()) == read(write_book(write_row(2, GOOD)))


def test_shared_and_rich_text() -> None:
    assert read_cell(0, "<c t='s'><v>1</v></c>") == "a_b"
    assert read_cell(0, "<c t='inlineStr'><is><r><t>a</t></r><r><t>b</t></r></is></c>") == "ab"
    assert read_cell(0, "<c t='e'><v>#REF!</v></c>") == "#REF!"
    assert read_cell(0, "<c t='b'><v>1</v></c>") is True
    assert read_cell(0, "<c t='b'><v>false</v></c>") is False
    assert read_cell(0, "<c t='s'/>") is None


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("<c t='s'><v>2</v></c>", "_"),
        ("a_x0041_", "aA"),
        ("<c t='str'><v>a_x000d_</v></c>", "a\r"),
        ("_xD83D__xDE00_", "\U0001f600"),
        ("_xD83D__x0000_", "\ufffd\ufffd"),
        ("_x41_", "_x41_"),
    ],
)
def test_text_is_what_spreadsheets_show(cell: str, text: str) -> None:
    assert read_cell(0, cell) == text


@pytest.mark.parametrize("cell", ["<c><v> 5 </v></c>", "<c t='n'><v>\n5\t</v></c>"])
def test_space_around_a_number_counts_for_nothing(cell: str) -> None:
    assert read_cell(5, cell) == "5"
    assert read_cell(6, "<c t='s'><v> 1\n</v></c>") == "a_b"
    assert read_cell(6, "<c t='str'><v> 1 </v></c>") == " 1 "


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2021-03-10", (0, 0, 0)),
        ("2021-03-10T12:00", (12, 0, 0)),
        ("2021-03-10T23:59:59.9999999", (23, 59, 59_999_999)),
    ],
)
def test_date_cell_may_hold_iso_8601(written: str, time: tuple[int, int, int]) -> None:
    hour, minute, rest = time
    found = read_cell(2, f"<c t='d'><v>{written}</v></c>")
    assert found == datetime(2021, 3, 10, hour, minute) + timedelta(microseconds=rest)  # noqa: DTZ001


@pytest.mark.parametrize(
    "cell",
    [
        "<c t='s'><v>-1</v></c>",
        "<c t='s'><v>abc</v></c>",
        "<c t='s'><v>3</v></c>",
        "<c><f>1+1</f><v>2</v></c>",
        "<c t='str'><f t='shared' si='0'/><v>2</v></c>",
        "<c t='b'><v>x</v></c>",
        "<c t='b'><v>2</v></c>",
    ],
)
def test_cell_that_rejects_the_file(cell: str) -> None:
    with pytest.raises(EvidenceError):
        read_cell(6, cell)


def test_rows_without_any_value_are_no_rows() -> None:
    far = write_row(1_048_576, ["<c s='1'/>", "<c t='inlineStr'><is><t/></is></c>"])
    assert [row.line for row in read(write_book(write_row(2, [""]), write_row(7, GOOD), far))] == [7]


def test_value_outside_the_columns_is_a_row() -> None:
    assert len(read(write_book("<row r='2'><c r='ZZ2'><v>1</v></c></row>"))) == 1


def test_dimension_of_the_sheet_cuts_nothing_off() -> None:
    content = write_book(write_row(2, GOOD), write_row(3, GOOD))
    sheet = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
    sheet = sheet.replace("<sheetData>", "<dimension ref='A1:A1'/><sheetData>")
    assert len(read(write_book(parts={"xl/worksheets/sheet1.xml": sheet}))) == 2


@pytest.mark.parametrize(
    "rows",
    [
        write_row(3, GOOD) + write_row(2, GOOD),
        write_row(2, GOOD) + write_row(2, GOOD),
        "<row r='2'><c r='A2'><v>1</v></c><c r='A2'><v>2</v></c></row>",
        "<row r='2'><c r='A3'><v>1</v></c></row>",
        "<row r='2'><c r='A2'><v>1</v></c></row",
    ],
)
def test_sheet_that_is_doubtful_rejects_the_file(rows: str) -> None:
    with pytest.raises(EvidenceError):
        read(write_book(rows))


@pytest.mark.parametrize(
    "parts",
    [
        {"xl/Styles.xml": "x"},
        {"xl\\styles.xml": "x"},
        {"xl/workbook.xml": PARTS["xl/workbook.xml"].replace("Transaksi", "transaksi")},
        {"xl/worksheets/sheet1.xml": f"<worksheet xmlns='{MAIN}'><sheetData/></worksheet>"},
        {"xl/worksheets/sheet1.xml": f"<worksheet xmlns='{MAIN}'>{write_row(1, COLUMNS[1:])}</worksheet>"},
        {"xl/worksheets/sheet1.xml": f"<worksheet xmlns='{MAIN}'>{write_row(1, [*COLUMNS[:-1], 'Kelas'])}</worksheet>"},
    ],
)
def test_book_that_is_not_the_contracts_rejects_the_file(parts: dict[str, str]) -> None:
    with pytest.raises(EvidenceError):
        read(write_book(parts=parts))


def test_what_is_no_workbook_rejects_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    content = write_book(write_row(2, GOOD))
    for broken in (b"", b"PK", content[:-30], content.replace(b"Lunas", b"Lunak", 1)):
        with pytest.raises(EvidenceError):
            read(broken)
    monkeypatch.setattr("prakerja.recheck.workbook.MOST_BYTES", 1000)
    with pytest.raises(EvidenceError, match="opens to more than"):
        read(content)


@pytest.mark.parametrize(
    ("bound", "rows", "after"),
    [
        ("MOST_ROWS", "<row/>" * 40, ""),
        ("MOST_ROWS", write_row(41, GOOD), ""),
        ("MOST_ELEMENTS", f"<row>{'<c/>' * 40}</row>", ""),
        ("MOST_ELEMENTS", "", "<mergeCells/>" * 40),
        ("MOST_TEXTS", "", ""),
        ("MOST_BYTES_AT_ONCE", "", ""),
    ],
)
def test_book_built_to_fill_the_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch, bound: str, rows: str, after: str
) -> None:
    book = write_book(write_row(2, GOOD) + rows, after=after)
    read(book)
    monkeypatch.setattr(
        f"prakerja.recheck.workbook.{bound}", {"MOST_TEXTS": 2, "MOST_BYTES_AT_ONCE": 300}.get(bound, 38)
    )
    with pytest.raises(EvidenceError, match="the workbook cannot be read"):
        read(book)


def test_rows_of_a_sheet_are_let_go() -> None:
    sheet = io.BytesIO(b"<sheetData>" + b"<row><c/></row>" * 50_000 + b"</sheetData>")
    tracemalloc.start()
    try:
        assert sum(len(row) for row in _parse_each(sheet, "row")) == 50_000
        # Kept, even empty, they would take several megabytes.
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_formula_in_another_place_is_none() -> None:
    validation = "<dataValidation sqref='A1'><formula1>1</formula1></dataValidation>"
    after = f"<dataValidations count='1'>{validation}</dataValidations>"
    assert len(read(write_book(write_row(2, GOOD), after=after))) == 1
