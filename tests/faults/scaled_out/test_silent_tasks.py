"""Which tasks are taken for dead, with the bounds of production, and what becomes of one that lives on."""

from __future__ import annotations

import os
import shutil
import signal

import psutil
import pytest

from tests.faults.scaled_out.test_scaled_out import DEADLINE
from tests.support import machine_faults
from tests.support.postgres_and_redis import Postgres
from tests.support.running_machine import Machine
from tests.support.workers import WORKERS, kill_worker_of, locked, waiting, who_wait_for

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        not (shutil.which("redis-server") and machine_faults.COMPILER), reason="needs redis-server and cc"
    ),
]

#: What other tests shorten is left as the project sets it (plugins/airflow_local_settings.py).
SETTINGS = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "",
}
#: The bound, and what a busy scheduler may be late; Airflow's own bound is 300 seconds.
SILENT_SECONDS, LATE_SECONDS = 180, 90


def task_of(machine: Machine, pid: int) -> tuple[str, str, int]:
    """Return the task instance that a process runs: its run, its task and its map index."""
    query = "select run_id, task_id, map_index from task_instance where pid = %s and state = 'running'"
    ((run_id, task_id, map_index),) = machine.metadata(query, pid)
    return run_id, task_id, map_index


def state_of(machine: Machine, task: tuple[str, str, int]) -> tuple[str, int]:
    """Return the state of a task instance, and the number of its try."""
    query = "select state, try_number from task_instance where (run_id, task_id, map_index) = (%s, %s, %s)"
    ((state, number),) = machine.metadata(query, *task)
    return state, number


def test_a_task_is_retried_within_the_bound_and_one_that_lives_on_is_ended(machine: Machine, server: Postgres) -> None:
    """One worker is killed with all below it; the supervisor of another's task is cut off, and comes back too late."""
    workers = [psutil.Process(machine.pid(name)) for name in WORKERS]
    caught: list[psutil.Process] = []

    def are_caught() -> bool:
        pids = who_wait_for(server, "transactions")
        below = [[each for each in worker.children(recursive=True) if each.pid in pids] for worker in workers]
        caught[:] = [tasks[0] for tasks in below if tasks]
        return len(caught) == len(workers)

    with locked(server, "transactions"):
        machine.unpause("platform_feeds")
        machine.until(are_caught, "that a task of each worker waits")
        killed, cut_off = caught
        supervisor = cut_off.parent()
        assert supervisor is not None
        lost, alive = task_of(machine, killed.pid), task_of(machine, cut_off.pid)
        supervisor.suspend()
        cut_off.suspend()
        ((silent_since,),) = machine.metadata("select now()")
        kill_worker_of(machine, killed.pid)
    machine.until(
        lambda: all(state_of(machine, task)[0] != "running" for task in (lost, alive)),
        "that both are taken for dead",
    )
    assert cut_off.is_running()
    supervisor.resume()
    machine.until(lambda: not cut_off.is_running(), "the end of the process that lived on")
    query = (
        "select max(dttm) from log where event = 'heartbeat timeout' and (run_id, task_id, map_index) = (%s, %s, %s)"
    )
    for task in (lost, alive):
        ((noticed_at,),) = machine.metadata(query, *task)
        assert -10 < (noticed_at - silent_since).total_seconds() - SILENT_SECONDS < LATE_SECONDS
    (run,) = machine.await_runs("platform_feeds", 1)
    assert run["state"] == "success"
    assert state_of(machine, lost) == state_of(machine, alive) == ("success", 2)
    with server.connect() as connection:
        query = "select sum(loaded), (select count(*) from transactions) from deliveries"
        ((loaded, there),) = connection.execute(query).fetchall()
    assert loaded == there > 0, "each row once"


def test_a_task_outlives_a_restart_of_the_api_server(machine: Machine, server: Postgres) -> None:
    with locked(server, "outcomes"):
        machine.unpause("cohort_deadline")
        task = psutil.Process(waiting(machine, server, "outcomes"))
        task.suspend()  # it would wait for the lock for two minutes only
    decision = task_of(machine, task.pid)
    api_server = machine.pid("api-server")
    os.kill(api_server, signal.SIGKILL)
    machine.until(lambda: machine.pid("api-server") not in (0, api_server), "another API server")
    machine.await_health()
    assert task.is_running(), "the task was ended"
    task.resume()
    machine.await_question(DEADLINE)
    assert state_of(machine, decision) == ("success", 1)
