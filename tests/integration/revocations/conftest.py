"""Gelombang 12 with somebody held."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from prakerja import schema, warehouse
from prakerja.blacklist import audit
from prakerja.calendar import Cohort
from prakerja.cli import app
from prakerja.cohorts import people
from prakerja.people import os_login
from prakerja.revocations import approval, decision, revocation
from tests.support.audit_log import problems
from tests.support.small_cohort import DECIDED_ON, card, carry_out


@pytest.fixture
def held(wave: Cohort, home: Path) -> decision.Decision:
    """Number 1 is suspended at the deadline, and held by a decision that nobody has carried out."""
    people.suspend(card(1), date(2021, 3, 9), is_permanent=False, because="fraud inquiry", suspended_by="ani")
    return decision.decide(wave, DECIDED_ON)


@pytest.fixture
def two_approvers(wave: Cohort) -> Iterator[None]:
    """A rule by which a batch of two people needs two approvers."""
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("update approval_rule set one_approver_up_to = 1")
    yield
    schema.upgrade()


@pytest.fixture
def ssh_key(tmp_path: Path) -> Callable[[str], Path]:
    """Make a private key of a name, with its public one beside it."""

    def make(name: str) -> Path:
        path = tmp_path / f"key_{name}"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
        return path

    return make


@pytest.fixture
def signers(home: Path, ssh_key: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A list of people that gives keys: Siti, who is logged in, may approve, and Budi may not."""
    keys = {name: ssh_key(name) for name in ("siti", "budi")}
    public = {name: key.with_suffix(".pub").read_text().strip() for name, key in keys.items()}
    (home / "people.yaml").write_text(
        "people:\n"
        f"- {{id: siti, name: Siti, logins: {{os: [{os_login()}]}}, may: [approve], keys: ['{public['siti']}']}}\n"
        f"- {{id: budi, name: Budi, may: [propose], keys: ['{public['budi']}']}}\n"
    )
    monkeypatch.setenv("PRAKERJA_PEOPLE", str(home / "people.yaml"))
    return keys


@pytest.fixture
def decided(wave: Cohort) -> decision.Decision:
    """Two people revoked, approved by Siti."""
    made = carry_out(wave)
    assert problems() == ""
    return made


@pytest.fixture
def signed(wave: Cohort, signers: dict[str, Path]) -> decision.Decision:
    """Two people revoked, by a batch that Siti has signed."""
    made = decision.decide(wave, DECIDED_ON)
    revocation.request_approval(made, DECIDED_ON)
    ((_, batch),) = approval.waiting_batches()
    CliRunner().invoke(
        app, ["approve", "12", "--digest", batch.digest, "--as", "siti", "--sign-with", str(signers["siti"])]
    )
    assert revocation.revoke(wave, made, DECIDED_ON) == 2
    verified = audit.verify()
    assert (verified.signatures, verified.problems) == (1, [])
    return made
