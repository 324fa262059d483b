"""The judge: every reason, at its boundary, and all reasons that apply."""

from __future__ import annotations

import io
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from prakerja.feeds import canonical, expectations, readers
from prakerja.platforms import platforms
from prakerja.settings import WIB
from prakerja.simulation import writers
from prakerja.simulation.writers import Row

DAY = date(2021, 3, 10)
START = datetime(2021, 3, 10, tzinfo=WIB)
CARD = "0234567890123456"
MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)


def reasons_of(*rows: Row, platform: str = "tokopedia") -> list[list[str]]:
    reasons, _ = judged(*rows, platform=platform)
    return [reasons.get(position, []) for position in range(len(rows))]


def judged(*rows: Row, platform: str = "tokopedia") -> tuple[dict[int, list[str]], expectations.DeliveryValidator]:
    contract = platforms()[platform]
    judge = expectations.DeliveryValidator(contract, DAY)
    with canonical.Rows() as kept:
        for batch in readers.read(io.BytesIO(writers.write(platform, list(rows))), contract).batches:
            kept.add(canonical.canonical(batch, contract)[0])
        for table in kept.distinct():
            return judge.validate_rows(table), judge
    return {}, judge


def row(**bent: Any) -> Row:
    values = {"transaction_id": "id-1", "event": "PAID", "occurred_at": START + MINUTE, "card": CARD, "amount": 5000}
    return Row(**(values | bent))


@pytest.mark.parametrize(
    ("bent", "expected"),
    [
        ({}, []),
        ({"transaction_id": ""}, ["transaction_id_missing"]),
        ({"transaction_id": "  "}, ["transaction_id_missing"]),
        ({"event": "PENDING"}, ["event_unknown"]),
        ({"event": "paid"}, ["event_unknown"]),
        ({"event": ""}, ["event_unknown"]),
        ({"occurred_at": ""}, ["occurred_at_invalid"]),
        ({"occurred_at": "2021-03-10T10:00:00"}, ["occurred_at_invalid"]),
        ({"occurred_at": START + timedelta(days=1) - MICROSECOND}, []),
        ({"occurred_at": START + timedelta(days=1)}, ["occurred_at_in_future"]),
        ({"occurred_at": START - timedelta(days=7)}, []),
        ({"occurred_at": START - timedelta(days=7) - MICROSECOND}, ["occurred_at_too_old"]),
        ({"card": "234567890123456"}, ["card_number_malformed"]),
        ({"card": CARD + "\n"}, ["card_number_malformed"]),
        ({"card": " " + CARD}, ["card_number_malformed"]),
        ({"card": ""}, ["card_number_malformed"]),
        ({"card": "٠٢٣٤٥٦٧٨٩٠١٢٣٤٥٦"}, ["card_number_malformed"]),
        ({"amount": 0}, ["amount_invalid"]),
        ({"amount": 1}, []),
        ({"amount": 1_000_000}, []),
        ({"amount": 1_000_001}, ["amount_invalid"]),
        ({"amount": "gratis"}, ["amount_invalid"]),
        ({"raw": "a,b"}, ["row_unreadable"]),
        (
            {"transaction_id": "", "event": "?", "occurred_at": "", "card": "", "amount": ""},
            [
                "transaction_id_missing",
                "event_unknown",
                "occurred_at_invalid",
                "card_number_malformed",
                "amount_invalid",
            ],
        ),
    ],
)
def test_each_reason_at_its_boundary(bent: dict[str, Any], expected: list[str]) -> None:
    assert reasons_of(row(**bent)) == [expected]


def test_same_transaction_with_other_content_is_a_conflict_of_all() -> None:
    assert reasons_of(row(), row(amount=6000), row(event="CANCELLED"), row(transaction_id="id-2")) == [
        ["transaction_conflict"],
        ["transaction_conflict"],
        [],
        [],
    ]


def test_a_foreign_word_for_an_event_is_no_conflict() -> None:
    rows = (
        row(transaction_id="a"),
        row(transaction_id="a", event="as delivered: BAYAR"),
        row(transaction_id="b", event="?"),
    )
    assert reasons_of(*rows, platform="bukalapak") == [[], ["event_unknown"], ["event_unknown"]]
    assert reasons_of(row(), row(event="BAYAR", amount=1), platform="sisnaker") == [[], ["event_unknown"]]


def test_a_number_is_no_card_number() -> None:
    assert reasons_of(row(card=1234567890123456), platform="pintaria") == [["card_number_malformed"]]


def test_a_verdict_for_keeping_carries_no_value_of_any_row() -> None:
    _, judge = judged(row(card="7" * 15))
    assert judge.counts == {"card_number_malformed": 1}
    assert "7" * 15 not in str(judge.summary)
    assert judge.summary["success"] is False


def test_an_empty_delivery_is_judged_too() -> None:
    assert reasons_of() == []
