"""RFC 4180, section 2, in the four dialects of CSV: each of its rules, what keeps it and what breaks it."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from tests.support.dialects import CSV, csv_file, csv_header, csv_line, pack_text
from tests.support.read_files import Answer, answer_of, raws_of
from tests.support.workbooks import FIELDS

PLATFORMS = sorted(CSV)


def ids_of(answer: Answer) -> list[str]:
    """The ids of rows all of which are readable."""
    assert set(raws_of(answer)) <= {None}
    return values_of(answer, "transaction_id")


def values_of(answer: Answer, field: str) -> list[Any]:
    assert not isinstance(answer, str), f"rejected: {answer}"
    return [row[field] for row in answer]


def three(platform: str, middle: str) -> list[str]:
    """Three lines, of which the second is as it is given."""
    return [csv_line(platform, 1), middle, csv_line(platform, 3)]


def text_of(platform: str, data: bytes) -> bytes:
    return gzip.decompress(data) if CSV[platform].is_packed else data


# -- 1 to 3: records, their ends, the header ---------------------------------------------------------------------------


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("is_ended", [True, False])
def test_a_record_is_a_line_and_the_last_may_lack_its_end(platform: str, end: str, is_ended: bool) -> None:
    data = text_of(platform, csv_file(platform, [csv_line(platform, n) for n in (1, 2, 3)], end=end))
    data = data if is_ended else data.removesuffix(end.encode())
    assert ids_of(answer_of(platform, pack_text(platform, data))) == ["g-1", "g-2", "g-3"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_lines_may_end_in_different_ways(platform: str) -> None:
    lines = [csv_line(platform, 1) + "\r", csv_line(platform, 2), csv_line(platform, 3) + "\r"]
    assert ids_of(answer_of(platform, csv_file(platform, lines))) == ["g-1", "g-2", "g-3"]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("at", ["between", "in a field", "in quotes", "in the header", "twice", "at the end", "first"])
def test_a_carriage_return_alone_spoils_the_file(platform: str, at: str) -> None:
    good = [csv_line(platform, n) for n in (1, 2, 3)]
    data = {
        "between": csv_file(platform, ["\r".join(good)], rows=3),
        "in a field": csv_file(platform, [*good, csv_line(platform, voucher_code="V\r1")]),
        "in quotes": csv_file(platform, [*good, csv_line(platform, voucher_code='"V\r1"')]),
        "in the header": csv_file(platform, good, header=csv_header(platform, more=CSV[platform].separator + "k\rota")),
        "twice": csv_file(platform, good, end="\r\r\n"),
        "at the end": pack_text(platform, text_of(platform, csv_file(platform, good)) + b"\r"),
        "first": pack_text(platform, b"\r" + text_of(platform, csv_file(platform, good))),
    }[at]
    assert answer_of(platform, data) == "file_undecodable"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_header_names_the_columns_in_any_order_and_may_be_quoted(platform: str) -> None:
    order = tuple(reversed(FIELDS))
    lines = [csv_line(platform, n, order=order) for n in (1, 2)]
    header = csv_header(platform, order=order)
    for written in (
        header,
        CSV[platform].separator.join(f'"{name}"' for name in header.split(CSV[platform].separator)),
    ):
        found = answer_of(platform, csv_file(platform, lines, header=written))
        assert ids_of(found) == ["g-1", "g-2"]
        assert values_of(found, "card_number") == ["1000000000000001", "1000000000000002"]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("bent", ["missing", "twice", "another letter case", "with a space", "no header"])
def test_a_column_that_is_not_there_once_spoils_the_file(platform: str, bent: str) -> None:
    header, separator = csv_header(platform), CSV[platform].separator
    name = CSV[platform].columns[3]
    written = {
        "missing": header.replace(name, "lain"),
        "twice": header + separator + name,
        "another letter case": header.replace(name, name.swapcase()),
        "with a space": header.replace(name, name + " "),
        "no header": csv_line(platform, 7),
    }[bent]
    assert answer_of(platform, csv_file(platform, [csv_line(platform, 1)], header=written)) == "columns_missing"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_day_without_rows_has_a_header(platform: str) -> None:
    assert answer_of(platform, csv_file(platform, [])) == []
    assert answer_of(platform, pack_text(platform, b"")) == "columns_missing"


# -- 4: fields and separators ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_record_has_as_many_fields_as_the_header(platform: str) -> None:
    separator = CSV[platform].separator
    for middle in (
        csv_line(platform, 2) + separator,  # the last field is followed by none
        csv_line(platform, 2) + separator + "x",
        csv_line(platform, 2, order=FIELDS[:-1]),
        csv_line(platform, 2, voucher_code=f"a{separator}b"),
        csv_line(platform, 2, voucher_code='"V"') + separator,
        "x",
        '"x"',
        separator,
        separator * 7,
    ):
        assert raws_of(answer_of(platform, csv_file(platform, three(platform, middle)))) == [None, middle, None]
    empty = separator * 6
    assert values_of(answer_of(platform, csv_file(platform, three(platform, empty))), "raw") == [None] * 3


@pytest.mark.parametrize("platform", PLATFORMS)
def test_spaces_are_part_of_a_field(platform: str) -> None:
    line = csv_line(platform, transaction_id=" x ", voucher_code="\tV ", card_number=" 1000000000000001")
    found = answer_of(platform, csv_file(platform, [line]))
    assert ids_of(found) == [" x "]
    assert values_of(found, "voucher_code") == ["\tV "]
    assert values_of(found, "card_number") == [" 1000000000000001"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_other_dialects_separators_are_text(platform: str) -> None:
    others = "".join({",", ";", "|", "\t", ":"} - {CSV[platform].separator})
    found = answer_of(platform, csv_file(platform, [csv_line(platform, 1, course_id=others)]))
    assert values_of(found, "course_id") == [others]


# -- 5 to 7: quotes ----------------------------------------------------------------------------------------------------

#: What stands in quotes, and what it is.
QUOTED = {
    "nothing": ('""', ""),
    "a word": ('"V1"', "V1"),
    "a separator": ('"V{s}1"', "V{s}1"),
    "separators": ('"{s}{s}"', "{s}{s}"),
    "a line break": ('"V\n1"', "V\n1"),
    "a line break of two": ('"V\r\n1"', "V\r\n1"),
    "an empty line": ('"V\n\n1"', "V\n\n1"),
    "a quote": ('"V""1"', 'V"1'),
    "only a quote": ('""""', '"'),
    "two quotes": ('""""""', '""'),
    "a quote first": ('"""V"', '"V'),
    "a quote last": ('"V"""', 'V"'),
    "spaces": ('" V "', " V "),
    "all of them": ('"V""{s}\n""1"', 'V"{s}\n"1'),
    "what looks like a row": ('"\n{s}{s}{s}{s}{s}{s}\n"', "\n{s}{s}{s}{s}{s}{s}\n"),
    "what looks like a trailer": ('"\nT{s}1{s}5000\n"', "\nT{s}1{s}5000\n"),
    "an apostrophe": ('"\'"', "'"),
    "a backslash": ('"\\"', "\\"),
}


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", QUOTED)
def test_what_stands_in_quotes_is_the_field(platform: str, name: str) -> None:
    written, meant = (each.format(s=CSV[platform].separator) for each in QUOTED[name])
    for field in ("voucher_code", "transaction_id", "course_id"):  # the last, the first, one between
        middle = csv_line(platform, 2, **{field: written})
        found = answer_of(platform, csv_file(platform, three(platform, middle)))
        assert raws_of(found) == [None] * 3
        assert values_of(found, field)[1] == meant
        assert values_of(found, "line") == [2, 3, 4 + middle.count("\n")]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_field_may_be_quoted(platform: str) -> None:
    line = CSV[platform].separator.join(f'"{field}"' for field in csv_line(platform, 1).split(CSV[platform].separator))
    bare, quoted = (answer_of(platform, csv_file(platform, [each])) for each in (csv_line(platform, 1), line))
    assert bare == quoted


