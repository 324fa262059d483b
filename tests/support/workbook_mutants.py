"""Mutants of the delivered cases whose fault is in a workbook: its cells, its rows, its parts, its kind."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support.dialects import csv_file, csv_line, json_file, json_record
from tests.support.mutants import GOODS, Generator, Mutant, accepted, card, digits, quarantined, rejected
from tests.support.workbooks import (
    DATE_STYLE,
    OFFICE,
    SHEET,
    STRINGS,
    STYLES,
    WORKBOOK,
    WORKBOOK_RELS,
    Cell,
    Cells,
    Parts,
    build_parts,
    header,
    moment,
    number,
    pack,
    purchase,
    row_xml,
    sheet_xml,
    strings_xml,
    text,
    unpack,
    value,
    with_sheet,
)

XLSX = "mau-belajar-apa"
CASES = Path(__file__).parent / "delivered_cases"


def good(count: int = GOODS) -> list[Cells]:
    """Return good rows."""
    return [purchase(n) for n in range(1, count + 1)]


def with_rows(chance: random.Random, *bad: Cells) -> list[Cells]:
    """Return good rows with some more, somewhere among them."""
    rows = good()
    for row in bad:
        rows.insert(chance.randrange(len(rows) + 1), row)
    return rows


# -- numbers -----------------------------------------------------------------------------------------------------------


def with_a_card_as_a_number(chance: random.Random, ordinal: int) -> Mutant:
    """A card of more digits than a float holds, as a number."""
    shown = str(chance.randrange(2**53 + 1, 10**16))
    written = shown
    if ordinal in (3, 7):
        written = shown + ".0"
    elif ordinal in (4, 8):
        written = f"{shown[0]}.{shown[1:]}E15"
    elif ordinal in (5, 9):
        written = shown + digits(chance, 1 + ordinal % 4)
    first = int(shown) // 10 * 10
    held = [(first, first + 9)]
    reasons = {"card_number_malformed": 1}
    if ordinal < 6:
        cell = number(written, 3 if ordinal == 2 else None, "n" if ordinal == 1 else None)
        rows = with_rows(chance, purchase(99, card_number=cell))
        return quarantined(XLSX, pack(build_parts(rows)), reasons, held)
    platform = ("pintaria", "sekolahmu")[ordinal % 2]
    records = [json_record(platform, n) for n in range(1, GOODS + 1)]
    records.insert(chance.randrange(GOODS), json_record(platform, card_number=written))
    return quarantined(platform, json_file(platform, records), reasons, held)


def with_an_id_as_a_number(chance: random.Random, ordinal: int) -> Mutant:
    """Two ids that no float tells apart, or one that is paid and cancelled, as numbers."""
    lower = chance.randrange(2**51 + 1, 10**16 // 4) * 4
    one, other = (str(lower), str(lower + 1)) if ordinal % 2 else (str(lower), str(lower))
    if ordinal in (6, 7):
        one, other = one + "0", other + "0"
    elif ordinal == 5:
        one, other = (f"{each[0]}.{each[1:]}E15" for each in (one, other))
    people = card(chance), card(chance)
    held = [(person, person) for person in people]
    reasons = {"transaction_id_malformed": 2}
    second = "PAID" if ordinal % 2 else "CANCELLED"
    if ordinal < 8:
        kind = "n" if ordinal in (2, 3) else None
        bad = [
            purchase(99, transaction_id=number(each, kind=kind), event=text(event), card_number=text(f"{person}"))
            for each, person, event in zip(
                (one, other), people, ("Lunas", "Lunas" if second == "PAID" else "Dibatalkan"), strict=True
            )
        ]
        return quarantined(XLSX, pack(build_parts(with_rows(chance, *bad))), reasons, held, bad=2, rows=GOODS + 2)
    platform = ("pintaria", "sekolahmu")[ordinal % 2]
    word = str.lower if platform == "pintaria" else str
    records = [json_record(platform, n) for n in range(1, GOODS + 1)]
    for each, person, event in zip((one, other), people, ("PAID", second), strict=True):
        literals = {"transaction_id": each, "event": f'"{word(event)}"', "card_number": f'"{person}"'}
        records.insert(chance.randrange(GOODS), json_record(platform, **literals))
    return quarantined(platform, json_file(platform, records), reasons, held, bad=2, rows=GOODS + 2)


# -- dates -------------------------------------------------------------------------------------------------------------

NO_DATES = (
    "-62135596800000",
    "-1",
    "-0.5",
    "2958466",  # the first day of the year 10000
    "99999999999",
    "1E300",
    "-1E+20",
    "-44265.5",
    "9223372036854775808",
    "1e999",
)
FORMATS = (0, "yyyy-mm-dd hh:mm:ss", 14, 22, r"[$-421]dd\ mmmm\ yyyy;@", "d/m/yy h:mm")


def with_a_date_out_of_range(chance: random.Random, ordinal: int) -> Mutant:
    """A date cell before or after all dates that there are."""
    person = card(chance)
    cell = moment(NO_DATES[ordinal], chance.randrange(1, len(FORMATS)))
    rows = with_rows(chance, purchase(99, occurred_at=cell, card_number=text(f"{person}")))
    data = pack(build_parts(rows, formats=FORMATS))
    return quarantined(XLSX, data, {"occurred_at_invalid": 1}, [(person, person)])


def with_a_number_that_is_none(chance: random.Random, ordinal: int) -> Mutant:
    """What `xsd:double` calls a number, and is none: in a date's cell, or in that of an amount."""
    person = card(chance)
    content = ("NaN", "INF", "-INF")[ordinal % 3]
    kind = "n" if ordinal % 2 else None
    cells = {"card_number": text(f"{person}")}
    if ordinal < 7:
        cells["occurred_at"] = Cell(f"<v>{content}</v>", kind, chance.randrange(1, len(FORMATS)))
        reasons, uncounted = {"occurred_at_invalid": 1}, 0
    else:
        cells["amount_idr"] = Cell(f"<v>{content}</v>", kind)
        reasons, uncounted = {"amount_invalid": 1}, 1
    data = pack(build_parts(with_rows(chance, purchase(99, **cells)), formats=FORMATS))
    return quarantined(XLSX, data, reasons, [(person, person)], uncounted=uncounted)


