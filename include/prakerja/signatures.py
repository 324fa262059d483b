"""Signed approvals: an approver signs a human-readable text with their own SSH key.

OpenSSH signs and verifies (`ssh-keygen -Y`), so that agents and hardware keys work, and anybody can verify a signature
without this package: https://man.openbsd.org/ssh-keygen.1#Y.
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
    """The text that an approver signs: the warehouse, the exact batch and its people, the purpose, and the day.

    `identities_sha256` is the SHA-256 of the cards and NIKs of the batch. `signed_on` is a WIB day.
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
    """The text that an approver of corrected NIKs signs: the warehouse, the exact request, its people, and the day.

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
    """Return the signature of a text by a private key, or by the key in the agent that a public key names.

    Raise `PrakerjaError` if the key is not a file, or OpenSSH does not sign with it.
    """
    if not key.expanduser().is_file():
        raise PrakerjaError(f"{key} is not a file: give your private key, or the public key of a key in your agent")
    done = _run(["-Y", "sign", "-f", str(key.expanduser()), "-n", NAMESPACE], str(text))
    if done.returncode:
        raise PrakerjaError(f"{PROGRAM} did not sign with {key}: run {PROGRAM} -Y sign to see why")
    return done.stdout.decode("ascii", "replace")


def is_signed(
    text: ApprovalText | CorrectionText, signature: str, person: Person, *, not_before: datetime | None = None
) -> bool:
    """Return whether a signature of a text is by a key of the person that was valid at the end of the text's day.

    With `not_before`, an instant before which the signature cannot have been given, the key must be valid at the later
    of the two. Raise `PrakerjaError` if OpenSSH is not installed.
    """
    if not person.keys or person.id != text.approved_by:
        return False
    with tempfile.TemporaryDirectory() as folder:
        signers, signed = Path(folder) / "allowed_signers", Path(folder) / "signature"
        signers.write_text("".join(f"{person.id} {key}\n" for key in person.keys), encoding="utf-8")
        signed.write_text(signature, encoding="utf-8")
        end = datetime.combine(text.signed_on, time(23, 59, 59), WIB)
        verify_at = f"verify-time={max(end, not_before or end).astimezone(UTC):%Y%m%d%H%M%S}Z"
        names = ["-f", str(signers), "-I", person.id, "-n", NAMESPACE, "-s", str(signed)]
        return _run(["-Y", "verify", *names, "-O", verify_at], str(text)).returncode == 0


def _run(arguments: list[str], text: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run([PROGRAM, *arguments], input=text.encode(), capture_output=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise PrakerjaError(
            f"signed approvals need {PROGRAM}, which is not installed: apt install openssh-client"
        ) from None
