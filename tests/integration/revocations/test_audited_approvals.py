"""What an owner revokes, reinstates or lists past the triggers, sealed as it should be, is found to lack approvals."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja import schema, settings, warehouse
from prakerja.blacklist import audit, publishing
from prakerja.calendar import Cohort
from prakerja.cli.common import today
from prakerja.programme import EarlierApprovalRule, programme
from prakerja.revocations import approval, decision
from tests.support.audit_log import problems
from tests.support.small_cohort import AT, DECIDED_ON, bought, carry_out, reinstate, restate

GUARDS = {
    "revocations": ("refuse_illegal_transition", "refuse_unapproved", "refuse_unknown_batch"),
    "reinstatements": ("refuse_illegal_transition", "refuse_unapproved"),
    "batch_members": ("refuse_unknown_batch",),
    "approvals": ("refuse_approval",),
    "blacklist_changes": ("refuse_unapproved",),
}
CARD = "(select card_number::text from recipients where recipient_id = {})"
#: A batch that is right in itself: of number 3, who has bought.
BATCH = (
    "insert into batches (digest, decision_id, subject, people, proposed_by, proposed_on)"
    " select encode(sha256(convert_to('revocation' || chr(10) || decision_id || chr(10) || "
    f"{CARD.format(3)}, 'UTF8')), 'hex'), decision_id, 'revocation', 1, 'cohort_deadline', '2021-03-15' from decisions",
    "insert into batch_members (digest, recipient_id) select digest, 3 from batches where people = 1",
)
REVOKE = (
    "insert into revocations (recipient_id, decision_id, reason, effective_at, approvers, revoked_on, digest)"
    " select 3, decision_id, 'NO_FIRST_PURCHASE', now(), '{siti}', '2021-03-15', digest from batches"
    " where people = 1"
)
APPROVE = (
    "insert into approvals (decision_id, subject, approved_by, approved_on, is_recorded_in_advance, digest,"
    " signature, identities_sha256, recorded_at) select decision_id, subject, %(by)s, %(on)s, %(in_advance)s, digest,"
    " %(signature)s, %(identities)s, %(at)s from batches where people = 1"
)


def act(*statements: str | tuple[str, dict[str, Any]]) -> None:
    """Add facts as an owner who has switched the guards off, into the log as any other."""
    with warehouse.transaction(as_owner=True) as connection:
        for which in ("disable", "enable"):
            for table, triggers in GUARDS.items():
                for trigger in triggers:
                    connection.exec_driver_sql(f"alter table {table} {which} trigger {trigger}")
            if which == "disable":
                for statement in statements:
                    text, values = statement if isinstance(statement, tuple) else (statement, None)
                    connection.exec_driver_sql(text, values)


def approve(
    by: str, *, in_advance: bool = False, signature: approval.Signature | None = None, at: datetime | None = None
) -> Any:
    signed = {
        "on": signature.signed_on if signature else DECIDED_ON,
        "signature": signature.text if signature else None,
        "identities": signature.identities_sha256 if signature else None,
    }
    return APPROVE, {"by": by, "in_advance": in_advance, "at": at or datetime.now(UTC), **signed}


def batch_of_one() -> str:
    with warehouse.transaction(as_owner=True) as connection:
        return str(connection.exec_driver_sql("select digest from batches where people = 1").scalar_one())


def test_who_was_approved_by_enough_is_no_problem(decided: Any) -> None:
    act(*BATCH, approve("siti"), REVOKE)
    assert problems() == ""


def test_who_was_approved_by_nobody_is_told(decided: Any) -> None:
    act(*BATCH, REVOKE)
    name = f"batch {batch_of_one()[:16]} of gelombang-12"
    assert problems() == f"{name} lacks approvals (0 of 1), and 1 person revoked by it"


@pytest.mark.parametrize("who", ["cohort_deadline", "Cohort_Deadline"])
def test_who_proposed_it_does_not_count(decided: Any, who: str) -> None:
    act(*BATCH, "alter table approvals drop constraint approvals_by_an_id", approve(who), REVOKE)
    act(
        "alter table approvals add constraint approvals_by_an_id"
        " check (is_recorded_in_advance or approved_by ~ '^[a-z0-9][a-z0-9._@-]{0,62}$') not valid"
    )
    assert "lacks approvals (0 of 1), and 1 person revoked by it" in problems()


def test_more_people_need_more(decided: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As program.yaml has it, whatever the warehouse says; and as it had it at the time."""
    rule = {"one_approver_up_to": 1, "approvers": 1, "approvers_above": 2}
    approvals = programme().approvals.model_copy(update=rule)
    monkeypatch.setattr(programme(), "approvals", approvals)
    assert "lacks approvals (1 of 2), and 2 people revoked by it" in problems()
    today = datetime.now(settings.WIB).date()
    before = {"until": today, "one_approver_up_to": 50_000, "approvers": 1, "approvers_above": 2}
    for until, is_enough in ((today, True), (today - timedelta(days=1), False)):
        earlier = [EarlierApprovalRule.model_validate(before | {"until": until})]
        monkeypatch.setattr(programme(), "approvals", approvals.model_copy(update={"earlier": earlier}))
        assert (problems() == "") == is_enough


