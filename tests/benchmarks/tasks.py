"""What a day's seven deliveries cost as tasks under a real scheduler (LocalExecutor), beside tasks that do nothing."""

from __future__ import annotations

import shutil
import statistics
from datetime import date, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from prakerja.platforms import platforms
from prakerja.settings import PROJECT, WIB
from prakerja.simulation.writers import Row
from tests.e2e.conftest import Instance
from tests.support.landing_zone import deliver
from tests.support.running_machine import running

FIRST, ROWS = date(2021, 4, 8), 30
IDLE = """
from datetime import datetime
from airflow.sdk import dag, task
@dag(schedule=None, start_date=datetime(2020, 4, 11))
def idle():
    @task
    def nothing(number):
        return number
    nothing.expand(number=list(range(7)))
idle()
"""


def run(folder: Path, runs: int) -> None:
    """Print the table."""
    table = Table("what", "reach", "measured", "in figures", title="a day's seven tasks under a scheduler")
    for how, has_imports in (("its fork of an executor that has imported", True), ("each task imports", False)):
        took = _measured(folder / ("with" if has_imports else "without"), runs, has_imports=has_imports)
        idle, busy, day = (statistics.median(took[kind]) for kind in ("nothing", "take_in", "day"))
        table.add_row(
            f"take_in beyond an idle task, {how}",
            "under 2 s" if has_imports else "",
            f"{busy - idle:.2f} s",
            f"{busy:.2f} s / {idle:.2f} s; the run {day:.1f} s",
        )
    Console(width=140).print(table)


def _measured(folder: Path, runs: int, *, has_imports: bool) -> dict[str, list[float]]:
    """Seconds: of each task, and of the whole run of a day."""
    for name in ("dags", "plugins"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "dags" / "idle.py").write_text(IDLE)
    if not has_imports:
        (folder / "plugins" / "airflow_local_settings.py").unlink()
    (folder / "landing").mkdir()
    instance = Instance(folder / "home", folder / "landing", PROJECT / "include" / "cohorts.yaml")
    took: dict[str, list[float]] = {"nothing": [], "take_in": [], "day": []}
    folders = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder / "plugins"),
    }
    with running(instance, **folders) as machine:
        machine.unpause("idle", "platform_feeds")
        # The day's own run may wait for its deliveries until the morning, and only one is active at a time.
        machine.until(lambda: bool(machine.runs("platform_feeds")), "the day's own run")
        (own,) = machine.runs("platform_feeds")
        machine.call("PATCH", f"/dags/platform_feeds/dagRuns/{own['dag_run_id']}", json={"state": "failed"})
        for number in range(runs):
            day = FIRST + timedelta(days=number)
            for index, platform in enumerate(platforms()):
                deliver(folder / "landing", platform, day.isoformat(), _rows(day, index))
            for dag_id, task_id, conf in (("idle", "nothing", {}), ("platform_feeds", "take_in", {"on": str(day)})):
                run_id = machine.trigger(dag_id, **conf)
                ended = machine.await_run(dag_id, run_id)
                took[task_id] += [
                    _seconds(each) for each in machine.tasks(dag_id, run_id) if each["task_id"] == task_id
                ]
                if dag_id == "platform_feeds":
                    took["day"].append(_seconds(ended))
    return took


def _rows(day: date, index: int) -> list[Row]:
    noon = datetime.combine(day, datetime.min.time(), WIB) + timedelta(hours=12)
    return [
        Row(f"{day}-{index}-{number}", "PAID", noon, f"{10**15 + 100 * index + number}", 5000)
        for number in range(ROWS)
    ]  # fmt: skip


def _seconds(ended: dict[str, str]) -> float:
    start, end = (datetime.fromisoformat(ended[at]) for at in ("start_date", "end_date"))
    return (end - start).total_seconds()
