"""Replayed days: the runs that were due on each day, in order, with the clock of that day."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from prakerja import landing, schema, warehouse
from prakerja.calendar import Cohort, calendar, find_cohort, unreadable_entries
from prakerja.run_context import RunContext, replaying
from prakerja.settings import WIB, Settings
from prakerja.tasks.feeds import IncompleteIntakeError


@dataclass
class ReplayResult:
    """The result of a replay: the number of runs, their cohorts, and the errors of failed tasks."""

    cohorts: list[int] = field(default_factory=list)
    runs: int = 0
    errors: list[str] = field(default_factory=list)


def play(
    first: date,
    last: date,
    cohorts: Collection[int] | None,
    approve_as: str | None,
    progress: Callable[[date, str], None],
) -> ReplayResult:
    """Replay the WIB days from `first` to `last` through the real DAGs. Call `progress` before each run.

    A second replay of the same warehouse waits for the first, and then changes nothing.
    """
    chosen = [find_cohort(number) for number in cohorts] if cohorts else list(calendar().values())
    settings = Settings.from_environment()
    landing.landing_zone(settings.landing)
    home = settings.make_home()
    schema.upgrade_or_require()  # first: the lock is a row of the schema
    with warehouse.exclusive("replay"), _sandboxed_messages(home), replaying():
        from prakerja.replay.runs import Runner
        from prakerja.revocations import approval

        if approve_as:
            approval.require_unsigned()
            approval.require_never_live()
        runner = Runner(home / "logs" / "replay.log")
        result = ReplayResult()
        day = first
        while day <= last:
            for due in list_due_runs(day, chosen, approve_as):
                progress(day, due.run.name)
                ended = runner.run(
                    due.dag_id,
                    due.run_id,
                    logical_date=due.logical_date,
                    data_interval=due.data_interval,
                    conf=due.run.conf(),
                )
                result.runs += 1
                for error in ended.errors:
                    # A feed that arrived after its day is not a problem. The cohorts' table shows what is missing.
                    lines = error.rejected if isinstance(error, IncompleteIntakeError) else str(error).splitlines()
                    result.errors += [line for line in lines if line not in result.errors]
                if due.run.cohort is not None and due.run.cohort not in result.cohorts:
                    result.cohorts.append(due.run.cohort)
            day += timedelta(days=1)
    return result


@contextlib.contextmanager
def _sandboxed_messages(home: Path) -> Iterator[None]:
    """Send this process's messages to a sandbox, and receipts to a receiver in this process, until the context ends."""
    from prakerja import serving
    from prakerja.reminders import receipts
    from prakerja.reminders.sms_providers import load_receipt_secrets
    from prakerja.sandbox import running

    secrets = load_receipt_secrets()
    with (
        serving.in_thread(receipts.application()) as receipts_url,
        running.running(home / "inbox.sqlite", secrets, receipts_url) as sandbox,
    ):
        urls = {**sandbox.variables, "PRAKERJA_RECEIPTS_URL": receipts_url}
        before = {name: os.environ.get(name) for name in urls}
        os.environ.update(urls)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@dataclass(frozen=True)
class DueRun:
    dag_id: str
    run_id: str
    logical_date: datetime
    data_interval: tuple[datetime, datetime]
    run: RunContext


def list_due_runs(day: date, cohorts: Collection[Cohort], approve_as: str | None) -> list[DueRun]:
    """Return the runs that are due on a day: the intake at 02:00 WIB, then the cohorts' runs by their hour."""
    now, yesterday = datetime.combine(day, time(2), WIB), day - timedelta(days=1)
    intake = RunContext("daily", yesterday, now, is_replay=True, approve_as=approve_as)
    due = [DueRun("platform_feeds", intake.name, now - timedelta(days=1), (now - timedelta(days=1), now), intake)]
    for event in sorted(event for cohort in cohorts for event in cohort.events() if event.run_at.date() == day):
        run = RunContext(event.kind, event.on, event.run_at, event.cohort, is_replay=True, approve_as=approve_as)
        at = event.logical_date
        due.append(DueRun("cohort_deadline", event.name, at, (at, at), run))
    return due


def list_problems(result: ReplayResult, table: list[dict[str, Any]], last: date) -> list[str]:
    """Return what was rejected or left undecided, a line each. With any such line, every replay of these days fails."""
    with warehouse.transaction() as connection:
        rejected = [row["text"] for row in warehouse.rows(connection, "feeds/list_rejected", as_of=last)]
    problems = rejected + [line for line in result.errors if line not in rejected]
    problems += [entry.text for entry in unreadable_entries()]
    for row in table:
        is_due = calendar()[row["cohort"]].as_known_on(last).decided_on <= last
        if row["status"] == "no_roster" and is_due:
            problems.append(f"gelombang-{row['cohort']} has no roster: deliver rosters/gelombang-{row['cohort']}")
        elif row["reinstatements_proposed"]:
            problems.append(
                f"gelombang-{row['cohort']} awaits approval: {row['reinstatements_proposed']} reinstatements"
            )
    return problems
