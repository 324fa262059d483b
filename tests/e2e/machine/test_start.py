"""A system that has just started: healthy, for three roles, and alone in its home."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.conftest import Instance
from tests.e2e.machine.conftest import PROCESSES
from tests.support.running_machine import Machine, processes_of


def test_it_is_healthy_and_says_where(machine: Machine) -> None:
    machine.await_health()  # a busy machine's scheduler may be late with a heartbeat
    # A process that answers may be starting still, to its supervisor.
    machine.until(lambda: {each.state for each in machine.processes().values()} == {"RUNNING"}, "all running")
    told = machine.instance.run("status", "--json")
    status = {each["process"]: each for each in json.loads(told.stdout)}
    assert set(status) == PROCESSES
    assert {name for name, each in status.items() if not each["memory_bytes"]} == set()
    assert {each["state"] for each in status.values()} == {"RUNNING"}
    assert told.returncode == (0 if all(each["is_well"] for each in status.values()) else 1)


def test_three_users_have_the_rights_of_their_roles(machine: Machine) -> None:
    def asked(user: str, method: str, path: str, **how: Any) -> int:
        machine.login(user)
        return machine.http.request(method, f"/api/v2{path}", **how).status_code

    machine.await_dag("cohort_deadline")
    pausing = {"json": {"is_paused": True}}
    try:
        assert [asked(user, "GET", "/dags") for user in ("viewer", "operator", "admin")] == [200] * 3
        assert asked("viewer", "PATCH", "/dags/cohort_deadline", **pausing) == 403
        assert asked("operator", "PATCH", "/dags/cohort_deadline", **pausing) == 200
        variable = {"json": {"key": "a", "value": "b"}}
        assert [asked(user, "POST", "/variables", **variable) for user in ("viewer", "operator")] == [403, 201]
        with httpx.Client(base_url=machine.http.base_url) as nobody:
            assert nobody.get("/api/v2/dags").status_code == 401
            wrong = {"username": "admin", "password": "guess"}
            assert nobody.post("/auth/token", json=wrong).status_code == 401
    finally:
        machine.login()


def test_a_second_one_is_refused_in_one_line(machine: Machine, tmp_path: Path) -> None:
    again = machine.instance.run("up")
    assert (again.returncode, again.stderr.strip()) == (
        1, "the system is already running: `make status` shows it, `make down` stops it",
    )  # fmt: skip
    other = Instance(tmp_path / "home", tmp_path, machine.instance.calendar, more=dict(machine.instance.more))
    elsewhere = other.run("up")
    assert elsewhere.returncode == 1
    assert f"cannot listen on port {machine.port} (airflow)" in elsewhere.stderr
    assert processes_of(other) == []


def test_the_trigger_form_gives_a_choice_of_cohorts(machine: Machine) -> None:
    machine.await_dag("cohort_deadline")
    params = machine.call("GET", "/dags/cohort_deadline/details")["params"]
    assert params["cohort"]["schema"]["enum"] == [None, 12, 13]
    assert params["rehearsal"] == params["rehearsal"] | {"value": False}
    answer = machine.http.post(
        "/api/v2/dags/cohort_deadline/dagRuns", json={"logical_date": None, "conf": {"cohort": 99}}
    )
    assert answer.status_code == 400
