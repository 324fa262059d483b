"""Where approvals are signed the publisher lists whom people have signed for, whatever stands in the warehouse."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from prakerja import signatures, warehouse
from prakerja.blacklist.publisher import configured_keys, publishing, rotation, signed_changes, verification
from prakerja.blacklist.publisher.storage import find_list
from prakerja.calendar import Cohort
from prakerja.cli.common import today
from prakerja.errors import PrakerjaError
from prakerja.revocations import approval, decision, holds, reinstatement
from prakerja.run_context import replaying
from prakerja.signed_batches import SignedBatch, load_signed_batches
from prakerja_blacklist.format.contract import POINTER
from tests.support.audit_log import as_owner
from tests.support.people_list import write_signers
from tests.support.publisher import pick
from tests.support.signed_batch import APPROVE_UNSIGNED, NUMBER_3, REVOKE_ALL, digest_of, sign
from tests.support.small_cohort import AT, DECIDED_ON, card, deliver_damaged

LATER = DECIDED_ON + timedelta(days=1)


def refused(told: str, occasion: str = "first") -> None:
    with pytest.raises(PrakerjaError, match=told) as error:
        publishing.publish(occasion, AT, DECIDED_ON)
    assert len(str(error.value).splitlines()) == 1


# -- versions that another has inserted --------------------------------------------------------------------------------


def insert_version() -> None:
    """Insert what a login with the duty `publish` may: a version with everybody who is revoked."""
    key_id = configured_keys.load_subject_key().key_id
    with warehouse.transaction("publish") as connection:
        connection.exec_driver_sql(
            "insert into blacklist_versions (version, occasion, created_at, changed_at, data_as_of, key_id)"
            " values (1, 'evil', now(), now(), '{}', %s)",
            (key_id,),
        )
        connection.exec_driver_sql(
            "insert into blacklist_changes (version, op, recipient_id, reason)"
            " select 1, 'ADD', recipient_id, reason from revocations"
        )


@pytest.mark.usefixtures("proposed", "unlisted")
def test_a_version_that_another_inserted_is_verified_before_its_files_are_written() -> None:
    as_owner(APPROVE_UNSIGNED, REVOKE_ALL)
    insert_version()
    refused("lacks signatures .0 of 1.: nobody of it is listed")
    with pytest.raises(PrakerjaError, match="lacks signatures"):
        publishing.publish("daily", AT, DECIDED_ON, is_daily=True)


@pytest.mark.usefixtures("signed")
def test_a_signed_version_that_another_inserted_is_published(home: Path) -> None:
    insert_version()
    publishing.publish("first", AT, DECIDED_ON)
    assert (home / "publish" / "blacklist" / POINTER).exists()


@pytest.mark.usefixtures("signed", "unlisted")
def test_who_is_added_as_the_version_commits_is_verified_too() -> None:
    as_owner(NUMBER_3.replace("2021-03-15", "2099-01-01"))
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "create function add_number_3() returns trigger language plpgsql as $$ begin insert into blacklist_changes"
            " (version, op, recipient_id, reason) values (new.version, 'ADD', 3, 'NO_FIRST_PURCHASE');"
            " return null; end $$"
        )
        connection.exec_driver_sql(
            "create constraint trigger add_number_3 after insert on blacklist_versions deferrable initially deferred"
            " for each row execute function add_number_3()"
        )
    try:
        refused("is not of the people who would be listed")
        assert pick("select count(*) from blacklist_changes where recipient_id = 3") == [(1,)], "it was committed"
    finally:
        with warehouse.transaction(as_owner=True) as connection:
            connection.exec_driver_sql("drop function add_number_3() cascade")


# -- who is listed -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("proposed", "unlisted")
def test_nobody_is_listed_without_a_signature() -> None:
    """Whoever owns the warehouse gets an approval past its triggers, and nobody onto the list."""
    as_owner(APPROVE_UNSIGNED, REVOKE_ALL)
    digest = digest_of()
    refused(f"batch {digest[:16]} lacks signatures .0 of 1.: nobody of it is listed")
    assert pick("select count(*) from blacklist_changes") == [(0,)]
    with warehouse.transaction() as connection:
        assert [*signed_changes.find_unsigned(connection, [digest])] == [digest]


@pytest.mark.usefixtures("proposed", "unlisted")
def test_a_replay_lists_nobody_without_a_signature() -> None:
    as_owner(APPROVE_UNSIGNED, REVOKE_ALL)
    with replaying():
        refused("lacks signatures")


@pytest.mark.parametrize(
    "bent",
    [
        "update recipients set nik = nik + 5000 where recipient_id = 1",
        "update recipients set card_number = card_number + 10 ^ 14 where recipient_id = 1",
        "update recipients set cohort = 13 where recipient_id = 1",
        "update revocations set digest = null",
        "insert into batch_members select digest, 3 from batches",
        NUMBER_3,
    ],
    ids=["another NIK", "another card", "another cohort", "in no batch", "one more member", "one more revoked"],
)
@pytest.mark.usefixtures("signed", "unlisted")
def test_whatever_the_owner_writes_the_publisher_lists_whom_was_signed_for(bent: str) -> None:
    as_owner(bent)
    refused("is not of the people who would be listed|lacks signatures")


@pytest.mark.usefixtures("proposed", "unlisted")
def test_how_many_must_sign_is_not_the_warehouses_word() -> None:
    as_owner(APPROVE_UNSIGNED, REVOKE_ALL)
    try:
        as_owner(
            "alter table approval_rule drop constraint approval_rule_approvers_check",
            "update approval_rule set approvers = 0",
        )
        refused("lacks signatures")
    finally:
        as_owner(
            "update approval_rule set approvers = 1",
            "alter table approval_rule drop constraint if exists approval_rule_approvers_check",
            "alter table approval_rule add constraint approval_rule_approvers_check check (approvers >= 1)",
        )


@pytest.mark.usefixtures("signed", "own_keys")
def test_everybody_issued_anew_is_who_was_listed_and_who_was_signed_for(home: Path) -> None:
    """Under a new key of the subjects everybody is written from the warehouse's people, who may be others by now."""
    assert publishing.publish("first", AT, DECIDED_ON) == 1
    rotation.rotate_subject_key(AT, because="yearly", answered_by="ani")
    as_owner("update recipients set nik = nik + 5000 where recipient_id = 1")
    refused("is not what this warehouse has published", "second")
    as_owner("update recipients set nik = nik - 5000 where recipient_id = 1")
    assert publishing.publish("second", AT, DECIDED_ON) == 2
    assert verification.latest_version(find_list(str(home / "publish"))).manifest.counts.entries == 2


