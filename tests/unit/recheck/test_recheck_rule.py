"""Section 2 of the contract: one microsecond and one day on either side of each boundary."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from upath import UPath

from prakerja.platforms import EVENTS
from prakerja.recheck.facts import Suspension, Withdrawal
from prakerja.recheck.files import EvidenceError
from prakerja.recheck.rule import EFFECTS, DamagedRow, Reading, find_damaged_rows, read_again
from tests.unit.recheck.conftest import (
    ANNOUNCED_ON,
    AS_OF,
    BUDI,
    DEADLINE_ON,
    RATNA,
    SETTLEMENT_ON,
    SITI,
    LandingZone,
    build_row,
)

THE_DAY = date(2021, 3, 11)
PAID = '{"id":"p-1","type":"paid","ts":1615438800000,"payment":{"card":"1000000000000001","amount":5000}}'


def test_every_event_of_a_platform_has_an_effect() -> None:
    assert set(EFFECTS) == set(EVENTS)


def test_everyone_without_a_row_is_overdue(zone: LandingZone) -> None:
    found = zone.read()
    assert found.by_card == dict.fromkeys([SITI, BUDI, RATNA], Reading("overdue", "no_purchase"))
    assert found.totals == {"purchased": 0, "held": 0, "overdue": 3, "excluded": 0}
    assert found.in_force == ()


def test_purchase_names_the_row_that_proves_it(zone: LandingZone) -> None:
    delivery = zone.deliver(build_row(BUDI, of="INV/0"), build_row(), revision=3)
    found = zone.read()
    assert found.by_card[SITI] == Reading("purchased", "purchase", "tokopedia", THE_DAY, 3, 3)
    assert found.totals == {"purchased": 2, "held": 0, "overdue": 1, "excluded": 0}
    assert found.in_force == (delivery,)


@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        ("2021-03-09T23:59:59.999999+07:00", "overdue"),
        ("2021-03-10T00:00:00+07:00", "purchased"),
        ("2021-03-12T23:59:59.999999+07:00", "purchased"),
        ("2021-03-12T23:59:59.9999999+07:00", "purchased"),
        ("2021-03-13T00:00:00+07:00", "overdue"),
        ("2021-03-12T16:59:59Z", "purchased"),
        ("2021-03-12T17:00:00Z", "overdue"),
        ("2021-03-13T01:59:59+09:00", "purchased"),
        ("2021-03-13T02:00:00+09:00", "overdue"),
    ],
)
def test_window_is_half_open_in_wib(zone: LandingZone, at: str, outcome: str) -> None:
    zone.deliver(build_row(at=at), on=SETTLEMENT_ON)
    assert zone.siti().outcome == outcome


@pytest.mark.parametrize("event", ["CANCELLED", "REFUNDED"])
@pytest.mark.parametrize(
    ("at", "outcome", "later"),
    [
        ("2021-03-09T00:00:00+07:00", "overdue", "overdue"),
        ("2021-03-12T23:59:59.999999+07:00", "overdue", "overdue"),
        ("2021-03-13T00:00:00+07:00", "purchased", "overdue"),
    ],
)
def test_undoing_counts_before_the_deadlines_end(
    zone: LandingZone, event: str, at: str, outcome: str, later: str
) -> None:
    zone.deliver(build_row())
    zone.deliver(build_row(BUDI, at, event), on=SETTLEMENT_ON)
    assert zone.siti().outcome == outcome
    assert zone.siti(is_later=True).outcome == later


def test_undoing_counts_whatever_its_card_or_order(zone: LandingZone) -> None:
    zone.deliver(build_row("9" * 16, "2021-03-10T09:00:00+07:00", "CANCELLED"), on=ANNOUNCED_ON)
    zone.deliver(build_row())
    assert zone.siti().outcome == "overdue"


def test_undoing_of_another_platform_or_id_undoes_nothing(zone: LandingZone) -> None:
    zone.deliver(build_row(), build_row(event="CANCELLED", of="INV/2"), build_row(event="CANCELLED", of="inv/1"))
    zone.deliver(PAID.replace("p-1", "INV/1").replace("paid", "cancelled"), platform="pintaria")
    assert zone.siti().because == "purchase"


def test_second_purchase_stands_where_the_first_is_undone(zone: LandingZone) -> None:
    zone.deliver(build_row(), build_row(event="REFUNDED"), build_row(at="2021-03-11T13:00:00+07:00", of="INV/2"))
    assert zone.siti().line == 4


def test_first_purchase_is_shown(zone: LandingZone) -> None:
    zone.deliver(build_row(at="2021-03-11T12:00:00+07:00"), on=DEADLINE_ON)
    zone.deliver(build_row(at="2021-03-11T12:00:00+07:00"))
    zone.deliver(PAID.replace("1615438800000", "1615438799999"), platform="pintaria")
    assert zone.siti() == Reading("purchased", "purchase", "pintaria", THE_DAY, 1, 1)
    zone.deliveries.pop()
    zone.deliver(PAID.replace("1615438800000", "1615438800001"), platform="pintaria")
    assert zone.siti() == Reading("purchased", "purchase", "tokopedia", THE_DAY, 1, 2)


def test_highest_revision_counts_as_a_number(zone: LandingZone) -> None:
    zone.deliver(build_row(), revision=9)
    last = zone.deliver(revision=10)
    assert zone.siti().outcome == "overdue"
    assert zone.read().in_force == (last,)


def test_delivery_counts_from_the_day_of_its_acceptance(zone: LandingZone) -> None:
    zone.deliver(build_row())
    zone.deliver(revision=2, accepted_on=AS_OF)
    assert zone.siti().outcome == "overdue"
    assert zone.siti(as_of=AS_OF - timedelta(days=1)).outcome == "purchased"


@pytest.mark.parametrize(
    ("on", "outcome", "later"),
    [
        (ANNOUNCED_ON - timedelta(days=1), "overdue", "overdue"),
        (ANNOUNCED_ON, "purchased", "purchased"),
        (SETTLEMENT_ON, "purchased", "purchased"),
        (SETTLEMENT_ON + timedelta(days=1), "overdue", "purchased"),
    ],
)
def test_business_dates_from_the_announcement_to_settlement(
    zone: LandingZone, on: date, outcome: str, later: str
) -> None:
    at = "2021-03-10T00:00:00+07:00" if on >= ANNOUNCED_ON else "2021-03-09T23:00:00+07:00"
    zone.deliver(build_row(at=at), on=on, accepted_on=AS_OF)
    assert zone.siti().outcome == outcome
    assert zone.siti(is_later=True).outcome == later


@pytest.mark.parametrize(
    ("on", "outcome"),
    [
        (ANNOUNCED_ON - timedelta(days=1), "overdue"),
        (ANNOUNCED_ON, "held"),
        (SETTLEMENT_ON, "held"),
        (SETTLEMENT_ON + timedelta(days=1), "overdue"),
    ],
)
@pytest.mark.parametrize("is_later", [False, True])
def test_damaged_row_holds_from_the_announcement_to_settlement(
    zone: LandingZone, on: date, outcome: str, is_later: bool
) -> None:
    zone.deliver(build_row(f"'{SITI}", at="1999-01-01"), on=on, accepted_on=AS_OF)
    assert zone.siti(is_later=is_later).outcome == outcome


def test_damaged_row_of_a_superseded_revision_holds_nobody(zone: LandingZone) -> None:
    zone.deliver(build_row(at="soon"))
    assert zone.siti() == Reading("held", "damaged_row", "tokopedia", THE_DAY, 1, 2)
    zone.deliver(revision=2)
    assert zone.siti().outcome == "overdue"


def test_first_damaged_row_is_shown(zone: LandingZone) -> None:
    zone.deliver(build_row(at="soon"), on=DEADLINE_ON)
    zone.deliver(build_row(BUDI, at="soon", of="INV/9"), build_row(at="soon"), build_row(at="later", of="INV/3"))
    zone.deliver(PAID.replace("1615438800000", "0"), platform="pintaria", on=DEADLINE_ON)
    assert zone.siti() == Reading("held", "damaged_row", "tokopedia", THE_DAY, 1, 3)


@pytest.mark.parametrize(
    ("card", "held"),
    [
        ("2.000000E+15", [RATNA]),
        ("1E+15", [SITI, BUDI]),
        ("2E+16", []),
        ("1.5E+17", []),
        ("0E+17", [SITI, BUDI, RATNA]),
        ("2.000.000.000.001.000", [RATNA]),
    ],
)
def test_damaged_card_holds_every_possible_recipient(zone: LandingZone, card: str, held: list[str]) -> None:
    zone.deliver(build_row(card))
    assert [card for card, reading in zone.read().by_card.items() if reading.outcome == "held"] == held


def test_many_damaged_rows_hold_a_large_cohort_in_one_walk(zone: LandingZone) -> None:
    cards = [f"{1_000_000_000_000_000 + number}" for number in range(20_000)]
    zone.roster_sha256 = zone.write_roster(cards)
    zone.deliver(*(build_row(f"1.00000E+1{number % 2 + 5}", of=f"INV/{number}") for number in range(5_000)))
    # Range by range and card by card this would be a hundred million steps.
    assert set(zone.read().by_card.values()) == {Reading("held", "damaged_row", "tokopedia", THE_DAY, 1, 2)}


def test_first_of_overlapping_damaged_rows_is_found() -> None:
    chance = random.Random(7)
    for _ in range(300):
        numbers = sorted(chance.sample(range(10**15, 10**15 + 60), 20))
        damaged = {}
        for line in chance.sample(range(100), 12):
            first = chance.randrange(10**15 - 5, 10**15 + 60)
            cards = first, first + chance.choice((-1, 0, 1, 5, 40))
            damaged[cards] = DamagedRow(THE_DAY, "tokopedia", line, 1)
        wanted = {
            f"{number:016d}": min(rows)
            for number in numbers
            if (rows := [row for (first, last), row in damaged.items() if first <= number <= last])
        }
        assert find_damaged_rows([f"{number:016d}" for number in numbers], damaged) == wanted


def test_conflict_holds_everyone_in_it_and_undoes_nothing(zone: LandingZone) -> None:
    zone.deliver(build_row(), build_row(BUDI), build_row())
    found = zone.read()
    assert [found.by_card[card].outcome for card in (SITI, BUDI, RATNA)] == ["held", "held", "overdue"]
    assert found.by_card[SITI].line == 2
    zone.deliver(
        build_row(of="INV/5"),
        build_row(event="CANCELLED", of="INV/5"),
        build_row(BUDI, event="CANCELLED", of="INV/5"),
        on=DEADLINE_ON,
    )
    assert zone.siti().because == "purchase"


@pytest.mark.parametrize("at", ["2021-03-09T12:00:00+07:00", "2021-03-11T13:00:00+07:00"])
def test_conflict_holds_with_a_row_outside_the_window_or_of_a_stranger(zone: LandingZone, at: str) -> None:
    zone.deliver(build_row(at=at), build_row("9" * 16, at=at))
    assert zone.siti().because == "damaged_row"


def test_conflict_with_an_id_that_came_as_a_number_holds(zone: LandingZone) -> None:
    record = '{"id":%s,"type":"paid","ts":1615438800000,"payment":{"card":"%s","amount":5000},"course":{"id":"K"}}'
    zone.deliver(record % ('"1000000000000000"', SITI), record % ("1000000000000000", BUDI), platform="pintaria")
    found = zone.read()
    assert [found.by_card[card].because for card in (SITI, BUDI)] == ["damaged_row", "damaged_row"]


def test_repeat_of_the_same_content_is_not_a_conflict(zone: LandingZone) -> None:
    zone.deliver(build_row(), build_row(at="2021-03-11T05:00:00.000000000Z"))
    assert zone.siti() == Reading("purchased", "purchase", "tokopedia", THE_DAY, 1, 2)


def test_same_row_in_two_deliveries_is_not_a_conflict(zone: LandingZone) -> None:
    zone.deliver(build_row())
    zone.deliver(build_row(BUDI), on=DEADLINE_ON)
    assert zone.read().totals["purchased"] == 2


@pytest.mark.parametrize(
    ("suspended_on", "lifted_on", "outcome"),
    [
        (DEADLINE_ON, None, "held"),
        (DEADLINE_ON + timedelta(days=1), None, "overdue"),
        (ANNOUNCED_ON, DEADLINE_ON, "overdue"),
        (ANNOUNCED_ON, DEADLINE_ON + timedelta(days=1), "held"),
    ],
)
def test_suspension_at_the_deadline_holds(
    zone: LandingZone, suspended_on: date, lifted_on: date | None, outcome: str
) -> None:
    suspensions = (Suspension(SITI, suspended_on, lifted_on),)
    assert zone.siti(suspensions=suspensions).outcome == outcome
    zone.deliver(build_row())
    assert zone.siti(suspensions=suspensions).outcome == "purchased"


def test_what_is_said_after_the_decision_does_not_count(zone: LandingZone) -> None:
    early = ANNOUNCED_ON + timedelta(days=1)
    lifted = (Suspension(SITI, ANNOUNCED_ON, early + timedelta(days=1)),)
    assert zone.siti(suspensions=lifted, as_of=early).outcome == "held"
    assert zone.siti(suspensions=(Suspension(SITI, DEADLINE_ON, None),), as_of=early).outcome == "overdue"
    assert zone.siti(withdrawals=(Withdrawal(SITI, DEADLINE_ON),), as_of=early).outcome == "overdue"


@pytest.mark.parametrize(("withdrawn_on", "outcome"), [(DEADLINE_ON, "excluded"), (SETTLEMENT_ON, "purchased")])
def test_withdrawal_excludes_to_the_deadline_day(zone: LandingZone, withdrawn_on: date, outcome: str) -> None:
    zone.deliver(build_row())
    assert zone.siti(withdrawals=(Withdrawal(SITI, withdrawn_on),)).outcome == outcome


def test_order_when_several_facts_concern_one_person(zone: LandingZone) -> None:
    zone.deliver(build_row(at="soon", of="INV/9"))
    assert zone.siti().because == "damaged_row"
    facts = {"suspensions": (Suspension(SITI, ANNOUNCED_ON, None),)}
    assert zone.siti(**facts).because == "suspended"
    zone.deliver(build_row(), on=DEADLINE_ON)
    assert zone.siti(**facts).because == "purchase"
    withdrawals = (Withdrawal(SITI, ANNOUNCED_ON),)
    assert zone.siti(**facts, withdrawals=withdrawals) == Reading("excluded", "withdrawn")
    found = zone.siti(**facts, withdrawals=withdrawals, revoked_earlier=frozenset([SITI]))
    assert found == Reading("excluded", "revoked_earlier")


def test_missing_delivery_is_named(zone: LandingZone) -> None:
    everything = zone.facts().missing_overridden
    for platform, day in (("tokopedia", ANNOUNCED_ON), ("sisnaker", SETTLEMENT_ON)):
        with pytest.raises(EvidenceError, match=f"^feeds/{platform}/{day}: no delivery was accepted; wait"):
            zone.read(missing_overridden=everything - {(platform, day)})
    outside = {("tokopedia", ANNOUNCED_ON - timedelta(days=1)), ("tokopedia", SETTLEMENT_ON + timedelta(days=1))}
    zone.read(missing_overridden=everything - outside)


def test_progress_is_reported_after_each_delivery(zone: LandingZone) -> None:
    zone.deliver(PAID, platform="pintaria")
    zone.deliver(build_row(), on=DEADLINE_ON)
    zone.deliver(build_row())
    told: list[tuple[int, int, str]] = []
    found = read_again(UPath(zone.root), zone.facts(), lambda *each: told.append(each))
    assert told == [(1, 3, "pintaria"), (2, 3, "tokopedia"), (3, 3, "tokopedia")]
    assert [each.business_date for each in found.in_force] == [THE_DAY, THE_DAY, DEADLINE_ON]


def test_deadline_that_was_moved_keeps_its_roster(zone: LandingZone) -> None:
    moved = DEADLINE_ON + timedelta(days=1)
    zone.deliver(build_row(at="2021-03-13T23:59:59+07:00"), on=moved)
    assert zone.siti(deadline_on=moved).outcome == "purchased"
