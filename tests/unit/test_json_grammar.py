"""RFC 8259 in all that comes as JSON: JSON Lines, a document of records, a manifest."""

from __future__ import annotations

import pytest

from prakerja import landing
from prakerja.landing import RejectedError
from tests.support.dialects import json_file, json_record
from tests.support.json_texts import DEEP, DUPLICATED, INVALID, REFUSED, TAKEN, VALID
from tests.support.read_files import answer_of, raws_of

BEFORE, AFTER = json_record("pintaria", 1).encode(), json_record("pintaria", 2).encode()
PAID = '{"id":"x","type":"paid","ts":1615352400000,"payment":{"card":"2000000000000001","amount":5000},'


def encoded(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def with_value(text: str | bytes, platform: str = "pintaria") -> bytes:
    """A record with one more key, whose value is the text."""
    return json_record(platform, more=',"catatan":!').encode().replace(b"!", encoded(text))


def lines(*records: bytes) -> bytes:
    return b"".join(record + b"\n" for record in records)


def documents(text: str | bytes) -> list[bytes]:
    """Documents with the text as the value of a record's key, and of a key beside the records."""
    around = json_file("sekolahmu", [json_record("sekolahmu")], more=',"catatan":!').replace(b"!", encoded(text))
    return [json_file("sekolahmu", [json_record("sekolahmu", 1), with_value(text, "sekolahmu")]), around]


def manifest_reason(data: bytes) -> str | None:
    try:
        landing.document(data)
    except RejectedError as rejection:
        return rejection.reason
    return None


def is_text(text: str | bytes) -> bool:
    try:
        return b"\0" not in encoded(text) and bool(encoded(text).decode()) | True
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize("name", [*VALID, *TAKEN])
def test_a_value_that_is_json_is_taken_wherever_it_stands(name: str) -> None:
    text = (VALID | TAKEN)[name]
    if "\n" not in encoded(text).decode():  # which ends a line
        found = answer_of("pintaria", lines(BEFORE, with_value(text), AFTER))
        assert raws_of(found) == [None] * 3
    for document in documents(text):
        assert set(raws_of(answer_of("sekolahmu", document))) == {None}
    assert manifest_reason(b'{"catatan":' + encoded(text) + b"}") is None


@pytest.mark.parametrize("name", INVALID)
def test_a_value_that_is_no_json_spoils_its_row_or_its_document(name: str) -> None:
    text = INVALID[name]
    record = with_value(text)
    if not is_text(text):
        assert answer_of("pintaria", lines(BEFORE, record, AFTER)) == "file_undecodable"
    elif b"\n" not in record:
        assert raws_of(answer_of("pintaria", lines(BEFORE, record, AFTER))) == [None, record.decode(), None]
    for document in documents(text):
        assert answer_of("sekolahmu", document) == "file_undecodable"
    assert manifest_reason(b'{"catatan":' + encoded(text) + b"}") == "manifest_invalid"


@pytest.mark.parametrize("name", [name for name, text in INVALID.items() if encoded(text).strip(b" \xef\xbb\xbf\n")])
def test_a_line_or_a_document_that_is_no_json_is_unreadable(name: str) -> None:
    line = encoded(INVALID[name])
    if not is_text(line):
        assert answer_of("pintaria", lines(BEFORE, line, AFTER)) == "file_undecodable"
    elif b"\n" not in line:
        assert raws_of(answer_of("pintaria", lines(BEFORE, line, AFTER))) == [None, line.decode(), None]
    assert answer_of("sekolahmu", line) == "file_undecodable"
    assert manifest_reason(line) == "manifest_invalid"


@pytest.mark.parametrize("name", DEEP)
def test_a_value_that_is_too_deep_makes_its_row_unreadable(name: str) -> None:
    record = with_value(DEEP[name])
    assert raws_of(answer_of("pintaria", lines(BEFORE, record, AFTER))) == [None, record.decode(), None]


@pytest.mark.parametrize("name", REFUSED)
def test_bytes_that_are_no_utf_8_spoil_the_file(name: str) -> None:
    text = REFUSED[name]
    for data in (lines(BEFORE, with_value(text), AFTER), lines(BEFORE, encoded(text)), encoded(text)):
        assert answer_of("pintaria", data) == "file_undecodable"
    for document in (*documents(text), encoded(text)):
        assert answer_of("sekolahmu", document) == "file_undecodable"
    for manifest in (b'{"catatan":' + encoded(text) + b"}", encoded(text)):
        assert manifest_reason(manifest) == "manifest_invalid"


def test_a_byte_order_mark_is_tolerated_at_the_beginning_and_nowhere_else() -> (
    None
):  # i_structure_UTF-8_BOM_empty_object
    mark = b"\xef\xbb\xbf"
    assert raws_of(answer_of("pintaria", mark + lines(BEFORE, AFTER))) == [None, None]
    assert raws_of(answer_of("pintaria", mark + lines(b"{}"))) == [None]
    assert raws_of(answer_of("pintaria", lines(BEFORE, mark + AFTER))) == [None, "\ufeff" + AFTER.decode()]
    document = json_file("sekolahmu", [json_record("sekolahmu")])
    assert raws_of(answer_of("sekolahmu", mark + document)) == [None]
    assert answer_of("sekolahmu", document + mark) == "file_undecodable"
    assert answer_of("sekolahmu", mark + mark + document) == "file_undecodable"
    assert manifest_reason(mark + b"{}") is None
    assert manifest_reason(b"{}" + mark) == "manifest_invalid"


@pytest.mark.parametrize("text", ["[]", '"x"', "7", "null", "true", "[[{}]]", '["id"]'])
def test_json_that_is_no_object_is_no_record_and_no_document(text: str) -> None:
    assert raws_of(answer_of("pintaria", lines(BEFORE, text.encode(), AFTER))) == [None, text, None]
    document = json_file("sekolahmu", [json_record("sekolahmu", 1), text, json_record("sekolahmu", 2)])
    unreadable = raws_of(answer_of("sekolahmu", document))
    assert [raw is None for raw in unreadable] == [True, False, True]
    assert isinstance(answer_of("sekolahmu", text.encode()), str)
    assert manifest_reason(text.encode()) == "manifest_invalid"


@pytest.mark.parametrize("depth", [100, 400, 492, 500, 900, 960, 985, 995, 1_000, 1_100, 5_000])
@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_however_deep_a_value_is_nested_there_is_one_verdict(opening: str, depth: int) -> None:
    closing = {"[": "]", '{"a":': "}", '[{"a":': "}]"}[opening]
    value = opening * depth + "1" + closing * depth
    for record in (with_value(value).decode(), json_record("pintaria", voucher_code=value)):
        raws = raws_of(answer_of("pintaria", lines(BEFORE, record.encode(), AFTER)))
        assert raws in ([None] * 3, [None, record, None])
        assert depth > 100 or raws == [None] * 3
    for document in documents(value):
        found = answer_of("sekolahmu", document)
        assert isinstance(found, list) or found == "file_undecodable"


# -- keys --------------------------------------------------------------------------------------------------------------

TWICE = {
    **{name: str(text) for name, text in DUPLICATED.items()},
    "the same value": '{"a":null,"a":null}',
    "an escaped letter": '{"ab":1,"\\u0061b":2}',
    "an escaped slash": '{"a/b":1,"a\\/b":2}',
    "an escaped pair": '{"😀":1,"\\ud83d\\ude00":2}',
    "the empty key": '{"":1,"":2}',
    "far apart": '{"a":1,"b":2,"c":{"a":3},"d":[],"a":4}',
    "within an array": '[1,{"a":{"b":1,"b":2}}]',
    "thrice": '{"a":1,"a":2,"a":3}',
    "objects": '{"a":{},"a":{}}',
}
ONCE = {
    "another letter case": '{"a":1,"A":2}',
    "another normal form": '{"é":1,"e\\u0301":2}',
    "in two objects": '[{"a":1},{"a":1}]',
    "within itself": '{"a":{"a":{"a":1}}}',
    "with a space": '{"a":1,"a ":2}',
    "in a text": '{"a":"{\\"a\\":1,\\"a\\":2}"}',
}


@pytest.mark.parametrize("name", TWICE)
def test_a_key_twice_in_one_object_spoils_its_row_or_what_is_around_the_rows(name: str) -> None:
    text = TWICE[name]
    record = with_value(text)
    assert raws_of(answer_of("pintaria", lines(BEFORE, record, AFTER))) == [None, record.decode(), None]
    within, around = documents(text)
    (first, unreadable) = raws_of(answer_of("sekolahmu", within))
    assert (first, unreadable is None) == (None, False)
    assert answer_of("sekolahmu", around) == "file_undecodable"
    assert manifest_reason(b'{"catatan":' + text.encode() + b"}") == "manifest_invalid"


@pytest.mark.parametrize("name", ONCE)
def test_keys_that_only_look_the_same_are_two(name: str) -> None:
    text = ONCE[name]
    assert raws_of(answer_of("pintaria", lines(with_value(text)))) == [None]
    for document in documents(text):
        assert set(raws_of(answer_of("sekolahmu", document))) == {None}
    assert manifest_reason(b'{"catatan":' + text.encode() + b"}") is None


@pytest.mark.parametrize(
    "record",
    [
        PAID + '"course":{"id":"K"},"voucher":"","id":"y"}',
        PAID + '"course":{"id":"K"},"voucher":"","\\u0069d":"x"}',
        PAID + '"course":{"id":"K","id":"L"},"voucher":""}',
        PAID + '"course":{"id":"K"},"voucher":"","course":{"id":"K"}}',
        PAID + '"course":{"id":"K"},"voucher":"","voucher":""}',
        PAID.replace('"amount"', '"card":"2000000000000002","amount"') + '"course":{"id":"K"},"voucher":""}',
        PAID.replace('"amount"', '"amount":5000,"amount"') + '"course":{"id":"K"},"voucher":""}',
    ],
)
def test_a_key_of_the_contract_twice_spoils_the_row(record: str) -> None:
    assert raws_of(answer_of("pintaria", lines(BEFORE, record.encode(), AFTER))) == [None, record, None]


@pytest.mark.parametrize("more", [',"data":[]', ',"platform":"sekolah.mu"', ',"d\\u0061ta":[]', ',"x":1,"x":1'])
def test_a_key_of_the_document_twice_spoils_it(more: str) -> None:
    assert answer_of("sekolahmu", json_file("sekolahmu", [json_record("sekolahmu")], more=more)) == "file_undecodable"


# -- lines -------------------------------------------------------------------------------------------------------------


def test_a_record_is_one_line_whose_end_may_be_crlf_or_missing() -> None:
    for data in (lines(BEFORE, AFTER), BEFORE + b"\r\n" + AFTER + b"\r\n", BEFORE + b"\n" + AFTER):
        assert raws_of(answer_of("pintaria", data)) == [None, None]
    broken = BEFORE.replace(b",", b",\n", 1)
    assert raws_of(answer_of("pintaria", lines(broken, AFTER))) == [*broken.decode().split("\n"), None]
    assert raws_of(answer_of("pintaria", lines(BEFORE + b" " + AFTER))) == [f"{BEFORE.decode()} {AFTER.decode()}"]


@pytest.mark.parametrize("at", ["between", "at the end", "within a record", "within a text", "twice"])
def test_a_carriage_return_alone_spoils_the_file(at: str) -> None:
    data = {
        "between": BEFORE + b"\r" + AFTER + b"\n",
        "at the end": BEFORE + b"\r",
        "within a record": lines(BEFORE, AFTER.replace(b",", b",\r", 1)),
        "within a text": lines(BEFORE, AFTER.replace(b"KLS", b"K\rLS", 1)),
        "twice": BEFORE + b"\r\r\n" + AFTER,
    }[at]
    assert answer_of("pintaria", data) == "file_undecodable"
    assert answer_of("sekolahmu", json_file("sekolahmu", [json_record("sekolahmu")]) + b"\r") == "file_undecodable"


def test_lines_end_where_they_end_and_not_at_what_unicode_calls_a_line() -> None:
    for mark in ("\u2028", "\u2029", "\x85", "\x7f"):
        found = answer_of("pintaria", lines(with_value(f'"a{mark}b"'), AFTER))
        assert raws_of(found) == [None, None]
    for mark in ("\x0b", "\x0c", "\x1c", "\x1d", "\x1e"):
        record = with_value(f'"a{mark}b"')
        assert raws_of(answer_of("pintaria", lines(record, AFTER))) == [record.decode(), None]


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("literal", "kept"),
    [
        ('"\\u0078-1"', "x-1"),
        ('"\\ud83d\\ude00"', "😀"),
        ('"\\ud83d"', "\ufffd"),
        ('"\\u0000"', "\ufffd"),
        ('"a\\/b\\\\c\\"d"', 'a/b\\c"d'),
        ('"\\n"', "\n"),
        ('" x "', " x "),
        ("12345", "12345"),
        ("123456789012345", "123456789012345"),
        ("9007199254740993", "9007199254740993"),
        ("null", ""),
    ],
)
def test_an_id_is_the_text_or_the_digits_that_the_file_holds(literal: str, kept: str) -> None:
    for platform in ("pintaria", "sekolahmu"):
        found = answer_of(platform, json_file(platform, [json_record(platform, transaction_id=literal)]))
        assert not isinstance(found, str)
        assert [row["transaction_id"] for row in found] == [kept]


