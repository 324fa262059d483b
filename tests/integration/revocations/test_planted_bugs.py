"""A bug in one of the two readings revokes nobody: the other disagrees, and the decision stops or holds the person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from prakerja import warehouse
from prakerja.calendar import find_cohort
from prakerja.cohorts import evidence, standing
from prakerja.recheck.rule import SecondReading
from prakerja.revocations import decision, second_reading
from prakerja.revocations.decision import BlockedError
from tests.support.edge_world import edge_world, take_in_edges
from tests.support.planted import planted
from tests.support.planted_bugs import FIRST, SECOND
from tests.support.small_cohort import DECIDED_ON

WORLD = edge_world()
NAMES = {card: name for name, card in WORLD.cards.items()}
#: What says that the two readings do not say the same, or that one of them cannot be made.
STOPPED = "is blocked: (readings_disagree|evidence_unreadable|delivery_passed_over)"


def test_without_a_bug_both_readings_say_what_the_contract_says(edges: None) -> None:
    assert read_first() == WORLD.outcomes
    again = second_reading.read(12, find_cohort(12).announced_on, DECIDED_ON)
    assert again.reading is not None
    assert {NAMES[card]: found.outcome for card, found in again.reading.by_card.items()} == WORLD.outcomes
    made = decision.decide(find_cohort(12), DECIDED_ON)
    assert made.totals == {outcome: len(WORLD.names(outcome)) for outcome in decision.OUTCOMES}
    assert {name: outcome for name, (outcome, _) in find_outcomes().items()} == WORLD.outcomes
    assert "readings_disagree" not in {because for _, because in find_outcomes().values()}


@pytest.mark.parametrize("bug", FIRST)
def test_a_bug_in_the_first_reading_stops_the_decision_or_holds(
    edges: None,
    read_once: Callable[..., SecondReading],
    differ_freely: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    bug: str,
) -> None:
    monkeypatch.setattr(second_reading, "read_again", read_once)
    plant = FIRST[bug]
    with planted(*plant.bugs):
        take_in_anew(plant.retaken)
        first = read_first()
        wrong = {name for name, outcome in WORLD.outcomes.items() if first.get(name) != outcome}
        assert wrong, "the bug is about nobody of this world"

        require_stop()
        differ_freely()
        if plant.is_final:
            require_stop()
            return
        decision.decide(find_cohort(12), DECIDED_ON)
    found = find_outcomes()
    assert {name: found[name] for name in wrong} == dict.fromkeys(wrong, ("held", "readings_disagree"))
    others = WORLD.outcomes.keys() - wrong
    assert {name: found[name][0] for name in others} == {name: WORLD.outcomes[name] for name in others}


@pytest.mark.parametrize("bug", SECOND)
def test_a_bug_in_the_second_reading_stops_the_decision_or_holds(
    edges: None, differ_freely: Callable[[], None], bug: str
) -> None:
    plant = SECOND[bug]
    with planted(*plant.bugs):
        require_stop()
        differ_freely()
        if plant.is_final:
            require_stop()
            return
        decision.decide(find_cohort(12), DECIDED_ON)
    found = find_outcomes()
    held = {name for name, (_, because) in found.items() if because == "readings_disagree"}
    assert held
    assert {found[name][0] for name in held} == {"held"}
    others = WORLD.outcomes.keys() - held
    assert {name: found[name][0] for name in others} == {name: WORLD.outcomes[name] for name in others}


def require_stop() -> None:
    """Nobody is decided."""
    with pytest.raises(BlockedError, match=STOPPED):
        decision.decide(find_cohort(12), DECIDED_ON)
    assert find_outcomes() == {}


def take_in_anew(deliveries: tuple[str, ...]) -> None:
    """Remove what was taken in from some platforms (or one of their business dates), and take it in again."""
    if not deliveries:
        return
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        of = (
            "(select delivery_id from deliveries where fingerprint <> ''"
            " and platform || ' ' || business_date like any(%s))"
        )
        for table in ("transactions", "quarantine", "restatements", "deliveries"):
            connection.exec_driver_sql(
                f"delete from {table} where delivery_id in {of}", ([f"{each}%" for each in deliveries],)
            )
    assert all(
        line.startswith("sisnaker 2021-03-10 r2: row_count_mismatch")
        for line in take_in_edges([each.partition(" ")[0] for each in deliveries])
    )


def read_first() -> dict[str, str]:
    """Bring the evidence from day to day up to that of the decision, and return where it has everybody."""
    cohort = find_cohort(12)
    with warehouse.transaction("ingest") as connection:
        for days in range(10, -1, -1):
            as_of = DECIDED_ON - timedelta(days=days)
            evidence.refresh(connection, standing.window_of(cohort), as_of, is_decided=False)
    with warehouse.transaction(as_owner=True) as connection:
        found = connection.exec_driver_sql(
            "select lpad(card_number::text, 16, '0'), outcome::text"
            " from standing(12, '2021-03-13', '2021-03-15') join recipients using (recipient_id)"
        )
        return {NAMES[card]: outcome for card, outcome in found}


def find_outcomes() -> dict[str, tuple[str, str]]:
    """Return the outcomes that were decided, and why."""
    with warehouse.transaction(as_owner=True) as connection:
        found = connection.exec_driver_sql(
            "select lpad(card_number::text, 16, '0'), outcome::text, because"
            " from outcomes join recipients using (recipient_id)"
        )
        return {NAMES[card]: (outcome, because) for card, outcome, because in found}
