"""What operators change while it runs: a cohort, a key, the uid of a container; a backup is restored."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from tests.containers.conftest import BACKFILLED, CALENDAR, TODAY, publish_anew, rotate_subject_key
from tests.support.containers.airflow import Airflow
from tests.support.containers.composition import Composition

pytestmark = pytest.mark.soak


def test_a_new_cohort_needs_neither_image_nor_restart(decided: Composition) -> None:
    announced, deadline = TODAY - timedelta(days=1), TODAY + timedelta(days=29)
    (decided.project / "config" / "cohorts.yaml").write_text(
        f"{CALENDAR}- cohort: 14\n  announced_on: {announced}\n  deadline_on: {deadline}\n  recipients: 500\n"
        "  note: new\n"
    )
    for service in ("console", "airflow-worker", "airflow-apiserver"):
        listed = decided.exec(service, "prakerja", "cohorts", "--json")
        assert any(each["cohort"] == 14 for each in json.loads(listed.stdout)), listed.stdout + listed.stderr


def test_keys_are_rotated(decided: Composition, airflow: Airflow) -> None:
    """A new signing key is announced, and the list is issued anew under a new key of the subjects."""
    before = decided.manifest()
    made = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, capture_output=True, text=True)
    decided.replace_secret("prakerja_signing_key_next", made.stdout.rstrip("\n"))
    rotate_subject_key(decided)
    assert publish_anew(airflow) == "success"
    after = decided.manifest()
    assert (after["version"], after["signing_key_id"]) == (before["version"] + 1, before["signing_key_id"])
    assert after["key_id"] != before["key_id"]
    listed = decided.exec("console", "sh", "-c", "ls /srv/publish/blacklist/keys /srv/publish").stdout.split()
    assert len([name for name in listed if name.endswith(".pem")]) == 2, listed
    assert f"blacklist-{before['key_id']}" in listed
    verified = decided.exec("console", "prakerja", "blacklist", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_worker_runs_under_another_uid_on_used_volumes(decided: Composition, airflow: Airflow) -> None:
    """In group 0 it works on what uid 50000 has written, and the other way round."""
    override = decided.project / "another-uid.yaml"
    override.write_text('services: {airflow-worker: {user: "1234:0"}}\n')
    decided.files.append(override.name)
    try:
        decided.recreate("airflow-worker")
        assert decided.exec("airflow-worker", "id", "-u").stdout.strip() == "1234"
        run = airflow.trigger("platform_feeds", on=f"{BACKFILLED}")
        assert airflow.await_run("platform_feeds", run) == "success"
    finally:
        decided.files.remove(override.name)
        decided.recreate("airflow-worker")
    run = airflow.trigger("platform_feeds", on=f"{BACKFILLED}")
    assert airflow.await_run("platform_feeds", run) == "success"


def test_a_container_without_its_secret_says_which(decided: Composition) -> None:
    password = decided.secret("operator_db_password")
    decided.replace_secret("operator_db_password", "another")
    decided.recreate("console")
    try:
        refused = decided.exec("console", "prakerja", "cohorts")
        assert refused.returncode == 1
        assert "the login warehouse_operator has another password" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        assert "another\n" not in refused.stderr.replace("another password", "")
    finally:
        decided.replace_secret("operator_db_password", password)
        decided.recreate("console")
    key = decided.secret("prakerja_subject_key")
    decided.replace_secret("prakerja_subject_key", "")
    decided.compose("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "blacklist")
    try:
        decided.until(lambda: "PRAKERJA_SUBJECT_KEY is not set" in decided.logs("blacklist"), "a line that names it")
    finally:
        decided.replace_secret("prakerja_subject_key", key)
        decided.recreate("blacklist")


def test_a_backup_is_restored_into_an_empty_database(decided: Composition, airflow: Airflow, tmp_path: Path) -> None:
    """Airflow's own database is new then: its DAGs are paused, as at first."""
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == 0 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    made = decided.run_once("airflow-init", "prakerja", "backup", "/backups/one", mounts=[f"{tmp_path}:/backups"])
    assert "/backups/one" in made
    before = decided.exec("console", "prakerja", "cohorts", "--json").stdout
    decided.down()
    decided.podman.run("volume", "rm", "prakerja_postgres-data")
    decided.up("postgres")
    restored = decided.run_once("airflow-init", "prakerja", "restore", "/backups/one", mounts=[f"{tmp_path}:/backups"])
    assert re.search(
        r"verified \d+ entries .* compared them with [1-9]\d* anchors and [1-9]\d* published lists", restored
    )
    decided.up()
    assert decided.exec("console", "prakerja", "cohorts", "--json").stdout == before
    done = decided.exec("console", "prakerja", "audit", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    for dag_id in ("platform_feeds", "cohort_deadline"):
        airflow.await_dag(dag_id)
        airflow.unpause(dag_id)
