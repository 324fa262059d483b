"""Which cards a damaged text might be: the hold rule, case by case, and as a property of rounding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja.feeds.quarantine import cards_in, cards_like, multirange


@pytest.mark.parametrize(
    ("text", "is_number", "expected"),
    [
        ("1234567890123456", False, [(1234567890123456, 1234567890123456)]),
        ("'1234567890123456", False, [(1234567890123456, 1234567890123456)]),
        (" 1234567890123456.0 ", False, [(1234567890123456, 1234567890123456)]),
        ("1234567890123456,00", False, [(1234567890123456, 1234567890123456)]),
        ("1234-5678-9012-3456", False, [(1234567890123456, 1234567890123456)]),
        ("234567890123456", False, [(234567890123456, 234567890123456)]),  # a lost zero
        ("1234567890123456", True, [(1234567890123450, 1234567890123459)]),  # a number keeps fifteen digits
        ("234567890123456", True, [(234567890123456, 234567890123456)]),
        ("1.23457E+15", False, [(1234565000000000, 1234575000000000)]),
        ("'1,23457e+15", False, [(1234565000000000, 1234575000000000)]),
        ("1.00000E+15", False, [(999999500000000, 1000005000000000)]),  # finer below a power of ten
        ("9.99999E+15", False, [(9999985000000000, 9999995000000000)]),
        ("7.234567890123456E+15", False, [(7234567890123456, 7234567890123456)]),
        ("1.E+15", False, [(950000000000000, 1500000000000000)]),
        (".123457E+16", False, [(1234565000000000, 1234575000000000)]),
        ("１234567890123456", False, [(1234567890123456, 1234567890123456)]),
        ("97770307975665218", False, []),  # seventeen digits are no card
        ("", False, []),
        ("gratis", False, []),
        ("1E+9999", False, []),
    ],
)
def test_cards_like(text: str, is_number: bool, expected: list[tuple[int, int]]) -> None:
    assert cards_like(text, is_number=is_number) == expected


def test_unreadable_row_might_be_every_run_of_sixteen_digits() -> None:
    raw = "x,1234567890123456;12345678901234567 0000000000000001"
    assert cards_in(raw, is_json=False) == [(1, 1), (1234567890123456, 1234567890123456)]


@given(st.integers(0, 10**16 - 1), st.integers(0, 8), st.sampled_from(".,"), st.sampled_from(["", "'", " "]))
def test_a_card_is_among_those_that_its_rounding_might_be(card: int, digits: int, point: str, before: str) -> None:
    text = before + f"{card:.{digits}E}".replace(".", point)
    assert any(low <= card <= high for low, high in cards_like(text, is_number=False))


@given(st.integers(0, 10**16 - 1))
def test_a_card_is_among_those_that_its_damage_might_be(card: int) -> None:
    for text, is_number in (
        (f"{card:016}", False),
        (f"'{card:016}", False),
        (f"{card}.0", False),
        (str(card), True),
        (str(card), False),
    ):
        assert any(low <= card <= high for low, high in cards_like(text, is_number=is_number)), text


def test_multirange_is_postgres() -> None:
    assert multirange([(1, 1), (5, 9)]) == "{[1,2),[5,10)}"
    assert multirange([]) == "{}"
