"""Which totals of a decision are plausible: at the bound itself, and one beyond it."""

from __future__ import annotations

from prakerja.revocations.decision import yield_implausible_totals


def test_the_bound_itself_is_plausible_and_totals_must_add_up() -> None:
    fine = {"purchased": 88, "held": 0, "overdue": 12, "excluded": 0}
    assert list(yield_implausible_totals(100, fine)) == []
    (too_many,) = yield_implausible_totals(100, fine | {"purchased": 87, "overdue": 13})
    assert too_many.reason == "overdue_share_implausible"
    (wrong,) = yield_implausible_totals(101, fine)
    assert wrong.reason == "totals_do_not_add_up"
    many = {"purchased": 899_999, "held": 0, "overdue": 100_000, "excluded": 1}
    assert list(yield_implausible_totals(1_000_000, many)) == []
    assert list(yield_implausible_totals(1_000_000, many | {"overdue": 100_001, "excluded": 0})) == [
        ("overdue_too_many", "100,001 are overdue, more than 100,000")
    ]
