"""Days played through what the DAGs' tasks call, in the DAGs' order and by the replay's clock, but without Airflow.

That the DAGs do the same is for `tests/e2e/test_replay.py` to prove; of many days this tells the figures sooner.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from typing import TypeVar

from prakerja import workflow
from prakerja.calendar import calendar
from prakerja.occasion import Occasion, replaying
from prakerja.replay.days import due_on

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
            if due.occasion.kind == "daily":
                self._platform_feeds(due.occasion)
            elif due.occasion.kind == "deadline":
                self._cohort_deadline(due.occasion)

    def _platform_feeds(self, occasion: Occasion) -> None:
        self._run(workflow.take_in_rosters, occasion)
        for platform in self._run(workflow.list_platforms, occasion):
            self._run(workflow.take_in, platform, occasion).require_all()
        self._run(workflow.refresh_standing, occasion)
        self._run(workflow.notice_late_truth, occasion)

    def _cohort_deadline(self, occasion: Occasion) -> None:
        assert self._run(workflow.has_complete_feeds, occasion)
        self._run(workflow.reconcile, occasion)
        self._run(workflow.recheck, occasion)
        assert self._run(workflow.choose, occasion) == "approve_revocation"
        self._run(workflow.approve_revocation, occasion)
        self._run(workflow.revoke, occasion)
        self._run(workflow.publish_blacklist, occasion)

    def _run(self, task: Callable[..., Result], *given: str | Occasion) -> Result:
        start = time.perf_counter()
        try:
            return task(*given)
        finally:
            occasion = given[-1]
            assert isinstance(occasion, Occasion)
            self.took[occasion.clock][task.__name__] += time.perf_counter() - start
