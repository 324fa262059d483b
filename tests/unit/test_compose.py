"""docker-compose.yaml: each setting reaches the processes that read it, each secret only those that it is for."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
import yaml

from prakerja.settings import COMPOSE_SETTINGS, PROJECT, key_variables, list_settings

#: Settings that containers do not need, each with the reason.
NOT_PASSED = {
    "PRAKERJA_PORT": "of `prakerja up`: Compose maps ports itself",
    "PRAKERJA_WORKERS": "of `prakerja up`: Compose scales airflow-worker",
    "PRAKERJA_API_KEY": "of readers elsewhere",
}
#: What Compose interpolates and no process of ours reads under that name.
COMPOSE_ONLY = {
    "AIRFLOW_PORT", "SANDBOX_PORT", "RECEIPTS_PORT", "BLACKLIST_PORT", "WORKER_CONCURRENCY", "WORKER_MEMORY",
    "POSTGRES_MEMORY", "BLACKLIST_MEMORY",
}  # fmt: skip


@cache
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text(encoding="utf-8"))
    return read


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def ours() -> dict[str, dict[str, Any]]:
    return {name: service for name, service in services().items() if "build" in service}


def secrets_of(service: dict[str, Any]) -> dict[str, str]:
    """Return the secrets of a service: the file's name in /run/secrets, and the secret that it is."""
    given = [each if isinstance(each, dict) else {"source": each, "target": each} for each in service["secrets"]]
    return {each["target"]: each["source"] for each in given}


def mounts_of(service: dict[str, Any]) -> dict[str, bool]:
    """Return the folders mounted from outside, and whether each is read-only."""
    found = {}
    for each in service.get("volumes", []):
        if isinstance(each, dict):
            found[each["target"]] = each.get("read_only", False)
        else:
            _, target, *options = re.sub(r"\$\{[^}]*\}", "", each).split(":")
            found[target] = "ro" in options
    return found


def image_variables() -> set[str]:
    return set(re.findall(r"^ +(PRAKERJA_\w+)=", (PROJECT / "Dockerfile").read_text(encoding="utf-8"), re.M))


def test_every_setting_reaches_a_container() -> None:
    passed = image_variables()
    for service in ours().values():
        passed |= set(service.get("environment", {})) | {name.upper() for name in secrets_of(service)}
    receipts = {name for name in passed if name.startswith("PRAKERJA_RECEIPTS_SECRET_")}
    assert receipts == {"PRAKERJA_RECEIPTS_SECRET_SMS", "PRAKERJA_RECEIPTS_SECRET_SMS_FALLBACK"}
    declared = {setting.name for setting in list_settings().values()} - {"PRAKERJA_RECEIPTS_SECRET_<PROVIDER>"}
    assert declared - passed == set(NOT_PASSED)


@pytest.mark.parametrize("service", ["airflow-worker", "console"])
def test_those_who_publish_and_rotate_have_every_key(service: str) -> None:
    assert {name.upper() for name in secrets_of(services()[service])} >= set(key_variables()) - {"PRAKERJA_PADDING_KEY"}


def test_the_service_knows_the_earlier_subject_keys_and_no_private_key() -> None:
    names = set(secrets_of(services()["blacklist"]))
    assert {"prakerja_subject_key", "prakerja_subject_key_previous", "prakerja_signing_public_key"} <= names
    assert "prakerja_padding_key" in names
    assert not {name for name in names if name.startswith(("prakerja_signing_key", "prakerja_contact"))}


def test_each_container_has_the_password_of_its_own_login_only() -> None:
    logins = {
        "airflow-init": "warehouse", "airflow-apiserver": "monitor", "airflow-worker": "worker",
        "console": "operator", "receipts": "receipts", "blacklist": "service",
    }  # fmt: skip
    for name, service in ours().items():
        sources = {source for source in secrets_of(service).values() if source.endswith("_db_password")}
        own = {f"{logins[name]}_db_password"} if name in logins else set()
        assert sources - {"airflow_db_password"} == own, name
        url = service.get("environment", {}).get("PRAKERJA_DATABASE_URL", "")
        role = logins.get(name, "")
        assert ("warehouse" if role == "warehouse" else f"warehouse_{role}") in url or not role, name


