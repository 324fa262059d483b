"""The delivered cases, each with ten mutants: what loads, what is quarantined and why, who is held, what is refused."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from prakerja import warehouse
from prakerja.cohorts.roster import take_in_rosters
from prakerja.feeds import expectations, intake, overview  # noqa: F401 - imported before memory is bounded
from tests.support import text_mutants, workbook_mutants
from tests.support.landing_zone import deliver, deliver_roster, roster_line
from tests.support.mutants import DAY, Expected, Mutant, Ranges, bad_row, merged
from tests.support.standing_world import END
from tests.support.workbook_mutants import CASES

pytestmark = pytest.mark.usefixtures("bounded")

CLOCK = date(2021, 3, 12)
NEXT_DAY = "2021-03-11"
SECONDS_MAX = 10
MUTANTS = text_mutants.MUTANTS | workbook_mutants.MUTANTS
NAMES = [f"{number}/{ordinal}" for number in sorted(MUTANTS) for ordinal in range(10)]

FIRST, SECOND, THIRD = 2 * 10**15 + 1, 2 * 10**15 + 2, 2 * 10**15 + 3
GOOD = Expected(loaded=40)
UNDECODABLE = Expected("file_undecodable")


@dataclass(frozen=True)
class Case:
    """What must come of a case's deliveries, and of people: `held`, and `overdue` though they might look it."""

    deliveries: Mapping[str, Expected]
    held: tuple[int, ...] = ()
    overdue: tuple[int, ...] = ()


def of_day(expected: Expected, **people: tuple[int, ...]) -> Case:
    """Return the case of one delivery."""
    return Case({DAY: expected}, **people)


def bad(quarantined: Mapping[str, int], held: Ranges, loaded: int = 40) -> Expected:
    """Return what must come of good rows and some bad ones."""
    return Expected(loaded=loaded, quarantined=quarantined, held=held)


MARKED = of_day(bad({"card_number_malformed": 1}, [(FIRST, FIRST)], 41), held=(FIRST,), overdue=(THIRD,))
CARD, OTHER_CARD = 9234567890123459, 9999999999999999
ROUNDED = (1999995000000000, 2000005000000000)

CASES_EXPECTED = {
    "01": of_day(
        bad({"card_number_malformed": 2}, [(CARD - 9, CARD), (OTHER_CARD - 9, OTHER_CARD)]),
        held=(CARD, CARD - 9, OTHER_CARD, OTHER_CARD - 9),
        overdue=(CARD - 10, CARD + 1, OTHER_CARD - 10),
    ),
    "02": Case(
        {
            DAY: bad({"transaction_id_malformed": 1}, [(FIRST, FIRST)]),
            NEXT_DAY: bad({"transaction_id_malformed": 2}, [(SECOND, SECOND)]),
        },
        held=(FIRST, SECOND),
        overdue=(THIRD,),
    ),
    "03": Case({DAY: bad({"occurred_at_invalid": 1}, [(FIRST, FIRST)]), NEXT_DAY: GOOD}, held=(FIRST,)),
    "04": of_day(bad({"occurred_at_invalid": 1}, [(FIRST, FIRST)]), held=(FIRST,)),
    "05": of_day(UNDECODABLE, overdue=(FIRST,)),
    "06": of_day(Expected("too_large")),
    "07": of_day(Expected("too_large")),
    "08": Case({DAY: Expected(loaded=41), NEXT_DAY: GOOD}, overdue=(FIRST,)),
    "09": of_day(bad({"occurred_at_invalid": 2}, [(FIRST, SECOND)]), held=(FIRST, SECOND), overdue=(THIRD,)),
    "10": of_day(bad({"row_unreadable": 2}, [(FIRST, THIRD)]), held=(FIRST, SECOND, THIRD), overdue=(THIRD + 1,)),
    "11": of_day(UNDECODABLE),
    "12": of_day(UNDECODABLE),
    "13": of_day(
        bad({"card_number_malformed": 2}, [ROUNDED]),
        held=(FIRST, *ROUNDED),
        overdue=(ROUNDED[0] - 1, ROUNDED[1] + 1),
    ),
    "14": of_day(GOOD),
    "15": of_day(GOOD),
    "16": of_day(
        bad({"card_number_malformed": 1}, [(2 * 10**12 + 1,) * 2, (2 * 10**15 + 1000,) * 2]),
        held=(2 * 10**12 + 1, 2 * 10**15 + 1000),
        overdue=(FIRST, 2 * 10**15 + 1001),
    ),
    "17": of_day(UNDECODABLE, overdue=(FIRST,)),
    "18": of_day(
        bad({"amount_invalid": 1, "card_number_malformed": 2, "event_unknown": 1, "occurred_at_invalid": 1}, [], 42),
        overdue=(THIRD,),
    ),
    "19": of_day(Expected("row_count_mismatch")),
    "20": of_day(GOOD),
    "21": of_day(UNDECODABLE),
    "22": of_day(UNDECODABLE),
    "23": MARKED,
    "24": MARKED,
    "25": of_day(UNDECODABLE),
}