def test_who_is_not_of_the_batch_is_told(decided: Any) -> None:
    act(REVOKE.replace("people = 1", "people = 2"))
    assert "1 person revoked by batch" in problems()
    assert "and not of it" in problems()


def test_who_is_in_no_batch_is_told(decided: Any) -> None:
    act(REVOKE.replace("digest from batches where people = 1", "null from decisions"))
    assert "1 person revoked in no batch" in problems()


@pytest.mark.parametrize(
    "statement",
    [
        "insert into batch_members (digest, recipient_id) select digest, 3 from batches",
        "insert into batches (digest, decision_id, subject, people, proposed_by, proposed_on)"
        f" select '{hashlib.sha256(b'').hexdigest()}', decision_id, 'revocation', 1, 'x', '2021-03-15' from decisions",
    ],
    ids=["one member more", "of nobody"],
)
def test_a_batch_whose_digest_is_not_over_its_members_is_told(decided: Any, statement: str) -> None:
    act(statement)
    assert "of gelombang-12 is not of its members any more: its digest is over other people" in problems()


def test_a_card_that_was_given_to_somebody_else_is_told(decided: Any) -> None:
    """Rosters are in the log by their file alone."""
    act("update recipients set card_number = 7 where recipient_id = 1")
    assert "is not of its members any more: its digest is over other people" in problems()


def test_an_approval_in_advance_of_a_live_warehouse_is_told(decided: Any) -> None:
    act(*BATCH, "set local role prakerja_replay", approve("siti", in_advance=True), "reset role", REVOKE)
    found = problems()
    assert "is in advance, and this warehouse was live at that time" in found
    assert "lacks approvals (0 of 1), and 1 person revoked by it" in found


@pytest.mark.parametrize(("at", "is_readable"), [(timedelta(days=-800), True), (timedelta(hours=3), True),
                                             (timedelta(hours=-3), False)])  # fmt: skip
def test_an_approval_whose_time_was_changed_is_told(decided: Any, at: timedelta, is_readable: bool) -> None:
    act(*BATCH, approve("siti", at=datetime.now(UTC) + at), REVOKE)
    assert ("its time was changed" in problems()) == is_readable


def test_a_reinstatement_without_a_batch_or_an_appeal_is_told(decided: Any) -> None:
    act(
        "insert into reinstatements (recipient_id, because, approvers, reinstated_on)"
        " values (1, 'appeal', '{budi}', '2021-03-15')"
    )
    assert problems() == "1 person reinstated in no batch, and by no appeal that another person upheld"


def test_a_reinstatement_by_a_batch_of_revocations_is_told(decided: Any) -> None:
    act(
        "insert into reinstatements (recipient_id, because, approvers, reinstated_on, digest)"
        " select 1, 'purchase', '{siti}', '2021-03-15', digest from batches"
    )
    assert "1 person reinstated by batch" in problems()


