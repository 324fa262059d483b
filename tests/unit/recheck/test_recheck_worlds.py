"""Whole landing zones: the delivered cases, and every person of a simulated world with nasty rows."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from upath import UPath

from prakerja.recheck.facts import Delivery, Facts
from prakerja.recheck.files import WIB, EvidenceError
from prakerja.recheck.rows import Row, read_delivery
from prakerja.recheck.rule import Reading, read_again

CASES = Path(__file__).parents[2] / "support" / "delivered_cases"
REJECTED = "rejected"
X1, X2 = 2000000000000001, 2000000000000002

# For each case and business date: what is damaged, by line, and whose it might be; all other rows are good.
RIGHT: dict[str, dict[str, Any]] = {
    "01": {
        "2021-03-10": {
            42: ("card_number_malformed", [(9234567890123450, 9234567890123459)]),
            43: ("card_number_malformed", [(9999999999999990, 9999999999999999)]),
        }
    },
    "02": {
        "2021-03-10": {42: ("transaction_id_malformed", [(X1, X1)])},
        "2021-03-11": {
            42: ("transaction_id_malformed", [(X2, X2)]),
            43: ("transaction_id_malformed", [(X2, X2)]),
        },
    },
    "03": {"2021-03-10": {42: ("occurred_at_invalid", [(X1, X1)])}, "2021-03-11": {}},
    "04": {"2021-03-10": {42: ("occurred_at_invalid", [(X1, X1)])}},
    "05": {"2021-03-10": REJECTED},
    "06": {"2021-03-10": REJECTED},
    "07": {"2021-03-10": REJECTED},
    "08": {"2021-03-10": {}, "2021-03-11": {}},
    "09": {
        "2021-03-10": {42: ("occurred_at_invalid", [(X1, X1)]), 43: ("occurred_at_invalid", [(X2, X2)])},
    },
    "10": {
        "2021-03-10": {
            41: ("row_unreadable", [(X1, X1)]),
            42: ("row_unreadable", [(X2, X2), (X2 + 1, X2 + 1)]),
        }
    },
    "11": {"2021-03-10": REJECTED},
    "12": {"2021-03-10": REJECTED},
    "13": {
        "2021-03-10": {
            42: ("card_number_malformed", [(1999995000000000, 2000005000000000)]),
            43: ("card_number_malformed", [(1999995000000000, 2000005000000000)]),
        }
    },
    "14": {"2021-03-10": {}},
    "15": {"2021-03-10": {}},
    "16": {
        "2021-03-10": {42: ("card_number_malformed", [(2000000000001,) * 2, (2000000000001000,) * 2])},
    },
    "17": {"2021-03-10": REJECTED},
    "18": {
        "2021-03-10": {
            44: ("card_number_malformed", []),
            45: ("event_unknown occurred_at_invalid card_number_malformed amount_invalid", []),
        }
    },
    "19": {"2021-03-10": REJECTED},  # its manifest leaves out the row of errors, which counts
    "20": {"2021-03-10": {}},
    "21": {"2021-03-10": REJECTED},
    "22": {"2021-03-10": REJECTED},
    "23": {"2021-03-10": {2: ("card_number_malformed", [(X1, X1)])}},
    "24": {"2021-03-10": {2: ("card_number_malformed", [(X1, X1)])}},
    "25": {"2021-03-10": REJECTED},
}


def cite(manifest: Path) -> Delivery:
    """Return the delivery of a manifest, accepted on the day of its `generated_at`."""
    written = json.loads(manifest.read_bytes().decode("utf-8-sig"))
    accepted_on = datetime.fromisoformat(written["generated_at"]).astimezone(WIB).date()
    business_date = date.fromisoformat(written["business_date"])
    return Delivery(written["platform"], business_date, written["revision"], written["files"][0]["sha256"], accepted_on)


@pytest.mark.parametrize("case", sorted(each.name for each in CASES.iterdir() if each.is_dir()))
def test_delivered_case(case: str) -> None:
    right = RIGHT[case[:2]]
    manifests = sorted((CASES / case / "landing").glob("feeds/*/*/*/manifest.json"))
    assert [manifest.parts[-3] for manifest in manifests] == sorted(right)
    for manifest in manifests:
        expected = right[manifest.parts[-3]]
        if expected == REJECTED:
            with pytest.raises(EvidenceError):
                read_rows(CASES / case / "landing", manifest)
        else:
            rows = read_rows(CASES / case / "landing", manifest)
            damaged = {row.line: (" ".join(row.reasons), list(row.might_be)) for row in rows if row.reasons}
            assert damaged == expected
            assert len(rows) >= 40


def read_rows(landing: Path, manifest: Path) -> list[Row]:
    """Return the rows of a delivery."""
    return list(read_delivery(UPath(landing), cite(manifest)))


def build_facts(out: Path, cohort: int, as_of: date | None = None) -> Facts:
    """Return the facts of a simulated cohort; what the simulation expects to be accepted is accepted."""
    landing = out / "landing"
    expected = json.loads((out / "expected.json").read_text())
    rejected = {each["path"] for each in expected["deliveries"] if not each["accepted"]}
    deliveries = [
        cite(manifest)
        for manifest in sorted(landing.glob("feeds/*/*/*/manifest.json"))
        if str(manifest.parent.relative_to(landing)) not in rejected
    ]
    calendar = yaml.safe_load((out / "calendar.yaml").read_text())["cohorts"]
    [dates] = [each for each in calendar if each["cohort"] == cohort]
    roster = json.loads((landing / f"rosters/gelombang-{cohort}/manifest.json").read_text())
    deadline_on = dates["deadline_on"]
    return Facts(
        cohort,
        dates["announced_on"],
        deadline_on,
        1,
        as_of or deadline_on + timedelta(days=2),
        roster["files"][0]["sha256"],
        tuple(deliveries),
        (),
        (),
        frozenset(),
    )


@pytest.mark.parametrize("cohort", [12, 13])
def test_simulated_world_person_by_person(simulated: Path, cohort: int) -> None:
    landing = UPath(simulated / "landing")
    expected = json.loads((simulated / "expected.json").read_text())
    [right] = [each for each in expected["cohorts"] if each["cohort"] == cohort]
    then = read_again(landing, build_facts(simulated, cohort)).by_card
    later = read_again(landing, build_facts(simulated, cohort, date(2021, 12, 31)), is_later=True).by_card

    def cards(was: str, becomes: str = "") -> list[str]:
        return sorted(
            card
            for card, reading in then.items()
            if reading.outcome == was and (not becomes or later[card].outcome in becomes.split())
        )

    assert {outcome: len(cards(outcome)) for outcome in ("purchased", "held", "overdue", "excluded")} == {
        outcome: right[outcome] for outcome in ("purchased", "held", "overdue", "excluded")
    }
    found = {
        "held": cards("held"),
        "overdue": cards("overdue"),
        "reinstated": cards("overdue", "purchased"),
        "resolved": cards("held", "purchased"),
        "held_later": cards("overdue", "held"),
        "case": cards("purchased", "held overdue"),
    }
    assert found == {name: sorted(right["cards"][name]) for name in found}


def test_simulated_purchases_lie_where_they_are_said_to_lie(simulated: Path) -> None:
    landing = UPath(simulated / "landing")
    facts = build_facts(simulated, 12)
    rows: dict[tuple[Any, ...], Row] = {}
    found = read_again(landing, facts)
    for delivery in found.in_force:
        key = delivery.platform, delivery.business_date, delivery.revision
        rows.update({(*key, row.line): row for row in read_delivery(landing, delivery)})

    def row_of(reading: Reading) -> Row:
        return rows[reading.platform, reading.business_date, reading.revision, reading.line]

    for card, reading in found.by_card.items():
        if reading.because == "purchase":
            assert row_of(reading).card_number == card
        elif reading.because == "damaged_row":
            row = row_of(reading)
            ranges = row.might_be or ((int(row.card_number or "0"),) * 2,)
            assert any(first <= int(card) <= last for first, last in ranges)
