"""Deciding, revoking, late truth: once per recipient, stopped where it is implausible. On the real warehouse."""

from __future__ import annotations

import contextlib
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja import tasks, warehouse
from prakerja.calendar import Cohort
from prakerja.cohorts import overview, standing
from prakerja.errors import NotReadyError, PrakerjaError
from prakerja.feeds import intake
from prakerja.revocations import (
    appeals,
    approval,
    decision,
    explanation,
    holds,
    late_evidence,
    reinstatement,
    revocation,
)
from prakerja.revocations.approval import AwaitingApprovalError
from prakerja.revocations.decision import BlockedError
from prakerja.run_context import RunContext
from prakerja.settings import WIB
from tests.support.landing_zone import deliver
from tests.support.small_cohort import (
    DECIDED_ON,
    PEOPLE,
    approve,
    bought,
    card,
    carry_out,
    findings,
    reinstate,
    restate,
    revoked,
)

NEXT_MORNING = datetime(2021, 3, 16, 6, tzinfo=WIB)


def test_one_decision_per_recipient_however_often(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    assert (made.selected, made.purchased, made.held, made.overdue, made.excluded) == (50, 48, 0, 2, 0)
    assert decision.decide(cohort, DECIDED_ON + timedelta(days=9)) == made
    with warehouse.transaction(as_owner=True) as connection:
        assert connection.exec_driver_sql("select count(*) from outcomes").scalar_one() == PEOPLE
        cited = connection.exec_driver_sql("select count(*) from decision_deliveries").scalar_one()
    assert cited == 7 * 10


def test_the_same_evidence_gives_the_same_id(cohort: Cohort) -> None:
    first = decision.decide(cohort, DECIDED_ON).decision_id
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("truncate decisions, outcomes cascade")
    assert decision.decide(cohort, DECIDED_ON + timedelta(days=30)).decision_id == first


def test_nobody_is_revoked_without_an_approval(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    with pytest.raises(
        AwaitingApprovalError, match="awaits approval: 2 revocations of 50 selected, by one person: prakerja approve 12"
    ):
        revocation.revoke(cohort, made, DECIDED_ON)
    assert revoked() == []
    assert overview.cohort_table()[0]["status"] == "awaiting_approval"


def deadline_run(cohort: Cohort, **bent: Any) -> RunContext:
    return RunContext("deadline", cohort.deadline_on, **({"now": NEXT_MORNING, "cohort": cohort.number} | bent))


def test_who_answers_in_airflow_approves_the_batch_that_was_asked_about(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    run = deadline_run(cohort)
    following, question = tasks.deadline.choose(run), tasks.deadline.request_approval(run)
    assert (following, question and question["digest"]) == ("ask_approval", batches(made)[0].digest)
    assert question
    assert question["title"] == f"gelombang-12: revoke 2 of 50? ({question['digest'][:16]})"
    assert "**2 revocations** of 50 selected" in question["text"]
    assert not re.search(r"\d{9}", re.sub("[0-9a-f]{64}", "", question["text"])), "no card, no NIK"
    with pytest.raises(AwaitingApprovalError):
        tasks.deadline.approve_revocation(run)  # where `ask_approval` was marked as successful by hand
    tasks.answers.record_approval(12, question["digest"], "siti", DECIDED_ON)
    assert tasks.deadline.choose(run) == "approve_revocation", "it has its approval"
    assert tasks.deadline.approve_revocation(run) == ["siti"]


def test_an_answer_does_not_slide_over_to_a_batch_that_changed(cohort: Cohort, home: Path) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    run = deadline_run(cohort)
    asked = tasks.deadline.request_approval(run)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])  # number 2 had bought
    question = tasks.deadline.request_approval(run)
    assert asked
    assert question
    assert asked["digest"] != question["digest"]
    with pytest.raises(PrakerjaError, match=r"no batch .* waits: see `prakerja approve 12`"):
        tasks.answers.record_approval(12, asked["digest"], "siti", DECIDED_ON)
    with pytest.raises(AwaitingApprovalError, match="1 revocations of 50"):
        tasks.deadline.approve_revocation(run)
    assert [batch.approved_by for batch in batches(made)] == [[], []]


@pytest.mark.usefixtures("two_approvers")
def test_above_the_threshold_two_people_answer(cohort: Cohort) -> None:
    decision.decide(cohort, DECIDED_ON)
    run = deadline_run(cohort)
    for expected in (
        contextlib.nullcontext(),
        pytest.raises(PrakerjaError, match="siti has approved this batch already"),
    ):
        following, question = tasks.deadline.choose(run), tasks.deadline.request_approval(run)
        assert following == "ask_approval"
        assert question is not None
        with expected:  # the same person twice is one
            tasks.answers.record_approval(12, question["digest"], "siti", DECIDED_ON)
        with pytest.raises(AwaitingApprovalError, match="by one person"):
            tasks.deadline.approve_revocation(run)
    again = tasks.deadline.request_approval(run)
    assert again == question, "Airflow shows a second person the first one's question"
    tasks.answers.record_approval(12, question["digest"], "budi", DECIDED_ON)
    assert tasks.deadline.approve_revocation(run) == ["budi", "siti"]


def test_nobody_is_asked_in_a_replay(cohort: Cohort) -> None:
    decision.decide(cohort, DECIDED_ON)
    assert tasks.deadline.choose(deadline_run(cohort, is_replay=True)) == "approve_revocation"


def test_a_batch_that_changed_needs_an_approval_of_its_own(cohort: Cohort, home: Path) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    approve(made, "siti", DECIDED_ON)
    (batch,) = batches(made)
    assert (batch.people, batch.approved_by, batch.approvals_needed) == (2, ["siti"], 0)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])  # number 2 had bought
    with pytest.raises(AwaitingApprovalError, match="1 revocations of 50"):
        revocation.revoke(cohort, made, DECIDED_ON + timedelta(days=1))
    assert revoked() == []
    changed, same = batches(made)
    assert (changed.people, changed.approved_by, same) == (1, [], batch)
    approve(made, "budi", DECIDED_ON + timedelta(days=1))
    assert revocation.revoke(cohort, made, DECIDED_ON + timedelta(days=1)) == 1
    assert revoked() == [1]


