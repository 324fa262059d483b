"""ECMA-376's packages: which part is the contract's sheet, what its XML may be, and what spoils the file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest

from tests.support.read_files import Answer, answer_of
from tests.support.workbooks import (
    MAIN,
    OFFICE,
    PACKAGE,
    SHEET,
    STRICT_MAIN,
    STRICT_OFFICE,
    STRINGS,
    STYLES,
    WORKBOOK,
    WORKBOOK_RELS,
    Cell,
    Parts,
    build_parts,
    header,
    number,
    pack,
    purchase,
    relationships_xml,
    row_xml,
    sheet_xml,
    text,
    value,
    with_sheet,
)

XLSX = "mau-belajar-apa"
ROOT_RELS, CONTENT_TYPES = "_rels/.rels", "[Content_Types].xml"


def good_parts() -> Parts:
    """A workbook of two rows, which has shared strings and dates."""
    rows = [purchase(n, course_id=value("s", "0")) for n in (1, 2)]
    return build_parts(rows, strings=["<t>KLS</t>"])


def answer_to(parts: Parts) -> Answer:
    return answer_of(XLSX, pack(parts))


GOOD = answer_to(good_parts())


def changed(part: str, old: str, new: str, parts: Parts | None = None) -> Parts:
    """The good parts with a text of one of them replaced."""
    parts = good_parts() if parts is None else parts
    before = str(parts[part])
    assert old in before
    return parts | {part: before.replace(old, new)}


def moved(part: str, place: str, parts: Parts | None = None) -> Parts:
    """The good parts, one of them elsewhere."""
    parts = dict(good_parts() if parts is None else parts)
    parts[place] = parts.pop(part)
    return parts


def retargeted(target: str, place: str | None = None) -> Parts:
    """The good parts with another target for the sheet, and the sheet where it leads."""
    parts = changed(WORKBOOK_RELS, "worksheets/sheet1.xml", target)
    return parts if place is None else moved(SHEET, place, parts)


def test_the_good_workbook_is_read() -> None:
    assert isinstance(GOOD, list)
    assert [row["course_id"] for row in GOOD] == ["KLS", "KLS"]
    assert [row["card_number"] for row in GOOD] == ["1000000000000001", "1000000000000002"]
    assert None not in [row["occurred_at"] for row in GOOD]


# -- where parts are ---------------------------------------------------------------------------------------------------

RELATED: dict[str, Callable[[], Parts]] = {
    "absolute": lambda: retargeted("/xl/worksheets/sheet1.xml"),
    "relative with a step": lambda: retargeted("./worksheets/sheet1.xml"),
    "relative with steps back": lambda: retargeted("../xl/worksheets/../worksheets/sheet1.xml"),
    "in another folder": lambda: retargeted("data/t.xml", "xl/data/t.xml"),
    "without an ending": lambda: retargeted("data/sheet", "xl/data/sheet"),
    "at the root": lambda: retargeted("/lembar.xml", "lembar.xml"),
    "in a folder of that name": lambda: retargeted("worksheets/a/sheet1.xml", "xl/worksheets/a/sheet1.xml"),
    "a part in upper case": lambda: retargeted("worksheets/sheet1.xml", "xl/worksheets/SHEET1.XML"),
    "a target in upper case": lambda: retargeted("WORKSHEETS/Sheet1.xml"),
    "a folder in upper case": lambda: moved(SHEET, "XL/Worksheets/sheet1.xml"),
    "a part with backslashes": lambda: moved(SHEET, "xl\\worksheets\\sheet1.xml"),
    "a space": lambda: retargeted("worksheets/lembar%20satu.xml", "xl/worksheets/lembar%20satu.xml"),
    "the workbook at the root": lambda: {
        CONTENT_TYPES: good_parts()[CONTENT_TYPES],
        ROOT_RELS: relationships_xml([("rId1", "officeDocument", "book.xml")]),
        "book.xml": good_parts()[WORKBOOK],
        "_rels/book.xml.rels": str(good_parts()[WORKBOOK_RELS]).replace('Target="', 'Target="xl/'),
        **{name: part for name, part in good_parts().items() if name in (SHEET, STYLES, STRINGS)},
    },
    "the workbook in another folder": lambda: {
        CONTENT_TYPES: good_parts()[CONTENT_TYPES],
        ROOT_RELS: relationships_xml([("x", "officeDocument", "/a/b/c.dat")]),
        "a/b/c.dat": good_parts()[WORKBOOK],
        "a/b/_rels/c.dat.rels": str(good_parts()[WORKBOOK_RELS]).replace('Target="', 'Target="../../xl/'),
        **{name: part for name, part in good_parts().items() if name in (SHEET, STYLES, STRINGS)},
    },
    "the strings elsewhere": lambda: moved(
        STRINGS, "xl/teks/1.xml", changed(WORKBOOK_RELS, "sharedStrings.xml", "teks/1.xml")
    ),
    "the styles elsewhere": lambda: moved(STYLES, "gaya.xml", changed(WORKBOOK_RELS, "styles.xml", "../gaya.xml")),
    "an absolute target of the workbook": lambda: changed(ROOT_RELS, "xl/workbook.xml", "/xl/workbook.xml"),
    "other ids": lambda: changed(WORKBOOK, "rId1", "x.1-y", changed(WORKBOOK_RELS, "rId1", "x.1-y")),
    "another prefix": lambda: changed(WORKBOOK, "r:", "rel:", changed(WORKBOOK, "xmlns:r=", "xmlns:rel=")),
    "other relationships first": lambda: changed(
        ROOT_RELS, "<Relationship ", f'<Relationship Id="z" Type="{PACKAGE}/x" Target="t.png"/><Relationship '
    ),
    "the last part first": lambda: dict(reversed(good_parts().items())),
    "parts that nobody asks for": lambda: good_parts() | {
        "docProps/app.xml": "<Properties/>", "xl/theme/theme1.xml": "<theme/>", "xl/calcChain.xml": "<calcChain/>",
        "xl/media/image1.png": b"\x89PNG\r\n\x1a\n\xff\x00", "xl/printerSettings1.bin": b"\0" * 99,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", RELATED)
def test_a_part_is_where_its_relationship_leads(name: str) -> None:
    assert answer_to(RELATED[name]()) == GOOD


def test_a_part_may_be_stored_as_it_is_and_folders_are_no_parts() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.mkdir("xl")
        for name, part in good_parts().items():
            archive.writestr(name, part)
    assert answer_of(XLSX, packed.getvalue()) == GOOD


MISSING: dict[str, Callable[[], Parts]] = {
    "the sheet": lambda: retargeted("worksheets/sheet2.xml"),
    "the workbook": lambda: changed(ROOT_RELS, "xl/workbook.xml", "xl/book.xml"),
    "the strings": lambda: {name: part for name, part in good_parts().items() if name != STRINGS},
    "the workbook's relationships": lambda: {n: part for n, part in good_parts().items() if n != WORKBOOK_RELS},
    "everything": lambda: {CONTENT_TYPES: good_parts()[CONTENT_TYPES]},
    "the sheet's relationship": lambda: changed(WORKBOOK, "rId1", "rId7"),
    "an id": lambda: changed(WORKBOOK, ' r:id="rId1"', ""),
    "the strings' relationship": lambda: changed(WORKBOOK_RELS, "/sharedStrings", "/otherStrings"),
    "a target": lambda: changed(WORKBOOK_RELS, ' Target="worksheets/sheet1.xml"', ""),
    "a part within": lambda: retargeted(""),
    "an outer sheet": lambda: changed(
        WORKBOOK_RELS, 'Target="worksheets/sheet1.xml"', 'Target="worksheets/sheet1.xml" TargetMode="External"'
    ),
    "a sheet of the web": lambda: changed(
        WORKBOOK_RELS, 'Target="worksheets/sheet1.xml"', 'Target="https://example.org/s.xml" TargetMode="External"'
    ),
    "a sheet of this machine": lambda: retargeted("file:///etc/passwd"),
    "a sheet outside": lambda: retargeted("../../../etc/passwd"),
    "an absolute sheet outside": lambda: retargeted("/../etc/passwd", "etc/passwd"),
    "outer strings": lambda: changed(
        WORKBOOK_RELS, 'Target="sharedStrings.xml"', 'Target="sharedStrings.xml" TargetMode="External"'
    ),
    "a sheet of charts": lambda: changed(WORKBOOK_RELS, "/worksheet", "/chartsheet"),
    "a sheet of macros": lambda: changed(WORKBOOK_RELS, "/worksheet", "/xlMacrosheet"),
    "a sheet that is styles": lambda: retargeted("styles.xml"),
    "an id twice": lambda: changed(
        WORKBOOK_RELS, "</Relationships>",
        f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet2.xml"/></Relationships>',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISSING)
def test_a_part_that_is_not_there_spoils_the_file(name: str) -> None:
    assert answer_to(MISSING[name]()) == "file_undecodable"


# -- sheets ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["transaksi", "TRANSAKSI", "Transaksi ", " Transaksi", "Transaksi1", "Sheet1", ""])
def test_the_sheet_is_found_by_its_exact_name(name: str) -> None:
    assert answer_to(changed(WORKBOOK, "Transaksi", name)) in ("columns_missing", "file_undecodable")
    assert name == "" or answer_to(changed(WORKBOOK, "Transaksi", name)) == "columns_missing"


def test_a_sheet_is_read_wherever_the_workbook_lists_it_and_though_it_is_hidden() -> None:
    for state in ("hidden", "veryHidden", "visible"):
        assert answer_to(changed(WORKBOOK, "<sheet ", f'<sheet state="{state}" ')) == GOOD
    for is_first in (True, False):
        other = with_sheet(
            good_parts(), "Lain", "worksheet", sheet_xml([[text("x")]]), sheet="worksheets/s2.xml", is_first=is_first
        )
        assert answer_to(other) == GOOD
    properties = '<bookViews><workbookView activeTab="1"/></bookViews>'
    assert answer_to(changed(WORKBOOK, "<sheets>", properties + "<sheets>")) == GOOD
    assert answer_to(changed(SHEET, "<sheetData>", '<sheetPr filterMode="1"/><dimension ref="A1"/><sheetData>')) == GOOD


def test_two_sheets_of_the_contracts_name_spoil_the_file() -> None:
    again = with_sheet(
        good_parts(), "Transaksi", "worksheet", sheet_xml([header(), purchase(3)]), sheet="worksheets/s2.xml"
    )
    assert answer_to(again) == "file_undecodable"


OTHERS: dict[str, str | bytes] = {
    "a formula": sheet_xml([[Cell("<f>1+1</f><v>2</v>")]]),
    "no XML": "<worksheet",
    "no text": b"\xff\xfe\x00<",
    "a document type": "<!DOCTYPE worksheet><worksheet/>",
    "cells far apart": sheet_xml([[text("x")], row_xml(1_048_576, [Cell("<v>1</v>", place="XFD1048576")])]),
    "nothing": "",
    "an unknown string": sheet_xml([[value("s", "99")]]),
    "cells out of order": sheet_xml([row_xml(2, [text("x")]), row_xml(1, [text("x")])]),
}


@pytest.mark.parametrize("name", OTHERS)
def test_of_other_sheets_nothing_is_read(name: str) -> None:
    for kind in ("worksheet", "chartsheet"):
        for is_first in (True, False):
            parts = with_sheet(good_parts(), "Lain", kind, OTHERS[name], sheet="lain/s2.xml", is_first=is_first)
            assert answer_to(parts) == GOOD


FORMULAS = {
    "a formula": "<f>1+1</f><v>2</v>",
    "an empty one": "<f/><v>2</v>",
    "one without a value": "<f>1+1</f>",
    "a shared one": '<f t="shared" ref="H2:H9" si="0">A1</f><v>2</v>',
    "a part of a shared one": '<f t="shared" si="0"/><v>2</v>',
    "an array": '<f t="array" ref="H2">SUM(A1:A9)</f><v>2</v>',
    "a table": '<f t="dataTable" ref="H2:H3" dt2D="1" r1="A1"/><v>2</v>',
    "after the value": "<v>2</v><f>1+1</f>",
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_anywhere_in_the_sheet_spoils_the_file(name: str) -> None:
    formula = Cell(FORMULAS[name])
    as_text = Cell(FORMULAS[name], "str")
    for cell in (formula, as_text):
        for rows in (
            [purchase(1, voucher_code=cell)],
            [purchase(1, amount_idr=cell)],
            [[*purchase(1), cell]],  # in a column that nobody asks for
            [purchase(1), row_xml(999, [cell])],
            [purchase(1), row_xml(1_000_000, [None, cell])],
        ):
            assert answer_to(build_parts(rows, columns=["Kota"])) == "file_undecodable"
        assert answer_to(build_parts([]) | {SHEET: sheet_xml([[*header(), cell], purchase(1)])}) == "file_undecodable"


def test_what_is_no_cells_formula_is_none() -> None:
    for after in (
        '<conditionalFormatting sqref="F2"><cfRule type="expression" priority="1"><formula>F2&gt;1</formula></cfRule>'
        "</conditionalFormatting>",
        '<dataValidations><dataValidation sqref="B2"><formula1>1</formula1></dataValidation></dataValidations>',
        '<extLst><ext uri="x"><a:f xmlns:a="urn:a">A1</a:f></ext></extLst>',
    ):
        assert answer_to(changed(SHEET, "</sheetData>", "</sheetData>" + after)) == GOOD
    names = '</sheets><definedNames><definedName name="x">SUM(Transaksi!A1)</definedName></definedNames>'
    assert answer_to(changed(WORKBOOK, "</sheets>", names)) == GOOD


# -- XML ---------------------------------------------------------------------------------------------------------------

READ = (ROOT_RELS, WORKBOOK, WORKBOOK_RELS, SHEET, STRINGS, STYLES)


def body_of(part: str) -> str:
    """A part of the good workbook, without its XML declaration."""
    return str(good_parts()[part]).partition("?>")[2].lstrip()


@pytest.mark.parametrize("part", READ)
def test_a_part_is_utf_8_with_a_mark_or_without_and_with_a_declaration_or_without(part: str) -> None:
    body = body_of(part)
    for written in (
        body,
        "\ufeff" + body,
        '\ufeff<?xml version="1.0" encoding="UTF-8"?>' + body,
        '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\r\n' + body,
        "<?xml version='1.0' encoding='Utf-8'?>" + body,
        "<!-- catatan -->" + body + "<!-- catatan -->\n",
        '<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>' + body,
    ):
        assert answer_to(good_parts() | {part: written}) == GOOD


@pytest.mark.parametrize("part", READ)
@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "iso-8859-1", "windows-1252", "utf-7"]
)
def test_a_part_in_another_encoding_spoils_the_file(part: str, encoding: str) -> None:
    declared = f'<?xml version="1.0" encoding="{encoding.upper()}"?><!-- é -->{body_of(part)}'
    data = declared.encode(encoding)
    assert answer_to(good_parts() | {part: data}) == "file_undecodable"


@pytest.mark.parametrize("part", READ)
@pytest.mark.parametrize("wrong", [b"\xe9", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\0", b"\x01"])
def test_a_byte_that_is_no_text_spoils_the_file(part: str, wrong: bytes) -> None:
    body = body_of(part).encode()
    assert answer_to(good_parts() | {part: body + b"<!-- " + wrong + b" -->"}) == "file_undecodable"


DECLARED = {
    "a document type": "<!DOCTYPE {root}>",
    "a document type elsewhere": '<!DOCTYPE {root} SYSTEM "file:///etc/passwd">',
    "an entity": '<!DOCTYPE {root} [<!ENTITY e "x">]>',
    "an outer entity": '<!DOCTYPE {root} [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    "an entity of parameters": '<!DOCTYPE {root} [<!ENTITY % e SYSTEM "http://127.0.0.1:9/x"> %e;]>',
    "an attribute": '<!DOCTYPE {root} [<!ATTLIST {root} x CDATA "y">]>',
    "entities of entities": '<!DOCTYPE {root} [<!ENTITY a "x"><!ENTITY b "&a;&a;">]>',
    "an element": "<!DOCTYPE {root} [<!ELEMENT {root} ANY>]>",
}


@pytest.mark.parametrize("part", READ)
@pytest.mark.parametrize("name", DECLARED)
def test_a_document_type_spoils_the_file(part: str, name: str) -> None:
    body = body_of(part)
    root = body[1:].split(" ")[0]
    written = '<?xml version="1.0"?>' + DECLARED[name].format(root=root) + body
    assert answer_to(good_parts() | {part: written}) == "file_undecodable"


@pytest.mark.parametrize("part", READ)
@pytest.mark.parametrize(
    "bent", ["cut off", "an open element", "text after", "two roots", "an entity", "a twin", "empty"]
)
def test_a_part_that_is_not_well_formed_spoils_the_file(part: str, bent: str) -> None:
    body = body_of(part)
    root = body[1:].split(" ")[0]
    written = {
        "cut off": body[:-5],
        "an open element": body.replace(f"</{root}>", f"<x></{root}>"),
        "text after": body + "x",
        "two roots": body + body,
        "an entity": body.replace(f"</{root}>", f"&nbsp;</{root}>"),
        "a twin": body.replace(f"<{root} ", f'<{root} a="1" a="2" ', 1),
        "empty": "",
    }[bent]
    assert answer_to(good_parts() | {part: written}) == "file_undecodable"


@pytest.mark.parametrize(
    "content", ["<v>&#0;</v>", "<v>&#1;</v>", "<v>\x0b</v>", "<v>&#xD800;</v>", "<v>&x;</v>", "<v>1</w>"]
)
def test_what_xml_has_no_character_for_spoils_the_file(content: str) -> None:
    assert answer_to(build_parts([purchase(1, voucher_code=Cell(content, "str"))])) == "file_undecodable"


@pytest.mark.parametrize("part", [WORKBOOK, SHEET, STRINGS, STYLES])
def test_a_namespace_may_have_any_prefix(part: str) -> None:
    body = body_of(part).replace("</", "\0").replace("<", "<x:").replace("\0", "</x:").replace("xmlns=", "xmlns:x=")
    assert answer_to(good_parts() | {part: body}) == GOOD


def test_a_strict_workbook_is_read() -> None:
    parts = {
        name: str(part).replace(MAIN, STRICT_MAIN).replace(OFFICE, STRICT_OFFICE) for name, part in good_parts().items()
    }
    assert answer_to(dict(parts)) == GOOD


@pytest.mark.parametrize("part", [WORKBOOK, SHEET, ROOT_RELS, WORKBOOK_RELS])
@pytest.mark.parametrize("namespace", ["urn:x", "", f"{MAIN}/"])
def test_what_is_of_no_known_namespace_is_no_workbook(part: str, namespace: str) -> None:
    known = PACKAGE if part.endswith(".rels") else MAIN
    found = answer_to(changed(part, f'xmlns="{known}"', f'xmlns="{namespace}"'))
    assert found == ("columns_missing" if part == WORKBOOK else "file_undecodable") or found == "file_undecodable"


def test_cells_of_another_namespace_are_none_of_the_sheet() -> None:
    stranger = '<y:row xmlns:y="urn:y" r="9"><y:c r="A9"><y:v>1</y:v></y:c></y:row>'
    found = answer_to(changed(SHEET, "</sheetData>", f"{stranger}</sheetData>"))
    assert found in (GOOD, "file_undecodable")


# -- archives ----------------------------------------------------------------------------------------------------------


def test_a_part_of_two_names_spoils_the_file() -> None:
    parts = list(good_parts().items())
    twin = sheet_xml([header(), purchase(9)])
    for name in (
        SHEET,
        SHEET.upper(),
        SHEET.replace("/", "\\"),
        f"/{SHEET}",
        f"./{SHEET}",
        "xl//worksheets/sheet1.xml",
    ):
        for at in (0, len(parts)):
            assert answer_of(XLSX, pack([*parts[:at], (name, twin), *parts[at:]])) == "file_undecodable"


@pytest.mark.parametrize("bent", ["cut off", "encrypted", "a wrong sum", "no archive", "empty", "a longer part"])
def test_an_archive_that_is_damaged_spoils_the_file(bent: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, part in good_parts().items():
            archive.writestr(name, part)
    data = packed.getvalue()
    damaged = {
        "cut off": data[:-30],
        "encrypted": data.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01").replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
        ),
        "a wrong sum": data.replace(b"1000000000000001", b"2000000000000001", 1),
        "no archive": b"PK\x03\x04" + b"\xff" * 500,
        "empty": b"",
        "a longer part": data.replace(b"</worksheet>", b"</worksheet> ", 1),
    }[bent]
    assert damaged != data
    assert answer_of(XLSX, damaged) == "file_undecodable"


def test_numbers_of_ignored_columns_are_ignored() -> None:
    rows = [[*purchase(n, course_id=value("s", "0")), number("NaN")] for n in (1, 2)]
    assert answer_to(build_parts(rows, strings=["<t>KLS</t>"], columns=["Kota"])) == GOOD
