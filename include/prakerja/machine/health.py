"""Whether the machine's parts are well: each is asked where it answers."""

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

AIRFLOW = {
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
    "postgres": "metadatabase",
}
SERVICES = {"sandbox": "sandbox", "receipts": "receipts", "blacklist": "blacklist"}


def asked(ports: Ports) -> dict[str, bool | None]:
    """Whether each process is well, by its name; nothing where nobody can say."""
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda port: _is_well(getattr(ports, port)), SERVICES.values()))
        asked_airflow = pool.submit(_airflow, ports.airflow)
        workers = pool.submit(_workers)
    airflow = asked_airflow.result()
    told = {name: airflow.get(part, {}).get("status") == "healthy" for name, part in AIRFLOW.items()}
    return {"api-server": bool(airflow), **told, **dict(zip(SERVICES, answers, strict=True)), **workers.result()}


class Hanging:
    """Which processes live and have not been well for so many seconds: as a scheduler whose clock was set back.

    Of Airflow's others the API server speaks, and all of them wait for the database: while one of these is not well,
    nobody else is blamed. The database itself is left alone.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[str, float] = {}

    def among(self, is_well: Mapping[str, bool | None], now: float) -> list[str]:
        """Those that hang by now (seconds of a monotonic clock), by what each was found to be; each told once."""
        ill = [name for name, well in is_well.items() if well is False]
        blamed = {"api-server"} if "api-server" in ill else set() if "postgres" in ill else set(ill)
        self._since = {name: self._since.get(name, now) for name in ill if name in blamed}
        found = [name for name, since in self._since.items() if now - since >= self._seconds]
        for name in found:
            del self._since[name]
        return found


def addresses(ports: Ports) -> dict[str, str]:
    """Where a person may look, by process."""
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
    except Exception:  # each broker's client has errors of its own; of the workers nothing is known then
        return dict.fromkeys(names)
    well = {host for answer in answers for host in answer}
    return {name: host in well for host, name in hosts.items()}


@cache
def _client() -> httpx.Client:
    """One for all requests: each client loads the certificates anew, a tenth of a second of a busy processor."""
    return httpx.Client(timeout=5, limits=httpx.Limits(max_keepalive_connections=0))


def _is_well(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return _client().get(f"http://{HOST}:{port}/healthz").status_code == 200
    return False


def _airflow(port: int) -> dict[str, Any]:
    with contextlib.suppress(httpx.HTTPError, ValueError):
        answer = _client().get(f"http://{HOST}:{port}/api/v2/monitor/health")
        if answer.status_code == 200:
            told: dict[str, Any] = answer.json()
            return told
    return {}