# -- strings, errors, empty rows ---------------------------------------------------------------------------------------

NO_INDEX = ("-1", "-2", "abc", "3", "0.5", "0x0", "4294967296", "-4294967296", "18446744073709551616", "NaN")


def with_a_string_that_is_none(chance: random.Random, ordinal: int) -> Mutant:
    """A cell that refers to a shared string that is not there."""
    at = chance.randrange(7)
    row = purchase(99)
    row[at] = value("s", NO_INDEX[ordinal])
    strings = [f"<t>{card(chance)}</t>" for _ in range(3)]
    data = pack(build_parts(with_rows(chance, row), strings=strings))
    return rejected(XLSX, data, "file_undecodable", GOODS + 1)


ERRORS = ("#REF!", "#N/A", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#GETTING_DATA", "#SPILL!", "#CALC!")
JUDGED = ("transaction_id", "event", "occurred_at", "card_number", "course_id", "amount_idr", "voucher_code")
REASONS = {
    "event": "event_unknown",
    "occurred_at": "occurred_at_invalid",
    "card_number": "card_number_malformed",
    "amount_idr": "amount_invalid",
}


def with_an_error(chance: random.Random, ordinal: int) -> Mutant:
    """An error in a cell: it is the text that it shows, in some field and then in all of them."""
    person = card(chance)
    error = value("e", ERRORS[ordinal], chance.choice([None, 0, DATE_STYLE]))
    if ordinal >= len(JUDGED):
        rows = with_rows(chance, [error] * 7)
        reasons = dict.fromkeys(REASONS.values(), 1)
        return quarantined(XLSX, pack(build_parts(rows)), reasons, [], uncounted=1)
    name = JUDGED[ordinal]
    rows = with_rows(chance, purchase(99, **({"card_number": text(f"{person}")} | {name: error})))
    data, uncounted = pack(build_parts(rows)), int(name == "amount_idr")
    if name not in REASONS:
        return accepted(XLSX, data, rows=GOODS + 1)
    held = [] if name == "card_number" else [(person, person)]
    return quarantined(XLSX, data, {REASONS[name]: 1}, held, uncounted=uncounted)


def with_a_row_of_errors(chance: random.Random, ordinal: int) -> Mutant:
    """A row of error cells, or of one, that the manifest does not count: it is a row."""
    error = value("e", ERRORS[ordinal])
    row: list[Cell | None] = [error] * 7 if ordinal < 3 else [None] * 7
    row[chance.randrange(7)] = error
    return rejected(XLSX, pack(build_parts(with_rows(chance, row))), "row_count_mismatch", GOODS)


def with_empty_rows(chance: random.Random, ordinal: int) -> Mutant:
    """Rows without any value, the last of a sheet or between others: they are no rows."""
    far = chance.randrange(500_000, 1_048_576)
    styled = Cell(style=DATE_STYLE)
    empty = (
        ['<row r="1048576" customFormat="false" ht="12.8" hidden="false" customHeight="false"/>'],
        [f'<row r="{far}" spans="1:10"><c r="A{far}" s="1"/><c r="J{far}" s="2"/></row>'],
        [row_xml(far, [Cell(kind="s", style=1)] * 7)],
        [row_xml(far, [Cell("<v></v>", style=DATE_STYLE)] * 7)],
        [row_xml(far, [Cell("<is><t></t></is>", "inlineStr")] * 7)],
        [row_xml(far, [Cell("<is/>", "inlineStr")] * 10)],
        [row_xml(line, [styled] * 12) for line in range(GOODS + 3, GOODS + 300)],
        [f'<row r="{line}"/>' for line in range(GOODS + 2, GOODS + 2_000)],
        [row_xml(far, [Cell("<v/>", "str")] * 7)],
        [row_xml(1_048_576, [Cell(style=1, place="XFD1048576")])],
    )[ordinal]
    rows = good()
    if ordinal == 6:  # and one between rows
        rows.insert(chance.randrange(1, GOODS), [styled] * 12)
    return accepted(XLSX, pack(build_parts([*rows, *empty], columns=["Catatan", "Kota", "Cabang"])))


# -- far cells ---------------------------------------------------------------------------------------------------------


def far_parts(chance: random.Random, place: str | None = None) -> Parts:
    """Return the parts of a workbook with one row, and a cell hundreds of millions of cells away from it."""
    line = chance.randrange(900_000, 1_048_577)
    place = place or chance.choice(["ZZ", "AAA", "XFD", "WVU"]) + str(line)
    cell = chance.choice([text("x"), number("1"), value("str", "x"), value("b", "1"), value("e", "#N/A")])
    far = f'<row r="{line}">{cell.to_xml(place)}</row>'
    return build_parts([purchase(1), far])


def with_backslashes(chance: random.Random, ordinal: int) -> Mutant:
    """Parts that are named with backslashes, or in upper case; and two cells far apart."""
    parts = far_parts(chance)
    turned: tuple[Callable[[str], str], ...] = (
        lambda name: name.replace("/", "\\"),
        lambda name: name.replace("/", "\\") if "sheet1" in name else name,
        lambda name: name.replace("worksheets/", "worksheets\\"),
        lambda name: name.replace("xl/w", "xl\\w"),
        str.upper,
        lambda name: name.upper() if "sheet1" in name else name,
        lambda name: name.replace("sheet1", "Sheet1"),
        lambda name: name.replace("xl/", "XL\\"),
        lambda name: name.replace("/", "\\").upper(),
        lambda name: name.replace("xml", "XML"),
    )
    renamed = [(name if "Types" in name else turned[ordinal](name), part) for name, part in parts.items()]
    return rejected(XLSX, pack(renamed), "too_large", 1)


FOLDERS = ("data/t.xml", "t.xml", "sheets/t", "worksheet/sheet1.xml", "a/b/c/d.dat", "xl/worksheets.xml", "t.rels",
           "Worksheets2/1.XML", "media/image1.png", "theme/theme1.xml")  # fmt: skip


def with_a_sheet_elsewhere(chance: random.Random, ordinal: int) -> Mutant:
    """A sheet in another folder, by another kind of name; and two cells far apart."""
    parts = far_parts(chance)
    target = FOLDERS[ordinal]
    sheet = parts.pop(SHEET)
    rels = str(parts[WORKBOOK_RELS])
    name = f"xl/{target}"
    if ordinal % 3 == 2:  # absolute, at the root
        name, target = target, f"/{target}"
    parts[WORKBOOK_RELS] = rels.replace("worksheets/sheet1.xml", target)
    parts[name] = sheet
    return rejected(XLSX, pack(parts), "too_large", 1)


# -- formulas ----------------------------------------------------------------------------------------------------------


def with_a_formula_elsewhere(chance: random.Random, ordinal: int) -> Mutant:
    """A formula on a sheet that is not the contract's."""
    inside = (
        "<f>SUM(Transaksi!F2:F41)</f><v>200000</v>",
        '<f t="shared" ref="A1:A9" si="0">B1*2</f><v>2</v>',
        '<f t="array" ref="A1">SUM(A2:A3)</f><v>0</v>',
        "<f/><v>1</v>",
        "<f>NOW()</f>",
    )[ordinal % 5]
    sheet = sheet_xml([[Cell(inside)], [Cell(inside, "str")]])
    if ordinal == 5:
        sheet = sheet.replace("<", "<x:").replace("<x:/", "</x:").replace("<x:?", "<?").replace("xmlns=", "xmlns:x=")
    name = chance.choice(["Ringkasan", "Transaksi 2", "Transaksi ", "Rekap & lain"])
    parts = with_sheet(
        build_parts(good()), name, "worksheet", sheet, sheet="worksheets/sheet2.xml", is_first=ordinal >= 5
    )
    if ordinal % 2:
        book = str(parts[WORKBOOK]).replace('sheetId="9"', 'sheetId="9" state="hidden"')
        names = '<definedNames><definedName name="jumlah">SUM(Transaksi!$F$2:$F$41)</definedName></definedNames>'
        parts[WORKBOOK] = book.replace("</sheets>", f"</sheets>{names}")
    return accepted(XLSX, pack(parts))


X14, XM = (
    "http://schemas.microsoft.com/office/spreadsheetml/2009/9/main",
    "http://schemas.microsoft.com/office/excel/2006/main",
)
EXTENSIONS = (
    "<x14:dataValidations count='1'><x14:dataValidation type='list'><x14:formula1><xm:f>Daftar!$A$1:$A$3</xm:f>"
    "</x14:formula1><xm:sqref>B2:B99</xm:sqref></x14:dataValidation></x14:dataValidations>",
    "<x14:conditionalFormattings><x14:conditionalFormatting><x14:cfRule type='dataBar' id='{1}'><x14:dataBar>"
    "<x14:cfvo type='formula'><xm:f>$F$2</xm:f></x14:cfvo></x14:dataBar></x14:cfRule><xm:sqref>F2:F9</xm:sqref>"
    "</x14:conditionalFormatting></x14:conditionalFormattings>",
    "<x14:sparklineGroups><x14:sparklineGroup><x14:sparklines><x14:sparkline><xm:f>Transaksi!F2:F9</xm:f>"
    "<xm:sqref>H2</xm:sqref></x14:sparkline></x14:sparklines></x14:sparklineGroup></x14:sparklineGroups>",
    "<x14:f>A1</x14:f>",
    "<f>A1</f>",
)


def with_what_is_no_formula(chance: random.Random, ordinal: int) -> Mutant:
    """What only looks like a cell's formula: lists to choose from, data bars, sparklines, conditions."""
    if ordinal < 5:
        after = (
            f'<extLst><ext uri="{{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}}" xmlns:x14="{X14}" xmlns:xm="{XM}">'
            f"{EXTENSIONS[ordinal]}</ext></extLst>"
        )
    else:
        after = (
            '<dataValidations count="1"><dataValidation type="list" sqref="B2:B99"><formula1>"Lunas,Batal"</formula1>'
            "</dataValidation></dataValidations>",
            '<conditionalFormatting sqref="F2"><cfRule type="expression" priority="1"><formula>F2&gt;1</formula>'
            "</cfRule></conditionalFormatting>",
            '<autoFilter ref="A1:G41"><filterColumn colId="0"><filters><filter val="f"/></filters></filterColumn>'
            "</autoFilter>",
            "<!-- <f>A1</f> -->",
            '<customSheetViews><customSheetView guid="{1}"><f x="1"/></customSheetView></customSheetViews>',
        )[ordinal - 5]
    rows = good()
    at = chance.randrange(GOODS)
    rows[at] = purchase(at + 1, voucher_code=text("<f>A1</f>"), course_id=text("=A1"))
    return accepted(XLSX, pack(build_parts(rows, after=after)))


# -- other kinds of file -----------------------------------------------------------------------------------------------


def other_kinds(chance: random.Random) -> Sequence[bytes]:
    """Return files that are no XLSX: a spreadsheet program opens most of them all the same."""
    ods = unpack(delivered("17"))
    flat = ods["content.xml"].replace(b"office:document-content", b"office:document")
    cells = "".join(f"<td>{column}</td>" for column in ("ID Transaksi", "Status", "Waktu"))
    parts = build_parts(good())
    return (
        pack({name: part.replace(b"x-1", b"%d" % card(chance)) for name, part in ods.items()}),
        pack({name: part for name, part in ods.items() if name != "mimetype"}),
        flat,
        bytes.fromhex("d0cf11e0a1b11ae1") + chance.randbytes(4_096),  # Excel 97, or one with a password
        f"<html><table><tr>{cells}</tr></table></html>".encode(),
        csv_file("tokopedia", [csv_line("tokopedia", n) for n in range(1, GOODS + 1)]),
        b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet/></Workbook>',
        gzip.compress(pack(parts), mtime=0),
        pack({"word/document.xml": "<w/>", "[Content_Types].xml": parts["[Content_Types].xml"]}),
        pack({}),
    )


def of_another_kind(chance: random.Random, ordinal: int) -> Mutant:
    """A file of another kind under the name of an XLSX."""
    return rejected(XLSX, other_kinds(chance)[ordinal], "file_undecodable", 1)


def delivered(number_of_case: str) -> bytes:
    """Return the workbook of a delivered case."""
    (path,) = CASES.glob(f"{number_of_case}-*/landing/feeds/*/2021-03-10/r1/transactions.xlsx")
    return path.read_bytes()


def as_binary_workbook(chance: random.Random, ordinal: int) -> Mutant:
    """A binary workbook, other cells and other places of it damaged."""
    parts = unpack(delivered("21"))
    sheet = bytearray(parts["xl/worksheets/sheet1.bin"])
    if ordinal % 2:  # its last cell elsewhere
        at = sheet.rindex(bytes.fromhex("11ffff0f00"))
        sheet[at + 1 : at + 4] = chance.randrange(500_000, 1_048_576).to_bytes(3, "little")
    if ordinal in (2, 3):  # what it says that it spans
        sheet[6:14] = chance.randbytes(8)
    if ordinal in (4, 5):
        sheet = sheet[: chance.randrange(100, len(sheet))]
    parts["xl/worksheets/sheet1.bin"] = bytes(sheet)
    if ordinal in (6, 7):  # found as a workbook of XML would be
        parts["_rels/.rels"] = (
            f'<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.bin"/></Relationships>'
        ).encode()
    if ordinal in (8, 9):  # a sheet of bytes in a workbook of XML
        mixed = build_parts(good())
        rels = str(mixed[WORKBOOK_RELS]).replace("sheet1.xml", "sheet1.bin")
        del mixed[SHEET]
        return rejected(
            XLSX,
            pack(mixed | {WORKBOOK_RELS: rels, "xl/worksheets/sheet1.bin": bytes(sheet)}),
            "file_undecodable",
            GOODS + 1,
        )
    return rejected(XLSX, pack(parts), "file_undecodable", GOODS + 1)


def with_repeats(chance: random.Random, ordinal: int) -> Mutant:
    """An OpenDocument spreadsheet in which a few bytes say that a cell is repeated without end."""
    parts = unpack(delivered("22"))
    rows, columns = str(chance.randrange(5_000, 1_048_576)), str(chance.randrange(1_024, 16_385))
    content = parts["content.xml"].replace(b'rows-repeated="6000"', f'rows-repeated="{rows}"'.encode())
    content = content.replace(b'columns-repeated="16384"', f'columns-repeated="{columns}"'.encode())
    if ordinal % 2:
        content = content.replace(b"<text:p>x</text:p>", b"<text:p>%d</text:p>" % card(chance))
    parts["content.xml"] = content
    if ordinal in (2, 3):
        parts = {name: parts[name] for name in ("content.xml", "mimetype", "META-INF/manifest.xml")}
    if ordinal in (4, 5):
        del parts["mimetype"]
    if ordinal in (6, 7):
        parts |= {"xl/styles.xml": b"<x/>", "[Content_Types].xml": b"<Types/>"}
    if ordinal in (8, 9):
        parts["content.xml"] = content.replace(b"<?xml", b"\xef\xbb\xbf<?xml")
    return rejected(XLSX, pack(parts), "file_undecodable", GOODS + 1)


# -- twins -------------------------------------------------------------------------------------------------------------

TWINS = (
    (SHEET, "xl/worksheets/SHEET1.XML"),
    (SHEET, "XL/worksheets/sheet1.xml"),
    (SHEET, SHEET),
    (SHEET, "xl\\worksheets\\sheet1.xml"),
    (WORKBOOK, "xl/Workbook.xml"),
    (WORKBOOK_RELS, "xl/_rels/workbook.xml.RELS"),
    (STRINGS, "xl/sharedstrings.xml"),
    (STYLES, "xl/Styles.xml"),
    (STRINGS, STRINGS),
    (SHEET, "xl/Worksheets/sheet1.xml"),
)


def with_twins(chance: random.Random, ordinal: int) -> Mutant:
    """Two parts of one name but for upper and lower case, or for the slash: nobody knows which is meant."""
    name, twin = TWINS[ordinal]
    rows = [purchase(n, course_id=value("s", "0")) for n in range(1, GOODS + 1)]
    parts = list(build_parts(rows, strings=["<t>KLS</t>"]).items())
    content = dict(parts)[name]
    if name == SHEET:
        others = [purchase(n, card_number=text(f"{card(chance)}")) for n in range(1, GOODS + 1)]
        content = sheet_xml([header(), *others])
    if name == STRINGS:
        content = strings_xml([f"<t>{digits(chance, 5)}</t>"])
    parts.insert(chance.randrange(len(parts) + 1), (twin, content))
    if ordinal == 9:  # each with a relationship of its own
        book = f'<Relationship Id="rId8" Type="{OFFICE}/worksheet" Target="Worksheets/sheet1.xml"/></Relationships>'
        parts = [
            (each, str(part).replace("</Relationships>", book) if each == WORKBOOK_RELS else part)
            for each, part in parts
        ]
    return rejected(XLSX, pack(parts), "file_undecodable")


MUTANTS: dict[str, Generator] = {
    "01": with_a_card_as_a_number,
    "02": with_an_id_as_a_number,
    "03": with_a_date_out_of_range,
    "04": with_a_number_that_is_none,
    "05": with_a_string_that_is_none,
    "06": with_backslashes,
    "07": with_a_sheet_elsewhere,
    "14": with_empty_rows,
    "15": with_a_formula_elsewhere,
    "17": of_another_kind,
    "18": with_an_error,
    "19": with_a_row_of_errors,
    "20": with_what_is_no_formula,
    "21": as_binary_workbook,
    "22": with_repeats,
    "25": with_twins,
}
