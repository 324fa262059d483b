"""Workbooks part by part, as ECMA-376 describes them or bent on purpose; written without the product's reader."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from xml.sax.saxutils import escape, quoteattr

COLUMNS = ("ID Transaksi", "Status", "Waktu", "Nomor Kartu", "Kelas", "Harga", "Voucher")
FIELDS = ("transaction_id", "event", "occurred_at", "card_number", "course_id", "amount_idr", "voucher_code")

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT_MAIN = "http://purl.oclc.org/ooxml/spreadsheetml/main"
STRICT_OFFICE = "http://purl.oclc.org/ooxml/officeDocument/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"

WORKBOOK, WORKBOOK_RELS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
SHEET, STRINGS, STYLES = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml"

#: The number formats of the usual styles: General, a date's own code, the built-in date, text.
USUAL_FORMATS: tuple[int | str, ...] = (0, "yyyy-mm-dd hh:mm:ss", 14, 49)
DATE_STYLE = 1
NOON = "44265.5"  # 10 March 2021, 12:00, in days since 1900


@dataclass(frozen=True)
class Cell:
    """What is inside a `c` element, its type and style. `place` stands for the right one; "" leaves `r` out."""

    inside: str = ""
    kind: str | None = None
    style: int | None = None
    place: str | None = None

    def to_xml(self, place: str) -> str:
        """Return the element of the cell, which stands at `place` unless it says otherwise."""
        place = place if self.place is None else self.place
        attributes = {"r": place or None, "s": self.style, "t": self.kind}
        written = "".join(f" {name}={quoteattr(str(value))}" for name, value in attributes.items() if value is not None)
        return f"<c{written}>{self.inside}</c>" if self.inside else f"<c{written}/>"


#: A row's cells in the order of the columns; None where there is none. Text is a whole `row` element.
Cells: TypeAlias = "Sequence[Cell | None]"
Parts: TypeAlias = "dict[str, str | bytes]"


def text(value: str) -> Cell:
    """Return a cell that holds its text itself."""
    return Cell(f'<is><t xml:space="preserve">{escape(value)}</t></is>', "inlineStr")


def number(digits: str, style: int | None = None, kind: str | None = None) -> Cell:
    """Return a number cell with exactly these digits."""
    return Cell(f"<v>{digits}</v>", kind, style)


def moment(serial: str = NOON, style: int = DATE_STYLE) -> Cell:
    """Return a number cell in a date's format."""
    return number(serial, style)


def value(kind: str, content: str, style: int | None = None) -> Cell:
    """Return a cell of a type with a value."""
    return Cell(f"<v>{escape(content)}</v>", kind, style)


def purchase(ordinal: int, **cells: Cell | None) -> list[Cell | None]:
    """Return a good row's cells, some of them replaced, by canonical field."""
    usual: dict[str, Cell | None] = {
        "transaction_id": text(f"g-{ordinal}"),
        "event": text("Lunas"),
        "occurred_at": moment(),
        "card_number": text(f"{10**15 + ordinal}"),
        "course_id": text("KLS"),
        "amount_idr": number("5000"),
        "voucher_code": None,
    }
    assert not cells.keys() - usual.keys()
    return list((usual | cells).values())