# -- whose signature counts --------------------------------------------------------------------------------------------


def test_who_may_approve_no_more_has_signed_for_nobody(
    signed: decision.Decision, signers: dict[str, Path], home: Path
) -> None:
    write_signers(home, signers, may="")
    refused("lacks signatures .0 of 1.")
    sign(digest_of(), signers["ani"], "ani")
    assert publishing.publish("first", AT, DECIDED_ON) == 1


def of_the_warehouse() -> SignedBatch:
    with warehouse.transaction() as connection:
        (batch,) = load_signed_batches(connection, [digest_of()]).values()
    return batch


def sign_on(day: date, key: Path) -> None:
    """Record a signature with a day of the signer's choice, past the triggers and with a time of the warehouse's."""
    batch = of_the_warehouse()
    signature = signatures.sign(batch.build_text("siti", day), key)
    as_owner(
        "insert into approvals (decision_id, subject, approved_by, approved_on, is_recorded_in_advance, digest,"
        f" signature, identities_sha256, recorded_at) select decision_id, subject, 'siti', '{day}', false, digest,"
        f" '{signature}', '{batch.identities_sha256}', '{day}' from batches"
    )


@pytest.mark.parametrize("age", [0, 400])
@pytest.mark.usefixtures("proposed", "unlisted")
def test_a_retired_key_lists_nobody_whatever_day_its_thief_writes(
    signers: dict[str, Path], home: Path, age: int
) -> None:
    retired = today() - timedelta(days=300)
    write_signers(home, signers, options=f'valid-before="{retired:%Y%m%d}Z" ')
    sign_on(today() - timedelta(days=age), signers["siti"])
    as_owner(REVOKE_ALL)
    refused("lacks signatures .0 of 1.")


@pytest.mark.parametrize(("age", "counts"), [(-1, False), (0, True), (30, True), (31, False)])
def test_a_signature_counts_for_thirty_days(
    proposed: decision.Decision, signers: dict[str, Path], age: int, counts: bool
) -> None:
    sign_on(today() - timedelta(days=age), signers["siti"])
    assert of_the_warehouse().signers(today()) == ["siti"] * counts


def test_a_signature_counts_by_somebody_who_had_no_part_from_the_proposal_on(signed: decision.Decision) -> None:
    batch = of_the_warehouse()
    assert batch.signers(today()) == ["siti"]
    assert replace(batch, had_a_part=["siti"]).signers(today()) == []
    assert replace(batch, proposed_on=today() + timedelta(days=1)).signers(today()) == []
    assert replace(batch, identities=batch.identities[:1]).signers(today()) == []
    assert replace(batch, warehouse_id="another").signers(today()) == []


# -- who is withdrawn, and who was held --------------------------------------------------------------------------------


def test_a_reinstatement_withdraws_nobody_without_a_signature(proven: str, signers: dict[str, Path]) -> None:
    as_owner(
        APPROVE_UNSIGNED + f" where digest = '{proven}'",
        "insert into reinstatements (recipient_id, because, approvers, reinstated_on, digest)"
        f" values (2, 'purchase', '{{siti}}', '{LATER}', '{proven}')",
    )
    with pytest.raises(PrakerjaError, match=r"lacks signatures .0 of 1.: nobody of it is listed or withdrawn"):
        publishing.publish("second", AT, LATER)
    sign(proven, signers["siti"])
    assert publishing.publish("second", AT, LATER) == 2
    assert pick("select count(*) from blacklist_changes where op = 'WITHDRAW'") == [(1,)]


def test_a_signed_reinstatement_is_carried_out_and_lists_nobody(proven: str, signers: dict[str, Path]) -> None:
    sign(proven, signers["siti"])
    assert reinstatement.reinstate(LATER) == 1
    as_owner(
        "delete from reinstatements",
        f"update revocations set digest = '{proven}' where recipient_id = 2",
        "delete from blacklist_changes where recipient_id = 2",
    )
    with pytest.raises(PrakerjaError, match="is not of the people who would be listed"):
        publishing.publish("second", AT, LATER)


def test_a_hold_is_revoked_once_it_is_signed(cohort: Cohort, home: Path, signers: dict[str, Path]) -> None:
    deliver_damaged(home)
    decision.decide(cohort, DECIDED_ON)
    batch = holds.resolve(card(1), is_purchased=False, because="nothing", resolved_by="budi", on=DECIDED_ON)
    assert batch is not None
    as_owner(APPROVE_UNSIGNED + " where subject = 'hold'")
    assert holds.apply_resolved_holds(DECIDED_ON) == 0
    sign(batch.digest, signers["siti"])
    assert holds.apply_resolved_holds(DECIDED_ON) == 1
    assert [b.approvals_needed for _, b in approval.yield_waiting_batches() if b.subject == "hold"] == []
    assert publishing.publish("first", AT, DECIDED_ON) == 1
