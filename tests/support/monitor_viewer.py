"""A viewer of the monitor, and an orchestrator that has one run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from fastapi.testclient import TestClient

from prakerja.monitor import app

NOW = datetime(2021, 3, 15, 23, tzinfo=UTC)
Client = Callable[..., TestClient]


class Runs:
    """An orchestrator that has one run."""

    def list_runs(self, cohort: int) -> list[app.Run]:
        name = f"gelombang-{cohort}__deadline__2021-03-13"
        return [app.Run(name, f"dags/cohort_deadline/runs/{name}", "success", "48 purchased, 2 revoked", NOW)]

    def find_cohort(self, dag_id: str, run_id: str) -> int | None:
        return 12 if dag_id == "cohort_deadline" and run_id else None

    def find_intake_log(self, platform: str, recorded_at: datetime) -> str | None:
        return f"dags/platform_feeds/runs/daily__{recorded_at:%Y-%m-%d}/tasks/take_in/mapped/0?{platform}"
