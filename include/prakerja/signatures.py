"""Signed approvals: an approver signs a text that a person can read, with an SSH key of their own.

OpenSSH signs and verifies (`ssh-keygen -Y`), so that agents and hardware keys work, and so that anybody can verify a
signature without this package: https://man.openbsd.org/ssh-keygen.1#Y.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

from prakerja.errors import PrakerjaError
from prakerja.people import Person
from prakerja.settings import WIB

NAMESPACE = "prakerja-approval"
PROGRAM = "ssh-keygen"
PURPOSES = {
    "revocation": "revoke, for life, and list on the blacklist",
    "hold": "revoke somebody held, for life, and list on the blacklist",
    "reinstatement": "reinstate, and withdraw from the blacklist",
}


@dataclass(frozen=True)
class ApprovalText:
    """What an approver signs: this warehouse, this very batch, how many people, who they are, what for, and when.

    `identities_sha256` is over the cards and NIKs of the batch. `signed_on` is a WIB day.
    """

    warehouse_id: str
    cohort: int
    digest: str
    people: int
    identities_sha256: str
    subject: str
    signed_on: date
    approved_by: str

    def __str__(self) -> str:
        return (
            "Kartu Prakerja: approval of a batch\n"
            f"warehouse: {self.warehouse_id}\n"
            f"cohort: gelombang-{self.cohort}\n"
            f"batch: {self.digest}\n"
            f"people: {self.people}\n"
            f"cards and NIKs: {self.identities_sha256}\n"
            f"for: {PURPOSES[self.subject]}\n"
            f"signed on: {self.signed_on}\n"
            f"approved by: {self.approved_by}\n"
        )


@dataclass(frozen=True)
class CorrectionText:
    """What a person signs who approves corrected NIKs: this warehouse, this very request, how many people, and when.

    `signed_on` is a WIB day.
    """

    warehouse_id: str
    request: str
    people: int
    signed_on: date
    approved_by: str

    def __str__(self) -> str:
        return (
            "Kartu Prakerja: approval of corrected NIKs\n"
            f"warehouse: {self.warehouse_id}\n"
            f"request: {self.request}\n"
            f"people: {self.people}\n"
            "for: go by these NIKs from now on, also on the blacklist\n"
            f"signed on: {self.signed_on}\n"
            f"approved by: {self.approved_by}\n"
        )


def sign(text: ApprovalText | CorrectionText, key: Path) -> str:
    """Return the signature of a text by a private key, or by the agent's key of a public one.

    Raises `PrakerjaError`.
    """
    if not key.expanduser().is_file():
        raise PrakerjaError(f"{key} is not a file: name your private key, or the public one of a key in your agent")
    done = _run(["-Y", "sign", "-f", str(key.expanduser()), "-n", NAMESPACE], str(text))
    if done.returncode:
        raise PrakerjaError(f"{PROGRAM} did not sign with {key}: try it by itself, {PROGRAM} -Y sign")
    return done.stdout.decode("ascii", "replace")


def is_signed(
    text: ApprovalText | CorrectionText, signature: str, person: Person, *, not_before: datetime | None = None
) -> bool:
    """Return whether a signature of a text is by one of a person's keys that was valid until the end of the text's day.

    With `not_before`, the key must have been valid then, too: something proves that it was not given earlier.
    Raises `PrakerjaError` where OpenSSH is not installed.
    """
    if not person.keys or person.id != text.approved_by:
        return False
    with tempfile.TemporaryDirectory() as folder:
        signers, signed = Path(folder) / "allowed_signers", Path(folder) / "signature"
        signers.write_text("".join(f"{person.id} {key}\n" for key in person.keys), encoding="utf-8")
        signed.write_text(signature, encoding="utf-8")
        end = datetime.combine(text.signed_on, time(23, 59, 59), WIB)
        as_of = f"verify-time={max(end, not_before or end).astimezone(UTC):%Y%m%d%H%M%S}Z"
        names = ["-f", str(signers), "-I", person.id, "-n", NAMESPACE, "-s", str(signed)]
        return _run(["-Y", "verify", *names, "-O", as_of], str(text)).returncode == 0


def _run(arguments: list[str], given: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run([PROGRAM, *arguments], input=given.encode(), capture_output=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise PrakerjaError(
            f"{PROGRAM} is not installed, which signed approvals need: apt install openssh-client"
        ) from None
