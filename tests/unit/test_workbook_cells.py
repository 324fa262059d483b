"""ECMA-376 in the contract's sheet: what a cell holds, and where it stands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.read_files import Answer, answer_of
from tests.support.workbooks import (
    DATE_STYLE,
    FIELDS,
    SHEET,
    Cell,
    Cells,
    build_parts,
    header,
    moment,
    number,
    pack,
    purchase,
    row_xml,
    sheet_xml,
    text,
    value,
)

XLSX = "mau-belajar-apa"


def answer_to(rows: list[Cells | str], **options: Any) -> Answer:
    """The answer to a workbook with these rows below its header."""
    return answer_of(XLSX, pack(build_parts(rows, **options)))


def field(name: str, cell: Cell | None, **options: Any) -> Any:
    """What the one row of a workbook has in a field, or the reason of the rejection."""
    found = answer_to([purchase(1, **{name: cell})], **options)
    return found if isinstance(found, str) else only(found)[name]


def only(found: list[dict[str, Any]]) -> dict[str, Any]:
    (row,) = found
    assert row["raw"] is None
    return row


def values_of(answer: Answer, name: str) -> list[Any]:
    assert not isinstance(answer, str), f"rejected: {answer}"
    return [row[name] for row in answer]


# -- types -------------------------------------------------------------------------------------------------------------

TEXTS = {
    "inlineStr": (text("V1"), "V1"),
    "str": (value("str", "V1"), "V1"),
    "s": (value("s", "1"), "V1"),
    "e": (value("e", "#N/A"), "#N/A"),
    "n": (number("123", kind="n"), "123"),
    "no type": (number("123"), "123"),
    "a text in a date's format": (Cell("<is><t>V1</t></is>", "inlineStr", DATE_STYLE), "V1"),
    "digits as text": (text("0123"), "0123"),
    "an error as text": (text("#N/A"), "#N/A"),
    "a formula as text": (text("=1+1"), "=1+1"),
    "markup as text": (text("<f>1</f>&amp;"), "<f>1</f>&amp;"),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("column", ["transaction_id", "course_id", "voucher_code"])
def test_a_text_is_what_its_type_says(name: str, column: str) -> None:
    cell, meant = TEXTS[name]
    assert field(column, cell, strings=["<t>V0</t>", "<t>V1</t>"]) == meant


@pytest.mark.parametrize(
    "digits",
    ["9234567890123459", "9999999999999999", "777028766193332", "92345678901234591", "1.5E+15", "9007199254740993"],
)
def test_a_number_is_the_digits_that_the_file_holds(digits: str) -> None:
    assert field("card_number", number(digits)) == digits
    assert field("card_number", number(digits, kind="n", style=3)) == digits


@pytest.mark.parametrize("digits", ["1", "12345", "999999999999999", "9007199254740993", "12345678901234567890"])
def test_an_id_in_a_number_cell_is_its_digits(digits: str) -> None:
    assert field("transaction_id", number(digits)) == digits


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        (number("5000"), 5000),
        (number("5000", kind="n"), 5000),
        (number("5000.0"), 5000),
        (number("5E3"), 5000),
        (number("5.0E+03"), 5000),
        (number("-5000"), -5000),
        (number("0"), 0),
        (number("1000000"), 1_000_000),
        (number("4999.9999999999999999"), None),  # which a float takes for 5000
        (number("5000.5"), None),
        (number("1E999"), None),
        (text("5000"), None),
        (value("str", "5000"), None),
        (value("b", "1"), None),
        (value("e", "#N/A"), None),
        (value("d", "2021-03-10T12:00:00"), None),
        (Cell(), None),
        (None, None),
    ],
)
def test_an_amount_is_a_number_that_equals_a_whole_one(cell: Cell | None, amount: int | None) -> None:
    assert field("amount_idr", cell) == amount


@pytest.mark.parametrize(("name", "meant"), [("event", None), ("occurred_at", None), ("amount_idr", None)])
@pytest.mark.parametrize("content", ["0", "1"])
def test_a_truth_value_is_no_word_no_time_and_no_amount(name: str, meant: object, content: str) -> None:
    assert field(name, value("b", content)) == meant
    assert field(name, value("b", content, style=DATE_STYLE)) == meant


@pytest.mark.parametrize("content", ["abc", "1,5", "0x10", "1_000", "١٢", "--1", "1.2.3"])
def test_what_is_no_number_is_none_in_a_number_cell(content: str) -> None:
    for name in ("amount_idr", "occurred_at"):
        assert field(name, number(content, DATE_STYLE)) in (None, "file_undecodable")


@pytest.mark.parametrize("kind", ["x", "N", "string", "", "inlinestr", "S"])
def test_a_cell_of_an_unknown_type_spoils_the_file(kind: str) -> None:
    for content in ("<v>0</v>", "<is><t>V</t></is>"):
        assert field("voucher_code", Cell(content, kind), strings=["<t>V</t>"]) == "file_undecodable"


EMPTY = {
    "none": None,
    "no value": Cell(),
    "a style": Cell(style=DATE_STYLE),
    "a type": Cell(kind="s"),
    "a number's type": Cell(kind="n", style=1),
    "an empty value": Cell("<v></v>"),
    "an empty value of text": Cell("<v/>", "str"),
    "an empty text": Cell("<is><t></t></is>", "inlineStr"),
    "no text": Cell("<is/>", "inlineStr"),
    "an empty run": Cell("<is><r><t/></r></is>", "inlineStr"),
    "an empty shared string": value("s", "0"),
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_cell_is_an_empty_text_and_a_row_of_them_is_no_row(name: str) -> None:
    cell, strings = EMPTY[name], ["<t/>", "<t>V</t>"]
    for column in ("transaction_id", "card_number", "course_id", "voucher_code"):
        assert field(column, cell, strings=strings) == ""
    for column in ("event", "occurred_at", "amount_idr"):
        assert field(column, cell, strings=strings) is None
    rows = [[cell] * 7, purchase(1), [cell] * 9, [cell] * 7, purchase(2), [cell]]
    assert values_of(answer_to(rows, strings=strings, columns=["Kota"]), "line") == [3, 6]


# -- shared strings ----------------------------------------------------------------------------------------------------

NO_INDEX = (
    "-1",
    "2",
    "abc",
    "1.0",
    "0.5",
    "1e0",
    "0x1",
    "１",
    "1 0",
    "4294967296",
    "18446744073709551617",
    "NaN",
    "--1",
)


@pytest.mark.parametrize("index", NO_INDEX)
def test_an_index_that_is_no_shared_string_spoils_the_file(index: str) -> None:
    for name in ("voucher_code", "card_number"):
        assert field(name, value("s", index), strings=["<t>V0</t>", "<t>V1</t>"]) == "file_undecodable"


def test_an_index_without_shared_strings_spoils_the_file() -> None:
    assert field("voucher_code", value("s", "0")) == "file_undecodable"


RICH = {
    "runs": ("<r><t>20000000</t></r><r><t>00000001</t></r>", "2000000000000001"),
    "runs with a look": (
        '<r><rPr><b/><sz val="11"/><rFont val="t"/></rPr><t>a</t></r><r><t xml:space="preserve"> b</t></r>',
        "a b",
    ),
    "a phonetic run": ('<t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh><phoneticPr fontId="1"/>', "東京"),
    "runs and a phonetic one": ('<r><t>東</t></r><r><t>京</t></r><rPh sb="0" eb="1"><t>トウ</t></rPh>', "東京"),
    "nothing": ("", ""),
    "spaces that are kept": ('<t xml:space="preserve"> a </t>', " a "),
    "spaces": ("<t> 1000000000000001 </t>", " 1000000000000001 "),  # never trimmed into a card
    "a line break": ("<t>a\nb</t>", "a\nb"),
    "entities": ("<t>a&amp;b&lt;c&gt;&quot;&apos;</t>", "a&b<c>\"'"),
    "references": ("<t>&#65;&#x42;&#x1F600;</t>", "AB😀"),
    "unparsed text": ("<t><![CDATA[a<b&c]]></t>", "a<b&c"),
    "a comment within": ("<t>20<!-- x -->21</t>", "2021"),
    "an instruction within": ("<t>20<?x y?>21</t>", "2021"),
    "other scripts": ("<t>é字٣</t>", "é字٣"),
}


@pytest.mark.parametrize("name", RICH)
def test_a_text_of_runs_is_all_of_them_and_nothing_else(name: str) -> None:
    written, meant = RICH[name]
    strings = ["<t>other</t>", written, "<t>other</t>"]
    assert field("course_id", value("s", "1"), strings=strings) == meant
    assert field("course_id", Cell(f"<is>{written}</is>", "inlineStr")) == meant


ESCAPED = {
    "_x0041_": "A",
    "a_x000A_b": "a\nb",
    "_x00E9_": "é",
    "_x00e9_": "é",
    "_x0041__x0042_": "AB",
    "__x0041__": "_A_",
    "_x005F_x0041_": "_x0041_",
    "_x005F_": "_",
    "_xD83D__xDE00_": "😀",
    "_xD83D_": "\ufffd",
    "_x0000_": "\ufffd",
    "_x41_": "_x41_",
    "_x0041": "_x0041",
    "_x004_": "_x004_",
    "_X0041_": "_X0041_",
    "_x00G1_": "_x00G1_",
    "x0041_": "x0041_",
    "_x0031_000000000000001": "1000000000000001",
}


@pytest.mark.parametrize("written", ESCAPED)
def test_an_escaped_character_is_the_character(written: str) -> None:
    meant = ESCAPED[written]
    assert field("course_id", value("s", "0"), strings=[f"<t>{written}</t>"]) == meant
    assert field("course_id", Cell(f"<is><t>{written}</t></is>", "inlineStr")) == meant
    assert field("course_id", value("str", written)) == meant


# -- places ------------------------------------------------------------------------------------------------------------


def bare(cells: Cells) -> str:
    """Cells of which none says where it stands."""
    return "".join(Cell(cell.inside, cell.kind, cell.style, "").to_xml("") for cell in cells if cell is not None)


def full(ordinal: int) -> list[Cell | None]:
    return purchase(ordinal, voucher_code=text("V"))


def is_good(found: Answer, lines: list[int]) -> bool:
    """Whether an answer is good rows on these lines, each value in its column."""
    return (
        values_of(found, "line") == lines
        and values_of(found, "transaction_id") == [f"g-{n}" for n in range(1, len(lines) + 1)]
        and values_of(found, "card_number") == [f"{10**15 + n}" for n in range(1, len(lines) + 1)]
        and values_of(found, "amount_idr") == [5000] * len(lines)
        and values_of(found, "voucher_code") == ["V"] * len(lines)
        and None not in values_of(found, "occurred_at")
    )


PLACED = {
    "neither rows nor cells": ([f"<row>{bare(full(1))}</row>", f"<row>{bare(full(2))}</row>"], [2, 3]),
    "rows": ([f'<row r="2">{bare(full(1))}</row>', f'<row r="5">{bare(full(2))}</row>'], [2, 5]),
    "cells": ([row_xml(2, full(1)).replace('<row r="2"', "<row")], [2]),
    "a gap of rows": ([row_xml(2, full(1)), row_xml(7, full(2)), row_xml(1_000, full(3))], [2, 7, 1_000]),
    "a row after a far one": ([row_xml(10, full(1)), f"<row>{bare(full(2))}</row>"], [10, 11]),
    "a cell after a placed one": (
        [f'<row r="2">{bare(full(1)[:3])}{full(1)[3].to_xml("D2")}{bare(full(1)[4:])}</row>'],  # type: ignore[union-attr]
        [2],
    ),
    "spans": ([row_xml(2, full(1), ' spans="1:7" ht="15" customHeight="1"')], [2]),
    "wrong spans": ([row_xml(2, full(1), ' spans="1:2"')], [2]),
    "hidden": ([row_xml(2, full(1), ' hidden="1"'), row_xml(3, full(2), ' hidden="true" outlineLevel="1"')], [2, 3]),
    "an empty row that is far": ([row_xml(2, full(1)), '<row r="1048576" s="1" customFormat="1"/>'], [2]),
}


@pytest.mark.parametrize("name", PLACED)
def test_a_cell_is_in_the_column_where_it_stands(name: str) -> None:
    rows, lines = PLACED[name]
    assert is_good(answer_to([*rows]), lines)


UNORDERED = {
    "rows": [row_xml(3, full(2)), row_xml(2, full(1))],
    "cells": [
        '<row r="2">'
        + "".join(cell.to_xml(f"{letter}2") for letter, cell in zip("GFEDCBA", reversed(full(1)), strict=True) if cell)
        + "</row>"
    ],
    "small letters": [
        row_xml(2, [Cell(c.inside, c.kind, c.style, f"{p}2") for p, c in zip("abcdefg", full(1), strict=True) if c])
    ],
}


@pytest.mark.parametrize("name", UNORDERED)
def test_what_is_out_of_order_is_read_right_or_not_at_all(name: str) -> None:
    found = answer_to([*UNORDERED[name]])
    if not isinstance(found, str):
        found.sort(key=lambda row: row["line"])
        assert is_good(found, list(range(2, len(found) + 2)))
    else:
        assert found == "file_undecodable"


def replaced(place: str, at: int = 3) -> list[Cell | None]:
    """A good row one of whose cells says that it stands elsewhere."""
    cells = full(1)
    cell = cells[at]
    assert cell is not None
    cells[at] = Cell(cell.inside, cell.kind, cell.style, place)
    return cells


AMBIGUOUS: dict[str, list[Cells | str]] = {
    "a cell twice": [f'<row r="2">{"".join(c.to_xml(f"{p}2") for p, c in zip("ABCDEFG", full(1), strict=True) if c)}'
                     f'{text("V2").to_xml("G2")}</row>'],
    "a card twice": [f'<row r="2">{text("x").to_xml("A2")}{text("1").to_xml("D2")}{text("2").to_xml("D2")}</row>'],
    "a row twice": [row_xml(2, full(1)), row_xml(2, full(2))],
    "the header's row twice": [row_xml(1, full(1))],
    "a cell of another row": [replaced("D3")],
    "a cell of the header": [replaced("D1")],
}  # fmt: skip


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_two_values_in_one_place_spoil_the_file(name: str) -> None:
    assert answer_to(AMBIGUOUS[name]) == "file_undecodable"


@pytest.mark.parametrize(
    "place", ["D", "2", "2D", "D0", "AAAA2", "XFE2", "$D$2", "D2:E2", "D-2", "D 2", "Ｄ2", "D２", "D2.0", "R2C4", "D02"]
)
def test_a_cell_that_stands_nowhere_spoils_the_file(place: str) -> None:
    found = answer_to([replaced(place)])
    assert found in ("file_undecodable", "too_large") or (place == "D02" and is_good(found, [2]))


@pytest.mark.parametrize("line", ["0", "-1", "abc", "2.0", "1048577", "99999999999999999999", "", "２"])
def test_a_row_that_stands_nowhere_spoils_the_file(line: str) -> None:
    for cells in (bare(full(1)), ""):
        assert answer_to([f'<row r="{line}">{cells}</row>']) in ("file_undecodable", "too_large")


@pytest.mark.parametrize("column", ["XFD", "ABC", "H"])
def test_a_value_beside_the_columns_is_ignored(column: str) -> None:
    found = answer_to([f"{row_xml(2, full(1))[:-6]}{text('x').to_xml(column + '2')}</row>"])
    assert is_good(found, [2])


# -- rows --------------------------------------------------------------------------------------------------------------


def test_the_header_is_the_first_row_with_a_value_and_its_columns_are_found_by_name() -> None:
    order = [3, 0, 6, 1, 5, 2, 4]
    cells, names = full(1), header()
    shifted: list[Cell | None] = [None, None, text("Kota"), *(names[at] for at in order)]
    row: list[Cell | None] = [None, None, text("Kab. x"), *(cells[at] for at in order)]
    rows = [row_xml(1, [Cell(style=1)] * 12), row_xml(4, shifted), row_xml(5, row)]
    parts = build_parts([]) | {SHEET: sheet_xml(rows)}
    assert is_good(answer_of(XLSX, pack(parts)), [5])


@pytest.mark.parametrize("bent", ["missing", "twice", "another letter case", "with a space", "a number", "no rows"])
def test_a_column_that_is_not_there_once_spoils_the_file(bent: str) -> None:
    names = header()
    names[3] = {
        "another letter case": text("nomor kartu"),
        "with a space": text("Nomor Kartu "),
        "a number": number("4"),
    }.get(bent, None if bent == "missing" else text("Nomor Kartu"))
    if bent == "twice":
        names.append(text("Nomor Kartu"))
    rows = [] if bent == "no rows" else [names, full(1)]
    assert answer_of(XLSX, pack(build_parts([]) | {SHEET: sheet_xml(rows)})) == "columns_missing"


def test_the_header_may_be_written_in_any_kind_of_text() -> None:
    names = [value("s", "0"), value("str", "Status"), *header()[2:]]
    rows = [names, full(1)]
    parts = build_parts([], strings=['<r><t xml:space="preserve">ID </t></r><r><t>Transaksi</t></r>']) | {
        SHEET: sheet_xml(rows)
    }
    assert is_good(answer_of(XLSX, pack(parts)), [2])


def test_merged_cells_have_one_value_where_they_begin() -> None:
    rows = [full(1), purchase(2, card_number=Cell(style=0))]
    found = answer_to([*rows], after='<mergeCells count="1"><mergeCell ref="D2:D3"/></mergeCells>')
    assert values_of(found, "card_number") == ["1000000000000001", ""]


def test_a_row_of_one_value_is_a_row() -> None:
    for at, name in enumerate(FIELDS):
        cells: list[Cell | None] = [None] * 7
        cells[at] = moment() if name == "occurred_at" else number("5") if name == "amount_idr" else text("x")
        assert values_of(answer_to([full(1), cells]), "line") == [2, 3]
    assert values_of(answer_to([full(1), [text(" ")]]), "line") == [2, 3]
    assert values_of(answer_to([full(1), [number("0")]]), "line") == [2, 3]
    assert values_of(answer_to([full(1), [value("b", "0")]]), "line") == [2, 3]


@pytest.mark.parametrize("name", ["transaction_id", "course_id", "voucher_code"])
def test_a_field_of_more_than_a_mebibyte_spoils_its_row(name: str) -> None:
    for size, is_readable in ((2**20, True), (2**20 + 1, False)):
        found = answer_to([full(1), purchase(2, **{name: text("k" * size)})])
        assert [raw is None for raw in values_of(found, "raw")] == [True, is_readable]