def letters_of(column: int) -> str:
    """Return a column's letters: 1 is A, 27 is AA, 16384 is XFD."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def row_xml(line: int, cells: Cells, attributes: str = "") -> str:
    """Return the `row` element of some cells, from column A."""
    written = (cell.to_xml(f"{letters_of(at)}{line}") for at, cell in enumerate(cells, 1) if cell is not None)
    return f'<row r="{line}"{attributes}>{"".join(written)}</row>'


def header(*more: str) -> list[Cell | None]:
    """Return the header's cells, with more columns after the contract's."""
    return [text(name) for name in (*COLUMNS, *more)]


def sheet_xml(rows: Iterable[Cells | str], *, before: str = "", after: str = "", namespace: str = MAIN) -> str:
    """Return a sheet of rows from line 1; `before` and `after` stand around its `sheetData`."""
    written = "".join(row if isinstance(row, str) else row_xml(line, row) for line, row in enumerate(rows, 1))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<worksheet xmlns="{namespace}" xmlns:r="{OFFICE}">'
        f"{before}<sheetData>{written}</sheetData>{after}</worksheet>"
    )


def styles_xml(formats: Sequence[int | str]) -> str:
    """Return styles of which each, by its index, has a built-in number format (a number) or one of its own (a code)."""
    codes = [each for each in formats if isinstance(each, str)]
    numbers = [164 + codes.index(each) if isinstance(each, str) else each for each in formats]
    own = "".join(f'<numFmt numFmtId="{164 + at}" formatCode={quoteattr(code)}/>' for at, code in enumerate(codes))
    styles = "".join(f'<xf numFmtId="{each}" applyNumberFormat="1"/>' for each in numbers)
    return (
        f'<?xml version="1.0"?><styleSheet xmlns="{MAIN}"><numFmts count="{len(codes)}">{own}</numFmts>'
        '<fonts count="1"><font/></fonts><fills count="1"><fill/></fills><borders count="1"><border/></borders>'
        f'<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="{len(formats)}">{styles}</cellXfs></styleSheet>'
    )


def strings_xml(items: Sequence[str]) -> str:
    """Return shared strings from what stands in each `si` element."""
    written = "".join(f"<si>{item}</si>" for item in items)
    return f'<?xml version="1.0"?><sst xmlns="{MAIN}" count="{len(items)}" uniqueCount="{len(items)}">{written}</sst>'


def relationships_xml(targets: Sequence[tuple[str, str, str]], *, namespace: str = OFFICE) -> str:
    """Return relationships from (id, kind, target) of each; a target may carry further attributes."""
    written = "".join(
        f'<Relationship Id="{each}" Type="{namespace}/{kind}" Target="{target}"/>' for each, kind, target in targets
    )
    return f'<?xml version="1.0"?><Relationships xmlns="{PACKAGE}">{written}</Relationships>'


def workbook_xml(sheets: str = '<sheet name="Transaksi" sheetId="1" r:id="rId1"/>', properties: str = "") -> str:
    """Return the workbook's own part, with its `sheet` elements and what stands before them."""
    return (
        f'<?xml version="1.0"?><workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{properties}'
        f"<sheets>{sheets}</sheets></workbook>"
    )


def build_parts(
    rows: Iterable[Cells | str],
    *,
    columns: Sequence[str] = (),
    strings: Sequence[str] = (),
    formats: Sequence[int | str] = USUAL_FORMATS,
    properties: str = "",
    after: str = "",
) -> Parts:
    """Return the parts of a workbook with the contract's sheet: its header, with more columns, and rows from line 2."""
    targets = [("rId1", "worksheet", "worksheets/sheet1.xml"), ("rId2", "styles", "styles.xml")]
    parts: Parts = {
        "[Content_Types].xml": (
            f'<?xml version="1.0" encoding="UTF-8"?><Types xmlns="{TYPES}">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            '<Override PartName="/xl/workbook.xml"'
            ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
        ),
        "_rels/.rels": relationships_xml([("rId1", "officeDocument", WORKBOOK)]),
        WORKBOOK: workbook_xml(properties=properties),
        STYLES: styles_xml(formats),
    }
    if strings:
        targets.append(("rId3", "sharedStrings", "sharedStrings.xml"))
        parts[STRINGS] = strings_xml(strings)
    parts[WORKBOOK_RELS] = relationships_xml(targets)
    parts[SHEET] = sheet_xml([header(*columns), *rows], after=after)
    return parts


def pack(parts: Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]) -> bytes:
    """Return the parts as an archive, in their order; a name may come twice."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that comes twice
        for name, part in parts.items() if isinstance(parts, Mapping) else parts:
            archive.writestr(zipfile.ZipInfo(name, (2021, 3, 10, 12, 0, 0)), part)
    return packed.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the parts of an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {entry.orig_filename: archive.read(entry) for entry in archive.infolist()}


def with_sheet(
    parts: Parts, name: str, kind: str, content: str | bytes, *, sheet: str, is_first: bool = False
) -> Parts:
    """Return the parts with a part more, which the workbook lists as a sheet of a name."""
    listed = f'<sheet name={quoteattr(name)} sheetId="9" r:id="rId9"/>'
    book, rels = str(parts[WORKBOOK]), str(parts[WORKBOOK_RELS])
    edge = "<sheets>" if is_first else "</sheets>"
    related = f'<Relationship Id="rId9" Type="{OFFICE}/{kind}" Target="{sheet}"/></Relationships>'
    return parts | {
        WORKBOOK: book.replace(edge, edge + listed if is_first else listed + edge),
        WORKBOOK_RELS: rels.replace("</Relationships>", related),
        f"xl/{sheet}": content,
    }
