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
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import psutil
import psycopg

from prakerja.errors import NotReadyError
from prakerja.machine import environment, health, supervision
from tests.e2e.conftest import Instance

BIN = Path(sys.executable).parent
PORTS = 5
#: Nothing is waited for longer: whoever waits so long waits for what does not come, on the slowest of machines.
PATIENCE = 600.0

#: So that what dies is noticed in seconds, and what was to be tried again is.
PROMPT = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",  # no test changes a DAG file
    "PRAKERJA_RETRY_SECONDS": "2",
}
ENDED = ("success", "failed")


class Machine:
    """A running system; `call` is Airflow's REST API, as the user who has logged in.

    What is waited for is looked up in Airflow's database, which costs a hundredth of asking the API.
    """

    def __init__(self, instance: Instance, port: int, process: subprocess.Popen[str]) -> None:
        self.instance, self.port, self.process = instance, port, process
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        self._metadata: psycopg.Connection[tuple[Any, ...]] | None = None

    def login(self, user: str = "admin") -> None:
        self.user = user
        passwords = json.loads((self.instance.home / "keys" / "airflow_passwords.json").read_text())
        answer = self.http.post("/auth/token", json={"username": user, "password": passwords[user]})
        self.http.headers["authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method: str, path: str, **how: Any) -> Any:
        """Ask the API; what does not answer just now is asked again."""
        until = time.monotonic() + PATIENCE
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

    def metadata(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of Airflow's own database; one that is away just now is asked again."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                if self._metadata is None:
                    self._metadata = self._connect()
                return self._metadata.execute(query, values).fetchall()
            except (psycopg.OperationalError, OSError, IndexError):
                self._metadata = None
                assert time.monotonic() < until, "Airflow's database does not answer"
                time.sleep(0.2)

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        url = self.instance.more.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
        connected = psycopg.connect(url.replace("+psycopg2", "")) if url else self.instance.database("airflow")
        connected.autocommit = True
        return connected

    def unpause(self, *dag_ids: str) -> None:
        for dag_id in dag_ids:
            self.await_dag(dag_id)
            self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def pause(self, *dag_ids: str) -> None:
        for dag_id in dag_ids:
            self.await_dag(dag_id)
            self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": True})

    def await_dag(self, dag_id: str) -> None:
        """A DAG, once it can be run."""
        serialized = "select 1 from dag d join serialized_dag s using (dag_id) where d.dag_id = %s and not d.is_stale"
        self.until(lambda: bool(self.metadata(serialized, dag_id)), f"DAG {dag_id}")

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        found = self.call("GET", f"/dags/{dag_id}/dagRuns", params={"limit": 1000, "order_by": "run_after"})
        return list(found["dag_runs"])

    def await_runs(self, dag_id: str, count: int, seconds: float = PATIENCE) -> list[dict[str, Any]]:
        """The runs of a DAG, once there are so many and all have ended."""

        def ended() -> bool:
            states = [state for (state,) in self.metadata("select state from dag_run where dag_id = %s", dag_id)]
            return len(states) >= count and all(state in ENDED for state in states)

        self.until(ended, f"{count} runs of {dag_id}", seconds)
        return self.runs(dag_id)

    def state(self, dag_id: str, run_id: str) -> str | None:
        """How a run is; None where there is none."""
        found = self.metadata("select state from dag_run where dag_id = %s and run_id = %s", dag_id, run_id)
        return found[0][0] if found else None

    def await_run(self, dag_id: str, run_id: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """A run, once it has ended."""
        self.until(lambda: self.state(dag_id, run_id) in ENDED, f"{dag_id} {run_id}", seconds)
        return dict(self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        found = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 1000})
        return list(found["task_instances"])

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Its tasks' states; where a task is mapped, one of its instances'."""
        query = "select task_id, state from task_instance where dag_id = %s and run_id = %s"
        return dict(self.metadata(query, dag_id, run_id))

    def xcom(self, dag_id: str, run_id: str, task_id: str) -> Any:
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.call("GET", path)["value"]

    def airflow(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Airflow's own command line, in the machine's environment."""
        command, environment = [str(BIN / "airflow"), *arguments], psutil.Process(self.pid("scheduler")).environ()
        return subprocess.run(command, env=environment, text=True, capture_output=True, check=False, timeout=PATIENCE)

    def trigger(self, dag_id: str, **conf: Any) -> str:
        made = self.call("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf})
        return str(made["dag_run_id"])

    def begin_backfill(self, dag_id: str, first: str, last: str, **how: Any) -> int:
        """Begin one as `airflow backfill create` does, which a chapter of the operators' guide runs; gives its id.

        Airflow takes one of a DAG at a time, and sees that one is over only every half a minute.
        """
        self.await_dag(dag_id)
        active = "select 1 from backfill where dag_id = %s and completed_at is null"
        self.until(lambda: not self.metadata(active, dag_id), f"the end of the backfill of {dag_id}")
        asked = {"dag_id": dag_id, "from_date": f"{first}T00:00:00+07:00", "to_date": f"{last}T23:59:00+07:00"}
        begun = int(self.call("POST", "/backfills", json=asked | how)["id"])
        self.unpause(dag_id)
        return begun

    def await_backfill(self, backfill: int, seconds: float = PATIENCE) -> None:
        """Until all of a backfill's runs have ended."""
        of_backfill = (
            "select r.state from backfill_dag_run b join dag_run r on r.id = b.dag_run_id and b.backfill_id = %s"
        )
        self.until(
            lambda: bool(states := self.metadata(of_backfill, backfill)) and all(state in ENDED for (state,) in states),
            f"the runs of backfill {backfill}", seconds,
        )  # fmt: skip

    def await_question(self, run_id: str, seconds: float = PATIENCE, dag_id: str = "cohort_deadline") -> None:
        """Until a run waits for an answer, and its scheduler knows that.

        Airflow loses an answer that comes before the executor has said that the task sleeps, which the scheduler logs.
        """
        asked = (
            "select try_number from task_instance where dag_id = %s and run_id = %s"
            " and task_id = 'ask_approval' and state = 'awaiting_input'"
        )
        log = self.instance.home / "logs" / "machine" / "scheduler.log"

        def is_asked() -> bool:
            found = self.metadata(asked, dag_id, run_id)
            ended = f"TaskInstance Finished: dag_id={dag_id}, task_id=ask_approval, run_id={run_id},"
            told = [line for line in log.read_text().splitlines() if ended in line] if found else []
            return any(f"try_number={found[0][0]}," in line for line in told)

        self.until(is_asked, f"the question of {run_id}", seconds)

    def answer(self, run_id: str, option: str, user: str, dag_id: str = "cohort_deadline") -> None:
        """Answer a run's question, once it is asked."""
        self.await_question(run_id, dag_id=dag_id)
        self.login(user)
        question = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/ask_approval/-1/hitlDetails"
        self.call("PATCH", question, json={"chosen_options": [option], "params_input": {}})
        self.login()

    def pid(self, name: str) -> int:
        """The process itself, not its subreaper; 0 if it does not run."""
        found = int(self.processes()[name].pid)
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(found).children() if found and name != "postgres" else []
            return children[0].pid if children else found
        return 0

    def processes(self) -> dict[str, supervision.Process]:
        """As `prakerja status` sees them, without the start of a command; empty where nothing runs."""
        with self._as_its_own(), contextlib.suppress(NotReadyError):
            return {each.name: each for each in supervision.processes(with_memory=False)}
        return {}

    def is_well(self) -> dict[str, bool]:
        """Whether each process is well, as `prakerja status` sees it."""
        with self._as_its_own():
            return {name: bool(well) for name, well in health.check(environment.Ports.from_environment()).items()}

    def await_health(self, seconds: float = PATIENCE) -> None:
        def is_healthy() -> bool:
            found = self.processes()
            return bool(found) and all(well for name, well in self.is_well().items() if name in found)

        self.until(is_healthy, "health", seconds)

    def heartbeat(self, job: str) -> datetime | None:
        """The last of an Airflow job's."""
        return self.metadata("select max(latest_heartbeat) from job where job_type = %s", job)[0][0]

    @contextlib.contextmanager
    def _as_its_own(self) -> Iterator[None]:
        with mock.patch.dict(os.environ, {**self.instance.more, "PRAKERJA_HOME": str(self.instance.home)}):
            yield

    def below(self) -> list[psutil.Process]:
        """`prakerja up` and all that it has started: whatever they call themselves, and whatever their environment."""
        up = psutil.Process(self.process.pid)
        return [up, *up.children(recursive=True)]

    def until(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"the machine has ended: {self.process.returncode}"
            assert time.monotonic() < until, f"not in {seconds:.0f} s: {what}"
            time.sleep(0.2)


@contextlib.contextmanager
def running(instance: Instance, **more: str) -> Iterator[Machine]:
    """The system over an instance's home, until left; then nothing of it may be left. An empty setting is not set."""
    port = free_ports()
    given = PROMPT | {"PRAKERJA_PORT": str(port)} | more
    instance.more = {name: value for name, value in given.items() if value}
    process = instance.start("up")
    machine = Machine(instance, port, process)
    try:
        # Its table comes once it is healthy; where nothing comes, it is about to end.
        assert process.stdout.readline(), process.communicate(timeout=PATIENCE)
        machine.login()
        yield machine
    finally:
        stop(machine)


def stop(machine: Machine) -> None:
    """Ctrl-C, and all that it has started must end; what does not is named, and killed."""
    if machine.process.poll() is not None:
        machine.process.communicate()
        return
    below = machine.below()
    machine.process.send_signal(signal.SIGINT)
    try:
        _, said = machine.process.communicate(timeout=PATIENCE)
        assert alive(below) == [], f"something is left behind, by a machine that said: {said[-1000:]}"
    except subprocess.TimeoutExpired:
        raise AssertionError(f"not stopped in {PATIENCE:.0f} s: {alive(below)}") from None
    finally:
        for each in below:
            with contextlib.suppress(psutil.Error):
                each.kill()
        machine.process.communicate()


def alive(processes: list[psutil.Process]) -> list[str]:
    """Those that run still, in words."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid}: {' '.join(process.cmdline())[:120]}")
    return found


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
