"""Who may approve, and what the warehouse has the last word on: different people, none of whom had a part in it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prakerja import tasks, warehouse
from prakerja.acting import acting
from prakerja.blacklist import publishing
from prakerja.calendar import Cohort
from prakerja.cli import app
from prakerja.cli.common import today
from prakerja.errors import PrakerjaError
from prakerja.replay import days
from prakerja.revocations import appeals, approval, decision, holds, overrides, reinstatement, requests, revocation
from prakerja.revocations.decision import BlockedError
from prakerja.run_context import replaying
from prakerja.warehouse import RefusedError
from tests.support.small_cohort import AT, DECIDED_ON, PEOPLE, approve, bought, card, carry_out, restate, revoked
from tests.support.stopped_cohort import remove

LATER = DECIDED_ON + timedelta(days=2)


def said(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert (result.exit_code, code) == (code, code) or result.exception, result.output
    told = str(result.exception) if isinstance(result.exception, PrakerjaError) else str(result.output)
    assert bool(result.exit_code) == bool(code), told
    assert card(1) not in told
    return told


def waiting(subject: str) -> approval.Batch:
    (found,) = (batch for _, batch in approval.waiting_batches() if batch.subject == subject)
    return found


# -- on the command line -----------------------------------------------------------------------------------------------


def test_revocations_are_approved_on_the_command_line(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    revocation.request_approval(made, DECIDED_ON)
    shown = said("approve", "12")
    assert "gelombang-12: 2 revocations; once approved, they are revoked, for life, and the blacklist is" in shown
    digest = waiting("revocation").digest[:16]
    assert f"prakerja approve 12 --digest {digest} --as ID" in shown
    assert said("approve", "12", "--digest", digest, "--as", "Siti").startswith(
        "siti approves 2 revocations of gelombang-12; the cohort's run carries it out"
    )
    assert revocation.revoke(cohort, made, DECIDED_ON) == 2
    assert "no batch" in said("approve", "12", "--digest", digest, "--as", "siti", code=1)


def test_a_resolved_hold_is_approved_on_the_command_line(held: decision.Decision) -> None:
    acting.set("a test")
    assert "another person must approve" in said(
        "holds", "resolve", card(1), "--not-purchased", "--because", "nothing was bought", "--as", "budi"
    )
    digest = waiting("hold").digest[:16]
    assert "another person must approve it" in said("approve", "12", "--digest", digest, "--as", "BUDI", code=1)
    assert "the next platform_feeds carries it out" in said("approve", "12", "--digest", digest, "--as", "siti")
    assert holds.apply_resolved_holds(today()) == 1
    assert revoked() == [1]


def test_reinstatements_are_approved_on_the_command_line(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])
    assert reinstatement.reinstate(LATER) == 0
    digest = waiting("reinstatement").digest[:16]
    assert "they are reinstated and withdrawn from the blacklist" in said("approve", "12")
    assert "the next platform_feeds carries it out" in said("approve", "12", "--digest", digest, "--as", "siti")
    assert reinstatement.reinstate(LATER) == 1


@pytest.mark.usefixtures("two_approvers")
def test_where_two_must_approve_the_first_is_told_of_the_second(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    revocation.request_approval(made, DECIDED_ON)
    digest = waiting("revocation").digest[:16]
    assert "two people must approve it" in said("approve", "12")
    assert "one person more must approve it" in said("approve", "12", "--digest", digest, "--as", "siti")
    assert "siti has approved this batch already" in said("approve", "12", "--digest", digest, "--as", "SITI", code=1)
    assert "approved by siti; one person must approve it" in said("approve", "12")
    assert "carries it out" in said("approve", "12", "--digest", digest, "--as", "budi")
    assert revocation.revoke(cohort, made, DECIDED_ON) == 2


# -- what an approver sees ---------------------------------------------------------------------------------------------


def test_an_override_is_shown_with_who_and_why(cohort: Cohort) -> None:
    remove("(platform, business_date) = ('sisnaker', '2021-03-10')")
    with pytest.raises(BlockedError):
        decision.decide(cohort, DECIDED_ON)
    attempt = overrides.attempt_name(overrides.blocked_attempt(12)["decision_id"])
    overrides.override(12, attempt, because="closed `that` [day](x)\n# now", overridden_by="ani", on=DECIDED_ON)
    made = decision.decide(cohort, DECIDED_ON)
    asked = revocation.request_approval(made, DECIDED_ON)
    assert asked is not None
    assert (
        "- **overridden** by ani: `feeds_missing` (`sisnaker 2021-03-10`), because `closed 'that' [day](x) # now`"
        in asked.text.splitlines()
    )
    assert "overridden by ani: feeds_missing (sisnaker 2021-03-10), because closed" in said("approve", "12")


# -- what the warehouse refuses ----------------------------------------------------------------------------------------


def add_approval(digest: str, person: str) -> None:
    with warehouse.transaction("decide") as connection:
        warehouse.execute(
            connection, "revocations/insert_approval",
            digest=digest, approved_by=person, approved_on=DECIDED_ON, is_recorded_in_advance=False, signature=None,
            identities_sha256=None,
        )  # fmt: skip


def try_to_revoke(digest: str) -> int:
    with warehouse.transaction("decide") as connection:
        at = {"effective_at": AT, "as_of": DECIDED_ON}
        return int(warehouse.execute(connection, "revocations/insert_revocations", digest=digest, **at).rowcount)


@pytest.mark.usefixtures("two_approvers")
def test_the_warehouse_counts_different_people(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    revocation.request_approval(made, DECIDED_ON)
    digest = waiting("revocation").digest
    with pytest.raises(RefusedError, match=r"revocations_have_approvers|approved_by_enough"):
        try_to_revoke(digest)
    add_approval(digest, "siti")
    with pytest.raises(RefusedError, match="approvals_by_an_id"):
        add_approval(digest, "Siti")
    with pytest.raises(RefusedError, match="approved_by_enough"):
        try_to_revoke(digest)
    add_approval(digest, "budi")
    assert try_to_revoke(digest) == 2


def test_the_warehouse_refuses_whoever_had_a_part(held: decision.Decision) -> None:
    holds.resolve(card(1), is_purchased=False, because="nothing was bought", resolved_by="budi", on=DECIDED_ON)
    digest = waiting("hold").digest
    with pytest.raises(RefusedError, match="approved_by_another"):
        add_approval(digest, "budi")
    with warehouse.transaction(as_owner=True) as connection:  # who owns the triggers gets an approval past one ...
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql(
            "insert into approvals (decision_id, subject, approved_by, approved_on, is_recorded_in_advance, digest)"
            " select decision_id, subject, 'budi', proposed_on, false, digest from batches where subject = 'hold'"
        )
    with pytest.raises(RefusedError, match="approved_by_enough"):  # ... and the next refuses the revocation
        try_to_revoke(digest)


def test_the_warehouse_lists_nobody_whose_batch_lost_its_approval(cohort: Cohort) -> None:
    carry_out(cohort)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("delete from approvals")
    with pytest.raises(RefusedError, match="approved_by_enough"):
        publishing.publish("first", AT, DECIDED_ON)


def test_the_warehouse_reinstates_nobody_without_a_batch_or_an_upheld_appeal(cohort: Cohort) -> None:
    carry_out(cohort)
    number = appeals.open_appeal(card(1), "Saya sudah membeli.", opened_by="ani", on=DECIDED_ON)
    statement = (
        "insert into reinstatements (recipient_id, because, approvers, reinstated_on)"
        " values (1, 'appeal', '{budi}', '2021-03-16')"
    )
    with pytest.raises(RefusedError, match="approved_by_enough"), warehouse.transaction("decide") as connection:
        connection.exec_driver_sql(statement)
    with pytest.raises(RefusedError, match="decided_by_another"), warehouse.transaction("decide") as connection:
        connection.exec_driver_sql(
            "insert into appeal_decisions (appeal_id, is_upheld, because, decided_by, decided_on)"
            f" values ({number}, false, 'x', 'siti', '2021-03-16')"
        )
    appeals.decide(number, is_upheld=True, because="the receipt is genuine", decided_by="budi", on=LATER)
    with warehouse.transaction("decide") as connection:
        connection.exec_driver_sql(statement)


def test_whoever_approved_under_a_name_with_a_comma_does_not_decide_the_appeal(cohort: Cohort) -> None:
    """Before approvers were kept one by one, they were joined by commas."""
    carry_out(cohort)
    with warehouse.transaction(as_owner=True) as connection:
        undone = connection.begin_nested()
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql("alter table approvals drop constraint approvals_by_an_id")
        connection.exec_driver_sql("update approvals set approved_by = 'Budi, S.H.'")
        connection.exec_driver_sql(
            "insert into approvals (decision_id, subject, approved_by, approved_on, is_recorded_in_advance, digest)"
            " select decision_id, subject, 'Siti', approved_on, false, digest from approvals"
        )
        connection.exec_driver_sql("update revocations set approvers = null, approved_by = 'Budi, S.H., Siti'")
        revoked_by = connection.exec_driver_sql("select revoked_by(v) from revocations as v limit 1").scalar_one()
        undone.rollback()
    assert revoked_by == ["budi, s.h.", "siti"]


# -- in advance --------------------------------------------------------------------------------------------------------


def test_approvals_in_advance_are_for_replays_of_what_was_never_live(cohort: Cohort) -> None:
    with replaying():
        made = decision.decide(cohort, DECIDED_ON)
        assert revocation.require_approval(made, DECIDED_ON, approve_as="Direktur Utama, S.H.") == [
            "Direktur Utama, S.H."
        ]
    approval.require_never_live()
    with pytest.raises(approval.AwaitingApprovalError):  # carried out by a run that is live, it counts for nothing
        revocation.revoke(cohort, made, DECIDED_ON)
    with replaying():
        assert revocation.revoke(cohort, made, DECIDED_ON) == 2
    approval.require_never_live()
    assert publishing.publish("first", AT, DECIDED_ON) == 1, "what a replay revoked is listed"


def test_once_live_nobody_approves_in_advance(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    with replaying(), pytest.raises(RefusedError, match="in_advance_in_replays_only"):
        revocation.require_approval(made, DECIDED_ON, approve_as="Direktur Utama")
    with pytest.raises(PrakerjaError, match=r"this warehouse has been live since .* --approve-as is for"):
        days.play(DECIDED_ON, DECIDED_ON, [12], "Direktur Utama", lambda *_: None)
    assert revoked() == []


def test_a_live_process_cannot_call_itself_a_replay(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("delete from went_live")
    revocation.request_approval(made, DECIDED_ON)
    statement = (
        "insert into approvals (decision_id, subject, approved_by, approved_on, is_recorded_in_advance, digest)"
        " select decision_id, subject, 'Direktur', proposed_on, true, digest from batches"
    )
    both = f"set local prakerja.is_replaying = 'yes'; {statement}"
    with (
        pytest.raises(RefusedError, match="in_advance_in_replays_only"),
        warehouse.transaction("decide") as connection,
    ):
        connection.connection.driver_connection.execute(both)


# -- in Airflow --------------------------------------------------------------------------------------------------------


def test_batches_that_no_cohorts_run_asks_about_get_runs_of_their_own(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])
    reinstatement.reinstate(LATER)
    (run,) = tasks.batches.list_requests(AT)
    digest = waiting("reinstatement").digest
    assert run == {
        "trigger_run_id": f"gelombang-12__reinstatement__{digest[:16]}__2021-03-15",
        "conf": {"cohort": 12, "digest": digest},
        "note": "gelombang-12: 1 reinstatement",
    }
    conf: dict[str, Any] = run["conf"]
    asked = tasks.batches.request_batch_approval(conf)
    assert asked is not None
    assert asked["title"] == f"gelombang-12: reinstate 1 of 50? ({digest[:16]})"
    with pytest.raises(approval.AwaitingApprovalError):  # where `ask_approval` was marked as successful by hand
        tasks.batches.apply_batches(conf, AT)
    tasks.answers.record_approval(12, digest, "siti", LATER)
    assert tasks.batches.request_batch_approval(conf) is None
    assert tasks.batches.list_requests(AT) == []


@pytest.mark.parametrize("conf", [None, {}, {"cohort": 12}, {"cohort": "12; x", "digest": "a" * 64}, {"digest": "ab"}])
def test_a_run_that_names_no_batch_is_refused(home: Path, conf: Any) -> None:
    with pytest.raises(PrakerjaError, match="this run names no batch"):
        tasks.batches.request_batch_approval(conf)


def test_the_number_of_people_is_written_out() -> None:
    assert [requests.count_people(number) for number in (1, 2, 3)] == ["one person", "two people", "3 people"]


def test_an_approval_is_recorded_once(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    approve(made)
    assert approve(made) == ["siti"]
