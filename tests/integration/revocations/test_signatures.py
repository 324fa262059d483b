"""Signed approvals: by OpenSSH, over a text that a person can read, required by the command, Airflow and the list."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prakerja import signatures, warehouse, workflow
from prakerja.blacklist import audit, publishing
from prakerja.calendar import Cohort
from prakerja.cli import app
from prakerja.errors import PrakerjaError
from prakerja.people import Person
from prakerja.revocations import approval, decision, explanation, revocation
from prakerja.signatures import ApprovalText
from tests.support.small_cohort import AT, DECIDED_ON, card

TEXT = ApprovalText("6f1c", 12, "ab" * 32, 2, "revocation", "siti")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def refused(*arguments: str) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, PrakerjaError), result.output
    return str(result.exception)


def waiting(wave: Cohort) -> tuple[decision.Decision, str]:
    made = decision.decide(wave, DECIDED_ON)
    revocation.request_approval(made, DECIDED_ON)
    ((_, batch),) = approval.waiting_batches()
    return made, batch.digest


def test_the_text_can_be_read_by_a_person() -> None:
    assert str(TEXT).splitlines() == [
        "Kartu Prakerja: approval of a batch",
        "warehouse: 6f1c",
        "cohort: gelombang-12",
        f"batch: {'ab' * 32}",
        "people: 2",
        "for: revoke, for life, and list on the blacklist",
        "approved by: siti",
    ]


def test_a_signature_is_of_one_text_by_one_person_as_of_its_time(ssh_key: Callable[[str], Path]) -> None:
    key = ssh_key("siti")
    public = key.with_suffix(".pub").read_text().strip()
    siti = Person("siti", "Siti", keys=(public,))
    signature, now = signatures.sign(TEXT, key), datetime.now(UTC)
    assert signatures.is_signed(TEXT, signature, siti, now)
    for text in (
        ApprovalText("another", 12, "ab" * 32, 2, "revocation", "siti"),
        ApprovalText("6f1c", 13, "ab" * 32, 2, "revocation", "siti"),
        ApprovalText("6f1c", 12, "ba" * 32, 2, "revocation", "siti"),
        ApprovalText("6f1c", 12, "ab" * 32, 3, "revocation", "siti"),
        ApprovalText("6f1c", 12, "ab" * 32, 2, "reinstatement", "siti"),
        ApprovalText("6f1c", 12, "ab" * 32, 2, "revocation", "budi"),
    ):
        assert not signatures.is_signed(text, signature, siti, now)
    assert not signatures.is_signed(TEXT, signature, Person("siti", "Siti"), now)
    other = ssh_key("other").with_suffix(".pub").read_text().strip()
    assert not signatures.is_signed(TEXT, signature, Person("siti", "Siti", keys=(other,)), now)
    assert not signatures.is_signed(TEXT, "nonsense", siti, now)
    retired = Person("siti", "Siti", keys=(f'valid-before="20210401Z" {public}',))
    assert signatures.is_signed(TEXT, signature, retired, datetime(2021, 3, 31, tzinfo=UTC))
    assert not signatures.is_signed(TEXT, signature, retired, datetime(2021, 4, 2, tzinfo=UTC))


def test_an_approval_is_signed_or_refused(wave: Cohort, signers: dict[str, Path]) -> None:
    made, digest = waiting(wave)
    assert "--sign-with KEY" in run("approve", "12").output
    named = ("approve", "12", "--digest", digest, "--as", "siti")
    assert "approvals are signed here" in refused(*named)
    with pytest.raises(PrakerjaError, match="approvals are signed here: an answer in Airflow does not count"):
        workflow.record_approval(12, digest, "siti", DECIDED_ON)
    asked = revocation.request_approval(made, DECIDED_ON)
    assert asked is not None
    assert asked.must_sign
    assert asked.command.endswith("--sign-with KEY")
    assert "is not a key that the list of people gives siti" in refused(*named, "--sign-with", str(signers["budi"]))
    assert "is not a file" in refused(*named, "--sign-with", "/nowhere")
    assert "budi may not approve" in refused(
        "approve", "12", "--digest", digest, "--as", "budi", "--sign-with", str(signers["budi"])
    )
    done = run(*named, "--sign-with", str(signers["siti"]))
    assert done.output.startswith("siti approves 2 revocations of gelombang-12"), (done.output, done.exception)
    assert revocation.revoke(wave, made, DECIDED_ON) == 2
    assert publishing.publish("first", AT, DECIDED_ON) == 1
    approved = next(e for e in next(explanation.explain([card(1)]))["events"] if e["what"] == "approved")
    assert approved["is_signed"] is True
    verified = audit.verify()
    assert (verified.signatures, verified.problems) == (1, [])


def test_the_publisher_lists_nobody_without_a_signature(wave: Cohort, signers: dict[str, Path]) -> None:
    """Whoever owns the warehouse gets an approval past its triggers, and nobody onto the list."""
    made, digest = waiting(wave)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "insert into approvals (decision_id, subject, approved_by, approved_on, is_recorded_in_advance, digest)"
            " select decision_id, subject, 'siti', proposed_on, false, digest from batches"
        )
    assert revocation.revoke(wave, made, DECIDED_ON) == 2
    with pytest.raises(PrakerjaError, match=f"batch {digest[:16]} lacks signatures .0 of 1.: nobody of it is listed"):
        publishing.publish("first", AT, DECIDED_ON)
    with warehouse.transaction(as_owner=True) as connection:
        assert connection.exec_driver_sql("select count(*) from blacklist_changes").scalar_one() == 0


def as_owner(*statements: str) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    ("bent", "told"),
    [
        ("alter table approval_rule drop constraint approval_rule_approvers_check;"
         " update approval_rule set approvers = 0", "lacks signatures"),
        ("update revocations set digest = null", "is not of the people who would be listed"),
        ("insert into batch_members select digest, 3 from batches", "is not of the people who would be listed"),
        ("insert into revocations (recipient_id, decision_id, reason, effective_at, approvers, revoked_on, digest)"
         " select 3, decision_id, 'NO_FIRST_PURCHASE', now(), '{siti}', '2021-03-15', digest from batches",
         "is not of the people who would be listed"),
    ],
    ids=["no approver needed", "in no batch", "one more member", "one more revoked"],
)  # fmt: skip
def test_whatever_the_owner_writes_the_publisher_lists_whom_was_signed_for(
    wave: Cohort, signers: dict[str, Path], bent: str, told: str
) -> None:
    made, digest = waiting(wave)
    if told != "lacks signatures":
        run("approve", "12", "--digest", digest, "--as", "siti", "--sign-with", str(signers["siti"]))
    else:
        as_owner(
            "insert into approvals (decision_id, subject, approved_by, approved_on, is_recorded_in_advance, digest)"
            " select decision_id, subject, 'siti', proposed_on, false, digest from batches"
        )
    assert revocation.revoke(wave, made, DECIDED_ON) == 2
    try:
        as_owner(*bent.split(";"))
        with pytest.raises(PrakerjaError, match=told):
            publishing.publish("first", AT, DECIDED_ON)
    finally:
        as_owner(
            "update approval_rule set approvers = 1",
            "alter table approval_rule drop constraint if exists approval_rule_approvers_check",
            "alter table approval_rule add constraint approval_rule_approvers_check check (approvers >= 1)",
        )


def test_a_batch_without_a_signature_keeps_neither_another_batch_nor_a_withdrawal(
    wave: Cohort, signers: dict[str, Path]
) -> None:
    """Two are listed, one of them was reinstated since; of two more batches one is signed."""
    made, digest = waiting(wave)
    run("approve", "12", "--digest", digest, "--as", "siti", "--sign-with", str(signers["siti"]))
    assert revocation.revoke(wave, made, DECIDED_ON) == 2
    assert publishing.publish("first", AT, DECIDED_ON) == 1
    batches = {}
    for number in (3, 4):
        content = "\n".join(["hold", made.decision_id, card(number)])
        batches[number] = hashlib.sha256(content.encode()).hexdigest()
    text = ApprovalText(warehouse_id(), 12, batches[4], 1, "hold", "siti")
    quoted = f"'{signatures.sign(text, signers['siti'])}'"
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
                "insert into approvals (decision_id, subject, approved_by, approved_on, is_recorded_in_advance, digest,"
                f" signature) select decision_id, 'hold', 'siti', '2021-03-15', false, '{batch}',"
                f" {'null' if number == 3 else quoted} from decisions",
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
    text = ApprovalText(warehouse_id(), 12, batches[3], 1, "hold", "siti")
    signature = signatures.sign(text, signers["siti"])
    as_owner(f"update approvals set signature = '{signature}' where digest = '{batches[3]}'")
    assert publishing.publish("second", AT, DECIDED_ON) == 3
    assert changes_of(3) == [("ADD", 3)]


def warehouse_id() -> str:
    with warehouse.transaction() as connection:
        return warehouse.warehouse_id(connection)


def changes_of(version: int) -> list[tuple[str, int]]:
    with warehouse.transaction(as_owner=True) as connection:
        return [
            tuple(row)
            for row in connection.exec_driver_sql(
                "select op, recipient_id from blacklist_changes where version = %s order by op, recipient_id",
                (version,),
            )
        ]


def test_the_audit_finds_a_signature_that_is_not_the_approvers(wave: Cohort, signers: dict[str, Path]) -> None:
    _, digest = waiting(wave)
    run("approve", "12", "--digest", digest, "--as", "siti", "--sign-with", str(signers["siti"]))
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql("update approvals set signature = replace(signature, 'A', 'B')")
    assert any(f"the approval of batch {digest[:16]} by siti is not signed" in told for told in audit.verify().problems)


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
