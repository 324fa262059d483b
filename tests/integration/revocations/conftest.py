"""Gelombang 12 with somebody held."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from prakerja import schema, warehouse
from prakerja.blacklist import publishing
from prakerja.calendar import Cohort
from prakerja.cohorts import people
from prakerja.people import os_login
from prakerja.revocations import decision, revocation
from tests.support.corrections import sign_batch
from tests.support.small_cohort import AT, DECIDED_ON, card


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
def office(home: Path, ssh_key: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ani corrects, Siti approves and signs; gives Siti's key."""
    key = ssh_key("siti")
    public = key.with_suffix(".pub").read_text().strip()
    (home / "people.yaml").write_text(
        "people:\n"
        f"- {{id: ani, name: Ani, logins: {{os: [{os_login()}]}}, may: [correct]}}\n"
        f"- {{id: siti, name: Siti, may: [correct, approve], keys: ['{public}']}}\n"
    )
    monkeypatch.setenv("PRAKERJA_PEOPLE", str(home / "people.yaml"))
    return key


@pytest.fixture
def listed_two(wave: Cohort, office: Path) -> Path:
    """Recipients 1 and 2 are revoked by a signed batch, and listed."""
    made = decision.decide(wave, DECIDED_ON)
    revocation.request_approval(made, DECIDED_ON)
    sign_batch(office)
    assert revocation.revoke(wave, made, DECIDED_ON) == 2
    assert publishing.publish("first", AT, DECIDED_ON) == 1
    return office