#: No field of RFC 4180, and where the row ends all the same.
BROKEN = {
    "a quote within": 'V"1',
    "a quote at the end": 'V"',
    "a quoted word within": 'V"1"2',
    "a space before a quote": ' "V"',
    "a space after a quote": '"V" ',
    "text after a closing quote": '"V"1',
    "digits after a closing quote": '"20000000"00000001',
    "a quoted word after a closing quote": '"V" "1"',
    "text after a quoted quote": '"V""1"2',
    "text after nothing": '""V',
    "a backslash before a quote": '"V\\"1"',
}


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", BROKEN)
def test_a_quote_that_the_rules_do_not_have_spoils_its_row(platform: str, name: str) -> None:
    for field in ("voucher_code", "transaction_id", "card_number"):
        middle = csv_line(platform, 2, **{field: BROKEN[name]})
        found = answer_of(platform, csv_file(platform, three(platform, middle)))
        assert raws_of(found) == [None, middle, None]
        assert values_of(found, "line") == [2, 3, 4]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_row_that_is_spoilt_ends_where_its_line_does(platform: str) -> None:
    spoilt = [csv_line(platform, n, voucher_code='"V"1') for n in (1, 2, 3)]
    assert raws_of(answer_of(platform, csv_file(platform, spoilt))) == spoilt
    broken = csv_line(platform, 2, course_id='"K\nLS"', voucher_code='"V"1')
    found = answer_of(platform, csv_file(platform, three(platform, broken)))
    assert raws_of(found) == [None, broken, None]
    assert values_of(found, "line") == [2, 3, 5]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("opened", ['"', '"V', '"V""', '"V""1', '"\n', '"""', '"V"" '])
