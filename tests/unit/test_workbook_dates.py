"""ECMA-376's dates: two systems of serial numbers, and the number formats that make a number a date."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from prakerja.settings import WIB
from tests.support.read_files import answer_of
from tests.support.workbooks import (
    DATE_STYLE,
    NOON,
    STYLES,
    USUAL_FORMATS,
    WORKBOOK_RELS,
    Cell,
    build_parts,
    moment,
    number,
    pack,
    purchase,
    text,
    value,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOON_AT = datetime(2021, 3, 10, 12, tzinfo=WIB)
MIDNIGHT = datetime(2021, 3, 10, tzinfo=WIB)
SINCE_1904 = '<workbookPr date1904="1"/>'


def microseconds_of(cell: Cell | None, **options: Any) -> int | str | None:
    """The instant that a time's cell comes to, or the reason of the rejection."""
    found = answer_of("mau-belajar-apa", pack(build_parts([purchase(1, occurred_at=cell)], **options)))
    if isinstance(found, str):
        return found
    (row,) = found
    microseconds: int | None = row["occurred_at"]
    return microseconds


def instant_of(cell: Cell | None, **options: Any) -> datetime | str | None:
    found = microseconds_of(cell, **options)
    return EPOCH + timedelta(microseconds=found) if isinstance(found, int) else found


# -- serial numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("serial", "day"),
    [
        ("1.5", date(1900, 1, 1)),
        ("31.5", date(1900, 1, 31)),
        ("32.5", date(1900, 2, 1)),
        ("59.5", date(1900, 2, 28)),
        ("61.5", date(1900, 3, 1)),  # 60 is the 29th of February 1900, which there was not
        ("366.5", date(1900, 12, 31)),
        ("367.5", date(1901, 1, 1)),
        ("25569.5", date(1970, 1, 1)),
        ("44265.5", date(2021, 3, 10)),
        ("2958465.5", date(9999, 12, 31)),
    ],
)
def test_days_are_counted_from_1900_with_a_day_that_there_was_not(serial: str, day: date) -> None:
    for properties in ("", '<workbookPr date1904="0"/>', '<workbookPr date1904="false"/>', "<workbookPr/>"):
        found = microseconds_of(moment(serial), properties=properties)
        assert isinstance(found, int)
        assert (EPOCH.replace(tzinfo=None) + timedelta(microseconds=found, hours=7)).date() == day


@pytest.mark.parametrize(
    ("serial", "day"),
    [
        ("0.5", date(1904, 1, 1)),
        ("1.5", date(1904, 1, 2)),
        ("58.5", date(1904, 2, 28)),
        ("59.5", date(1904, 2, 29)),  # and this one there was
        ("60.5", date(1904, 3, 1)),
        ("42803.5", date(2021, 3, 10)),
        ("2957003.5", date(9999, 12, 31)),
    ],
)
def test_days_are_counted_from_1904_where_the_workbook_says_so(serial: str, day: date) -> None:
    for properties in (SINCE_1904, '<workbookPr date1904="true" defaultThemeVersion="1"/>'):
        found = microseconds_of(moment(serial), properties=properties)
        assert isinstance(found, int)
        assert (EPOCH.replace(tzinfo=None) + timedelta(microseconds=found, hours=7)).date() == day


@pytest.mark.parametrize(
    ("serial", "properties"),
    [
        ("60", ""),
        ("60.5", ""),
        ("60.99999999", ""),
        ("-1", ""),
        ("-0.0000001", ""),
        ("-44265.5", ""),
        ("2958466", ""),
        ("2958466.00001", ""),
        ("1E300", ""),
        ("-62135596800000", ""),
        ("99999999999999999999999999", ""),
        ("NaN", ""),
        ("INF", ""),
        ("-INF", ""),
        ("-1", SINCE_1904),
        ("2957004", SINCE_1904),
        ("1E300", SINCE_1904),
    ],
)
def test_a_serial_that_is_no_day_is_no_time(serial: str, properties: str) -> None:
    assert microseconds_of(moment(serial), properties=properties) is None


@pytest.mark.parametrize("serial", ["0", "0.0", "0.5", "0.99999"])
def test_a_time_without_a_day_is_none_of_this_century(serial: str) -> None:
    found = microseconds_of(moment(serial))
    assert found is None or (isinstance(found, int) and found < -2_208_000_000_000_000)  # before 1900-01-13


