"""The decision's heart: given rows, expected outcomes, one microsecond on either side of each boundary."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from prakerja.platforms import EVENTS
from tests.support.standing_world import END, INSIDE, MICROSECOND, START, World


@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        (START - MICROSECOND, "overdue"),
        (START, "purchased"),
        (INSIDE, "purchased"),
        (END - MICROSECOND, "purchased"),
        (END, "overdue"),
    ],
)
def test_the_window_is_half_open(world: World, at: datetime, outcome: str) -> None:
    world.row(world.delivery("2021-03-10"), at)
    assert world.outcome() == outcome


def test_nobody_bought(world: World) -> None:
    assert world.outcome() == "overdue"


@pytest.mark.parametrize(
    ("undone_at", "outcome"),
    [(START - timedelta(days=3), "overdue"), (END - MICROSECOND, "overdue"), (END, "purchased")],
)
@pytest.mark.parametrize("event", ["CANCELLED", "REFUNDED"])
def test_undone_before_the_end_whatever_card_or_order(
    world: World, undone_at: datetime, outcome: str, event: str
) -> None:
    world.row(world.delivery("2021-03-10"))
    world.row(world.delivery("2021-03-09"), undone_at, card=999, event=event)
    assert world.outcome() == outcome
    assert world.outcome(undone_before="infinity") == "overdue"


def test_each_event_of_a_platform_has_one_effect(world: World) -> None:
    effects = world.connection.exec_driver_sql(
        "select event::text, is_purchase(event), is_undoing(event)"
        " from unnest(enum_range(null::transaction_event)) as events (event)"
    ).all()
    assert {event for event, _, _ in effects} == set(EVENTS)
    assert [event for event, is_purchase, is_undoing in effects if is_purchase == is_undoing] == []


def test_another_platforms_cancellation_undoes_nothing(world: World) -> None:
    world.row(world.delivery("2021-03-10"))
    world.row(world.delivery("2021-03-10", "bukalapak"), event="CANCELLED")
    assert world.outcome() == "purchased"


def test_bought_again_after_a_cancellation(world: World) -> None:
    delivery = world.delivery("2021-03-10")
    world.row(delivery)
    world.row(delivery, event="CANCELLED")
    world.row(delivery, tid="another")
    assert world.outcome() == "purchased"


def test_only_the_highest_accepted_revision_known_is_in_force(world: World) -> None:
    world.row(world.delivery("2021-03-10"))
    world.delivery("2021-03-10", revision=2, status="rejected")
    assert world.outcome() == "purchased"
    world.delivery("2021-03-10", revision=10, arrived_on="2021-03-16")
    assert world.outcome() == "purchased"
    assert world.outcome(as_of="2021-03-16") == "overdue"
    world.row(world.delivery("2021-03-10", revision=9))
    assert world.outcome(as_of="2021-03-16") == "overdue"


def test_the_decision_sees_the_settlement_day_and_no_further(world: World) -> None:
    world.row(world.delivery("2021-03-14"), END - timedelta(minutes=2))
    assert world.outcome() == "purchased"
    assert world.outcome(last="2021-03-13") == "overdue"


@pytest.mark.parametrize(
    ("text", "is_number", "outcome"),
    [
        ("0000000000000001", False, "held"),
        ("1", False, "held"),
        ("'0000000000000001.0", False, "held"),
        ("0000000000000002", False, "overdue"),
        ("1E+0", False, "held"),
        ("5", True, "overdue"),
    ],
)
def test_a_row_that_might_be_theirs_holds(world: World, text: str, is_number: bool, outcome: str) -> None:
    world.damaged(world.delivery("2021-03-10"), text, is_number=is_number)
    assert world.outcome() == outcome


@pytest.mark.parametrize(
    ("day", "outcome"),
    [("2021-03-04", "overdue"), ("2021-03-05", "held"), ("2021-03-14", "held"), ("2021-03-15", "overdue")],
)
def test_doubt_counts_from_the_announcement_to_the_settlement_day(world: World, day: str, outcome: str) -> None:
    world.damaged(world.delivery(day), "1")
    assert world.outcome(last="infinity") == outcome


def test_a_purchase_outweighs_a_doubt_and_a_withdrawn_doubt_holds_nobody(world: World) -> None:
    delivery = world.delivery("2021-03-10")
    world.damaged(delivery, "1")
    assert world.outcome() == "held"
    world.delivery("2021-03-10", revision=2)
    assert world.outcome() == "overdue"
    other = world.delivery("2021-03-11")
    world.damaged(other, "1")
    world.row(other)
    assert world.outcome() == "purchased"


@pytest.mark.parametrize(
    ("suspended_on", "lifted_on", "outcome"),
    [
        ("2021-03-13", None, "held"),
        ("2021-03-01", "2021-03-14", "held"),
        ("2021-03-01", "2021-03-13", "overdue"),
        ("2021-03-14", None, "overdue"),
    ],
)
def test_suspended_at_the_deadline_is_held(
    world: World, suspended_on: str, lifted_on: str | None, outcome: str
) -> None:
    world.connection.exec_driver_sql(
        "insert into suspensions (recipient_id, suspended_on, because, is_permanent, suspended_by)"
        " values (1, %s, 'fraud', false, 'Ani')",
        (suspended_on,),
    )
    if lifted_on:
        world.connection.exec_driver_sql(
            "insert into suspension_lifts values (1, %s, %s, 'cleared', 'Budi')", (suspended_on, lifted_on)
        )
    assert world.outcome() == outcome
    world.row(world.delivery("2021-03-10"))
    assert world.outcome() == "purchased"


def test_withdrawn_is_excluded_even_after_a_purchase(world: World) -> None:
    world.row(world.delivery("2021-03-10"))
    world.connection.exec_driver_sql(
        "insert into withdrawals (recipient_id, withdrawn_on, because, recorded_by)"
        " values (1, '2021-03-12', 'own wish', 'Ani')"
    )
    assert world.outcome() == "excluded"


def test_other_cohorts_recipients_are_no_matter(world: World) -> None:
    world.recipient(card=2, cohort=13)
    world.damaged(world.delivery("2021-03-10"), "2")
    assert world.outcome() == "overdue"


def test_each_kind_of_finding_has_an_effect(world: World) -> None:
    kinds = world.connection.exec_driver_sql(
        "select distinct kinds.found[1], finding_effect(kinds.found[1])"
        " from pg_constraint, regexp_matches(pg_get_constraintdef(oid), '''(\\w+)''', 'g') as kinds (found)"
        " where conrelid = 'late_findings'::regclass and contype = 'c'"
    ).all()
    assert len(kinds) == 7
    assert [kind for kind, effect in kinds if effect is None] == []