@pytest.mark.usefixtures("two_approvers")
def test_four_eyes_and_two_approvers_for_many(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    with pytest.raises(AwaitingApprovalError, match="by two people"):
        revocation.require_approval(made, DECIDED_ON)
    with pytest.raises(PrakerjaError, match="cohort_deadline has proposed or resolved this"):
        approve(made, "cohort_deadline", DECIDED_ON)
    for _ in range(2):
        with pytest.raises(AwaitingApprovalError, match="by one person"):
            approve(made, "siti", DECIDED_ON)
    assert approve(made, "budi", DECIDED_ON) == ["budi", "siti"]
    assert revocation.revoke(cohort, made, DECIDED_ON) == 2


def batches(made: Any) -> list[approval.Batch]:
    with warehouse.transaction(as_owner=True) as connection:
        return approval.batches(connection, made, "revocation")


def test_revoking_twice_is_revoking_once(cohort: Cohort) -> None:
    made = carry_out(cohort)
    assert revocation.revoke(cohort, made, DECIDED_ON) == 0
    assert revoked() == [1, 2]
    assert overview.cohort_table()[0]["status"] == "decided"


@pytest.mark.parametrize("platform", ["tokopedia", "sisnaker"])
def test_one_missing_delivery_blocks_the_cohort_and_is_named(cohort: Cohort, platform: str) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "update deliveries set status = 'rejected', reason = 'x' where platform = %s"
            " and business_date in ('2021-03-12', '2021-03-13', '2021-03-14')", (platform,),
        )  # fmt: skip
    with pytest.raises(BlockedError, match=f"feeds_missing: {platform} 2021-03-12 to 2021-03-14"):
        decision.decide(cohort, DECIDED_ON)
    row = overview.cohort_table()[0]
    assert row["status"] == "blocked"
    assert row["missing_feeds"] == [f"{platform} 2021-03-{n}" for n in (12, 13, 14)]
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("update deliveries set status = 'accepted', reason = null")
    assert decision.decide(cohort, DECIDED_ON).overdue == 2
    assert overview.cohort_table()[0]["missing_feeds"] == []


