"""The services as the compose file declares them: healthy, open to the three users, each with its own settings."""

from __future__ import annotations

import httpx
import pytest

from tests.support.containers.airflow import Airflow
from tests.support.containers.composition import Composition

pytestmark = pytest.mark.soak

#: The containers with `prakerja`, and the login of each; those without one refuse.
LOGINS = {
    "airflow-apiserver": "warehouse_monitor", "airflow-worker": "warehouse_worker", "console": "warehouse_operator",
    "receipts": "warehouse_receipts", "blacklist": "warehouse_service", "airflow-scheduler": None,
    "airflow-dag-processor": None, "airflow-triggerer": None, "sandbox": None,
}  # fmt: skip


def test_each_service_is_healthy(system: Composition) -> None:
    checked = {name for name, service in system.services.items() if "healthcheck" in service}
    assert checked == set(system.services) - {"airflow-init", "console"}
    assert [name for name in sorted(checked) if not system.run_health(name)] == []


@pytest.mark.parametrize("service", ["airflow-apiserver", "airflow-scheduler", "airflow-dag-processor",
                                     "airflow-triggerer", "airflow-worker", "blacklist"])  # fmt: skip
def test_a_health_check_is_cheap(system: Composition, service: str) -> None:
    """In a minute it takes less than half a second of a core."""
    seconds = int(system.services[service]["healthcheck"]["interval"].removesuffix("s"))
    assert min(system.health_seconds(service) for _ in range(5)) * 60 / seconds < 0.5


def test_the_first_service_has_ended_well(system: Composition) -> None:
    state = system.inspect("airflow-init")["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 0), system.logs("airflow-init")[-2000:]


@pytest.mark.parametrize("user", ["admin", "operator", "viewer"])
def test_a_user_logs_in(airflow: Airflow, user: str) -> None:
    token = airflow.token(user)
    answer = httpx.get(f"{airflow.http.base_url}/api/v2/dags", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200


def test_another_password_is_refused(airflow: Airflow) -> None:
    answer = airflow.http.post("/auth/token", json={"username": "admin", "password": "another"})
    assert answer.status_code == 401


@pytest.mark.parametrize("service", LOGINS)
def test_a_command_by_exec_has_the_settings_of_the_container(system: Composition, service: str) -> None:
    done = system.exec(service, "prakerja", "cohorts")
    login = LOGINS[service]
    if login is None:
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("PRAKERJA_DATABASE_URL is not set, and PRAKERJA_SELF_CONTAINED=no keeps")
    else:
        assert f"warehouse: {login}@postgres:5432/warehouse" in done.stderr
    settings = system.exec(service, "prakerja", "settings")
    assert settings.returncode == 0, settings.stderr
    assert "/etc/prakerja/people.yaml" in settings.stdout


def test_a_freeze_from_the_console_is_in_the_warehouse(system: Composition) -> None:
    begun = system.exec("console", "prakerja", "freeze", "start", "--because", "a rehearsal", "--as", "admin")
    assert begun.returncode == 0, begun.stderr
    assert "warehouse_operator@postgres:5432/warehouse" in begun.stderr
    listed = system.exec("airflow-worker", "prakerja", "freeze", "list")
    assert "a rehearsal" in listed.stdout, listed.stderr
    number = begun.stdout.split()[1].rstrip(":")
    lifted = system.exec("console", "prakerja", "freeze", "lift", number, "--because", "it is over", "--as", "admin")
    assert lifted.returncode == 0, lifted.stderr


def test_a_process_is_nobody_in_the_list_of_people(system: Composition) -> None:
    done = system.exec("airflow-worker", "prakerja", "freeze", "start", "--because", "a rehearsal", "--as", "admin")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the operating-system user airflow is not admin: /etc/prakerja/people.yaml says whose" in done.stderr


def test_a_person_of_the_host_has_a_login_of_their_own(system: Composition) -> None:
    people = system.project / "config" / "people.yaml"
    before = people.read_text()
    people.write_text(before.replace("{airflow: [operator]}", '{os: ["1001"], airflow: [operator]}'))
    try:
        command = ("prakerja", "freeze", "start", "--because", "another rehearsal", "--as", "operator")
        assert system.exec("console", *command, user="1002:0").returncode == 1
        begun = system.exec("console", *command, user="1001:0")
        assert begun.returncode == 0, begun.stderr
        number = begun.stdout.split()[1].rstrip(":")
        lifted = system.exec(
            "console", "prakerja", "freeze", "lift", number, "--because", "it is over", "--as", "operator",
            user="1001:0",
        )  # fmt: skip
        assert lifted.returncode == 0, lifted.stderr
    finally:
        people.write_text(before)
