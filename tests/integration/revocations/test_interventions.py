"""Interventions by people: freezes, extensions, overrides, suspensions and withdrawals."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja import calendar, warehouse
from prakerja.calendar import Cohort, find_cohort
from prakerja.cohorts import overview, people, standing
from prakerja.errors import PrakerjaError
from prakerja.feeds import intake
from prakerja.programme import programme
from prakerja.revocations import (
    approval,
    decision,
    explanation,
    freezes,
    holds,
    late_evidence,
    overrides,
    reinstatement,
    revocation,
)
from prakerja.revocations.approval import AwaitingApprovalError
from prakerja.revocations.decision import BlockedError
from prakerja.revocations.freezes import FrozenError
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
from tests.support.stopped_cohort import remove

NEW_DEADLINE = date(2021, 3, 20)
BECAUSE: dict[str, Any] = {"because": "flood", "frozen_by": "ani", "on": DECIDED_ON}


def test_a_freeze_revokes_nobody_until_it_is_over(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    number = freezes.freeze(12, DECIDED_ON, DECIDED_ON + timedelta(days=2), **BECAUSE)
    for clock in (DECIDED_ON, DECIDED_ON + timedelta(days=2)):
        with pytest.raises(
            FrozenError, match=f"gelombang-12: nobody is revoked until 2021-03-17: freeze {number}, flood"
        ):
            approve(made, "siti", clock)
        with pytest.raises(FrozenError):
            revocation.revoke(cohort, made, clock)
    assert revoked() == []
    after = DECIDED_ON + timedelta(days=3)
    approve(made, "siti", after)
    assert revocation.revoke(cohort, made, after) == 2


def test_a_freeze_of_all_lasts_until_it_is_lifted_and_holds_the_held(cohort: Cohort, home: Path) -> None:
    restate(home, [*(bought(n) for n in range(3, PEOPLE + 1)), bought(1, transaction_id="x", card=f"'{card(1)}")])
    clock = DECIDED_ON + timedelta(days=1)
    made = decision.decide(cohort, clock)
    batch = holds.resolve(card(1), is_purchased=False, because="asked", resolved_by="budi", on=clock)
    assert batch is not None
    with warehouse.transaction("decide") as connection:
        approval.approve(connection, batch, "siti", clock)
    number = freezes.freeze(None, clock, None, **BECAUSE)
    with pytest.raises(FrozenError, match="until it is lifted"):
        revocation.revoke(cohort, made, clock)
    assert holds.apply_resolved_holds(clock) == 0
    freezes.lift(number, because="over", lifted_by="budi", on=clock + timedelta(days=1))
    with pytest.raises(PrakerjaError, match=f"there is no freeze {number} to lift"):
        freezes.lift(number, because="over", lifted_by="budi", on=clock)
    assert holds.apply_resolved_holds(clock + timedelta(days=1)) == 1
    (freeze,) = freezes.list_freezes()
    assert (freeze["frozen_by"], freeze["lifted_by"]) == ("ani", "budi")


def test_an_extension_moves_the_decision_and_its_run(cohort: Cohort, home: Path) -> None:
    extended = extend(home, "2021-03-12")
    assert extended.as_known_on(date(2021, 3, 11)) == cohort
    known = extended.as_known_on(date(2021, 3, 12))
    assert [event.on for event in known.events() if event.kind == "deadline"] == [NEW_DEADLINE]
    with pytest.raises(PrakerjaError, match="cannot be decided before 2021-03-22: wait"):
        decision.decide(known, DECIDED_ON)
    empty_days("2021-03-15", "2021-03-21")
    at = datetime(2021, 3, 20, 23, tzinfo=WIB)
    deliver(home / "landing", "tokopedia", "2021-03-20", [bought(2, occurred_at=at)], revision=2)
    intake.take_in("tokopedia", date(2021, 3, 21))
    standing.refresh_standings(date(2021, 3, 21))
    made = decision.decide(known, date(2021, 3, 22))
    assert (made.deadline_on, made.purchased, made.overdue) == (NEW_DEADLINE, 49, 1)
    assert made.effective_at == datetime(2021, 3, 21, tzinfo=WIB)
    story = next(explanation.explain([card(2)]))
    assert {"what": "deadline_extended", "deadline_on": "2021-03-20", "because": "flood"}.items() <= next(
        event for event in story["events"] if event["what"] == "deadline_extended"
    ).items()


def test_a_decision_that_was_not_carried_out_is_replaced_for_a_later_deadline(cohort: Cohort, home: Path) -> None:
    first = decision.decide(cohort, DECIDED_ON)
    known = extend(home, "2021-03-16").as_known_on(date(2021, 3, 16))
    with pytest.raises(
        BlockedError, match="deadline_moved: it was decided for 2021-03-13, the calendar now says 2021-03-20"
    ):
        revocation.revoke(known, first, date(2021, 3, 16))
    empty_days("2021-03-15", "2021-03-21")
    deliver(
        home / "landing", "tokopedia", "2021-03-18", [bought(1, occurred_at=datetime(2021, 3, 18, 9, tzinfo=WIB))], 2
    )
    intake.take_in("tokopedia", date(2021, 3, 19))
    second = decision.decide(known, date(2021, 3, 22))
    assert (first.overdue, second.overdue) == (2, 1)
    approve(second, "siti", date(2021, 3, 22))
    assert revocation.revoke(known, second, date(2021, 3, 22)) == 1
    assert revoked() == [2]
    assert overview.cohort_table()[0]["status"] == "decided"
    states = [story["state"] for story in explanation.explain([card(1), card(2)])]
    assert states == ["purchased", "revoked"]


def test_an_extension_after_the_revocations_proposes_reinstatements(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    extend(home, "2021-03-17")
    clock = date(2021, 3, 16)
    assert late_evidence.record_late_evidence(clock) == 0, "it is not announced yet"
    clock = date(2021, 3, 17)
    assert late_evidence.record_late_evidence(clock) == 2
    assert overview.cohort_table()[0]["reinstatements_proposed"] == 2
    assert reinstatement.reinstate(clock) == 0
    assert reinstate(clock) == 2
    assert [story["because"] for story in explanation.explain([card(1)])] == ["deadline_extended"]
    known = find_cohort(12).as_known_on(date(2021, 3, 22))
    assert decision.decide(known, date(2021, 3, 22)).is_carried_out, "nobody is decided twice"


def test_an_extension_to_a_past_day_proposes_people_who_had_bought_by_it(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    extend(home, "2021-03-25")
    at = datetime(2021, 3, 20, 23, tzinfo=WIB)
    deliver(home / "landing", "tokopedia", "2021-03-20", [bought(2, occurred_at=at)])
    intake.take_in("tokopedia", date(2021, 3, 21))
    late_evidence.record_late_evidence(date(2021, 3, 21))
    assert findings() == [(2, "late_purchase")], "the platform took money after the deadline"
    late_evidence.record_late_evidence(date(2021, 3, 25))
    assert (2, "reinstatement_proposed") in findings()
    assert (1, "deadline_extended") not in findings()


def test_an_extension_cannot_be_withdrawn(cohort: Cohort, home: Path) -> None:
    extend(home, "2021-03-10")
    standing.refresh_standings(date(2021, 3, 12))
    (home / "calendar.yaml").write_text(
        "cohorts:\n- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-13, note: short}\n"
    )
    calendar._read.cache_clear()
    with pytest.raises(BlockedError, match="calendar_mismatch: its deadline was moved to 2021-03-20"):
        decision.decide(find_cohort(12), DECIDED_ON)


@pytest.mark.parametrize(
    ("deadline_on", "told"),
    [("2021-03-13", "a deadline never moves earlier"), ("2021-03-01", "never"), ("soon", '"soon", not a date')],
)
def test_an_extension_is_later_or_refused(home: Path, deadline_on: str, told: str) -> None:
    with pytest.raises(PrakerjaError, match=told):
        extend(home, "2021-03-10", deadline_on)


def test_a_missing_feed_is_overridden_by_a_person_who_then_cannot_approve(cohort: Cohort) -> None:
    remove("(platform, business_date) = ('sisnaker', '2021-03-10')")
    with pytest.raises(BlockedError, match="feeds_missing: sisnaker 2021-03-10"):
        decision.decide(cohort, DECIDED_ON)
    attempt = overrides.attempt_name(overrides.find_blocked_attempt(12)["decision_id"])
    with pytest.raises(PrakerjaError, match="no attempt nonsense is stopped"):
        overrides.override(12, "nonsense", because="closed", overridden_by="ani", on=DECIDED_ON)
    overrides.override(12, attempt, because="it was closed that day", overridden_by="ani", on=DECIDED_ON)
    with pytest.raises(PrakerjaError, match="ani has already overridden this attempt"):
        overrides.override(12, attempt, because="again", overridden_by="budi", on=DECIDED_ON)
    made = decision.decide(cohort, DECIDED_ON)
    assert made.overdue == 2
    with pytest.raises(PrakerjaError, match="ani proposed this batch, resolved its hold, or overrode"):
        approve(made, "ani", DECIDED_ON)
    approve(made, "siti", DECIDED_ON)
    decided = next(e for e in next(explanation.explain([card(1)]))["events"] if e["what"] == "decided")
    assert decided["overridden"] == [{"reason": "feeds_missing", "by": "ani", "because": "it was closed that day"}]


def test_an_override_is_of_one_breaker_on_one_evidence(
    cohort: Cohort, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programme().revocations, "overdue_share_max", 0.01)
    monkeypatch.setattr(programme().revocations, "overdue_max", 1)
    stopped = []
    for _ in range(2):
        with pytest.raises(BlockedError):
            decision.decide(cohort, DECIDED_ON)
        found = overrides.find_blocked_attempt(12)
        stopped.append(found["reason"])
        name = overrides.attempt_name(found["decision_id"])
        overrides.override(12, name, because="looked at", overridden_by="ani", on=DECIDED_ON)
    assert stopped == ["overdue_share_implausible", "overdue_too_many"]
    deliver(home / "landing", "tokopedia", "2021-03-08", [bought(n) for n in range(4, PEOPLE + 1)], revision=2)
    intake.take_in("tokopedia", DECIDED_ON)
    with pytest.raises(BlockedError, match="3 of 50"):
        decision.decide(cohort, DECIDED_ON)


def test_totals_that_do_not_add_up_cannot_be_overridden(cohort: Cohort) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("update rosters set rows = 51")
    with pytest.raises(BlockedError, match="totals_do_not_add_up"):
        decision.decide(cohort, DECIDED_ON)
    attempt = overrides.attempt_name(overrides.find_blocked_attempt(12)["decision_id"])
    with pytest.raises(PrakerjaError, match="a defect, which cannot be overridden"):
        overrides.override(12, attempt, because="x", overridden_by="ani", on=DECIDED_ON)


def test_a_feed_that_shrank_inside_the_window_stops_the_decision(cohort: Cohort) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("update deliveries set rows = 5000, loaded = 5000 where platform = 'pintaria'")
        connection.exec_driver_sql(
            "update deliveries set rows = 499, loaded = 499"
            " where (platform, business_date) = ('pintaria', '2021-03-09')"
        )
    with pytest.raises(BlockedError, match="feed_shrank: pintaria 2021-03-09 has 499 rows, usually 5,000"):
        decision.decide(cohort, DECIDED_ON)
    assert revoked() == []


def test_suspended_and_withdrawn_people_are_not_revoked(cohort: Cohort) -> None:
    people.suspend(card(1), date(2021, 3, 9), is_permanent=False, because="fraud inquiry", suspended_by="ani")
    people.withdraw(f"{31 * 10**14 + 2}", date(2021, 3, 9), because="own wish", recorded_by="ani")
    made = decision.decide(cohort, DECIDED_ON)
    assert (made.held, made.excluded, made.overdue) == (1, 1, 0)
    assert [story["state"] for story in explanation.explain([card(1), card(2)])] == ["held", "excluded"]


def test_a_suspension_is_lifted_once_unless_it_is_for_good(cohort: Cohort) -> None:
    told: dict[str, Any] = {"because": "fraud inquiry", "suspended_by": "ani"}
    people.suspend(card(1), date(2021, 3, 9), is_permanent=False, **told)
    with pytest.raises(PrakerjaError, match="already suspended"):
        people.suspend(card(1), date(2021, 3, 10), is_permanent=True, **told)
    people.lift_suspension(card(1), date(2021, 3, 11), because="cleared", lifted_by="budi")
    people.suspend(card(1), date(2021, 3, 12), is_permanent=True, **told)
    with pytest.raises(PrakerjaError, match="no suspension that can be lifted"):
        people.lift_suspension(card(1), date(2021, 3, 13), because="cleared", lifted_by="budi")
    with pytest.raises(PrakerjaError, match="no roster has this card") as refusal:
        people.suspend("9" * 16, date(2021, 3, 9), is_permanent=False, **told)
    assert "9999" not in str(refusal.value)
    assert decision.decide(cohort, DECIDED_ON).held == 1


def test_a_suspension_between_decision_and_revocation_spares(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    people.suspend(card(1), date(2021, 3, 13), is_permanent=False, because="fraud inquiry", suspended_by="ani")
    approve(made, "siti", DECIDED_ON)
    assert revocation.revoke(cohort, made, DECIDED_ON) == 1
    assert (revoked(), findings()) == ([2], [(1, "spared")])


def test_a_batch_that_returns_is_the_valid_one(cohort: Cohort, home: Path) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    clocks = [DECIDED_ON + timedelta(days=n) for n in range(1, 4)]
    shown = []
    for revision, (clock, first) in enumerate(zip(clocks, (3, 2, 3), strict=True), 2):
        deliver(home / "landing", "tokopedia", "2021-03-08", [bought(n) for n in range(first, PEOPLE + 1)], revision)
        intake.take_in("tokopedia", clock)
        with pytest.raises(AwaitingApprovalError):
            revocation.propose_and_require_approval(made, clock)
        with warehouse.transaction("decide") as connection:
            (waiting,) = approval.list_waiting_batches(connection, made)
        shown.append(waiting.people)
    assert shown == [2, 1, 2]


def test_late_evidence_on_the_day_of_the_decision_is_found_after_another_refresh(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    deliver(home / "landing", "tokopedia", "2021-03-08", [bought(n) for n in range(2, PEOPLE + 1)], revision=2)
    intake.take_in("tokopedia", DECIDED_ON)
    daily(DECIDED_ON)
    daily(DECIDED_ON + timedelta(days=1))
    assert findings() == [(2, "reinstatement_proposed")]


def test_a_delivery_from_before_the_decision_that_a_replay_finds_later_spares(cohort: Cohort, home: Path) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    early = "2021-03-14T01:00:00+07:00"
    rows = [bought(n) for n in range(2, PEOPLE + 1)]
    deliver(home / "landing", "tokopedia", "2021-03-08", rows, revision=2, generated_at=early)
    intake.take_in("tokopedia", DECIDED_ON - timedelta(days=1), is_replay=True)
    for clock in (DECIDED_ON - timedelta(days=1), DECIDED_ON):
        standing.refresh_standings(clock)
    approve(made, "siti", DECIDED_ON)
    revocation.revoke(cohort, made, DECIDED_ON)
    assert revoked() == [1]


def resolve(*, is_purchased: bool) -> Any:
    return holds.resolve(card(1), is_purchased=is_purchased, because="asked", resolved_by="budi", on=DECIDED_ON)


def approve_all(made: decision.Decision, name: str, clock: date) -> None:
    with warehouse.transaction("decide") as connection:
        for batch in approval.list_waiting_batches(connection, made):
            approval.approve(connection, batch, name, clock)


def test_nobody_held_is_revoked_while_an_extended_deadline_runs(held: decision.Decision, home: Path) -> None:
    resolve(is_purchased=False)
    approve_all(held, "siti", DECIDED_ON)
    extend(home, "2021-03-16")
    daily(date(2021, 3, 16))
    assert revoked() == []
    empty_days("2021-03-15", "2021-03-21")
    made = decision.decide(find_cohort(12).as_known_on(date(2021, 3, 22)), date(2021, 3, 22))
    assert (made.held, made.overdue) == (1, 1)
    with warehouse.transaction("decide") as connection:
        waiting = [batch.subject for batch in approval.list_waiting_batches(connection, made)]
    assert waiting == []
    assert holds.apply_resolved_holds(date(2021, 3, 22)) == 0, "what was found out was about another deadline"


def test_a_recipient_revoked_before_an_extension_is_excluded_from_the_new_decision(
    held: decision.Decision, home: Path
) -> None:
    resolve(is_purchased=False)
    approve_all(held, "siti", DECIDED_ON)
    assert holds.apply_resolved_holds(DECIDED_ON) == 1
    extend(home, "2021-03-17")
    empty_days("2021-03-15", "2021-03-21")
    daily(date(2021, 3, 17))
    made = decision.decide(find_cohort(12).as_known_on(date(2021, 3, 22)), date(2021, 3, 22))
    assert (made.excluded, made.overdue, made.purchased) == (1, 1, 48)
    # Who was revoked stays revoked, whichever decision counts by now.
    assert overview.cohort_table(date(2021, 3, 17))[0]["revoked"] == 1
    assert overview.cohort_table()[0]["revoked"] == 1


def test_a_cleared_hold_does_not_stop_the_others(held: decision.Decision, home: Path, cohort: Cohort) -> None:
    assert resolve(is_purchased=True) is None
    known = extend(home, "2021-03-16").as_known_on(date(2021, 3, 22))
    empty_days("2021-03-15", "2021-03-21")
    made = decision.decide(known, date(2021, 3, 22))
    approve(made, "siti", date(2021, 3, 22))
    assert revocation.revoke(known, made, date(2021, 3, 22)) == 1
    assert revoked() == [2]


def test_an_extension_that_is_entered_late_proposes_people_who_bought_by_it(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    rows = [bought(1, occurred_at=datetime(2021, 3, 17, 9, tzinfo=WIB))]
    deliver(home / "landing", "tokopedia", "2021-03-17", rows)
    intake.take_in("tokopedia", date(2021, 3, 18))
    daily(date(2021, 3, 18))
    extend(home, "2021-03-12")
    daily(date(2021, 3, 21))
    assert (1, "reinstatement_proposed") in findings()


def test_an_extension_cannot_be_withdrawn_after_the_decision(cohort: Cohort, home: Path) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    calendar_before = (home / "calendar.yaml").read_text()
    extend(home, "2021-03-16")
    daily(date(2021, 3, 16))
    (home / "calendar.yaml").write_text(calendar_before)
    calendar._read.cache_clear()
    with pytest.raises(BlockedError, match="deadline_moved"):
        approve(made, "siti", date(2021, 3, 17))
    with pytest.raises(BlockedError, match="deadline_moved"):
        revocation.revoke(find_cohort(12), made, date(2021, 3, 17))
    assert revoked() == []


def test_another_doubt_holds_a_resolved_recipient_again(held: decision.Decision, home: Path) -> None:
    batch = resolve(is_purchased=False)
    approve_all(held, "siti", DECIDED_ON)
    deliver(home / "landing", "tokopedia", "2021-03-09", [], revision=3)
    rows = [*(bought(n) for n in range(3, PEOPLE + 1)), bought(1, transaction_id="x", card=f"'{card(1)}")]
    deliver(home / "landing", "tokopedia", "2021-03-08", rows, revision=2)
    intake.take_in("tokopedia", DECIDED_ON + timedelta(days=1))
    daily(DECIDED_ON + timedelta(days=1))
    assert batch is not None
    assert revoked() == []


def test_a_revoked_recipient_who_withdraws_keeps_the_evidence(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    people.withdraw(card(2), DECIDED_ON + timedelta(days=1), because="own wish", recorded_by="ani")
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)], DECIDED_ON + timedelta(days=2))
    assert findings() == [(2, "reinstatement_proposed")]
    assert reinstate(DECIDED_ON + timedelta(days=2)) == 1