@pytest.mark.parametrize(
    ("literal", "amount"),
    [
        ("5000", 5000),
        ("5000.0", 5000),
        ("5e3", 5000),
        ("50.00E+2", 5000),
        ("5000000e-3", 5000),
        ("-0", 0),
        ("5000.5", None),
        ("5000.00000000000000000000000001", None),
        ("1e999", None),
        ('"5000"', None),
        ("true", None),
        ("null", None),
        ("[5000]", None),
        ("{}", None),
    ],
)
def test_an_amount_is_a_number_that_equals_a_whole_one(literal: str, amount: int | None) -> None:
    for platform in ("pintaria", "sekolahmu"):
        found = answer_of(platform, json_file(platform, [json_record(platform, amount_idr=literal)]))
        assert not isinstance(found, str)
        assert [row["amount_idr"] for row in found] == [amount]


@pytest.mark.parametrize("field", ["transaction_id", "course_id", "voucher_code"])
@pytest.mark.parametrize("platform", ["pintaria", "sekolahmu"])
def test_a_field_of_more_than_a_mebibyte_spoils_its_row(platform: str, field: str) -> None:
    for size, is_readable in ((2**20, True), (2**20 + 1, False)):
        record = json_record(platform, **{field: '"' + "k" * size + '"'})
        (raw,) = raws_of(answer_of(platform, json_file(platform, [record])))
        assert (raw is None) is is_readable