def test_who_was_reinstated_as_it_should_be_is_no_problem(decided: Any, home: Path) -> None:
    restate(home, [bought(n) for n in range(2, 51)])
    assert reinstate(DECIDED_ON + timedelta(days=1)) == 1
    assert problems() == ""


@pytest.mark.parametrize(("op", "told"), [("ADD", "lists 1 person who are not revoked"),
                                          ("WITHDRAW", "withdraws 1 person who are not reinstated")])  # fmt: skip
def test_who_is_listed_or_withdrawn_and_was_never_revoked_is_told(decided: Any, op: str, told: str) -> None:
    publishing.publish("first", AT, DECIDED_ON)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("alter table blacklist_changes drop constraint blacklist_changes_recipient_id_fkey")
    try:
        act(f"insert into blacklist_changes (version, op, recipient_id, reason) values (1, '{op}', 3, 'x')")
        assert f"version 1 {told}" in problems()
    finally:
        with warehouse.transaction(as_owner=True) as connection:
            connection.exec_driver_sql("set local session_replication_role = replica")
            connection.exec_driver_sql("delete from blacklist_changes where recipient_id = 3")
            connection.exec_driver_sql(
                "alter table blacklist_changes add constraint blacklist_changes_recipient_id_fkey"
                " foreign key (recipient_id) references revocations"
            )


# -- signed ------------------------------------------------------------------------------------------------------------


def sign(made: decision.Decision, digest: str, key: Path) -> approval.Signature:
    with warehouse.transaction() as connection:
        batch = approval.known(connection, made, "revocation", digest)
    return approval.sign(batch, "siti", key, today())


def test_where_approvals_are_signed_one_without_does_not_count(signed: decision.Decision) -> None:
    act(*BATCH, approve("siti"), REVOKE)
    assert "lacks signatures (0 of 1), and 1 person revoked by it" in problems()


def test_an_approval_in_advance_needs_no_signature_only_before_the_warehouse_is_live(
    signed: decision.Decision,
) -> None:
    act(*BATCH, approve("siti", in_advance=True), REVOKE)
    assert "lacks signatures (0 of 1), and 1 person revoked by it" in problems()


def test_what_was_approved_before_the_first_signature_counts_as_it_did(
    cohort: Cohort, signers: dict[str, Path]
) -> None:
    people = settings.Settings.from_environment().people
    assert people is not None
    keys = people.read_text()
    people.write_text("people:\n- {id: siti, name: Siti, may: [approve]}\n")
    schema.upgrade()
    made = carry_out(cohort)
    people.write_text(keys)
    schema.upgrade()
    verified = audit.verify()
    assert verified.problems == []
    assert any("1 batches were carried out by approvals without a signature" in line for line in verified.unproved)
    act(*BATCH)
    act(approve("siti", signature=sign(made, batch_of_one(), signers["siti"])), REVOKE)
    verified = audit.verify()
    assert verified.problems == []
    assert not any("without a signature" in line for line in verified.unproved)


@pytest.mark.parametrize(("retires_in", "is_valid"), [(timedelta(days=2), True), (timedelta(hours=-1), False)])
def test_a_key_that_had_retired_does_not_count_whatever_the_approval_says_of_its_time(
    signed: decision.Decision, signers: dict[str, Path], retires_in: timedelta, is_valid: bool
) -> None:
    act(*BATCH)
    signature = sign(signed, batch_of_one(), signers["siti"])
    people = settings.Settings.from_environment().people
    assert people is not None
    until = datetime.now(UTC) + retires_in
    retiring = f'[\'valid-before="{until:%Y%m%d%H%M%S}Z" ssh-'
    people.write_text(people.read_text().replace("['ssh-", retiring, 1))
    act(approve("siti", signature=signature, at=datetime.now(UTC) - timedelta(hours=2)), REVOKE)
    told = f"the approval of batch {batch_of_one()[:16]} by siti is not signed by a key of theirs"
    assert (told in problems()) != is_valid
