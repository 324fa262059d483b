"""How long Airflow's processes wait for each other: the same on one machine and in containers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from prakerja.settings import PROJECT

#: Prints what a scheduler, a worker and an API server use, each of which imports Airflow first.
PROBE = """
import airflow
from airflow.configuration import conf
from airflow.sdk.api import client
from airflow.sdk.execution_time import supervisor
print("waits", conf.getint("scheduler", "task_instance_heartbeat_timeout"), supervisor.HEARTBEAT_TIMEOUT,
      client.API_RETRIES, client.API_RETRY_WAIT_MIN, client.API_RETRY_WAIT_MAX,
      conf.getfloat("scheduler", "orphaned_tasks_check_interval"), conf.getint("execution_api", "jwt_expiration_time"))
"""


def ask(home: Path, **more: str) -> list[float]:
    """Return the waits of a process whose Airflow knows no more of this project than its plugins' folder."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PRAKERJA_"))}
    environment = plain | {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins")} | more
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("waits ")]
    assert lines, done.stderr
    return [float(word) for word in lines[-1].split()[1:]]


def test_a_silent_task_is_retried_after_what_a_living_one_survives(tmp_path: Path) -> None:
    scheduler, supervisor, tries, least, most, orphans, token = ask(tmp_path)
    assert scheduler == supervisor < 300, "Airflow's own bound"
    repeated = (tries - 1) * (least + most) / 2
    assert 100 + most < repeated < scheduler, "the slowest start that was measured; see airflow_local_settings.py"
    assert orphans == 30
    assert token / 5 >= scheduler, "a token is renewed in the last fifth of its life"


@pytest.mark.parametrize("where", ["environment", "airflow.cfg"])
def test_what_an_installation_sets_stays(tmp_path: Path, where: str) -> None:
    given = {}
    if where == "environment":
        given["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"] = "77"
    else:
        (tmp_path / "airflow.cfg").write_text("[scheduler]\ntask_instance_heartbeat_timeout = 77\n")
    scheduler, supervisor, tries, *_ = ask(tmp_path, **given)
    assert (scheduler, supervisor, tries) == (77, 77, 30)


def test_the_image_has_the_plugins() -> None:
    image = (PROJECT / "Dockerfile").read_text()
    assert "COPY plugins /opt/prakerja/plugins\n" in image
    assert "AIRFLOW__CORE__PLUGINS_FOLDER=/opt/prakerja/plugins" in image
