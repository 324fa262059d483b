"""Histories of several steps: dates move, evidence comes back or goes, and somebody is held twice."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from prakerja import calendar, tasks, warehouse
from prakerja.blacklist import audit, publishing
from prakerja.calendar import Cohort, find_cohort
from prakerja.cohorts import overview, people
from prakerja.errors import PrakerjaError
from prakerja.feeds import intake
from prakerja.revocations import (
    approval,
    decision,
    explanation,
    holds,
    overrides,
    reinstatement,
    rejections,
    revocation,
)
from prakerja.revocations.decision import BlockedError
from prakerja.settings import WIB
from tests.support.landing_zone import deliver
from tests.support.small_cohort import (
    DECIDED_ON,
    PEOPLE,
    approve,
    bought,
    card,
    carry_out,
    daily,
    empty_days,
    extend,
    findings,
    reinstate,
    restate,
    revoked,
)

DAY = timedelta(days=1)
ALL_BUT_TWO = [bought(n) for n in range(3, PEOPLE + 1)]


def hold_one(home: Path, cohort: Cohort) -> decision.Decision:
    """Decide with number 1 held for a damaged row and number 2 overdue."""
    restate(home, [*ALL_BUT_TWO, bought(1, transaction_id="x", card=f"'{card(1)}")])
    return decision.decide(cohort, DECIDED_ON + DAY)


def revoke_the_held(clock: date) -> None:
    """One person finds that number 1 has not bought, another approves, and the night's run revokes."""
    batch = holds.resolve(card(1), is_purchased=False, because="asked", resolved_by="budi", on=clock)
    assert batch is not None
    with warehouse.transaction("decide") as connection:
        approval.approve(connection, batch, "siti", clock)
    assert holds.apply_resolved_holds(clock) == 1
    assert revoked() == [1]


def approve_waiting(clock: date) -> list[str]:
    """Let a person approve all that waits; return what it was."""
    waiting = list(approval.waiting_batches())
    with warehouse.transaction("decide") as connection:
        for _, batch in waiting:
            approval.approve(connection, batch, "siti", clock)
    return [batch.subject for _, batch in waiting]


def buy_later(home: Path, number: int, at: str, revision: int = 2) -> None:
    when = datetime.fromisoformat(at).replace(tzinfo=WIB)
    deliver(home / "landing", "tokopedia", f"{when.date()}", [bought(number, occurred_at=when)], revision=revision)
    assert intake.take_in("tokopedia", when.date() + DAY).rejected == []


@pytest.mark.parametrize("has_bought", [True, False])
def test_whoever_was_revoked_singly_is_reinstated_after_the_deadline_moved(
    cohort: Cohort, home: Path, has_bought: bool
) -> None:
    """Their own cohort's batch still waited, so it is decided again, and leaves them out."""
    hold_one(home, cohort)
    clock = DECIDED_ON + DAY
    revoke_the_held(clock)
    publishing.publish("deadline", datetime.combine(clock, datetime.min.time(), WIB) + timedelta(hours=6), clock)
    known = extend(home, "2021-03-17").as_known_on(date(2021, 3, 17))
    empty_days("2021-03-15", "2021-03-21")
    if has_bought:  # on the last day, so that only the second decision's day knows of it
        buy_later(home, 1, "2021-03-20T23:00")
    else:
        daily(date(2021, 3, 17))
        assert overview.cohort_table()[0]["reinstatements_proposed"] == 1
    second = decision.decide(known, date(2021, 3, 22))
    assert second.excluded == 1
    daily(date(2021, 3, 23))
    assert overview.cohort_table()[0]["reinstatements_proposed"] == 1
    assert "reinstatement" in approve_waiting(date(2021, 3, 23))
    daily(date(2021, 3, 24))
    assert overview.cohort_table()[0]["reinstatements_proposed"] == 0
    because = "purchase" if has_bought else "deadline_extended"
    assert [(story["state"], story["because"]) for story in explanation.explain([card(1)])] == [("reinstated", because)]
    at = datetime.combine(date(2021, 3, 24), datetime.min.time(), WIB) + timedelta(hours=2)
    publishing.publish("daily", at, date(2021, 3, 24), is_daily=True)
    with warehouse.transaction() as connection:
        assert warehouse.execute(connection, "blacklist/count_listed", version=2).scalar_one() == 0


def test_a_reinstatement_approved_before_the_cohort_is_decided_anew_is_carried_out(cohort: Cohort, home: Path) -> None:
    hold_one(home, cohort)
    revoke_the_held(DECIDED_ON + DAY)
    known = extend(home, "2021-03-17").as_known_on(date(2021, 3, 17))
    daily(date(2021, 3, 20))
    assert approve_waiting(date(2021, 3, 20)) == ["reinstatement"]
    empty_days("2021-03-15", "2021-03-21")
    decision.decide(known, date(2021, 3, 22))
    assert reinstatement.reinstate(date(2021, 3, 23)) == 1