def test_a_delivery_that_arrived_later_is_not_known_before(cohort: Cohort) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("update deliveries set arrived_on = '2021-03-20' where business_date = '2021-03-10'")
    with pytest.raises(BlockedError, match="2021-03-10"):
        decision.decide(cohort, DECIDED_ON)
    assert decision.decide(cohort, date(2021, 3, 20)).overdue == 2


@pytest.mark.parametrize("days", [1, 5])
def test_nobody_is_decided_before_the_day(cohort: Cohort, days: int) -> None:
    with pytest.raises(NotReadyError, match="is decided on 2021-03-15, not before"):
        decision.decide(cohort, DECIDED_ON - timedelta(days=days))
    with warehouse.transaction(as_owner=True) as connection:
        assert connection.exec_driver_sql("select count(*) from decisions").scalar_one() == 0


def test_dates_that_moved_revoke_nobody(cohort: Cohort, home: Path) -> None:
    moved = Cohort(cohort.announced_on, cohort.number, cohort.deadline_on - timedelta(days=2))
    with pytest.raises(BlockedError, match="calendar_mismatch: its roster says 2021-03-05 to 2021-03-13"):
        decision.decide(moved, DECIDED_ON)
    made = decision.decide(cohort, DECIDED_ON)
    approve(made, "siti", DECIDED_ON)
    extended = Cohort(cohort.announced_on, cohort.number, cohort.deadline_on + timedelta(days=5))
    with pytest.raises(BlockedError, match="deadline_moved: it was decided for 2021-03-13"):
        revocation.revoke(extended, made, DECIDED_ON)
    assert revoked() == []


def test_a_restatement_in_the_middle_is_seen_whole_or_not_at_all(
    cohort: Cohort, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = warehouse.rows

    def restated_meanwhile(connection: Any, name: str, **parameters: Any) -> Any:
        if name == "revocations/list_evidence":
            monkeypatch.setattr(warehouse, "rows", real)
            deliver(home / "landing", "tokopedia", "2021-03-08", [], revision=2)
            assert len(intake.take_in("tokopedia", DECIDED_ON).accepted) == 1
        return real(connection, name, **parameters)

    monkeypatch.setattr(warehouse, "rows", restated_meanwhile)
    made = decision.decide(cohort, DECIDED_ON)
    assert made.purchased == 48
    with warehouse.transaction(as_owner=True) as connection:
        cited = connection.exec_driver_sql(
            "select d.revision from decision_deliveries join deliveries d using (delivery_id)"
            " where d.platform = 'tokopedia' and d.business_date = '2021-03-08'"
        ).scalars()
        assert list(cited) == [1], "what is cited is what was counted"


def test_too_many_overdue_stop_before_anything_is_revoked(cohort: Cohort, home: Path) -> None:
    restate(home, [bought(n) for n in range(3, 45)])  # 8 of 50 are overdue: 16 %
    with pytest.raises(BlockedError, match=r"overdue_share_implausible: 8 of 50 are overdue \(16.0%\), more than 12%"):
        decision.decide(cohort, DECIDED_ON + timedelta(days=1))
    row = overview.cohort_table()[0]
    assert (row["status"], row["overdue"], row["revoked"]) == ("blocked", 8, 0)
    restate(home, [bought(n) for n in range(3, 48)], DECIDED_ON + timedelta(days=2), revision=3)
    standing.refresh_standings(DECIDED_ON + timedelta(days=2))
    row = overview.cohort_table()[0]
    assert (row["status"], row["overdue"]) == ("blocked", 5), "what was implausible is told no more"
    with warehouse.transaction(as_owner=True) as connection:
        assert connection.exec_driver_sql("select count(*) from outcomes").scalar_one() == 0


def test_whom_later_deliveries_speak_for_is_spared_when_the_approval_comes_late(cohort: Cohort, home: Path) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])  # number 2 had bought
    approve(made, "siti", DECIDED_ON + timedelta(days=1))
    revocation.revoke(cohort, made, DECIDED_ON + timedelta(days=1))
    assert revoked() == [1]
    assert findings() == [(2, "spared")]
    deliver(home / "landing", "tokopedia", "2021-03-08", [bought(n) for n in range(3, PEOPLE + 1)], revision=3)
    intake.take_in("tokopedia", DECIDED_ON + timedelta(days=2))
    assert revocation.revoke(cohort, made, DECIDED_ON + timedelta(days=2)) == 0
    assert revoked() == [1], "a run that is cleared later does not revoke whom the first has spared"


