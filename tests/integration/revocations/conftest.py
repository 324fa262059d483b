"""Gelombang 12 with somebody held."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Collection, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja import schema, warehouse, workflow
from prakerja.blacklist import publishing
from prakerja.calendar import Cohort
from prakerja.cohorts import people
from prakerja.people import os_login
from prakerja.revocations import decision, reinstatement
from tests.support.small_cohort import AT, DECIDED_ON, PEOPLE, bought, card, carry_out, restate


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
def list_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a list of people by their ids and rights; each has a login of Airflow, or is in `without_airflow`."""

    def write(*, without_airflow: Collection[str] = (), **may: list[str]) -> Path:
        path = tmp_path / "listed.yaml"
        entries = [
            {"id": id_, "name": id_, "may": rights, "logins": {"airflow": [] if id_ in without_airflow else [id_]}}
            for id_, rights in may.items()
        ]
        path.write_text(json.dumps({"people": entries}))
        monkeypatch.setenv("PRAKERJA_PEOPLE", str(path))
        return path

    return write


@pytest.fixture
def proposed(wave: Cohort, home: Path) -> dict[str, Any]:
    """What a run about a proposed reinstatement has as its configuration; one version is published."""
    carry_out(wave)
    publishing.publish("first", AT, DECIDED_ON)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])
    reinstatement.reinstate((AT + timedelta(days=2)).date())
    (run,) = workflow.list_requests(AT + timedelta(days=2))
    return dict(run["conf"])