def test_whoever_is_held_again_for_the_next_deadline_is_looked_into_again(cohort: Cohort, home: Path) -> None:
    hold_one(home, cohort)
    holds.resolve(card(1), is_purchased=False, because="asked", resolved_by="budi", on=DECIDED_ON + DAY)
    with pytest.raises(PrakerjaError, match="resolved already"):
        holds.resolve(card(1), is_purchased=True, because="asked", resolved_by="ani", on=DECIDED_ON + DAY)
    known = extend(home, "2021-03-17").as_known_on(date(2021, 3, 17))
    empty_days("2021-03-15", "2021-03-21")
    clock = date(2021, 3, 22)
    decision.decide(known, clock)
    (held,) = holds.list_holds(12)
    assert (held["state"], held["resolution"]) == ("open", None)
    # Who looked into it for the deadline before has no part in this one.
    batch = holds.resolve(card(1), is_purchased=False, because="asked", resolved_by="ani", on=clock)
    assert batch is not None
    assert batch.had_a_part == ["ani"]
    with warehouse.transaction("decide") as connection:
        approval.approve(connection, batch, "budi", clock)
    with warehouse.transaction("decide") as connection:
        _, found = rejections.describe_hold(connection, batch)
    assert found.startswith("found by ani on 2021-03-22")
    assert holds.apply_resolved_holds(clock) == 1
    assert audit.verify().problems == []
    events = next(explanation.explain([card(1)]))["events"]
    assert [event["resolved_by"] for event in events if event["what"] == "hold_resolved"] == ["budi", "ani"]


def test_a_purchase_that_was_found_stays_found_for_the_next_deadline(cohort: Cohort, home: Path) -> None:
    hold_one(home, cohort)
    holds.resolve(card(1), is_purchased=True, because="asked", resolved_by="budi", on=DECIDED_ON + DAY)
    known = extend(home, "2021-03-17").as_known_on(date(2021, 3, 17))
    empty_days("2021-03-15", "2021-03-21")
    decision.decide(known, date(2021, 3, 22))
    (held,) = holds.list_holds(12)
    assert held["state"] == "purchased"
    with pytest.raises(PrakerjaError, match="resolved already"):
        holds.resolve(card(1), is_purchased=False, because="asked", resolved_by="ani", on=date(2021, 3, 22))


def test_a_proof_that_is_restated_away_after_a_reinstatement_is_a_case(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])
    assert reinstate(DECIDED_ON + DAY) == 1
    restate(home, ALL_BUT_TWO, DECIDED_ON + 2 * DAY, 3)
    assert findings() == [(2, "purchase_gone"), (2, "reinstatement_proposed")]
    daily(DECIDED_ON + 3 * DAY)
    with warehouse.transaction("decide") as connection:
        assert list(approval.waiting(connection, decision.find_decision(connection, 12))) == []
    gone = next(e for e in next(explanation.explain([card(2)]))["events"] if e["what"] == "purchase_gone")
    assert (gone["platform"], gone["business_date"], gone["revision"]) == ("tokopedia", "2021-03-08", 2)


def test_a_proposal_lapses_with_its_proof_and_comes_back_with_it(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    shown = []
    for revision, first in enumerate((2, 3, 2), 2):
        clock = DECIDED_ON + (revision - 1) * DAY
        restate(home, [bought(n) for n in range(first, PEOPLE + 1)], clock, revision)
        daily(clock)
        waiting = [batch.people for _, batch in approval.waiting_batches()]
        shown.append((overview.cohort_table()[0]["reinstatements_proposed"], waiting))
    assert shown == [(1, [1]), (0, []), (1, [1])]
    approve_waiting(clock)
    daily(clock + DAY)
    assert [story["state"] for story in explanation.explain([card(1), card(2)])] == ["revoked", "reinstated"]


def test_a_run_asks_about_no_proposal_that_has_lapsed(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])
    daily(DECIDED_ON + DAY)
    ((_, batch),) = approval.waiting_batches()
    run = {"cohort": 12, "digest": batch.digest}
    assert tasks.batches.request_batch_approval(run) is not None
    restate(home, ALL_BUT_TWO, DECIDED_ON + 2 * DAY, 3)
    daily(DECIDED_ON + 2 * DAY)
    with pytest.raises(PrakerjaError, match="is not proposed any more"):
        tasks.batches.request_batch_approval(run)