def test_late_proof_proposes_a_reinstatement_that_a_person_approves(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])
    assert findings() == [(2, "reinstatement_proposed")]
    assert reinstatement.reinstate(DECIDED_ON + timedelta(days=1)) == 0
    assert overview.cohort_table()[0]["reinstatements_proposed"] == 1
    assert reinstate(DECIDED_ON + timedelta(days=1)) == 1
    assert reinstate(DECIDED_ON + timedelta(days=1)) == 0
    row = overview.cohort_table()[0]
    assert (row["revoked"], row["reinstated"], row["reinstatements_proposed"]) == (2, 1, 0)
    assert revoked() == [1, 2], "history is never deleted"


def test_an_approval_covers_what_was_proposed_by_its_day_and_still_holds(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])
    reinstate(DECIDED_ON + timedelta(days=1))
    deliver(home / "landing", "tokopedia", "2021-03-08", [bought(n) for n in range(1, PEOPLE + 1)], revision=3)
    tomorrow = DECIDED_ON + timedelta(days=2)
    intake.take_in("tokopedia", tomorrow)
    late_evidence.record_late_evidence(tomorrow)
    assert reinstatement.reinstate(tomorrow) == 0, "yesterday's approval does not cover today's proposal"
    deliver(home / "landing", "tokopedia", "2021-03-08", [bought(n) for n in range(2, PEOPLE + 1)], revision=4)
    intake.take_in("tokopedia", tomorrow)
    assert reinstate(tomorrow) == 0, "the proof was taken back"


