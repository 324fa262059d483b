"""Files of other people's software, and of people who mean harm, that nobody had tried before."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from prakerja.cohorts.roster import take_in_rosters
from prakerja.feeds import expectations, intake, overview, quarantine  # noqa: F401 - imported before memory is bounded
from prakerja.feeds.delivery import REVISION
from tests.support.dialects import csv_file
from tests.support.landing_zone import deliver, deliver_roster
from tests.support.read_files import answer_of
from tests.support.workbooks import (
    MAIN,
    SHEET,
    STRINGS,
    STYLES,
    WORKBOOK,
    Parts,
    build_parts,
    header,
    pack,
    purchase,
    sheet_xml,
    text,
    value,
)

XLSX = "mau-belajar-apa"
DAY, CLOCK = "2021-03-10", date(2021, 3, 11)
SECONDS_MAX = 10
PERSON = 2 * 10**15 + 1


def good_parts() -> Parts:
    """A workbook of two rows; courses and cards are shared strings."""
    rows = [purchase(n, course_id=value("s", "0"), card_number=value("s", str(n))) for n in (1, 2)]
    return build_parts(rows, strings=["<t>KLS</t>", *(f"<t>{10**15 + n}</t>" for n in (1, 2))])


def changed(part: str, old: str, new: str) -> Parts:
    """The good parts with a text of one of them replaced."""
    parts = good_parts()
    assert old in str(parts[part])
    return parts | {part: str(parts[part]).replace(old, new, 1)}


GOOD = answer_of(XLSX, pack(good_parts()))


# -- what other software writes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["s", "b", "e", "d", "n", "str"])
@pytest.mark.parametrize("empty", ["<v></v>", "<v/>"])
def test_a_cell_of_a_type_with_an_empty_value_is_an_empty_cell(kind: str, empty: str) -> None:
    """As in Excel; exporters write every cell of a column with its type (rimland/EPPlus#1)."""
    rows = [[*purchase(n)[:6], value(kind, "")] for n in (1, 2)]
    written = pack(build_parts(rows, strings=["<t>V</t>"])).replace(b"<v></v>", empty.encode())
    if empty == "<v/>":  # of another length: packed anew
        parts = build_parts(rows, strings=["<t>V</t>"])
        written = pack(parts | {SHEET: str(parts[SHEET]).replace("<v></v>", empty)})
    found = answer_of(XLSX, written)
    assert isinstance(found, list), found
    assert [row["voucher_code"] for row in found] == ["", ""]


def test_empty_styles_are_ignored() -> None:
    rows = [purchase(n, occurred_at=text("2021-03-10 12:00:00")) for n in (1, 2)]
    parts = build_parts(rows)
    without = answer_of(XLSX, pack(parts))
    assert answer_of(XLSX, pack(parts | {STYLES: f'<styleSheet xmlns="{MAIN}"/>'})) == without


# -- values that are read as others ------------------------------------------------------------------------------------

#: What shared strings never have: each shifts the strings behind it, or changes one.
OTHER_TEXTS = {
    "an item of another namespace": ("<si><t>KLS</t></si>", '<z:si xmlns:z="u"/><si><t>KLS</t></si>'),
    "a text of another namespace": ("<t>1000000000000001</t>", '<t>100000000000000</t><z:t xmlns:z="u">9</z:t>'),
    "two alternatives": (
        "<t>1000000000000001</t>",
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice>'
        "<t>10000000</t></mc:Choice><mc:Fallback><t>00000009</t></mc:Fallback></mc:AlternateContent>",
    ),
    "an item in an extension": (
        "<si><t>KLS</t></si>",
        "<extLst><ext><si><t>KLS</t></si></ext></extLst><si><t>KLS</t></si>",
    ),
    "an item in an item": ("<si><t>KLS</t></si>", "<si><si><t>x</t></si><t>KLS</t></si>"),
    "an element in a text": ("<t>1000000000000001</t>", "<t>100000000000000<b>9</b></t>"),
}


@pytest.mark.parametrize("name", OTHER_TEXTS)
def test_a_shared_string_is_what_it_is_or_the_file_is_refused(name: str) -> None:
    old, new = OTHER_TEXTS[name]
    assert answer_of(XLSX, pack(changed(STRINGS, old, new))) in ("file_undecodable", GOOD)


OTHER_PLACES = {
    "styles of another namespace": (
        STYLES,
        '<cellXfs count="4">',
        '<z:cellXfs xmlns:z="u"><z:xf numFmtId="0"/></z:cellXfs><cellXfs count="4">',
    ),
    "properties in an extension": (
        WORKBOOK,
        "</sheets>",
        '</sheets><extLst><ext uri="x"><workbookPr date1904="1"/></ext></extLst>',
    ),
    "properties twice": (WORKBOOK, "<sheets>", '<workbookPr date1904="1"/><workbookPr date1904="0"/><sheets>'),
}


@pytest.mark.parametrize("name", OTHER_PLACES)
def test_days_are_counted_as_the_workbook_says_and_as_nothing_else_does(name: str) -> None:
    assert answer_of(XLSX, pack(changed(*OTHER_PLACES[name]))) in ("file_undecodable", GOOD)


# -- who is held -------------------------------------------------------------------------------------------------------


def escaped(characters: str) -> str:
    """The characters as JSON escapes them."""
    units = characters.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


@pytest.mark.parametrize(
    "card",
    [
        "".join(chr(0x1D7CE + int(digit)) for digit in str(PERSON)),
        f"20000000{chr(0xE0020)}00000001",
        f"20000000{chr(0x200B)}00000001",
    ],
)
def test_a_card_in_an_unreadable_row_is_found_as_written_and_as_escaped(card: str) -> None:
    for written in (card, "".join(each if each.isascii() else escaped(each) for each in card)):
        row = f'{{"cardNumber":"{written}","cardNumber":"x"}}'
        assert quarantine.cards_in(row, is_json=True) == [(PERSON, PERSON)]


@pytest.mark.parametrize(
    ("number", "same"), [("2.5E00015", "2.5E15"), ("2.5e+000015", "2.5e15"), ("25E-00000", "25E0")]
)
def test_an_exponent_may_have_zeros_before_it(number: str, same: str) -> None:
    for is_number in (False, True):
        held = quarantine.cards_like(same, is_number=is_number)
        assert quarantine.cards_like(number, is_number=is_number) == held


# -- keys and names ----------------------------------------------------------------------------------------------------


def test_a_key_twice_is_seen_whatever_the_rows_look_like() -> None:
    document = b'{"platform":"sekolah.mu","a[]":1,"a[]":2,"data":[]}'
    assert answer_of("sekolahmu", document) == "file_undecodable"


def test_keys_that_look_like_the_rows_are_no_key_twice() -> None:
    document = b'{"platform":"sekolah.mu","a[]":1,"anull":2,"data":[]}'
    assert answer_of("sekolahmu", document) == []


def test_a_link_to_itself_keeps_no_delivery_out(home: Path) -> None:
    folder = deliver(home / "landing", "sekolahmu", DAY, [])
    (folder.parent / "r2").symlink_to("r2")
    taken = intake.take_in("sekolahmu", CLOCK)
    assert len(taken.accepted) == 1
    assert [line.split()[0] for line in taken.rejected] == ["feeds/sekolahmu/2021-03-10/r2"]


def test_a_revision_is_written_in_ascii() -> None:
    assert not REVISION.fullmatch("r1\u0662")


def test_an_archive_with_two_directories_is_refused() -> None:
    """The end record leads to one, its ZIP64 record to another, where two sheets have changed names."""
    others = sheet_xml([header(), *[purchase(n, card_number=text(f"{PERSON + n}")) for n in (1, 2)]])
    data = pack(good_parts() | {"xl/worksheets/sheet9.xml": others})
    end = data.rfind(b"PK\x05\x06")
    count, size, start = struct.unpack("<HLL", data[end + 10 : end + 20])
    second = data[start:end]
    first = second.replace(b"sheet1", b"sheetX").replace(b"sheet9", b"sheet1").replace(b"sheetX", b"sheet9")
    zip64 = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start + size)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + 2 * size, 1)
    bent = data[:start] + first + second + zip64 + locator + data[end:]
    assert answer_of(XLSX, bent) == "file_undecodable"


