"""A world from another simulator: two full windows, and what was found after the decisions."""

from __future__ import annotations

from typing import Any

from prakerja.cohorts import overview
from prakerja.feeds.overview import count_unmatched, list_deliveries


def test_everything_comes_out_as_expected(expected: dict[str, Any]) -> None:
    table = {row["cohort"]: row for row in overview.cohort_table()}
    for truth in expected["cohorts"]:
        row = table[truth["cohort"]]
        names = ("status", "selected", "purchased", "held", "overdue", "excluded", "reinstated")
        assert {name: row[name] for name in names} == {name: truth[name] for name in names}
        assert row["cases"] == truth["cases"] + truth["held_later"]
        assert row["holds_resolvable"] == truth["resolved"]
    found = {f"feeds/{d['platform']}/{d['business_date']}/r{d['revision']}": d for d in list_deliveries()}
    for delivery in expected["deliveries"]:
        row = found[delivery["path"]]
        assert row["status"] == "accepted"
        for name in ("rows", "loaded", "quarantined", "duplicates"):
            assert row[name] == delivery[name], (name, delivery)
    assert count_unmatched() == expected["unmatched_cards"]
