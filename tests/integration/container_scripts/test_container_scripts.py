"""The scripts of docker/: secrets for a new installation, the entrypoint of the image, and its health checks."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml
from airflow.jobs.job import Job

from prakerja import warehouse
from prakerja.settings import PROJECT
from tests.integration.container_scripts.conftest import Answers

DOCKER = PROJECT / "docker"
NOBODY = 65534


def run(*command: str | Path, user: int | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env={"PATH": os.environ["PATH"], **variables}, capture_output=True, text=True, check=False,
        **({"user": user, "group": user, "extra_groups": []} if user is not None and os.geteuid() == 0 else {}),
    )  # fmt: skip


def test_every_secret_is_made_by_make_secrets(checkout: Path) -> None:
    declared = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text(encoding="utf-8"))["secrets"]
    made = subprocess.run(
        ["sh", "docker/make-secrets.sh", "secrets"], cwd=checkout, check=True, capture_output=True, text=True
    )
    files = {path.stem for path in (checkout / "secrets").iterdir()}
    assert files == set(declared)
    assert all(each["file"] == f"./secrets/{name}.txt" for name, each in declared.items())
    empty = {path.stem for path in (checkout / "secrets").iterdir() if not path.stat().st_size}
    assert empty == {"prakerja_signing_key_next", "prakerja_subject_key_previous", "prakerja_contact_key_previous"}
    assert (checkout / "config" / "people.yaml").read_bytes() == (PROJECT / "docker" / "people.yaml").read_bytes()
    assert (checkout / "config" / "cohorts.yaml").read_bytes() == (PROJECT / "include" / "cohorts.yaml").read_bytes()
    assert "config/people.yaml" in made.stdout
    (checkout / "config" / "people.yaml").write_text("people: []\n")
    before = {path: path.read_bytes() for path in (checkout / "secrets").iterdir()}
    again = subprocess.run(
        ["sh", "docker/make-secrets.sh", "secrets"], cwd=checkout, check=True, capture_output=True, text=True
    )
    assert again.stdout == ""
    assert {path: path.read_bytes() for path in (checkout / "secrets").iterdir()} == before
    assert (checkout / "config" / "people.yaml").read_text() == "people: []\n"


def test_no_empty_secret_is_left_by_an_openssl_that_fails(checkout: Path, tmp_path: Path) -> None:
    failing = tmp_path / "bin" / "openssl"
    failing.parent.mkdir()
    failing.write_text('#!/bin/sh\n[ "$2" = -base64 ] && exit 1\nPATH=/usr/bin:/bin exec openssl "$@"\n')
    failing.chmod(0o755)
    make = ["sh", "docker/make-secrets.sh", "secrets"]
    broken = {"PATH": f"{failing.parent}:/usr/bin:/bin"}
    refused = subprocess.run(make, cwd=checkout, env=broken, check=False, capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr == (
        "secrets/prakerja_subject_key.txt: openssl made nothing for it: run this again once openssl works\n"
    )
    made = {path: path.read_bytes() for path in (checkout / "secrets").iterdir()}
    assert all(made.values())
    subprocess.run(make, cwd=checkout, check=True, capture_output=True)
    assert made.items() < {path: path.read_bytes() for path in (checkout / "secrets").iterdir()}.items()


def test_the_entrypoint_refuses_a_folder_that_it_may_not_write(open_folder: Path) -> None:
    """One that is missing, and one in which another user has made a folder for themselves alone."""
    home, folder = open_folder / "home", open_folder / "published"
    home.mkdir()
    variables = {"AIRFLOW_HOME": str(home), "WRITES": str(folder)}
    for path in (open_folder, home):
        path.chmod(0o777)
    refused = run("sh", DOCKER / "entrypoint.sh", "echo", "started", user=NOBODY, **variables)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"may not write to {folder}: run the container with group 0" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    folder.mkdir()
    folder.chmod(0o777)
    allowed = run("sh", DOCKER / "entrypoint.sh", "echo", "started", user=NOBODY, **variables)
    assert (allowed.returncode, allowed.stdout, allowed.stderr) == (0, "started\n", "")
    used = folder / "blacklist" / "1"
    used.mkdir(parents=True)
    used.parent.chmod(0o777)
    used.chmod(0o555)
    refused = run("sh", DOCKER / "entrypoint.sh", "echo", "started", user=NOBODY, **variables)
    assert refused.returncode == 1
    assert f"may not write to {used}" in refused.stderr
    assert "--entrypoint chown SERVICE -R 65534:0" in refused.stderr or os.geteuid() != 0


def health(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-IS", DOCKER / "healthcheck.py", *arguments, **variables)


def test_health_over_http(answering: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert health("http", f"{answering}/200/healthz").returncode == 0
    ill = health("http", f"{answering}/503/healthz")
    assert (ill.returncode, ill.stderr) == (1, f"{answering}/503/healthz answers 503\n")
    monkeypatch.setattr(Answers, "database", "unhealthy")
    ill = health("http", f"{answering}/200/api/v2/monitor/health")
    assert (ill.returncode, ill.stderr) == (1, "the metadata database is unhealthy\n")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    ill = health("http", f"http://127.0.0.1:{port}/healthz")
    assert (ill.returncode, len(ill.stderr.splitlines())) == (1, 1)


def test_health_of_a_worker_is_the_age_of_its_heartbeat(tmp_path: Path) -> None:
    assert health("worker", AIRFLOW_HOME=str(tmp_path)).returncode == 1
    beat = tmp_path / "worker-heartbeat"
    beat.touch()
    assert health("worker", AIRFLOW_HOME=str(tmp_path)).returncode == 0
    os.utime(beat, (beat.stat().st_mtime - 90,) * 2)
    ill = health("worker", AIRFLOW_HOME=str(tmp_path))
    assert ill.returncode == 1
    assert re.fullmatch(r"the worker sent its last heartbeat 9\d s ago\n", ill.stderr)


def test_health_of_a_job_is_the_age_of_its_heartbeat_in_airflows_database(new_database: Callable[[str], None]) -> None:
    new_database("heartbeats")
    address = warehouse.url().set(drivername="postgresql+psycopg2")
    command = f"printf %s '{address.render_as_string(hide_password=False)}'"

    def check() -> subprocess.CompletedProcess[str]:
        return health("job", "TriggererJob", AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD=command)

    ill = check()
    assert (ill.returncode, ill.stderr) == (1, "the metadata database refuses (UndefinedTable)\n")
    engine = sa.create_engine(address)
    Job.__table__.create(engine)
    host = os.uname().nodename
    ill = check()
    assert (ill.returncode, ill.stderr) == (1, f"TriggererJob of {host} has not started\n")

    def beat(seconds: int, hostname: str, state: str = "running", job_type: str = "TriggererJob") -> None:
        with engine.begin() as connection:
            connection.execute(
                sa.insert(Job.__table__).values(
                    job_type=job_type, state=state, hostname=hostname,
                    latest_heartbeat=datetime.now(UTC) - timedelta(seconds=seconds),
                )
            )  # fmt: skip

    beat(5, "another")  # of other containers, of other jobs, and of one that has ended
    beat(5, host, job_type="SchedulerJob")
    beat(5, host, state="success")
    assert check().returncode == 1
    beat(90, host)
    ill = check()
    assert ill.returncode == 1
    assert re.fullmatch(rf"TriggererJob of {host} sent its last heartbeat 9\d s ago\n", ill.stderr)
    beat(5, f"{host}.prakerja_warehouse")
    assert (check().returncode, check().stderr) == (0, "")
    engine.dispose()
