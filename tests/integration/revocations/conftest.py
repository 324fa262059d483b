"""Gelombang 12 with somebody held."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prakerja import schema, warehouse
from prakerja.calendar import Cohort
from prakerja.cohorts import standing
from prakerja.monitor import figures
from prakerja.people import os_login
from prakerja.revocations import decision
from prakerja.revocations.decision import BlockedError
from tests.support.small_cohort import DECIDED_ON, deliver_damaged
from tests.support.stopped_cohort import NOON, remove


@pytest.fixture
def held(wave: Cohort, home: Path) -> decision.Decision:
    """Number 1 has a damaged row, and is held by a decision that nobody has carried out."""
    deliver_damaged(home)
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
def stopped(wave: Cohort) -> Cohort:
    """Gelombang 12, whose decision two missing deliveries have stopped; the monitor has counted it so."""
    remove("(platform, business_date) in (('sisnaker', '2021-03-10'), ('pintaria', '2021-03-12'))")
    standing.refresh_standings(DECIDED_ON)
    with pytest.raises(BlockedError, match="feeds_missing: pintaria 2021-03-12; sisnaker 2021-03-10"):
        decision.decide(wave, DECIDED_ON)
    figures.refresh(NOON)
    return wave
