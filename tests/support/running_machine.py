"""The whole system over a home, as `prakerja up` runs it: to be asked through its API, and to be killed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil

from prakerja.settings import PROJECT
from tests.e2e.conftest import Instance

BIN = PROJECT / ".venv" / "bin"
PORTS = 5

#: So that what dies is noticed in seconds, and what was to be tried again is.
PROMPT = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
    "PRAKERJA_RETRY_SECONDS": "2",
}


class Machine:
    """A running system; `call` is Airflow's REST API, as the user who has logged in."""

    def __init__(self, instance: Instance, port: int, process: subprocess.Popen[str]) -> None:
        self.instance, self.port, self.process = instance, port, process
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)

    def login(self, user: str = "admin") -> None:
        self.user = user
        passwords = json.loads((self.instance.home / "keys" / "airflow_passwords.json").read_text())
        answer = self.http.post("/auth/token", json={"username": user, "password": passwords[user]})
        self.http.headers["authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method: str, path: str, **how: Any) -> Any:
        """Ask the API; what does not answer just now is asked again."""
        until = time.monotonic() + 60
        while True:
            try:
                response = self.http.request(method, f"/api/v2{path}", **how)
                if any(told in response.text for told in ("Token Expired", "Invalid JWT token")):  # the clock has moved
                    self.login(self.user)
                elif response.status_code < 500:
                    break
            except httpx.TransportError:
                pass
            assert time.monotonic() < until, f"{method} {path} is not answered"
            time.sleep(0.5)
        assert response.status_code < 400, f"{method} {path}: {response.status_code} {response.text[:300]}"
        return response.json() if response.content else None

    def unpause(self, *dag_ids: str) -> None:
        for dag_id in dag_ids:
            self.until(lambda dag_id=dag_id: self.has_dag(dag_id), f"DAG {dag_id}")
            self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def has_dag(self, dag_id: str) -> bool:
        return any(dag["dag_id"] == dag_id for dag in self.call("GET", "/dags")["dags"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        found = self.call("GET", f"/dags/{dag_id}/dagRuns", params={"limit": 1000, "order_by": "run_after"})
        return list(found["dag_runs"])

    def await_runs(self, dag_id: str, count: int, seconds: float = 180) -> list[dict[str, Any]]:
        """The runs of a DAG, once there are so many and all have ended."""

        def ended() -> bool:
            runs = self.runs(dag_id)
            return len(runs) >= count and all(run["state"] in ("success", "failed") for run in runs)

        self.until(ended, f"{count} runs of {dag_id}", seconds)
        return self.runs(dag_id)

    def await_run(self, dag_id: str, run_id: str, seconds: float = 180) -> dict[str, Any]:
        """A run, once it has ended."""

        def run() -> Any:
            found: dict[str, Any] = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")
            return found

        self.until(lambda: run()["state"] in ("success", "failed"), f"{dag_id} {run_id}", seconds)
        return dict(run())

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        found = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 1000})
        return list(found["task_instances"])

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        return {each["task_id"]: each["state"] for each in self.tasks(dag_id, run_id)}

    def xcom(self, dag_id: str, run_id: str, task_id: str) -> Any:
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.call("GET", path)["value"]

    def airflow(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Airflow's own command line, in the machine's environment."""
        command, environment = [str(BIN / "airflow"), *arguments], psutil.Process(self.pid("scheduler")).environ()
        return subprocess.run(command, env=environment, text=True, capture_output=True, check=False, timeout=120)

    def trigger(self, dag_id: str, **conf: Any) -> str:
        made = self.call("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf})
        return str(made["dag_run_id"])

    def pid(self, name: str) -> int:
        """The process itself, not its keeper."""
        found = {each["process"]: each for each in self.status()}[name]["pid"]
        children = psutil.Process(found).children() if name != "postgres" else []
        return children[0].pid if children else int(found)

    def status(self) -> list[dict[str, Any]]:
        done = self.instance.run("status", "--json")
        return list(json.loads(done.stdout)) if done.stdout else []

    def await_health(self, seconds: float = 180) -> None:
        self.until(lambda: bool(found := self.status()) and all(each["is_well"] for each in found), "health", seconds)

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 180) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"the machine has ended: {self.process.returncode}"
            assert time.monotonic() < until, f"not in {seconds:.0f} s: {what}"
            time.sleep(0.5)


@contextlib.contextmanager
def running(instance: Instance, **more: str) -> Iterator[Machine]:
    """The system over an instance's home, until left."""
    port = free_ports()
    instance.more = PROMPT | {"PRAKERJA_PORT": str(port)} | more
    process = instance.start("up")
    try:
        machine = Machine(instance, port, process)
        # Its table comes once it is healthy; where nothing comes, it is about to end.
        assert process.stdout.readline(), process.communicate(timeout=90)
        machine.login()
        yield machine
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(90)
        finally:
            process.kill()
            process.communicate()


def operators_are_told(machine: Machine, event: str) -> bool:
    """Whether an alert of an event lies in the sandbox's inbox."""
    with sqlite3.connect(machine.instance.home / "inbox.sqlite") as inbox:
        found = inbox.execute("select subject from messages where recipient = 'operators@sandbox.invalid'")
        return any(subject.startswith(f"[prakerja] {event}:") for (subject,) in found)


def free_ports() -> int:
    """The first of so many free ports in a row; below those that the system gives to whoever connects."""
    while True:
        first = random.randrange(20_000, 32_000, PORTS)
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError):
            for port in range(first, first + PORTS):
                probes.enter_context(socket.create_server(("127.0.0.1", port)))
            return first


def processes_of(instance: Instance) -> list[str]:
    """What runs with this home in its environment, or as its database."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            is_ours = process.environ().get("PRAKERJA_HOME") == str(instance.home)
            is_server = str(instance.home / "postgres") in process.cmdline()
            if (is_ours or is_server) and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline())[:120])
    return found