# -- hostile files -----------------------------------------------------------------------------------------------------


def with_a_long_namespace() -> bytes:
    """A namespace of 100 kB, and 100,000 elements of it: each is handed out with its whole name."""
    elements = f'<x xmlns:z="{"z" * 100_000}">{"<z:a/>" * 100_000}</x><sheetData>'
    return pack(changed(SHEET, "<sheetData>", elements))


def with_a_long_comment() -> bytes:
    """A comment of 80 MB, which the parser looks through from its beginning with every block."""
    return pack(changed(SHEET, "<sheetData>", f"<!--{'z' * 80_000_000}--><sheetData>"))


def with_styles_without_end() -> bytes:
    """Three million styles in 15 MB."""
    return pack(changed(STYLES, '<xf numFmtId="0"', f'{"<xf/>" * 3_000_000}<xf numFmtId="0"'))


def with_a_long_number_format() -> bytes:
    """A number format of 130,000 brackets, none of which is closed."""
    parts = changed(STYLES, "</numFmts>", f'<numFmt numFmtId="999" formatCode="{"[" * 130_000}"/></numFmts>')
    return pack(parts | {STYLES: str(parts[STYLES]).replace('<xf numFmtId="0"', '<xf numFmtId="999"', 1)})


def with_a_long_number_format_of_many_styles() -> bytes:
    """A number format of a megabyte that 1,000 styles have."""
    parts = changed(STYLES, "</numFmts>", f'<numFmt numFmtId="999" formatCode="{"0" * 1_000_000}"/></numFmts>')
    styles = '<xf numFmtId="999"/>' * 1_000 + '<xf numFmtId="0"'
    return pack(parts | {STYLES: str(parts[STYLES]).replace('<xf numFmtId="0"', styles, 1)})


