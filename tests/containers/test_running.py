"""A day of the running system, in containers: feeds, an approval, reminders, the list and its service."""

from __future__ import annotations

import csv
import gzip
import json
import re

import httpx
import pytest

from prakerja.settings import wib_today
from tests.containers.conftest import BACKFILLED
from tests.support.containers.airflow import Airflow
from tests.support.containers.composition import Composition

pytestmark = pytest.mark.soak


def roster(system: Composition) -> list[dict[str, str]]:
    with gzip.open(system.project / "landing/rosters/gelombang-12/roster.csv.gz", "rt") as file:
        return list(csv.DictReader(file))


def test_feeds_are_backfilled(fed: Composition) -> None:
    done = fed.exec("console", "prakerja", "feeds", "--json")
    assert done.returncode == 0, done.stderr
    assert "tokopedia" in done.stdout


def test_data_docs_are_where_the_api_server_sees_them(fed: Composition) -> None:
    listed = fed.exec("airflow-apiserver", "sh", "-c", "ls /srv/data-docs && cat /srv/data-docs/index.html")
    assert listed.returncode == 0, listed.stderr
    assert {"index.html", "tokopedia"} <= set(listed.stdout.split())


def test_the_operator_approves_and_version_1_is_published(decided: Composition) -> None:
    verified = decided.exec("console", "prakerja", "blacklist", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert decided.manifest()["counts"]["entries"] > 0


def test_a_reminder_arrives_at_the_sandbox(decided: Composition, airflow: Airflow) -> None:
    run = airflow.trigger("cohort_deadline", cohort=13, kind="H-1")
    assert airflow.await_run("cohort_deadline", run) == "success", airflow.tasks("cohort_deadline", run)
    sandbox = f"http://127.0.0.1:{decided.settings['SANDBOX_PORT']}"
    assert any("Kartu Prakerja" in message["text"] for message in httpx.get(f"{sandbox}/messages").json())


def test_the_service_answers_a_key(decided: Composition) -> None:
    made = decided.exec(
        "console", "prakerja", "keys", "create", "registration", "--scope", "check", "--as", "admin"
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    url = f"http://127.0.0.1:{decided.settings['BLACKLIST_PORT']}"
    decided.until(lambda: httpx.get(f"{url}/readyz").status_code == 200, "the service has the list")
    niks = [person["nik"] for person in roster(decided)][:100]
    key = {"authorization": f"Bearer {made.stdout.strip()}"}

    def listed() -> list[bool]:
        answer = httpx.post(f"{url}/v1/blacklist/check", json={"niks": niks}, headers=key)
        return answer.json()["listed"] if answer.status_code == 200 else []

    decided.until(lambda: len(listed()) == len(niks), "the service knows the key, and answers")


def test_the_audit_log_is_complete(decided: Composition) -> None:
    done = decided.exec("console", "prakerja", "audit", "verify")
    assert done.returncode == 0, done.stdout + done.stderr


def test_three_workers_share_the_work(decided: Composition, airflow: Airflow) -> None:
    decided.scale("airflow-worker", 3)
    try:
        assert len(decided.containers("airflow-worker")) == 3
        decided.await_health("airflow-worker")
        runs = [airflow.trigger("platform_feeds", on=f"{BACKFILLED}") for _ in range(2)]
        assert [airflow.await_run("platform_feeds", run) for run in runs] == ["success", "success"]
        found = airflow.call("GET", f"/dags/platform_feeds/dagRuns/{runs[0]}/taskInstances", params={"limit": 100})
        others = airflow.call("GET", f"/dags/platform_feeds/dagRuns/{runs[1]}/taskInstances", params={"limit": 100})
        hosts = {each["hostname"] for each in [*found["task_instances"], *others["task_instances"]] if each["hostname"]}
        assert len(hosts) > 1
        verified = decided.exec("console", "prakerja", "blacklist", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    finally:
        decided.scale("airflow-worker", 1)


def test_logs_hold_no_secret_and_nobodys_data(decided: Composition) -> None:
    """The output of each container, and the files of the volume of logs."""
    files = decided.exec("airflow-worker", "sh", "-c", "find /srv/logs -type f -exec cat {} +").stdout
    texts = {name: decided.logs(name) for name in decided.services} | {"/srv/logs": files}
    assert len(files) > 10_000
    people = roster(decided)
    personal = {
        person[column] for person in people for column in ("nik", "card_number", "phone", "email") if column in person
    }
    assert len(personal) > len(people)
    secrets = {path.read_text().strip() for path in (decided.project / "secrets").iterdir() if path.stat().st_size}
    secrets |= set(json.loads((decided.project / "secrets" / "simple_auth_passwords.txt").read_text()).values())
    for name, text in texts.items():
        words = set(re.findall(r"[\w.+@-]+", text))
        assert not words & personal, name
        assert [secret for secret in secrets if secret in text] == [], name


def test_today_is_not_in_the_landing_zone(fed: Composition) -> None:
    assert not list(fed.project.glob(f"landing/feeds/*/{wib_today()}"))
