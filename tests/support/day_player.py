"""Days played through what the DAGs' tasks call, in the DAGs' order and by the replay's clock, but without Airflow.

That the DAGs do the same is for `tests/e2e/test_replay.py` to prove; of many days this tells the figures sooner.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from typing import TypeVar

from prakerja import tasks
from prakerja.calendar import calendar
from prakerja.replay.days import due_on
from prakerja.run_context import RunContext, replaying

Result = TypeVar("Result")


def from_to(first: date, last: date) -> Iterator[date]:
    """Every day, both ends included."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


class Player:
    """Plays days, approved in advance; `took` has each task's seconds by day and the task's name.

    Reminders and Data Docs are left out: they change no figure, and one request for each reminder takes its time.
    """

    def __init__(self, approve_as: str) -> None:
        self.approve_as = approve_as
        self.took: dict[date, dict[str, float]] = defaultdict(lambda: defaultdict(float))

    def play(self, days: Iterable[date], progress: Callable[[date], None] = lambda _: None) -> None:
        """Everything must succeed: whatever is rejected, missing, blocked or not approved raises."""
        for day in days:
            with replaying():
                self._play(day)
            progress(day)

    def _play(self, day: date) -> None:
        for due in due_on(day, list(calendar().values()), self.approve_as):
            if due.run.kind == "daily":
                self._platform_feeds(due.run)
            elif due.run.kind == "deadline":
                self._cohort_deadline(due.run)

    def _platform_feeds(self, run: RunContext) -> None:
        self._run(tasks.feeds.take_in_rosters, run)
        for platform in self._run(tasks.feeds.list_platforms, run):
            self._run(tasks.feeds.take_in, platform, run).require_all()
        self._run(tasks.feeds.refresh_standing, run)
        self._run(tasks.feeds.apply_late_evidence, run)

    def _cohort_deadline(self, run: RunContext) -> None:
        assert self._run(tasks.deadline.has_complete_feeds, run)
        self._run(tasks.deadline.reconcile, run)
        self._run(tasks.deadline.recheck, run)
        assert self._run(tasks.deadline.choose, run) == "approve_revocation"
        self._run(tasks.deadline.approve_revocation, run)
        self._run(tasks.deadline.revoke, run)
        self._run(tasks.deadline.publish_blacklist, run)

    def _run(self, task: Callable[..., Result], *given: str | RunContext) -> Result:
        start = time.perf_counter()
        try:
            return task(*given)
        finally:
            run = given[-1]
            assert isinstance(run, RunContext)
            self.took[run.as_of][task.__name__] += time.perf_counter() - start
