"""Tasks of Celery workers, caught in the middle of their work by a table that a test has locked."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import psutil

from tests.support.postgres_and_redis import Postgres
from tests.support.running_machine import Machine

WORKERS = ("worker-1", "worker-2")


@contextlib.contextmanager
def locked(server: Postgres, table: str) -> Iterator[None]:
    """Let every insert into a table wait in the middle, until the context ends."""
    with server.connect() as connection, connection.transaction():
        connection.execute(f"lock table {table} in share row exclusive mode")
        yield


def who_wait_for(server: Postgres, table: str) -> set[int]:
    """Return the processes of this product that wait for a table."""
    with server.connect() as connection:
        waiting = connection.execute(
            "select a.client_port from pg_locks l join pg_stat_activity a using (pid)"
            " where not l.granted and l.relation = %s::regclass", (table,),
        ).fetchall()  # fmt: skip
    ports = {port for (port,) in waiting}
    return {
        each.pid
        for each in psutil.net_connections("tcp4")
        if each.laddr and each.laddr.port in ports and each.pid not in (None, server.process and server.process.pid)
    }


def kill_worker_of(machine: Machine, pid: int) -> None:
    """Kill the worker of a task and all its processes at once, as if the machine failed."""
    above = {each.pid for each in psutil.Process(pid).parents()}
    worker = next(worker for name in WORKERS if (worker := psutil.Process(machine.pid(name))).pid in above)
    for each in [worker, *worker.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            os.kill(each.pid, signal.SIGKILL)


def waiting(machine: Machine, server: Postgres, table: str) -> int:
    """Return the process that waits for a table, and wait until there is one."""
    found: set[int] = set()
    machine.until(lambda: bool(found.update(who_wait_for(server, table)) or found), f"at {table}")
    return min(found)