def test_what_vanishes_or_is_undone_or_damaged_later_opens_cases_and_revokes_nobody(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    later = datetime(2021, 3, 14, 0, tzinfo=WIB)
    feed = [bought(n) for n in range(4, PEOPLE + 1)]  # number 3's purchase is gone
    restate(home, [*feed, bought(1, transaction_id="id-x", card=f"'{card(1)}")])
    cancelled = bought(5, event="CANCELLED", occurred_at=later)
    deliver(home / "landing", "tokopedia", "2021-03-15", [cancelled], generated_at="2021-03-16T01:00:00+07:00")
    intake.take_in("tokopedia", date(2021, 3, 16))
    late_evidence.record_late_evidence(date(2021, 3, 16))
    assert findings() == [(1, "damaged_row"), (3, "purchase_gone"), (5, "purchase_gone")]
    assert revoked() == [1, 2]
    late_evidence.record_late_evidence(date(2021, 3, 17))
    assert len(findings()) == 3


def test_a_hold_can_be_resolved_by_a_later_purchase(cohort: Cohort, home: Path) -> None:
    restate(home, [*(bought(n) for n in range(3, PEOPLE + 1)), bought(1, transaction_id="x", card=f"'{card(1)}")])
    clock = DECIDED_ON + timedelta(days=1)
    made = decision.decide(cohort, clock)
    assert (made.held, made.overdue) == (1, 1)
    deliver(home / "landing", "bukalapak", "2021-03-08", [bought(1)], revision=2)
    intake.take_in("bukalapak", clock)
    late_evidence.record_late_evidence(clock)
    assert findings() == [], "the day's own decision comes after its intake"
    late_evidence.record_late_evidence(clock + timedelta(days=1))
    assert findings() == [(1, "hold_resolvable")]


def test_the_standing_is_the_number_of_the_day(cohort: Cohort) -> None:
    counts = standing.refresh_standings(date(2021, 3, 13))["gelombang-12"]
    assert counts == {"selected": 50, "purchased": 48, "held": 0, "at_risk": 2, "overdue": 0, "excluded": 0}
    assert standing.refresh_standings(date(2021, 3, 14))["gelombang-12"]["overdue"] == 2
    assert standing.refresh_standings(date(2021, 3, 14))["gelombang-12"]["overdue"] == 2


def test_what_an_approver_sees_names_nobody(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    with pytest.raises(AwaitingApprovalError):
        revocation.require_approval(made, DECIDED_ON)
    with warehouse.transaction("decide") as connection:
        (batch,) = approval.waiting(connection, made)
        review = approval.review(connection, made, batch)
    assert (batch.subject, batch.people, batch.proposed_by) == ("revocation", 2, "cohort_deadline")
    assert review["doubts"] == {"deliveries": 70, "unusual": 0, "waived": 0, "quarantined": 0}
    assert [set(row) for row in review["sample"]] == [{"card_ends", "region_code", "because", "reminded"}] * 2
    assert {row["card_ends"] for row in review["sample"]} == {"0001", "0002"}
    assert "Nama" not in str(review)
    assert not re.search(r"\d{5,}", str(review["sample"]))
    assert approval.is_named(batch, batch.digest[:12])
    assert not approval.is_named(batch, batch.digest[:11])


def held_wave(cohort: Cohort, home: Path) -> decision.Decision:
    """Number 1 is held for a damaged row; number 2 is overdue, and revoked."""
    restate(home, [*(bought(n) for n in range(3, PEOPLE + 1)), bought(1, transaction_id="x", card=f"'{card(1)}")])
    clock = DECIDED_ON + timedelta(days=1)
    made = decision.decide(cohort, clock)
    approve(made, "siti", clock)
    assert revocation.revoke(cohort, made, clock) == 1
    return made


FOUND: dict[str, Any] = {"because": "the platform says so", "resolved_by": "budi", "on": date(2021, 3, 20)}


def test_holds_are_listed_with_their_row_masked(cohort: Cohort, home: Path) -> None:
    held_wave(cohort, home)
    (hold,) = holds.list_holds(12)
    assert (hold["cohort"], hold["because"], hold["state"], hold["resolution"]) == (12, "damaged_row", "open", None)
    assert (hold["row"]["platform"], hold["row"]["reasons"]) == ("tokopedia", ["card_number_malformed"])
    assert card(1) not in str(hold)
    assert holds.list_holds(13) == []
    assert card(1) in str(holds.list_holds(is_masked=False))


def test_a_hold_found_to_be_a_purchase_is_lifted_at_once_and_for_good(cohort: Cohort, home: Path) -> None:
    held_wave(cohort, home)
    assert holds.resolve(card(1), is_purchased=True, **FOUND) is None
    assert holds.apply_resolved_holds(date(2021, 3, 21)) == 0
    assert next(explanation.explain([card(1)]))["state"] == "purchased"
    with pytest.raises(PrakerjaError, match="resolved already"):
        holds.resolve(card(1), is_purchased=False, **FOUND)
    late_evidence.record_late_evidence(date(2021, 3, 21))
    assert holds.list_holds()[0]["state"] == "purchased"
    assert revoked() == [2]


def test_a_hold_found_to_be_no_purchase_revokes_that_one_after_an_approval(cohort: Cohort, home: Path) -> None:
    made = held_wave(cohort, home)
    batch = holds.resolve(card(1), is_purchased=False, **FOUND)
    assert batch is not None
    assert (batch.subject, batch.people, batch.approvals_needed) == ("hold", 1, 1)
    assert holds.apply_resolved_holds(date(2021, 3, 21)) == 0
    assert next(explanation.explain([card(1)]))["state"] == "held"
    with warehouse.transaction("decide") as connection:
        assert approval.waiting(connection, made) == [batch]
        with pytest.raises(PrakerjaError, match="budi has proposed or resolved this batch"):
            approval.approve(connection, batch, "budi", date(2021, 3, 21))
        approval.approve(connection, batch, "siti", date(2021, 3, 21))
    assert holds.apply_resolved_holds(date(2021, 3, 19)) == 0, "a replay of an earlier day knows nothing of it"
    assert holds.apply_resolved_holds(date(2021, 3, 21)) == 1
    assert holds.apply_resolved_holds(date(2021, 3, 22)) == 0
    assert revoked() == [1, 2]
    late_evidence.record_late_evidence(date(2021, 3, 22))
    assert findings() == [], "the row that held this one was looked into: it is no new case"
    story = next(explanation.explain([card(1)]))
    assert story["state"] == "revoked"
    assert [event["what"] for event in story["events"]][-3:] == ["hold_resolved", "approved", "revoked"]
    with warehouse.transaction("decide") as connection:
        assert approval.waiting(connection, made) == []


def test_a_delivery_that_speaks_for_the_held_comes_before_what_a_person_found(cohort: Cohort, home: Path) -> None:
    made = held_wave(cohort, home)
    batch = holds.resolve(card(1), is_purchased=False, **FOUND)
    assert batch is not None
    with warehouse.transaction("decide") as connection:
        approval.approve(connection, batch, "siti", date(2021, 3, 21))
    deliver(home / "landing", "bukalapak", "2021-03-08", [bought(1)], revision=2)
    intake.take_in("bukalapak", date(2021, 3, 22))
    assert holds.apply_resolved_holds(date(2021, 3, 22)) == 0
    assert revoked() == [2]
    assert made.held == 1


@pytest.mark.parametrize("asked", [card(2), card(3), "1234", "9" * 16])
def test_only_the_held_can_be_resolved_and_no_card_is_repeated(cohort: Cohort, home: Path, asked: str) -> None:
    held_wave(cohort, home)
    with pytest.raises(PrakerjaError, match="this card is not held by any decision") as refusal:
        holds.resolve(asked, is_purchased=True, **FOUND)
    assert asked not in str(refusal.value)


DECIDED: dict[str, Any] = {"because": "the voucher was redeemed", "on": date(2021, 3, 20)}


def appealed(number: str = card(1)) -> int:
    return appeals.open_appeal(number, "Saya sudah membeli.", opened_by="ani", on=date(2021, 3, 18))


def test_an_upheld_appeal_reinstates_and_a_dismissed_one_does_not(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)  # approved by Siti
    first, second = appealed(), appealed(f"{31 * 10**14 + 2}")  # by card, and by NIK
    with pytest.raises(PrakerjaError, match="siti has approved this revocation: another person must decide"):
        appeals.decide(first, is_upheld=True, decided_by="siti", **DECIDED)
    appeals.decide(first, is_upheld=True, decided_by="budi", **DECIDED)
    appeals.decide(second, is_upheld=False, decided_by="budi", **DECIDED)
    with pytest.raises(PrakerjaError, match=r"appeal 1 is upheld already, by budi"):
        appeals.decide(first, is_upheld=False, decided_by="rina", **DECIDED)
    assert appeals.apply_upheld_appeals(date(2021, 3, 19)) == 0, "a replay of an earlier day knows nothing of it"
    assert appeals.apply_upheld_appeals(date(2021, 3, 20)) == 1
    assert appeals.apply_upheld_appeals(date(2021, 3, 21)) == 0
    stories = list(explanation.explain([card(1), f"{31 * 10**14 + 2}"]))
    assert [story["state"] for story in stories] == ["reinstated", "revoked"]
    assert [event["what"] for event in stories[0]["events"]][-6:] == [
        "decided",
        "approved",
        "revoked", "appealed", "appeal_upheld", "reinstated",
    ]  # fmt: skip
    assert "Saya sudah" not in str(stories), "what a person says is for whoever decides"
    assert [(each["appeal_id"], each["state"]) for each in appeals.list_appeals()] == [(1, "upheld"), (2, "dismissed")]


def test_only_the_revoked_appeal_and_one_appeal_at_a_time(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    for number in (card(3), "123", "9" * 16):
        with pytest.raises(PrakerjaError, match="is not revoked, or has an open appeal") as refusal:
            appealed(number)
        assert number not in str(refusal.value)
    first = appealed()
    with pytest.raises(PrakerjaError, match="has an open appeal"):
        appealed()
    appeals.decide(first, is_upheld=False, decided_by="budi", **DECIDED)
    assert appealed() > first, "a new proof may be brought"
    with pytest.raises(PrakerjaError, match="there is no appeal 99"):
        appeals.decide(99, is_upheld=True, decided_by="budi", **DECIDED)
    with pytest.raises(PrakerjaError, match="a text of 1 to"):
        appeals.open_appeal(card(2), " ", opened_by="ani", on=date(2021, 3, 18))


def rehearsal(cohort: Cohort, **bent: Any) -> RunContext:
    return deadline_run(cohort, is_rehearsal=True, **bent)


def test_a_rehearsal_decides_and_keeps_nothing(cohort: Cohort) -> None:
    def kept() -> list[Any]:
        with warehouse.transaction("decide") as connection:
            names = connection.exec_driver_sql(
                "select tablename from pg_tables where schemaname = 'public' order by tablename"
            ).scalars()
            counted = " union all ".join(f"select '{name}', count(*) from {name}" for name in names)
            return list(connection.exec_driver_sql(counted))

    before = kept()
    told = tasks.deadline.reconcile(rehearsal(cohort))
    assert told["stops"] == []
    assert (told["selected"], told["purchased"], told["overdue"]) == (PEOPLE, PEOPLE - 2, 2)
    assert tasks.deadline.choose(rehearsal(cohort)) == "rehearsal_is_over"
    assert kept() == before

    made = tasks.deadline.recheck(deadline_run(cohort))
    assert {name: made[name] for name in ("purchased", "held", "overdue", "excluded")} == {
        name: told[name] for name in ("purchased", "held", "overdue", "excluded")
    }
    assert tasks.deadline.reconcile(rehearsal(cohort))["is_decided"]


def test_a_rehearsal_tells_what_is_missing_still_and_never_waits(cohort: Cohort) -> None:
    early = rehearsal(cohort, now=datetime(2021, 3, 10, 12, tzinfo=WIB))
    assert tasks.deadline.has_complete_feeds(early)
    told = tasks.deadline.reconcile(early)
    assert told["stops"][0].startswith("feeds_missing: ")
    assert told["as_of"] == "2021-03-10"


@pytest.mark.parametrize("task", ["send_reminders", "approve_revocation", "revoke", "publish_blacklist"])
def test_no_task_of_a_rehearsal_does_anything(cohort: Cohort, task: str) -> None:
    decision.decide(cohort, DECIDED_ON)
    with pytest.raises(PrakerjaError, match="is a rehearsal"):
        getattr(tasks.deadline, task)(rehearsal(cohort))