def test_a_proof_that_spared_somebody_and_is_restated_away_is_a_case(cohort: Cohort, home: Path) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    deliver(home / "landing", "tokopedia", "2021-03-08", [bought(n) for n in range(2, PEOPLE + 1)], revision=2)
    intake.take_in("tokopedia", DECIDED_ON)
    approve(made)
    assert revocation.revoke(cohort, made, DECIDED_ON) == 1
    assert findings() == [(2, "spared")]
    restate(home, ALL_BUT_TWO, DECIDED_ON + DAY, 3)
    assert findings() == [(2, "purchase_gone"), (2, "spared")]
    assert revocation.revoke(cohort, made, DECIDED_ON + DAY) == 0
    assert revoked() == [1]


def test_an_override_of_a_missing_feed_is_void_once_other_deliveries_change(cohort: Cohort, home: Path) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "delete from deliveries where (platform, business_date) = ('sisnaker', '2021-03-10')"
        )
    with pytest.raises(BlockedError, match="feeds_missing"):
        decision.decide(cohort, DECIDED_ON)
    attempt = overrides.attempt_name(overrides.blocked_attempt(12)["decision_id"])
    overrides.override(12, attempt, because="it was closed that day", overridden_by="ani", on=DECIDED_ON)
    deliver(home / "landing", "tokopedia", "2021-03-08", [bought(n) for n in range(5, PEOPLE + 1)], revision=2)
    intake.take_in("tokopedia", DECIDED_ON)
    overrides.look_again(cohort, DECIDED_ON)  # what a person is shown to answer for is what would stop it now
    found = overrides.blocked_attempt(12)
    assert (found["overridden_by"], overrides.attempt_name(found["decision_id"]) == attempt) == (None, False)
    with pytest.raises(BlockedError, match="feeds_missing"):
        decision.decide(cohort, DECIDED_ON)
    assert overrides.blocked_attempt(12) == found


def test_whoever_is_suspended_is_not_found_not_to_have_bought(cohort: Cohort) -> None:
    people.suspend(card(1), date(2021, 3, 9), is_permanent=False, because="fraud inquiry", suspended_by="ani")
    decision.decide(cohort, DECIDED_ON)
    with pytest.raises(PrakerjaError, match="this person is suspended"):
        holds.resolve(card(1), is_purchased=False, because="asked", resolved_by="budi", on=DECIDED_ON)
    people.lift_suspension(card(1), DECIDED_ON + DAY, because="cleared", lifted_by="ani")
    clock = DECIDED_ON + DAY
    batch = holds.resolve(card(1), is_purchased=False, because="asked", resolved_by="budi", on=clock)
    assert batch is not None
    with warehouse.transaction("decide") as connection:
        approval.approve(connection, batch, "siti", clock)
    people.suspend(card(1), clock, is_permanent=False, because="fraud inquiry", suspended_by="ani")
    assert holds.apply_resolved_holds(clock) == 0, "suspended again before it was carried out"
    with pytest.raises(warehouse.RefusedError, match="revocations_not_suspended"), warehouse.transaction("decide") as c:
        approval.revoke_batch(c, batch, datetime(2021, 3, 14, tzinfo=WIB), clock)
    assert revoked() == []


def test_whoever_withdraws_with_effect_after_the_deadline_is_overdue(cohort: Cohort) -> None:
    people.withdraw(card(1), date(2021, 3, 13), because="own wish", recorded_by="ani")
    people.withdraw(card(2), date(2021, 3, 14), because="own wish", recorded_by="ani")
    made = decision.decide(cohort, DECIDED_ON)
    assert (made.excluded, made.overdue) == (1, 1)
    approve(made)
    assert revocation.revoke(cohort, made, DECIDED_ON) == 1
    assert revoked() == [2]


def test_a_cohort_that_is_taken_out_of_the_calendar_reinstates_and_revokes_nobody(cohort: Cohort, home: Path) -> None:
    restate(home, [*ALL_BUT_TWO, bought(1, transaction_id="x", card=f"'{card(1)}")])
    clock = DECIDED_ON + DAY
    made = decision.decide(cohort, clock)
    approve(made, "siti", clock)
    assert revocation.revoke(cohort, made, clock) == 1
    batch = holds.resolve(card(1), is_purchased=False, because="asked", resolved_by="budi", on=clock)
    assert batch is not None
    with warehouse.transaction("decide") as connection:
        approval.approve(connection, batch, "siti", clock)
    (home / "calendar.yaml").write_text("cohorts:\n- {cohort: 1, announced_on: 2020-04-11, deadline_on: 2020-05-10}\n")
    calendar._read.cache_clear()
    with pytest.raises(PrakerjaError):
        find_cohort(12)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)], clock + DAY, 3)
    daily(clock + DAY)
    assert [each.subject for _, each in approval.waiting_batches()] == ["reinstatement"]
    approve_waiting(clock + DAY)
    daily(clock + 2 * DAY)
    assert [story["state"] for story in explanation.explain([card(1), card(2)])] == ["held", "reinstated"]
