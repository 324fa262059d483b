"""What Airflow costs a replay: a day through the real DAG, beside the same day's work called without Airflow."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from prakerja import schema, tasks, warehouse
from prakerja.platforms import active_on
from prakerja.replay.days import due_on
from prakerja.replay.runs import Runner
from prakerja.run_context import RunContext, replaying
from prakerja.simulation import world

#: Days of a world of the demo's size on which nothing but feeds is due.
FIRST, DAYS = date(2021, 3, 5), 14
COHORTS, SCALE, SEED = [12, 13], 0.01, 7


def run(folder: Path, runs: int) -> None:
    """Play each day in two homes, one after the other; print the table."""
    world.write(COHORTS, SCALE, SEED, folder, is_nasty=False, progress=lambda _: None)
    os.environ["PRAKERJA_LANDING"] = str(folder / "landing")
    replayed, bare = [], []
    with replaying():
        os.environ["PRAKERJA_HOME"] = str(folder / "replayed")
        schema.upgrade()
        started = time.perf_counter()
        runner = Runner(folder / "replayed" / "logs" / "replay.log")
        start = time.perf_counter() - started
        for number in range(min(4 * runs, DAYS)):
            day = FIRST + timedelta(days=number)
            for home, play, took in (("replayed", lambda day: _replay(runner, day), replayed), ("bare", _work, bare)):
                os.environ["PRAKERJA_HOME"] = str(folder / home)
                if number == 0:
                    schema.upgrade()
                took.append(_timed(play, day))
        for home in ("replayed", "bare"):
            os.environ["PRAKERJA_HOME"] = str(folder / home)
            warehouse.stop_embedded_server()
    # The first day takes in the roster, and imports what the others have then.
    of_replay, of_work = statistics.median(replayed[1:]), statistics.median(bare[1:])
    tasks = len(active_on(FIRST)) + 6
    table = Table("figure", "reach", "measured", "made of", title="a replayed day")
    table.add_row(
        "a replayed day / its work without Airflow",
        "at most 2.5",
        f"{of_replay / of_work:.2f}",
        f"{of_replay:.2f} s / {of_work:.2f} s",
    )
    table.add_row(
        "Airflow around each task",
        "",
        f"{(of_replay - of_work) / tasks * 1000:.0f} ms",
        f"{tasks} tasks a day; to start {start:.1f} s, the first day {replayed[0]:.1f} s",
    )
    Console(width=140).print(table)


def _timed(play: Callable[[date], None], day: date) -> float:
    start = time.perf_counter()
    play(day)
    return time.perf_counter() - start


def _replay(runner: Runner, day: date) -> None:
    (due,) = due_on(day, [], None)
    ran = runner.run(
        due.dag_id,
        due.run_id,
        logical_date=due.logical_date,
        data_interval=due.data_interval,
        conf=due.run.conf(),
    )
    assert ran.state == "success", ran


def _work(day: date) -> None:
    """What the tasks of `platform_feeds` call."""
    (due,) = due_on(day, [], None)
    occasion: RunContext = due.run
    tasks.feeds.close_reminders(occasion)
    tasks.feeds.take_in_rosters(occasion)
    taken_in = []
    for platform in tasks.feeds.list_platforms(occasion):
        taken = tasks.feeds.take_in(platform, occasion)
        taken.require_all()
        taken_in.append({"platform": platform, **taken.counts()})
    tasks.feeds.refresh_standing(occasion)
    tasks.feeds.build_data_docs()
    tasks.feeds.apply_late_evidence(occasion)
    tasks.summaries.summarize_feeds(occasion, taken_in)
