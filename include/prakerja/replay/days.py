"""Playing days: what was due on each, in the order in which it was due, with the clock of that day."""

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
    """What a replay did: how many runs, of which cohorts, and what the tasks that failed said."""

    cohorts: list[int] = field(default_factory=list)
    runs: int = 0
    said: list[str] = field(default_factory=list)


def play(
    first: date,
    last: date,
    cohorts: Collection[int] | None,
    approve_as: str | None,
    progress: Callable[[date, str], None],
) -> ReplayResult:
    """Play the WIB days from `first` to `last` through the real DAGs; `progress` hears of each run before it starts.

    A second replay of the same warehouse waits until the first is done, and then changes nothing.
    """
    chosen = [find_cohort(number) for number in cohorts] if cohorts else list(calendar().values())
    settings = Settings.from_environment()
    landing.landing_zone(settings.landing)
    home = settings.make_home()
    schema.upgrade()  # first: the lock is the schema's
    with warehouse.exclusive("replay"), _messages_go_nowhere(home), replaying():
        from prakerja.replay.runs import Runner
        from prakerja.revocations import approval

        if approve_as:
            approval.require_unsigned()
            approval.require_never_live()
        runner = Runner(home / "logs" / "replay.log")
        played = ReplayResult()
        day = first
        while day <= last:
            for due in due_on(day, chosen, approve_as):
                progress(day, due.run.name)
                ran = runner.run(
                    due.dag_id,
                    due.run_id,
                    logical_date=due.logical_date,
                    data_interval=due.data_interval,
                    conf=due.run.conf(),
                )
                played.runs += 1
                for error in ran.errors:
                    # A feed that was missing on its day and came later is no problem; a cohort's table tells the rest.
                    lines = error.rejected if isinstance(error, IncompleteIntakeError) else str(error).splitlines()
                    played.said += [line for line in lines if line not in played.said]
                if due.run.cohort is not None and due.run.cohort not in played.cohorts:
                    played.cohorts.append(due.run.cohort)
            day += timedelta(days=1)
    return played


@contextlib.contextmanager
def _messages_go_nowhere(home: Path) -> Iterator[None]:
    """A sandbox and our own receiver of receipts, and nothing else, are where this process sends messages."""
    from prakerja import serving
    from prakerja.reminders import receipts
    from prakerja.reminders.sms_providers import load_receipt_secrets
    from prakerja.sandbox import running

    secrets = load_receipt_secrets()
    with (
        serving.in_thread(receipts.application()) as receipts_url,
        running.running(home / "inbox.sqlite", secrets, receipts_url) as box,
    ):
        ours = {**box.variables, "PRAKERJA_RECEIPTS_URL": receipts_url}
        before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@dataclass(frozen=True)
class Due:
    dag_id: str
    run_id: str
    logical_date: datetime
    data_interval: tuple[datetime, datetime]
    run: RunContext


def due_on(day: date, cohorts: Collection[Cohort], approve_as: str | None) -> list[Due]:
    """The day's intake at 02:00 WIB, then the cohorts' runs by their hour."""
    now, yesterday = datetime.combine(day, time(2), WIB), day - timedelta(days=1)
    intake = RunContext("daily", yesterday, now, is_replay=True, approve_as=approve_as)
    due = [Due("platform_feeds", intake.name, now - timedelta(days=1), (now - timedelta(days=1), now), intake)]
    for event in sorted(event for cohort in cohorts for event in cohort.events() if event.run_at.date() == day):
        run = RunContext(event.kind, event.on, event.run_at, event.cohort, is_replay=True, approve_as=approve_as)
        at = event.logical_date
        due.append(Due("cohort_deadline", event.name, at, (at, at), run))
    return due


def problems(played: ReplayResult, table: list[dict[str, Any]], last: date) -> list[str]:
    """What was rejected or left undecided, a line each: this is what makes a replay's answer a no, each time again."""
    with warehouse.transaction() as connection:
        rejected = [row["told"] for row in warehouse.rows(connection, "feeds/list_rejected", as_of=last)]
    said = rejected + [line for line in played.said if line not in rejected]
    said += [entry.told for entry in unreadable_entries()]
    for row in table:
        is_due = calendar()[row["cohort"]].as_known_on(last).decided_on <= last
        if row["status"] == "no_roster" and is_due:
            said.append(f"gelombang-{row['cohort']} has no roster: deliver rosters/gelombang-{row['cohort']}")
        elif row["reinstatements_proposed"]:
            said.append(f"gelombang-{row['cohort']} awaits approval: {row['reinstatements_proposed']} reinstatements")
    return said