def test_every_secret_is_used() -> None:
    used = {source for service in services().values() for source in secrets_of(service).values()}
    assert used == set(compose()["secrets"])


def test_every_variable_that_compose_reads_is_documented() -> None:
    text = (PROJECT / "docker-compose.yaml").read_text(encoding="utf-8")
    read = set(re.findall(r"\$\{(\w+)", text))
    documented = {setting.name for setting in (*COMPOSE_SETTINGS, *list_settings().values())}
    page = (PROJECT / "docs" / "containers.md").read_text(encoding="utf-8")
    assert {name for name in read if name.startswith("PRAKERJA_")} - documented == {"PRAKERJA_PEOPLE_FILE"}
    assert {name for name in read if not name.startswith("PRAKERJA_")} == COMPOSE_ONLY
    assert all(f"`{name}`" in page for name in COMPOSE_ONLY)


@pytest.mark.parametrize("name", services())
def test_every_container_is_closed(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] <= 1000
    assert service["mem_limit"]
    assert service["networks"]
    assert name == "airflow-init" or service["restart"] == "unless-stopped"


def test_who_may_reach_whom() -> None:
    networks = {name: set(service["networks"]) for name, service in services().items()}
    assert compose()["networks"]["warehouse"] == compose()["networks"]["broker"] == {"internal": True}
    assert {name for name, joined in networks.items() if "broker" in joined} == {
        "redis", "airflow-scheduler", "airflow-worker",
    }  # fmt: skip
    assert networks["postgres"] == {"warehouse"}
    assert networks["redis"] == {"broker"}
    assert networks["blacklist"] == {"warehouse", "consumers"}
    assert networks["receipts"] == {"warehouse", "messages"}
    assert networks["sandbox"] == {"messages"}


def test_the_receiver_of_receipts_sees_no_delivery_and_no_list() -> None:
    assert set(mounts_of(services()["receipts"])) == {"/etc/prakerja"}


def test_only_workers_and_people_write_what_others_read() -> None:
    for name, service in ours().items():
        mounts = mounts_of(service)
        assert name in {"airflow-worker", "console"} or mounts.get("/srv/publish", True), name
        assert name == "airflow-worker" or mounts.get("/srv/data-docs", True), name
        assert all(mounts.get(folder, True) for folder in ("/srv/landing", "/etc/prakerja")), name
        writable = {folder for folder, is_read_only in mounts.items() if not is_read_only}
        assert set(service.get("environment", {}).get("WRITES", "").split()) == writable, name


def test_the_containers_read_people_and_calendar_where_they_are_mounted() -> None:
    for name, service in ours().items():
        assert mounts_of(service)["/etc/prakerja"], name
        assert not {"PRAKERJA_PEOPLE", "PRAKERJA_CALENDAR"} & set(service.get("environment", {})), name
        assert "PRAKERJA_PROGRAMME" in service["environment"], name
    image = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
    assert "PRAKERJA_PEOPLE=/etc/prakerja/people.yaml" in image
    assert "PRAKERJA_CALENDAR=/etc/prakerja/cohorts.yaml" in image


def test_health_checks_name_what_the_image_has() -> None:
    for name, service in ours().items():
        command = service.get("healthcheck", {}).get("test")
        if command is None:
            assert name in {"airflow-init", "console"}
            continue
        assert command[1:4] == ["python", "-IS", "docker/healthcheck.py"], name
        assert command[4] in {"http", "job", "worker"}
        assert service["healthcheck"]["interval"] == ("60s" if command[4] == "job" else "30s")