def test_a_quote_that_is_open_at_the_end_spoils_the_file(platform: str, at: int, opened: str) -> None:
    lines = [csv_line(platform, n) for n in (1, 2, 3)]
    lines[at] = csv_line(platform, at + 1, voucher_code=opened)
    assert answer_of(platform, csv_file(platform, lines)) == "file_undecodable"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_quote_that_is_open_in_the_header_spoils_the_file(platform: str) -> None:
    header = csv_header(platform, more=CSV[platform].separator + '"kota')
    assert answer_of(platform, csv_file(platform, [csv_line(platform, 1)], header=header)) == "file_undecodable"


# -- beyond the RFC ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("has_quote", [False, True])
def test_a_byte_order_mark_is_tolerated_at_the_beginning_and_is_text_elsewhere(platform: str, has_quote: bool) -> None:
    mark = "\ufeff"
    lines = [mark + csv_line(platform, 1), csv_line(platform, 2, voucher_code='"V"' if has_quote else "V")]
    data = text_of(platform, csv_file(platform, lines))
    for written in (data, mark.encode() + data):
        assert ids_of(answer_of(platform, pack_text(platform, written))) == [mark + "g-1", "g-2"]
    assert answer_of(platform, pack_text(platform, mark.encode() * 2 + data)) == "columns_missing"


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("has_quote", [False, True])
@pytest.mark.parametrize("wrong", [b"\xe9", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff"])
def test_a_byte_that_is_no_utf_8_spoils_the_file_wherever_it_is(platform: str, has_quote: bool, wrong: bytes) -> None:
    separator = CSV[platform].separator
    header = csv_header(platform, more=separator) + "kota"
    first = csv_line(platform, 1, voucher_code='"V"' if has_quote else "V", more=separator + "x")
    lines = [first.encode(), csv_line(platform, 2, more=separator).encode() + wrong]
    assert answer_of(platform, csv_file(platform, lines, header=header)) == "file_undecodable"
    narrow = [first.encode(), wrong]  # in a row of another width
    assert answer_of(platform, csv_file(platform, narrow, header=header)) == "file_undecodable"


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("field", ["transaction_id", "course_id", "voucher_code"])
def test_a_field_of_more_than_a_mebibyte_spoils_its_row(platform: str, field: str) -> None:
    for size, is_readable in ((2**20, True), (2**20 + 1, False)):
        for quote in ("", '"'):
            line = csv_line(platform, 2, **{field: quote + "k" * size + quote})
            raws = raws_of(answer_of(platform, csv_file(platform, three(platform, line))))
            assert [raw is None for raw in raws] == [True, is_readable, True]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_unicode_calls_a_line_is_none(platform: str) -> None:
    for mark in ("\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"):
        line = csv_line(platform, 1, voucher_code=f"a{mark}b")
        for lines in ([line], [line, csv_line(platform, 2, voucher_code='"V"')]):
            assert values_of(answer_of(platform, csv_file(platform, lines)), "voucher_code")[0] == f"a{mark}b"


@pytest.mark.parametrize("trailer", ["", "T|1", "T|1|5000|0", "t|1|5000", " T|1|5000", "T;1;5000", "T|1|5000\n\nT"])
def test_a_file_that_does_not_end_with_its_trailer_is_rejected(trailer: str) -> None:
    data = csv_file("sisnaker", [csv_line("sisnaker", 1)]).rpartition(b"T|")[0]
    assert answer_of("sisnaker", data + trailer.encode()) == "trailer_missing"
    quoted = csv_file("sisnaker", [csv_line("sisnaker", 1, voucher_code='"V"')]).rpartition(b"T|")[0]
    assert answer_of("sisnaker", quoted + trailer.encode()) == "trailer_missing"


def test_a_trailer_is_one_only_at_the_end() -> None:
    lines = [csv_line("sisnaker", 1), "T|1|5000", csv_line("sisnaker", 2)]
    assert raws_of(answer_of("sisnaker", csv_file("sisnaker", lines))) == [None, "T|1|5000", None]