@pytest.mark.parametrize(
    ("serial", "since_midnight"),
    [
        ("44265", timedelta()),
        ("44265.0", timedelta()),
        ("44265.25", timedelta(hours=6)),
        ("4.42655E4", timedelta(hours=12)),
        ("44265.5000000000000000000000000000", timedelta(hours=12)),
        ("44265.041666666664", timedelta(hours=1)),  # as programs write it
        ("44265.958333333336", timedelta(hours=23)),
    ],
)
def test_a_part_of_a_day_is_its_time(serial: str, since_midnight: timedelta) -> None:
    found = instant_of(moment(serial))
    assert isinstance(found, datetime)
    assert abs(found - MIDNIGHT - since_midnight) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "serial", ["44265.9999999999", "44265.999999999999", "44265.99999999999999999999", "44265.9999999942"]
)
def test_a_time_is_never_rounded_up_to_the_next_day(serial: str) -> None:
    found = instant_of(moment(serial))
    assert isinstance(found, datetime)
    assert timedelta(hours=23, minutes=59, seconds=59) < found - MIDNIGHT < timedelta(days=1)
    assert instant_of(moment("44266.00000000000000000001")) == MIDNIGHT + timedelta(days=1)


def test_the_same_day_is_another_number_in_each_system() -> None:
    assert instant_of(moment("44265.5")) == NOON_AT
    assert instant_of(moment("42803.5"), properties=SINCE_1904) == NOON_AT
    assert instant_of(moment("44265.5"), properties=SINCE_1904) == NOON_AT + timedelta(days=1462)


# -- number formats ----------------------------------------------------------------------------------------------------

DATES: tuple[int | str, ...] = (
    *range(14, 23),
    "yyyy-mm-dd hh:mm:ss",
    "YYYY-MM-DD HH:MM:SS",
    "dd/mm/yyyy hh:mm",
    "d",
    "m/d/yy",
    "hh:mm:ss",
    "h:mm AM/PM",
    "ss.000",
    "mmmm",
    r"[$-421]dd\ mmmm\ yyyy;@",
    r"[$-F800]dddd\,\ mmmm\ dd\,\ yyyy",
    r"[$-409]h:mm\ AM/PM;@",
    "[$-id-ID]dd mmmm yyyy",
    'yyyy"年"m"月"d"日"',
    'dd" hari "mm',
    "[Red]dd/mm/yyyy",
    "[Color10]yyyy",
    "[>44000]dd/mm/yyyy;0",
    r"yyyy\-mm\-dd\Thh:mm",
    "_-dd/mm/yyyy_-",
    "dd/mm/yyyy;;;@",
    "* dd/mm/yyyy",
)
NO_DATES: tuple[int | str, ...] = (
    *(0, 1, 2, 3, 4, 9, 10, 11, 12, 13, 37, 38, 39, 40, 41, 42, 43, 44, 48, 49),
    "General",
    "GENERAL",
    "0",
    "#,##0.00",
    "@",
    "0.00E+00",
    "# ?/?",
    '0" days"',
    '"tanggal "0',
    r"\d0",
    r"0\h",
    "_d0",
    "*d0",
    "[Red]0",
    "[Red]General",
    "[Blue][<5]0;[Yellow]0",
    "[Color10]0",
    "[$Rp-421] #,##0",
    '_-[$Rp-3809]* #,##0_-;\\-[$Rp-3809]* #,##0_-;_-[$Rp-3809]* "-"_-;_-@_-',
    "[$USD-409] 0",
    '"ymdhs"',
    '"a""d"0',
    r"\"0\"",
    "0;[Red]-0",
)
ELAPSED: tuple[int | str, ...] = (46, "[h]:mm:ss", "[mm]:ss", "[s]", "[hh]:mm", "[H]:MM")
#: Built in for some languages of East Asia; times without a day.
ELSEWHERE: tuple[int | str, ...] = (*range(27, 37), 45, 47, *range(50, 59), *range(71, 82), "mm:ss")


@pytest.mark.parametrize("format_", DATES)
def test_a_number_in_a_format_of_dates_is_a_date(format_: int | str) -> None:
    assert instant_of(number(NOON, 1), formats=(0, format_)) == NOON_AT
    assert instant_of(number(NOON, 1, "n"), formats=(0, format_, 49)) == NOON_AT


@pytest.mark.parametrize("format_", NO_DATES)
def test_a_number_in_another_format_is_none(format_: int | str) -> None:
    assert microseconds_of(number(NOON, 1), formats=(14, format_)) is None


@pytest.mark.parametrize("format_", [*ELAPSED, *ELSEWHERE])
def test_a_duration_or_another_countrys_date_is_the_date_or_none(format_: int | str) -> None:
    assert instant_of(number(NOON, 1), formats=(0, format_)) in (None, NOON_AT)


def test_a_number_without_a_style_is_no_date() -> None:
    assert microseconds_of(number(NOON)) is None
    assert microseconds_of(number(NOON, 0)) is None
    assert instant_of(number(NOON), formats=(14,)) == NOON_AT  # a style that is not said is the first


