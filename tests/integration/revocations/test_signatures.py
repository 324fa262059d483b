"""Signed approvals: by OpenSSH, over a text that a person can read, required by the command, Airflow and the run."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prakerja import schema, signatures, tasks, warehouse
from prakerja.blacklist import audit, publishing
from prakerja.calendar import Cohort
from prakerja.cli import app
from prakerja.cli.common import today
from prakerja.errors import PrakerjaError
from prakerja.people import Person
from prakerja.replay import days
from prakerja.revocations import appeals, approval, decision, explanation, revocation
from prakerja.run_context import replaying
from prakerja.signatures import ApprovalText
from prakerja.warehouse import RefusedError
from tests.support.audit_log import as_owner
from tests.support.people_list import write_signers
from tests.support.signed_batch import APPROVE_UNSIGNED, REVOKE_ALL
from tests.support.small_cohort import AT, DECIDED_ON, card, revoked

TEXT = ApprovalText("6f1c", 12, "ab" * 32, 2, "cd" * 32, "revocation", date(2021, 3, 31), "siti")
ALREADY = "has approved this batch already, and nothing was recorded"


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def refused(*arguments: str) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, PrakerjaError), result.output
    assert len(str(result.exception).splitlines()) == 1
    return str(result.exception)


def waiting(cohort: Cohort) -> tuple[decision.Decision, str]:
    made = decision.decide(cohort, DECIDED_ON)
    revocation.request_approval(made, DECIDED_ON)
    ((_, batch),) = approval.waiting_batches()
    return made, batch.digest


def sign(digest: str, key: Path, person: str = "siti") -> Any:
    return run("approve", "12", "--digest", digest, "--as", person, "--sign-with", str(key))


def approved_by() -> list[tuple[str, bool]]:
    with warehouse.transaction() as connection:
        found = connection.exec_driver_sql("select approved_by, signature is not null from approvals order by 1, 2")
        return [tuple(row) for row in found]


# -- the text and its signature ----------------------------------------------------------------------------------------


def test_the_text_can_be_read_by_a_person() -> None:
    assert str(TEXT).splitlines() == [
        "Kartu Prakerja: approval of a batch",
        "warehouse: 6f1c",
        "cohort: gelombang-12",
        f"batch: {'ab' * 32}",
        "people: 2",
        f"cards and NIKs: {'cd' * 32}",
        "for: revoke, for life, and list on the blacklist",
        "signed on: 2021-03-31",
        "approved by: siti",
    ]


def test_a_signature_is_of_one_text_by_one_person_on_its_day(ssh_key: Callable[[str], Path]) -> None:
    key = ssh_key("siti")
    public = key.with_suffix(".pub").read_text().strip()
    siti = Person("siti", "Siti", keys=(public,))
    signature = signatures.sign(TEXT, key)
    assert signatures.is_signed(TEXT, signature, siti)
    bent: list[dict[str, Any]] = [
        {"warehouse_id": "another"}, {"cohort": 13}, {"digest": "ba" * 32}, {"people": 3}, {"subject": "reinstatement"},
        {"identities_sha256": "dc" * 32}, {"signed_on": date(2021, 3, 30)}, {"approved_by": "budi"},
    ]  # fmt: skip
    for each in bent:
        assert not signatures.is_signed(replace(TEXT, **each), signature, siti), each
    assert not signatures.is_signed(TEXT, signature, Person("siti", "Siti"))
    other = ssh_key("other").with_suffix(".pub").read_text().strip()
    assert not signatures.is_signed(TEXT, signature, Person("siti", "Siti", keys=(other,)))
    assert not signatures.is_signed(TEXT, "nonsense", siti)


@pytest.mark.parametrize(("option", "counts"), [("20210331165959Z", True), ("20210331165958Z", False)])
def test_a_key_counts_on_a_day_that_it_outlasts(ssh_key: Callable[[str], Path], option: str, counts: bool) -> None:
    """The day of the text ends at midnight WIB, 17:00 UTC, and is verified by its last second."""
    key = ssh_key("siti")
    siti = Person("siti", "Siti", keys=(f'valid-before="{option}" {key.with_suffix(".pub").read_text().strip()}',))
    assert signatures.is_signed(TEXT, signatures.sign(TEXT, key), siti) is counts


def test_without_openssh_it_is_said(ssh_key: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    key = ssh_key("siti")
    monkeypatch.setattr(signatures, "PROGRAM", "no-such-ssh-keygen")
    with pytest.raises(PrakerjaError, match="no-such-ssh-keygen is not installed"):
        signatures.sign(TEXT, key)


def test_what_cannot_sign_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "no_key").write_text("nonsense")
    with pytest.raises(PrakerjaError, match="ssh-keygen did not sign with"):
        signatures.sign(TEXT, tmp_path / "no_key")
    assert subprocess.run(["ssh-keygen", "-?"], capture_output=True, check=False).returncode


# -- the command and the run -------------------------------------------------------------------------------------------


def test_an_approval_is_signed_or_refused(cohort: Cohort, signers: dict[str, Path]) -> None:
    made, digest = waiting(cohort)
    assert "--sign-with KEY" in run("approve", "12").output
    named = ("approve", "12", "--digest", digest, "--as", "siti")
    assert "approvals are signed here" in refused(*named)
    with pytest.raises(PrakerjaError, match="approvals are signed here: an answer in Airflow does not count"):
        tasks.answers.record_approval(12, digest, "siti", DECIDED_ON)
    asked = revocation.request_approval(made, DECIDED_ON)
    assert asked is not None
    assert asked.must_sign
    assert asked.command.endswith("--sign-with KEY")
    assert "is not a key that the list of people gives siti" in refused(*named, "--sign-with", str(signers["budi"]))
    assert "is not a file" in refused(*named, "--sign-with", "/nowhere")
    assert "budi may not approve" in refused(
        "approve", "12", "--digest", digest, "--as", "budi", "--sign-with", str(signers["budi"])
    )
    done = sign(digest, signers["siti"])
    assert done.output.startswith("siti approves 2 revocations of gelombang-12"), (done.output, done.exception)
    assert revocation.revoke(cohort, made, DECIDED_ON) == 2
    assert publishing.publish("first", AT, DECIDED_ON) == 1
    approved = next(e for e in next(explanation.explain([card(1)]))["events"] if e["what"] == "approved")
    assert approved["is_signed"] is True
    verified = audit.verify()
    assert (verified.signatures, verified.problems) == (1, [])


def test_an_unsigned_approval_counts_for_nothing_and_is_in_nobodys_way(
    cohort: Cohort, signers: dict[str, Path]
) -> None:
    made, digest = waiting(cohort)
    as_owner(APPROVE_UNSIGNED)
    ((_, batch),) = approval.waiting_batches()
    assert (batch.approved_by, batch.approvals_needed) == ([], 1)
    with pytest.raises(approval.AwaitingApprovalError):
        revocation.revoke(cohort, made, DECIDED_ON)
    with pytest.raises(RefusedError, match=r"approved_by_enough|revocations_have_approvers"):
        try_to_revoke(digest)
    assert sign(digest, signers["siti"]).exit_code == 0
    assert approved_by() == [("siti", False), ("siti", True)]
    assert revocation.revoke(cohort, made, DECIDED_ON) == 2
    assert publishing.publish("first", AT, DECIDED_ON) == 1


def try_to_revoke(digest: str) -> int:
    with warehouse.transaction("decide") as connection:
        at = {"effective_at": AT, "as_of": DECIDED_ON}
        return int(warehouse.execute(connection, "revocations/insert_revocations", digest=digest, **at).rowcount)


def test_a_signature_is_verified_before_anybody_is_revoked(cohort: Cohort, signers: dict[str, Path]) -> None:
    """Whoever may add an approval may add one with nonsense for a signature, which the warehouse counts."""
    made, digest = waiting(cohort)
    with warehouse.transaction("decide") as connection:
        warehouse.execute(
            connection, "revocations/insert_approval", digest=digest, approved_by="siti", approved_on=today(),
            is_recorded_in_advance=False, signature="nonsense", identities_sha256="ab" * 32,
        )  # fmt: skip
    ((_, batch),) = approval.waiting_batches()
    assert (batch.approved_by, batch.approvals_needed) == ([], 1)
    with pytest.raises(approval.AwaitingApprovalError):
        revocation.require_approval(made, DECIDED_ON)
    with pytest.raises(approval.AwaitingApprovalError):
        revocation.revoke(cohort, made, DECIDED_ON)
    assert revoked() == []
    assert sign(digest, signers["siti"]).exit_code == 0, "the nonsense does not take her place"
    assert revocation.revoke(cohort, made, DECIDED_ON) == 2


def test_what_was_carried_out_without_a_signature_can_be_signed_afterwards(
    cohort: Cohort, signers: dict[str, Path]
) -> None:
    _, digest = waiting(cohort)
    as_owner(
        APPROVE_UNSIGNED,
        REVOKE_ALL,
        "insert into carried_out (decision_id, carried_out_on) select decision_id, '2021-03-15' from batches",
    )
    command = f"prakerja approve 12 --digest {digest[:16]} --as ID --sign-with KEY"
    with pytest.raises(PrakerjaError, match=command):
        publishing.publish("first", AT, DECIDED_ON)
    assert list(approval.waiting_batches()) == [], "no run asks about it"
    done = sign(digest[:16], signers["siti"])
    assert "it is carried out, and the list has it from its next version on" in done.output, done.exception
    assert publishing.publish("first", AT, DECIDED_ON) == 1


def test_who_decided_an_appeal_does_not_sign_the_revocation_afterwards(
    cohort: Cohort, signers: dict[str, Path]
) -> None:
    made, digest = waiting(cohort)
    sign(digest, signers["siti"])
    revocation.revoke(cohort, made, DECIDED_ON)
    number = appeals.open_appeal(card(1), "Saya sudah membeli.", opened_by="ani", on=DECIDED_ON)
    appeals.decide(number, is_upheld=False, because="no receipt", decided_by="ani", on=DECIDED_ON)
    assert "decided_by_another" in refused(
        "approve", "12", "--digest", digest, "--as", "ani", "--sign-with", str(signers["ani"])
    )


def test_who_signs_afterwards_does_not_decide_the_appeal(cohort: Cohort, signers: dict[str, Path]) -> None:
    made, digest = waiting(cohort)
    sign(digest, signers["siti"])
    revocation.revoke(cohort, made, DECIDED_ON)
    assert sign(digest, signers["ani"], "ani").exit_code == 0
    number = appeals.open_appeal(card(1), "Saya sudah membeli.", opened_by="budi", on=DECIDED_ON)
    with pytest.raises(PrakerjaError):
        appeals.decide(number, is_upheld=False, because="no receipt", decided_by="ani", on=DECIDED_ON)


# -- said twice --------------------------------------------------------------------------------------------------------


def test_a_second_signature_of_the_same_day_is_refused(cohort: Cohort, signers: dict[str, Path]) -> None:
    _, digest = waiting(cohort)
    assert sign(digest, signers["siti"]).exit_code == 0
    assert f"siti {ALREADY}" in str(sign(digest, signers["siti"]).exception)
    assert approved_by() == [("siti", True)]


@pytest.mark.usefixtures("two_approvers")
def test_a_second_approval_by_the_same_person_is_refused(cohort: Cohort) -> None:
    _, digest = waiting(cohort)
    assert run("approve", "12", "--digest", digest, "--as", "siti").exit_code == 0
    assert f"siti {ALREADY}" in refused("approve", "12", "--digest", digest, "--as", "siti")
    with pytest.raises(PrakerjaError, match=f"siti {ALREADY}"):  # the task logs it, and asks on
        tasks.answers.record_approval(12, digest, "siti", DECIDED_ON)


def test_who_has_approved_in_advance_approves_for_real(cohort: Cohort) -> None:
    with replaying():
        made = decision.decide(cohort, DECIDED_ON)
        revocation.require_approval(made, DECIDED_ON, approve_as="siti")
    ((_, batch),) = approval.waiting_batches()
    assert run("approve", "12", "--digest", batch.digest, "--as", "siti").exit_code == 0
    assert revocation.revoke(cohort, made, DECIDED_ON) == 2


# -- which list counts -------------------------------------------------------------------------------------------------


def test_a_process_with_another_list_approves_revokes_and_publishes_nothing(
    cohort: Cohort, signers: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, digest = waiting(cohort)
    sign(digest, signers["siti"])
    mine = tmp_path / "mine.yaml"
    mine.write_text("people: [{id: siti, name: me, logins: {os: [root]}, may: [approve]}]\n")
    for path, has in ((str(mine), f"a list of people without keys, {mine}"), ("", "no list of people")):
        monkeypatch.setenv("PRAKERJA_PEOPLE", path)
        told = f"approvals are signed here, and this process has {has}"
        with pytest.raises(PrakerjaError, match=told):
            revocation.revoke(cohort, made, DECIDED_ON)
        with pytest.raises(PrakerjaError, match=told), warehouse.transaction("decide") as connection:
            approval.approve(connection, approval.known(connection, made, "revocation", digest), "ani", DECIDED_ON)
        with pytest.raises(PrakerjaError, match=told):
            publishing.publish("first", AT, DECIDED_ON)
    assert revoked() == []


def test_signatures_are_required_once_the_warehouse_was_told_so(
    cohort: Cohort, home: Path, ssh_key: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, digest = waiting(cohort)
    keys = {name: ssh_key(name) for name in ("siti", "ani", "budi")}
    monkeypatch.setenv("PRAKERJA_PEOPLE", str(write_signers(home, keys)))
    try:
        with pytest.raises(PrakerjaError, match="gives keys, and the warehouse counts approvals without signatures"):
            revocation.revoke(cohort, made, DECIDED_ON)
        assert "run `prakerja db upgrade` with this list" in str(sign(digest, keys["siti"]).exception)
        assert run("db", "upgrade").exit_code == 0
        assert sign(digest, keys["siti"]).exit_code == 0
        assert revocation.revoke(cohort, made, DECIDED_ON) == 2
    finally:
        monkeypatch.delenv("PRAKERJA_PEOPLE")
        schema.upgrade()


# -- in a replay -------------------------------------------------------------------------------------------------------


def test_where_approvals_are_signed_nobody_approves_in_advance(cohort: Cohort, signers: dict[str, Path]) -> None:
    with pytest.raises(PrakerjaError, match="approvals are signed here, and nobody signs in advance: replay without"):
        days.play(DECIDED_ON, DECIDED_ON, [12], "Direktur Utama", lambda *_: None)
    with replaying():
        made = decision.decide(cohort, DECIDED_ON)
        with pytest.raises(PrakerjaError, match="approvals are signed here, and none is in advance"):
            revocation.require_approval(made, DECIDED_ON, approve_as="Direktur Utama")
        revocation.request_approval(made, DECIDED_ON)
    statement = (
        "insert into approvals (decision_id, subject, approved_by, approved_on, is_recorded_in_advance, digest)"
        " select decision_id, subject, 'Direktur', proposed_on, true, digest from batches"
    )
    with (
        replaying(),
        pytest.raises(RefusedError, match="in_advance_in_replays_only"),
        warehouse.transaction("decide") as connection,
    ):
        connection.exec_driver_sql(statement)


def test_a_replay_revokes_and_lists_what_was_signed(cohort: Cohort, signers: dict[str, Path]) -> None:
    with replaying():
        made, digest = waiting(cohort)
        with pytest.raises(approval.AwaitingApprovalError):
            revocation.revoke(cohort, made, DECIDED_ON)
    assert sign(digest, signers["siti"]).exit_code == 0
    with replaying():
        assert revocation.revoke(cohort, made, DECIDED_ON) == 2
        assert publishing.publish("first", AT, DECIDED_ON) == 1


# -- the audit ---------------------------------------------------------------------------------------------------------


def test_a_batch_without_a_signature_keeps_neither_another_batch_nor_a_withdrawal(
    cohort: Cohort, signers: dict[str, Path]
) -> None:
    """Two are listed, one of them was reinstated since; of two more batches one is signed."""
    made, digest = waiting(cohort)
    run("approve", "12", "--digest", digest, "--as", "siti", "--sign-with", str(signers["siti"]))
    assert revocation.revoke(cohort, made, DECIDED_ON) == 2
    assert publishing.publish("first", AT, DECIDED_ON) == 1
    batches = {}
    for number in (3, 4):
        content = "\n".join(["hold", made.decision_id, card(number)])
        batches[number] = hashlib.sha256(content.encode()).hexdigest()
    with warehouse.transaction() as connection:
        warehouse_id = warehouse.warehouse_id(connection)
        niks = {
            row["card_number"]: row["nik"]
            for row in warehouse.rows(connection, "cohorts/list_correctable", cards=[int(card(n)) for n in batches])
        }

    def signed(number: int) -> str:
        identities = hashlib.sha256(f"{int(card(number))} {niks[int(card(number))]}".encode()).hexdigest()
        text = ApprovalText(warehouse_id, 12, batches[number], 1, identities, "hold", today(), "siti")
        return f"'{signatures.sign(text, signers['siti'])}', '{identities}', cast('{today()}' as date)"

    unsigned = "null, null, cast('2021-03-15' as date)"

    as_owner(
        "insert into reinstatements (recipient_id, because, approvers, reinstated_on)"
        " values (1, 'appeal', '{siti}', '2021-03-15')",
        *(
            statement
            for number, batch in batches.items()
            for statement in (
                "insert into batches (digest, decision_id, subject, people, proposed_by, proposed_on)"
                f" select '{batch}', decision_id, 'hold', 1, 'budi', '2021-03-15' from decisions",
                f"insert into batch_members (digest, recipient_id) values ('{batch}', {number})",
                "insert into approvals (decision_id, subject, approved_by, is_recorded_in_advance, digest,"
                " signature, identities_sha256, approved_on) select decision_id, 'hold', 'siti', false,"
                f" '{batch}', {signed(4) if number == 4 else unsigned} from decisions",
                "insert into revocations"
                " (recipient_id, decision_id, reason, effective_at, approvers, revoked_on, digest)"
                f" select {number}, decision_id, 'NO_FIRST_PURCHASE', now(), '{{siti}}', '2021-03-15', '{batch}'"
                " from decisions",
            )
        ),
    )
    told = f"second: version 2 lacks what waits: gelombang-12: batch {batches[3][:16]} lacks signatures .0 of 1."
    with pytest.raises(PrakerjaError, match=told):
        publishing.publish("second", AT, DECIDED_ON)
    assert changes_of(2) == [("ADD", 4), ("WITHDRAW", 1)]
    with pytest.raises(PrakerjaError, match="second: gelombang-12: batch"):
        publishing.publish("second", AT, DECIDED_ON)
    as_owner(
        f"update approvals set (signature, identities_sha256, approved_on) = ({signed(3)})"
        f" where digest = '{batches[3]}'"
    )
    assert publishing.publish("second", AT, DECIDED_ON) == 3
    assert changes_of(3) == [("ADD", 3)]


def changes_of(version: int) -> list[tuple[str, int]]:
    with warehouse.transaction(as_owner=True) as connection:
        return [
            tuple(row)
            for row in connection.exec_driver_sql(
                "select op, recipient_id from blacklist_changes where version = %s order by op, recipient_id",
                (version,),
            )
        ]


def test_the_audit_finds_a_signature_that_is_not_the_approvers(cohort: Cohort, signers: dict[str, Path]) -> None:
    _, digest = waiting(cohort)
    sign(digest, signers["siti"])
    as_owner("update approvals set signature = replace(signature, 'A', 'B')")
    assert any(f"the approval of batch {digest[:16]} by siti is not signed" in told for told in audit.verify().problems)


def test_the_audit_verifies_the_signature_of_somebody_who_has_left(
    cohort: Cohort, home: Path, signers: dict[str, Path]
) -> None:
    made, digest = waiting(cohort)
    sign(digest, signers["siti"])
    revocation.revoke(cohort, made, DECIDED_ON)
    publishing.publish("first", AT, DECIDED_ON)
    tomorrow = today() + timedelta(days=2)
    write_signers(home, signers, options=f'valid-before="{tomorrow:%Y%m%d}Z" ', may="")
    verified = audit.verify()
    assert (verified.signatures, verified.problems) == (1, [])
    write_signers(home, signers, options=f'valid-before="{today():%Y%m%d}Z" ', may="")
    not_theirs, lacks = audit.verify().problems
    assert "is not signed by a key of theirs" in not_theirs, "the key had retired by then"
    assert "lacks approvals" in lacks
