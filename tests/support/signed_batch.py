"""A batch of gelombang 12, signed or not, and what the owner of the warehouse may write to look as if it were."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from prakerja.cli import app
from tests.support.publisher import pick

APPROVE_UNSIGNED = (
    "insert into approvals (decision_id, subject, approved_by, approved_on, is_recorded_in_advance, digest)"
    " select decision_id, subject, 'siti', proposed_on, false, digest from batches"
)
REVOKE_ALL = (
    "insert into revocations (recipient_id, decision_id, digest, reason, effective_at, approvers, revoked_on)"
    " select recipient_id, decision_id, digest, 'NO_FIRST_PURCHASE', now(), '{siti}', '2021-03-15'"
    " from batches join batch_members using (digest)"
)
NUMBER_3 = (
    "insert into revocations (recipient_id, decision_id, reason, effective_at, approvers, revoked_on, digest)"
    " select 3, decision_id, 'NO_FIRST_PURCHASE', now(), '{siti}', '2021-03-15', digest from batches"
)


def sign(digest: str, key: Path, person: str = "siti") -> None:
    """Let a person sign a batch of gelombang 12."""
    done = CliRunner().invoke(app, ["approve", "12", "--digest", digest, "--as", person, "--sign-with", str(key)])
    assert done.exit_code == 0, (done.output, done.exception)


def digest_of(subject: str = "revocation") -> str:
    """Return the digest of the one batch about something."""
    ((digest,),) = pick(f"select digest from batches where subject = '{subject}'")
    return str(digest)
