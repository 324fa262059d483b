"""Facts from an export, and the calendar's dates: whatever is wrong with them is one line."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from prakerja.recheck.files import EvidenceError
from prakerja.recheck.known import KINDS, READ, dates_of, facts_at, load_rows, read_export

FIRST = {"contract": "prakerja.facts/1", "as_of": "2021-04-30", "key_id": "k1"}
DELIVERY = {
    "fact": "deliveries",
    "cohort": 12,
    "platform": "tokopedia",
    "business_date": "2021-03-11",
    "revision": 1,
    "sha256": "0" * 64,
    "accepted_on": "2021-03-12",
}
DECISION = {
    "fact": "decisions",
    "cohort": 12,
    "decision_id": "d1",
    "as_of": "2021-03-14",
    "deadline_on": "2021-03-12",
    "settlement_days": 1,
}
SUSPENSION = {"fact": "suspensions", "cohort": 12, "person": "s1", "suspended_on": "2021-03-11", "lifted_on": None}


def export_of(*facts: Any) -> list[str]:
    """Return the lines of an export with these facts."""
    return [json.dumps(each) for each in (FIRST, *facts)]


def test_export_is_read_by_cohort_and_kind() -> None:
    about, rows = read_export(export_of(DELIVERY, {**DECISION, "cohort": 13}, SUSPENSION))
    assert about["as_of"] == date(2021, 4, 30)
    assert rows[12]["deliveries"][0]["business_date"] == date(2021, 3, 11)
    assert rows[12]["suspensions"][0]["lifted_on"] is None
    assert (rows[12]["decisions"], len(rows[13]["decisions"])) == ([], 1)


def test_what_is_read_of_each_kind_is_known() -> None:
    assert READ.keys() == KINDS.keys()


@pytest.mark.parametrize(("fact", "other"), [(DELIVERY, {"sha256": "1" * 64}), (DECISION, {"as_of": "2021-03-15"})])
def test_a_repeated_fact_is_refused(fact: dict[str, Any], other: dict[str, Any]) -> None:
    with pytest.raises(EvidenceError, match=r"line 3 of the facts: this is not an export of prakerja\.facts/1"):
        read_export(export_of(fact, fact | other))
    read_export(export_of(fact, fact | other | {"cohort": 13}))


@pytest.mark.parametrize(
    "fact",
    [
        [],
        1,
        None,
        float("nan"),
        {"fact": "rosters", "sha256": "0"},
        {"fact": "gossip", "cohort": 12},
        {"fact": ["rosters"], "cohort": 12, "sha256": "0"},
        *({**DELIVERY, "cohort": each} for each in ("12", True, 12.0, float("nan"), float("inf"), -1)),
        *({**DELIVERY, "business_date": each} for each in ("2021-02-30", "20210311", "9999-12-31", 20210311, None)),
        *({**DELIVERY, "revision": each} for each in ("1", 1.0, True, -1, float("nan"))),
        {**DELIVERY, "note": "x"},
        {name: value for name, value in DELIVERY.items() if name != "sha256"},
        *({**DECISION, "settlement_days": each} for each in (10**9, float("inf"), None)),
        {**SUSPENSION, "person": 5},
        {**SUSPENSION, "lifted_on": 5},
        {**SUSPENSION, "suspended_on": None},
    ],
)
def test_fact_that_is_not_of_the_contract_is_one_line(fact: Any) -> None:
    with pytest.raises(
        EvidenceError, match=r"^line 2 of the facts: this is not an export of prakerja\.facts/1; export them again$"
    ):
        read_export(export_of(fact))


@pytest.mark.parametrize("first", ["", "[]", "{}", "[" * 100_000, '{"contract": "prakerja.facts/1", "key_id": "k1"}'])
def test_export_that_does_not_say_what_it_is(first: str) -> None:
    with pytest.raises(EvidenceError, match=r"^line 1 of the facts: "):
        read_export([first])


def test_cohort_with_two_rosters_is_refused(tmp_path: Path) -> None:
    calendar = tmp_path / "calendar.yaml"
    calendar.write_text("cohorts: [{cohort: 12, announced_on: 2021-03-10, deadline_on: 2021-03-12}]")
    roster = {"fact": "rosters", "cohort": 12, "sha256": "0"}
    _, rows = read_export(export_of(roster, roster))
    with pytest.raises(EvidenceError, match="12: 2 rosters were accepted"):
        facts_at(rows[12], calendar, 12, 1, date(2021, 4, 30))


@pytest.mark.parametrize("deadline_on", ["2021-02-30", "9999-12-31", "20210312", "[2021-03-12]"])
def test_calendar_with_a_date_that_does_not_exist_is_one_line(tmp_path: Path, deadline_on: str) -> None:
    calendar = tmp_path / "calendar.yaml"
    calendar.write_text(f"cohorts: [{{cohort: 12, announced_on: 2021-03-10, deadline_on: {deadline_on}}}]")
    with pytest.raises(EvidenceError, match="the calendar does not name gelombang-12 once"):
        dates_of(calendar, 12, date(2021, 4, 30))


def test_rows_name_a_person_by_sixteen_digits() -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def list_rows(name: str, **at: Any) -> list[dict[str, Any]]:
        asked.append((name, at))
        return [{"card_number": 7, "withdrawn_on": date(2021, 3, 11)}] if name.endswith("withdrawals") else []

    rows = load_rows(list_rows, 12, date(2021, 3, 10))
    assert rows["withdrawals"] == [{"person": f"{7:016d}", "withdrawn_on": date(2021, 3, 11)}]
    at = {"cohort": 12, "announced_on": date(2021, 3, 10)}
    assert asked == [(name, at) for name in KINDS.values()]
