"""What a row says: whose a damaged card might be, identifiers, instants and amounts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja.platforms import FIELDS, platforms
from prakerja.recheck.files import WIB
from prakerja.recheck.reading import DeliveredRow
from prakerja.recheck.rows import Row, RowReader, find_cards, find_cards_in_text, read_transaction_id
from prakerja.recheck.texts import Number, whole

DAY = date(2021, 3, 10)


def read_row(platform: str, **changes: Any) -> Row:
    """Return what a good row with these changes says."""
    good: dict[str, dict[str, Any]] = {
        "tokopedia": {"event": "PAID", "occurred_at": "2021-03-10T12:00:00+07:00", "amount_idr": "5000"},
        "bukalapak": {"event": "BAYAR", "occurred_at": "10/03/2021 12:00:00", "amount_idr": "Rp5.000"},
        "pintaria": {"event": "paid", "occurred_at": Number("1615352400000"), "amount_idr": Number("5000")},
        "sisnaker": {"event": "1", "occurred_at": "20210310120000", "amount_idr": "000005000"},
        "mau-belajar-apa": {
            "event": "Lunas", "occurred_at": datetime(2021, 3, 10, 12),  # noqa: DTZ001 - a date cell has no zone
            "amount_idr": Number("5000"),
        },
    }  # fmt: skip
    row = {"transaction_id": "a", "card_number": "1" * 16, "course_id": "K", "voucher_code": ""}
    row = {**row, **good[platform], **changes}
    reader = RowReader(platforms()[platform], DAY)
    return reader.read(DeliveredRow(2, tuple(row[field] for field in FIELDS), "raw", True))


def read_line(platform: str, raw: str) -> Row:
    """Return what an unreadable row says."""
    return RowReader(platforms()[platform], DAY).read(DeliveredRow(2, (None,) * 7, raw, False))


@pytest.mark.parametrize("platform", ["tokopedia", "bukalapak", "pintaria", "sisnaker", "mau-belajar-apa"])
def test_good_row_has_no_reason(platform: str) -> None:
    row = read_row(platform)
    assert (row.reasons, row.event, row.might_be) == ((), "PAID", ())
    assert row.occurred_at == datetime(2021, 3, 10, 12, tzinfo=WIB)


@pytest.mark.parametrize(
    ("platform", "field", "value", "reason"),
    [
        ("tokopedia", "event", "paid", "event_unknown"),
        ("tokopedia", "event", "PAID ", "event_unknown"),
        ("pintaria", "event", None, "event_unknown"),
        ("tokopedia", "transaction_id", " ", "transaction_id_missing"),
        ("pintaria", "transaction_id", None, "transaction_id_missing"),
        ("pintaria", "transaction_id", True, "transaction_id_malformed"),
        ("pintaria", "transaction_id", ["a"], "transaction_id_malformed"),
        ("tokopedia", "card_number", "1" * 15, "card_number_malformed"),
        ("tokopedia", "card_number", "１" * 16, "card_number_malformed"),
        ("tokopedia", "card_number", "1" * 16 + "\n", "card_number_malformed"),
        ("pintaria", "card_number", Number("1" * 16), "card_number_malformed"),
        ("tokopedia", "occurred_at", "2021-03-10T12:00:00", "occurred_at_invalid"),
        ("tokopedia", "occurred_at", "2021-03-10T12:00:00+07:60", "occurred_at_invalid"),
        ("tokopedia", "occurred_at", "2021-03-10T12:00:00+24:00", "occurred_at_invalid"),
        ("tokopedia", "occurred_at", "2021-03-10 12:00:00+07:00", "occurred_at_invalid"),
        ("tokopedia", "occurred_at", "2021-02-29T12:00:00+07:00", "occurred_at_invalid"),
        ("tokopedia", "occurred_at", "2021-03-11T00:00:00+07:00", "occurred_at_in_future"),
        ("tokopedia", "occurred_at", "2021-03-10T17:00:00Z", "occurred_at_in_future"),
        ("tokopedia", "occurred_at", "2021-03-02T23:59:59.999999+07:00", "occurred_at_too_old"),
        ("tokopedia", "occurred_at", "0001-01-01T00:00:00+07:00", "occurred_at_too_old"),
        ("tokopedia", "occurred_at", "9999-12-31T23:59:59-07:00", "occurred_at_in_future"),
        ("tokopedia", "occurred_at", "2021-03-10T24:00:00+07:00", "occurred_at_invalid"),
        ("tokopedia", "occurred_at", "2021-03-10T12:00.5+07:00", "occurred_at_invalid"),
        ("tokopedia", "occurred_at", "2021-03-10T12:00:00+070", "occurred_at_invalid"),
        ("pintaria", "event", True, "event_unknown"),
        ("bukalapak", "occurred_at", "10/3/2021 12:00:00", "occurred_at_invalid"),
        ("bukalapak", "occurred_at", "2021-03-10 12:00:00", "occurred_at_invalid"),
        ("sisnaker", "occurred_at", "20210310126000", "occurred_at_invalid"),
        ("pintaria", "occurred_at", "1615352400000", "occurred_at_invalid"),
        ("pintaria", "occurred_at", Number("1615352400000.5"), "occurred_at_invalid"),
        ("pintaria", "occurred_at", Number("1e30"), "occurred_at_invalid"),
        ("mau-belajar-apa", "occurred_at", Number("44265.5"), "occurred_at_invalid"),
        ("tokopedia", "amount_idr", "0", "amount_invalid"),
        ("tokopedia", "amount_idr", "1000001", "amount_invalid"),
        ("tokopedia", "amount_idr", "5000.0", "amount_invalid"),
        ("tokopedia", "amount_idr", " 5000", "amount_invalid"),
        ("bukalapak", "amount_idr", "Rp5000", "amount_invalid"),
        ("bukalapak", "amount_idr", "5.000", "amount_invalid"),
        ("sisnaker", "amount_idr", "5000", "amount_invalid"),
        ("pintaria", "amount_idr", "5000", "amount_invalid"),
        ("pintaria", "amount_idr", True, "amount_invalid"),
        ("pintaria", "amount_idr", Number("5000.5"), "amount_invalid"),
    ],
)
def test_wrong_value_is_the_one_reason(platform: str, field: str, value: Any, reason: str) -> None:
    assert read_row(platform, **{field: value}).reasons == (reason,)


@pytest.mark.parametrize(
    ("platform", "field", "value"),
    [
        ("tokopedia", "occurred_at", "2021-03-10T23:59:59.9999999+07:00"),
        ("tokopedia", "occurred_at", "2021-03-03T00:00:00+07:00"),
        ("pintaria", "occurred_at", Number("1.6153524e12")),
        ("pintaria", "amount_idr", Number("1e3")),
        ("pintaria", "amount_idr", Number("1000000.00")),
        ("tokopedia", "amount_idr", "1"),
        ("bukalapak", "amount_idr", "Rp1.000.000"),
        ("mau-belajar-apa", "occurred_at", "2021-03-10 12:00:00"),
        ("pintaria", "voucher_code", None),
        ("pintaria", "course_id", Number("12")),
    ],
)
def test_odd_but_right_value_is_taken(platform: str, field: str, value: Any) -> None:
    assert read_row(platform, **{field: value}).reasons == ()


@pytest.mark.parametrize(
    ("platform", "value", "amount"),
    [
        ("tokopedia", "-5", -5),
        ("tokopedia", "007", 7),
        ("tokopedia", "5.0", None),
        ("bukalapak", "Rp2.000.000", 2_000_000),
        ("bukalapak", "-Rp5.000", -5000),
        ("bukalapak", "Rp-5.000", -5000),
        ("bukalapak", "Rp5000", 5000),
        ("bukalapak", "-Rp-5.000", None),
        ("bukalapak", "Rp5.00", None),
        ("tokopedia", "0" * 29 + "5", 5),
        ("tokopedia", "0" * 30 + "5", None),
        ("pintaria", Number("1e29"), 10**29),
        ("pintaria", Number("1e30"), None),
        ("sisnaker", "5000", 5000),
        ("pintaria", Number("5e3"), 5000),
        ("pintaria", Number("-0.0"), 0),
        ("pintaria", "5000", None),
        ("mau-belajar-apa", Number("5000.5"), None),
    ],
)
def test_whole_amount_counts_in_range_or_not(platform: str, value: Any, amount: int | None) -> None:
    assert RowReader(platforms()[platform], DAY).read_amount(value) == amount


def test_every_reason_is_given() -> None:
    row = read_row("pintaria", transaction_id=None, event="x", occurred_at="x", card_number=None, amount_idr=None)
    assert len(row.reasons) == 5


@pytest.mark.parametrize("field", ["transaction_id", "course_id", "voucher_code"])
def test_text_of_more_than_a_mebibyte_is_unreadable(field: str) -> None:
    assert read_row("tokopedia", **{field: "é" * 2**19}).reasons == ()
    assert read_row("tokopedia", **{field: "é" * 2**19 + "a"}).reasons == ("row_unreadable",)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("007", ("007", None)),
        (" a ", (" a ", None)),
        (Number("999999999999999"), ("999999999999999", None)),
        (Number("12.0"), ("12", None)),
        (Number("1e3"), ("1000", None)),
        (Number("-5"), ("-5", None)),
        (Number("1000000000000000"), ("1000000000000000", "transaction_id_malformed")),
        (Number("-1000000000000000"), ("-1000000000000000", "transaction_id_malformed")),
        (Number("1.5"), ("1.5", "transaction_id_malformed")),
    ],
)
def test_transaction_id(given: Any, found: tuple[str | None, str | None]) -> None:
    assert read_transaction_id(given) == found


def one(card: int) -> tuple[int, int]:
    """Return one card as a range."""
    return card, card


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("2000000000000001", [one(2000000000000001)]),
        ("'2000000000000001", [one(2000000000000001)]),
        ('="2000000000000001"', [one(2000000000000001)]),
        ("2000 0000\u00a00000 0001", [one(2000000000000001)]),
        ("2000-0000-0000-0001", [one(2000000000000001)]),
        ("\u200b2000000000\u00ad000001\ufeff", [one(2000000000000001)]),
        ("２００００００００００００００１", [one(2000000000000001)]),
        ("٢٠٠٠٠٠٠٠٠٠٠٠٠٠٠١", [one(2000000000000001)]),
        ("123", [one(123)]),
        ("0000000000000000123", [one(123)]),
        ("2000000000000001.0", [one(2000000000000001)]),
        ("2000000000000001,00", [one(2000000000000001)]),
        ("2.000.000.000.001.000", [one(2000000000001), one(2000000000001000)]),
        ("20000000000000011", []),
        ("", []),
        (None, []),
        ("#REF!", []),
        ("2.00000E+15", [(1999995000000000, 2000005000000000)]),
        ("'2,00000e15", [(1999995000000000, 2000005000000000)]),
        ("“2.00000E+15”", [(1999995000000000, 2000005000000000)]),
        ("2.0000\u200b0E+15", [(1999995000000000, 2000005000000000)]),
        ("2E+15", [(1500000000000000, 2500000000000000)]),
        ("2000000000000001E0", [one(2000000000000001)]),
        ("20000000000000015E-1", []),
        ("1.0E+15", [(995000000000000, 1050000000000000)]),
        ("-2.00000E+15", [(1999995000000000, 2000005000000000)]),
        ("„2.00000E+15“", [(1999995000000000, 2000005000000000)]),
        ("＝「2.00000E+15」", [(1999995000000000, 2000005000000000)]),
        (".200000E+16", [(1999995000000000, 2000005000000000)]),
        ("1.00000E+15", [(999999500000000, 1000005000000000)]),
        ("10E+14", [(995000000000000, 1050000000000000)]),
        ("2.00000E+00015", [(1999995000000000, 2000005000000000)]),
        (".5E1", [one(5)]),
        ("1E99999", []),
        (["1000000000000001"], [one(1000000000000001)]),
        (Number("2000000000000001"), [(2000000000000000, 2000000000000009)]),
        (Number("2000000000000001.0"), [(2000000000000000, 2000000000000009)]),
        (Number("20000000000000017"), [(2000000000000000, 2000000000000009)]),
        (Number("123456789012345"), [one(123456789012345)]),
        (Number("12.5"), [one(125)]),
        (Number("200000000000000.0"), [one(200000000000000), one(2000000000000000)]),
        (Number("200000000000001.5"), [(2000000000000010, 2000000000000019)]),
        (
            Number("2.00000000000001E+15"),
            [(2000000000000005, 2000000000000015), (2000000000000010, 2000000000000019)],
        ),
    ],
)
def test_whose_a_damaged_card_might_be(given: Any, found: list[tuple[int, int]]) -> None:
    assert list(find_cards(given)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,2000000000000001,b", [2000000000000001]),
        ("20000000000000011", []),
        ('"20000000"00000001', []),
        ("2000000000000001x2000000000000002", [2000000000000001, 2000000000000002]),
        ("20000000\u200b00000001", [2000000000000001]),
        ("２０００００００００００００01", [2000000000000001]),
    ],
)
def test_runs_of_sixteen_digits_in_an_unreadable_row(text: str, found: list[int]) -> None:
    assert list(find_cards_in_text(text)) == [one(card) for card in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"\u0031000000000000001", [1000000000000001]),
        (r"\ud835\udfcf000000000000001", [1000000000000001]),
        (r"1000000000000001\u0031", [1000000000000001]),
        (r"100000000000000\ud8001", []),
    ],
)
def test_escapes_in_unreadable_json_are_read_as_they_stand_and_as_they_mean(text: str, found: list[int]) -> None:
    assert list(find_cards_in_text(text, has_escapes=True)) == [one(card) for card in found]
    assert read_line("pintaria", text).might_be == tuple(one(card) for card in found)


@given(st.integers(0, 10**16 - 1), st.integers(0, 15))
def test_scientific_notation_finds_every_card_that_rounds_to_it(card: int, decimals: int) -> None:
    [(first, last)] = find_cards(f"{Decimal(card):.{decimals}E}")
    assert first <= card <= last


@given(st.integers(0, 10**16 - 1), st.sampled_from(["{}", "'{}", '="{}"', "{}.0", "{} ", "\ufeff{}", "{},00"]))
def test_card_without_its_zeros_is_found(card: int, written: str) -> None:
    assert (card, card) in find_cards(written.format(card))


@given(st.one_of(st.text(), st.text("0123456789.,eE+-'= ", max_size=30)))
def test_no_text_is_too_odd(text: str) -> None:
    for given_card in (text, Number(text)):
        assert all(first <= last for first, last in find_cards(given_card))


@given(st.integers(-(10**20), 10**20), st.integers(0, 5))
def test_whole_is_exact(number: int, zeros: int) -> None:
    assert whole(f"{number}.{'0' * zeros}") == whole(f"{number}{'0' * zeros}e-{zeros}") == number
    assert whole(f"{number}.{'0' * zeros}1") is None


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1_0", " 1", "١", "", "1e9999999", "0x1"])
def test_what_is_no_number_is_not_whole(number: str) -> None:
    assert whole(number) is None


@pytest.mark.parametrize(
    ("fraction", "microsecond"),
    [("9", 900_000), ("000001", 1), ("9999999", 999_999), ("0000009", 0), ("123456" + "9" * 5000, 123_456)],
)
def test_more_than_six_fractional_digits_are_cut_off(fraction: str, microsecond: int) -> None:
    instant = read_row("tokopedia", occurred_at=f"2021-03-10T12:00:00.{fraction}+07:00").occurred_at
    assert instant == datetime(2021, 3, 10, 12, 0, 0, microsecond, tzinfo=WIB)


def test_instants_with_any_offset_are_the_same_content() -> None:
    first, second = (
        read_row("tokopedia", occurred_at=at) for at in ("2021-03-10T05:00:00Z", "2021-03-10T14:00:00.0+09:00")
    )
    assert first.content == second.content
    assert first.occurred_at == datetime(2021, 3, 10, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    ["2021-03-10T05:00Z", "2021-03-10T12:00:00,0+07", "2021-03-10T12:00:00+0700", "2021-03-10T12:00+07:00"],
)
def test_iso_time_may_leave_out_what_iso_8601_lets_it(written: str) -> None:
    row = read_row("tokopedia", occurred_at=written)
    assert (row.reasons, row.occurred_at) == ((), datetime(2021, 3, 10, 12, tzinfo=WIB))


@pytest.mark.parametrize(
    ("platform", "field", "first", "second"),
    [
        ("sisnaker", "amount_idr", "000005000", "5000"),
        ("bukalapak", "amount_idr", "Rp5.000", "Rp5000"),
        ("pintaria", "amount_idr", Number("1.5"), "1.5"),
        ("pintaria", "course_id", Number("5"), Number("5.0")),
        ("pintaria", "card_number", Number("5"), "5"),
        ("pintaria", "transaction_id", Number("1000000000000000"), "1000000000000000"),
    ],
)
def test_what_is_delivered_otherwise_is_other_content(platform: str, field: str, first: Any, second: Any) -> None:
    assert read_row(platform, **{field: first}).content != read_row(platform, **{field: second}).content