@pytest.mark.parametrize("number", CASES_EXPECTED)
def test_a_delivered_case_has_the_right_outcome(home: Path, number: str) -> None:
    case = CASES_EXPECTED[number]
    (folder,) = CASES.glob(f"{number}-*")
    shutil.copytree(folder / "landing", home / "landing", dirs_exist_ok=True)
    buyers = range(10**15 + 1, 10**15 + 41)
    people = [*buyers, *case.held, *case.overdue]
    lines = [roster_line(n, card=f"{card:016}") for n, card in enumerate(people)]
    deliver_roster(home / "landing", 12, lines, "2021-03-05", "2021-03-13")
    assert take_in_rosters(CLOCK).rejected == []
    (platform,) = (path.name for path in (home / "landing" / "feeds").iterdir())

    began = time.monotonic()
    taken = intake.take_in(platform, CLOCK)
    assert time.monotonic() - began < SECONDS_MAX
    assert not [line for line in taken.rejected if "this is a defect" in line]

    assert found_deliveries() == {day: str(expected) for day, expected in case.deliveries.items()}
    outcomes = find_outcomes()
    assert {card: outcomes[card] for card in case.held} == dict.fromkeys(case.held, "held")
    assert {card: outcomes[card] for card in case.overdue} == dict.fromkeys(case.overdue, "overdue")
    has_bought = any(expected.reason is None for expected in case.deliveries.values())
    assert {outcomes[card] for card in list(buyers)[:39]} == {"purchased" if has_bought else "overdue"}


def test_error_cells_are_kept_as_the_text_that_they_show(home: Path) -> None:
    (folder,) = CASES.glob("18-*")
    shutil.copytree(folder / "landing", home / "landing", dirs_exist_ok=True)
    intake.take_in("mau-belajar-apa", CLOCK)
    with warehouse.transaction(as_owner=True) as connection:
        loaded = connection.exec_driver_sql(
            "select transaction_id, course_id, voucher_code from transactions where transaction_id ~ '^x' order by 1"
        ).all()
        kept = connection.exec_driver_sql("select delivered from quarantine order by line").scalars().all()
    assert [tuple(row) for row in loaded] == [("x-1", "KLS", "#N/A"), ("x-2", "#N/A", "")]
    assert kept[0]["card_number"] == "#REF!"
    assert set(kept[1].values()) == {"#N/A"}


def test_a_long_id_is_undone_by_itself_and_by_no_other(home: Path) -> None:
    long = "k" * 6_000
    people = {FIRST: long, SECOND: long + "1", THIRD: long[:-1] + "l"}
    lines = [roster_line(n, card=f"{card}") for n, card in enumerate(people)]
    deliver_roster(home / "landing", 12, lines, "2021-03-05", "2021-03-13")
    take_in_rosters(CLOCK)
    bought = [bad_row(transaction_id=each, card=f"{card}") for card, each in people.items()]
    undone = bad_row(transaction_id=long, card=f"{FIRST}", event="CANCELLED")
    deliver(home / "landing", "pintaria", DAY, [*bought, undone])
    assert intake.take_in("pintaria", CLOCK).rejected == []
    assert find_outcomes() == {FIRST: "overdue", SECOND: "purchased", THIRD: "purchased"}


@pytest.mark.parametrize("name", NAMES)
def test_a_mutant_has_the_outcome_its_generator_expects(home: Path, name: str) -> None:
    mutant = mutant_of(name)
    take_in(home, mutant)
    assert found_deliveries() == {DAY: str(mutant.expected)}


def test_there_are_mutants_of_every_case_and_they_are_the_same_each_time() -> None:
    assert [path.name[:2] for path in sorted(CASES.iterdir()) if path.is_dir()] == sorted(MUTANTS)
    assert sorted(MUTANTS) == sorted(CASES_EXPECTED)
    files = [mutant_of(name).data for name in NAMES]
    assert len(set(files)) == len(files)
    assert mutant_of("09/3") == mutant_of("09/3")


def mutant_of(name: str) -> Mutant:
    """Return a mutant by its case and its own number, the same each time."""
    number, _, ordinal = name.partition("/")
    return MUTANTS[number](random.Random(name), int(ordinal))


def take_in(home: Path, mutant: Mutant) -> None:
    """Take in a mutant as the only delivery."""
    file = {"rows": mutant.rows, "amount_idr": mutant.amount_idr}
    deliver(home / "landing", mutant.platform, DAY, [], data=mutant.data, file=file)
    taken = intake.take_in(mutant.platform, CLOCK)
    assert not [line for line in taken.rejected if "this is a defect" in line]


def found_deliveries() -> dict[str, str]:
    """Return what has come of each delivery, by business date."""
    return {
        found["business_date"]: str(Expected(found["reason"], found["loaded"], found["quarantined"], find_held(found)))
        for found in overview.list_deliveries()
    }


def find_held(delivery: Mapping[str, Any]) -> Ranges:
    """Return the cards that a delivery's quarantined rows might be about."""
    with warehouse.transaction(as_owner=True) as connection:
        found = connection.exec_driver_sql(
            "select lower(cards), upper(cards) - 1 from quarantine join deliveries using (delivery_id),"
            " unnest(might_be) as cards where business_date = %s",
            (delivery["business_date"],),
        )
        return merged([(low, high) for low, high in found])


def find_outcomes() -> dict[int, str]:
    """Return what would be decided of each card of gelombang 12 if its deadline were over."""
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "select refresh_evidence(12, '2021-03-05', '2021-03-13', 1, '2021-03-14', '2021-03-15', %s)", (END,)
        )
        found = connection.exec_driver_sql(
            "select r.card_number, s.outcome::text"
            " from standing(12, '2021-03-13', '2021-03-15') s join recipients r using (recipient_id)"
        )
        return {card: outcome for card, outcome in found}  # noqa: C416 - rows, not pairs
