"""A real Airflow over a home: scheduler, DAG processor, API server, LocalExecutor, each a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from prakerja.settings import PROJECT

BIN = PROJECT / ".venv" / "bin"
SETTINGS = "import json, os; from prakerja import airflow_home as a; a.configure(); a.upgrade_metadata();"


class Airflow:
    """A running Airflow; `call` is its REST API, as its one admin."""

    def __init__(self, url: str, environment: dict[str, str]) -> None:
        self.environment = environment
        self._http = httpx.Client(base_url=url, timeout=30)

    def call(self, method: str, path: str, **how: Any) -> Any:
        response = self._http.request(method, f"/api/v2{path}", **how)
        response.raise_for_status()
        return response.json()

    def login(self) -> None:
        token = self._http.get("/auth/token").json()["access_token"]
        self._http.headers["authorization"] = f"Bearer {token}"

    def await_dag(self, dag_id: str) -> None:
        """Until the DAG processor has read it."""
        _await(lambda: self.call("GET", f"/dags/{dag_id}")["dag_id"] == dag_id, f"DAG {dag_id}")

    def await_runs(self, dag_id: str, count: int, seconds: float) -> list[dict[str, Any]]:
        """The runs of a DAG, once there are so many and all have ended."""
        until, runs = time.monotonic() + seconds, []
        while time.monotonic() < until:
            runs = self.call("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"]
            if len(runs) >= count and all(run["state"] in ("success", "failed") for run in runs):
                return list(runs)
            time.sleep(1)
        raise AssertionError(f"{dag_id}: {[(run['dag_run_id'], run['state']) for run in runs]}")

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        found = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {each["task_id"]: each["state"] for each in found}

    def xcom(self, dag_id: str, run_id: str, task_id: str) -> Any:
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.call("GET", path)["value"]


@contextlib.contextmanager
def running(environment: dict[str, str], logs: Path) -> Iterator[Airflow]:
    """Airflow with the home's own settings, until left; nothing of it goes on then."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    more = {
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": "for tests",
        "AIRFLOW__API_AUTH__JWT_SECRET": "for tests, and long enough to sign with it 0123456789",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    }
    told = subprocess.run(
        [sys.executable, "-c", SETTINGS + "print(json.dumps(dict(os.environ)))"],
        env=environment | more, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    environment = json.loads(told.splitlines()[-1])
    logs.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as started:
        for name in ("api-server", "scheduler", "dag-processor"):
            output = started.enter_context((logs / f"{name}.log").open("w"))
            process = subprocess.Popen(
                [BIN / "airflow", name], env=environment, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
            started.callback(_stop, process)
        airflow = Airflow(url, environment)
        _await(lambda: airflow.call("GET", "/monitor/health")["scheduler"]["status"] == "healthy", "scheduler")
        airflow.login()
        yield airflow


def _stop(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _await(condition: Any, what: str) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError, KeyError):
            if condition():
                return
        time.sleep(0.5)
    raise AssertionError(f"the {what} does not become healthy")