def test_only_the_formats_of_cells_count() -> None:
    plain = build_parts([purchase(1, occurred_at=number(NOON, 1))], formats=(0, 0, 14))
    styles = str(plain[STYLES])
    named = styles.replace('<cellStyleXfs count="1"><xf/>', '<cellStyleXfs count="2"><xf/><xf numFmtId="14"/>')
    for written in (styles, named):
        (row,) = answer_of("mau-belajar-apa", pack(plain | {STYLES: written}))
        assert row["occurred_at"] is None  # type: ignore[index]


def test_the_look_of_a_condition_is_no_format_of_cells() -> None:
    parts = build_parts([purchase(1, occurred_at=number(NOON, 1))], formats=(0, "yyyy-mm-dd"))
    condition = '<dxfs count="1"><dxf><numFmt numFmtId="164" formatCode="0.00"/></dxf></dxfs></styleSheet>'
    changed = str(parts[STYLES]).replace("</styleSheet>", condition)
    found = answer_of("mau-belajar-apa", pack(parts | {STYLES: changed}))
    assert isinstance(found, list)
    assert found[0]["occurred_at"] is not None


@pytest.mark.parametrize("style", [4, 99, 2**32])
def test_a_style_that_is_not_there_makes_no_date(style: int) -> None:
    assert microseconds_of(number(NOON, style), formats=USUAL_FORMATS) in (None, "file_undecodable")


def test_without_styles_no_number_is_a_date() -> None:
    parts = build_parts([purchase(1), purchase(2, occurred_at=text("2021-03-10 12:00:00"))])
    del parts[STYLES]
    styles = '<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles"'
    rels = str(parts[WORKBOOK_RELS])
    without = rels.replace(f'{styles} Target="styles.xml"/>', "")
    assert without != rels
    for written in (rels, without):
        found = answer_of("mau-belajar-apa", pack(parts | {WORKBOOK_RELS: written}))
        if isinstance(found, str):
            assert found == "file_undecodable"
        else:
            assert found[0]["occurred_at"] is None


# -- other cells -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "instant"),
    [
        (text("2021-03-10 12:00:00"), NOON_AT),
        (value("str", "2021-03-10 12:00:00"), NOON_AT),
        (value("s", "0"), NOON_AT),
        (Cell("<is><t>2021-03-10 12:00:00</t></is>", "inlineStr", DATE_STYLE), NOON_AT),
        (text("2021-03-10T12:00:00"), None),
        (text("2021-03-10"), None),
        (text("2021-03-10 12:00"), None),
        (text("10/03/2021 12:00:00"), None),
        (text("2021-02-29 12:00:00"), None),
        (text("2021-03-10 24:00:00"), None),
        (text(" 2021-03-10 12:00:00"), None),
        (text("2021-03-10 12:00:00 "), None),
        (text("٢٠٢١-03-10 12:00:00"), None),
        (text(NOON), None),
        (Cell(f"<is><t>{NOON}</t></is>", "inlineStr", DATE_STYLE), None),
        (value("str", NOON, DATE_STYLE), None),
        (value("b", "1", DATE_STYLE), None),
        (value("e", "#N/A", DATE_STYLE), None),
        (Cell(style=DATE_STYLE), None),
        (None, None),
    ],
)
def test_a_text_is_a_time_only_in_the_form_of_the_contract(cell: Cell | None, instant: datetime | None) -> None:
    assert instant_of(cell, strings=["<t>2021-03-10 12:00:00</t>"]) == instant


@pytest.mark.parametrize(
    ("content", "instant"),
    [
        ("2021-03-10T12:00:00", NOON_AT),
        ("2021-03-10T12:00:00.5", NOON_AT + timedelta(milliseconds=500)),
        ("2021-03-10", MIDNIGHT),
        ("2021-02-30T12:00:00", None),
        ("2021-03-10T25:00:00", None),
        ("besok", None),
        ("12:00:00", None),
        (NOON, None),
        ("٢٠٢١-03-10", None),
    ],
)
def test_a_date_may_be_written_as_iso_8601_in_a_cell_of_dates(content: str, instant: datetime | None) -> None:
    for style in (None, DATE_STYLE):
        assert instant_of(value("d", content, style)) == instant


def test_the_last_instant_of_a_cell_of_dates_is_cut_and_never_rounded() -> None:
    found = instant_of(value("d", "2021-03-10T23:59:59.9999999"))
    assert found in (None, MIDNIGHT + timedelta(days=1, microseconds=-1))


def test_a_date_in_another_column_is_no_text() -> None:
    for name in ("event", "card_number", "amount_idr"):
        found = answer_of("mau-belajar-apa", pack(build_parts([purchase(1, **{name: moment()})])))
        assert isinstance(found, list)
        (row,) = found
        assert row["event"] is None if name == "event" else True
        assert row["amount_idr"] is None if name == "amount_idr" else True