def with_many_sheets() -> bytes:
    """Fourteen thousand sheets in half a megabyte."""
    return pack(changed(WORKBOOK, "<sheets>", "<sheets>" + "".join(f'<sheet name="s{n}"/>' for n in range(14_000))))


def with_one_text_in_many_columns() -> bytes:
    """One shared string of a megabyte in 2,000 cells of one row."""
    parts = changed(STRINGS, "<t>KLS</t>", f"<t>{'x' * 1_000_000}</t>")
    cells = '<c t="s"><v>0</v></c>' * 2_000
    return pack(parts | {SHEET: str(parts[SHEET]).replace("</sheetData>", f"<row>{cells}</row></sheetData>")})


def with_one_text_in_many_rows() -> bytes:
    """One shared string of a megabyte in the seven cells of 2,000 rows."""
    parts = changed(STRINGS, "<t>KLS</t>", f"<t>{'x' * 1_000_000}</t>")
    cells = '<c t="s"><v>0</v></c>' * 7
    rows = f"<row>{cells}</row>" * 2_000
    return pack(parts | {SHEET: str(parts[SHEET]).replace("</sheetData>", f"{rows}</sheetData>")})


HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a long namespace": (XLSX, with_a_long_namespace),
    "a long comment": (XLSX, with_a_long_comment),
    "styles without end": (XLSX, with_styles_without_end),
    "a long number format": (XLSX, with_a_long_number_format),
    "a long number format of many styles": (XLSX, with_a_long_number_format_of_many_styles),
    "many sheets": (XLSX, with_many_sheets),
    "one text in many columns": (XLSX, with_one_text_in_many_columns),
    "one text in many rows": (XLSX, with_one_text_in_many_rows),
    "rows of one character": ("tokopedia", lambda: csv_file("tokopedia", ["a"] * 2_000_000)),
    "rows of one character, packed": ("pijar-mahir", lambda: csv_file("pijar-mahir", ["a"] * 2_000_000)),
    "records of one character": (
        "sekolahmu",
        lambda: b'{"platform":"sekolah.mu","data":[' + b"0," * 20_000_000 + b"0]}",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.usefixtures("bounded")
def test_a_hostile_file_is_rejected_within_bounds(home: Path, kind: str) -> None:
    platform, make = HOSTILE[kind]
    deliver(home / "landing", platform, DAY, [], data=make(), file={"rows": 2, "amount_idr": 10_000})
    began = time.process_time()
    taken = intake.take_in(platform, CLOCK)
    assert not [line for line in taken.rejected if "this is a defect" in line]
    assert overview.list_deliveries()[0]["status"] == "rejected"
    assert time.process_time() - began < SECONDS_MAX


@pytest.mark.usefixtures("bounded")
def test_a_roster_of_more_rows_than_declared_is_rejected_within_bounds(home: Path) -> None:
    folder = deliver_roster(home / "landing", 12, [",,,,,"] * 20_000_000, "2021-03-05", "2021-03-13")
    manifest = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(manifest.replace('"rows": 20000000', '"rows": 10'))
    began = time.process_time()
    (told,) = take_in_rosters(CLOCK).rejected
    assert "row_count_mismatch" in told
    assert time.process_time() - began < SECONDS_MAX
