"""The health of the processes on this machine, by their health endpoints."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import httpx

from prakerja.machine import environment
from prakerja.machine.environment import HOST, Ports

#: The parts in the API server's health report, by the process that each belongs to.
AIRFLOW = {
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
    "postgres": "metadatabase",
}
SERVICES = {"sandbox": "sandbox", "receipts": "receipts", "blacklist": "blacklist"}


def check(ports: Ports) -> dict[str, bool | None]:
    """Return whether each process is well, by name; None for a process whose health is unknown."""
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda port: _is_well(getattr(ports, port)), SERVICES.values()))
        airflow_report = pool.submit(_airflow, ports.airflow)
        workers = pool.submit(_workers)
    airflow = airflow_report.result()
    parts = {name: airflow.get(part, {}).get("status") == "healthy" for name, part in AIRFLOW.items()}
    return {"api-server": bool(airflow), **parts, **dict(zip(SERVICES, answers, strict=True)), **workers.result()}


class HangDetector:
    """Detects processes that run but have not been well for some seconds, e.g. a scheduler whose clock was set back.

    A process that was started again has `starting_seconds` to be well for the first time: on a busy machine Airflow
    takes minutes to start, and would never end starting if it were restarted meanwhile.

    The API server reports on Airflow's other processes, and all of them need the database: while the API server is
    unwell, only it is reported; while the database is unwell, nothing is. The database is never reported.
    """

    def __init__(self, seconds: float, starting_seconds: float) -> None:
        self._seconds, self._starting_seconds = seconds, starting_seconds
        self._since: dict[str, float] = {}
        self._pids: Mapping[str, int] = {}
        self._starting: set[str] = set()

    def observe(self, is_well: Mapping[str, bool | None], pids: Mapping[str, int], now: float) -> list[str]:
        """Record the health found at `now` (seconds of a monotonic clock), and return the processes that hang.

        A process that was returned starts from zero.
        """
        started = {name for name, pid in pids.items() if pid != self._pids.get(name, pid)}
        self._pids = pids
        self._starting = {name for name in self._starting | started if not is_well.get(name)}
        unwell = [name for name, well in is_well.items() if well is False]
        if "api-server" in unwell:
            suspects = {"api-server"}
        elif "postgres" in unwell:
            suspects = set()
        else:
            suspects = set(unwell)
        before = {name: since for name, since in self._since.items() if name not in started}
        self._since = {name: before.get(name, now) for name in unwell if name in suspects}
        hanging = [name for name, since in self._since.items() if now - since >= self._patience(name)]
        for name in hanging:
            del self._since[name]
        return hanging

    def _patience(self, name: str) -> float:
        return self._starting_seconds if name in self._starting else self._seconds


def addresses(ports: Ports) -> dict[str, str]:
    """Return the URL for a person to look at, by process."""
    pages = {"api-server": ports.airflow, "sandbox": ports.sandbox}
    return {
        **{name: f"http://{HOST}:{port}/" for name, port in pages.items()},
        "receipts": f"http://{HOST}:{ports.receipts}/healthz",
        "blacklist": f"http://{HOST}:{ports.blacklist}/openapi.json",
    }


def _workers() -> dict[str, bool | None]:
    names = environment.workers()
    broker = os.environ.get("AIRFLOW__CELERY__BROKER_URL")
    if not names or not broker:
        return dict.fromkeys(names)
    from celery import Celery

    hosts = {f"celery@{name}": name for name in names}
    try:
        with Celery(broker=broker) as celery:
            answers = celery.control.ping(timeout=1, destination=list(hosts), limit=len(hosts))
    except Exception:  # each broker's client has errors of its own; the workers' health is unknown then
        return dict.fromkeys(names)
    well = {host for answer in answers for host in answer}
    return {name: host in well for host, name in hosts.items()}


@cache
def _client() -> httpx.Client:
    """Return the client of all requests: a new one loads the certificates, which takes a tenth of a second."""
    return httpx.Client(timeout=5, limits=httpx.Limits(max_keepalive_connections=0))


def _is_well(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return _client().get(f"http://{HOST}:{port}/healthz").status_code == 200
    return False


def _airflow(port: int) -> dict[str, Any]:
    with contextlib.suppress(httpx.HTTPError, ValueError):
        answer = _client().get(f"http://{HOST}:{port}/api/v2/monitor/health")
        if answer.status_code == 200:
            report: dict[str, Any] = answer.json()
            return report
    return {}
