"""The tasks of `daily_audit`: runs that are missing, and people on the list whom the files contradict."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from prakerja.errors import PrakerjaError
from prakerja.settings import WIB
from prakerja.tasks import reader
from prakerja.tasks.repairs import build_repair

if TYPE_CHECKING:
    from prakerja.calendar import CohortEvent
    from prakerja.revocations.run_audit import SeenRuns

log = logging.getLogger(__name__)


def audit_runs(now: datetime, seen: Callable[[CohortEvent], SeenRuns]) -> list[dict[str, Any]]:
    """Return the missing and incomplete runs: of each its `kind`, a `text`, and the run that repairs it as `repair`.

    `repair` is None if a person is needed.
    """
    from prakerja.revocations import run_audit

    found = []
    for finding in run_audit.audit(now, seen):
        log.warning("%s", finding.text)
        repair = build_repair(finding, now)
        found.append({"kind": finding.kind, "text": finding.text, "repair": repair})
    return found


def recheck_list(now: datetime) -> list[dict[str, Any]]:
    """Read tonight's cohorts again and compare the published list with what the files say.

    Return the differences as `audit_runs` does; no run repairs them. Every cohort is read within four weeks.
    """
    from prakerja.blacklist import rechecking

    cohorts = rechecking.due_on(now.astimezone(WIB).date(), rechecking.decided_cohorts())
    if not cohorts or not reader.has_list():
        return []
    report = rechecking.check_own(cohorts, now.astimezone(WIB).date())
    for number, counts in report.counts.items():
        counted = ", ".join(f"{people:,} {what}" for what, people in counts.items() if people)
        log.info("gelombang-%d was read again: %s", number, counted or "nobody of it is listed")
    by_what = Counter((each.cohort, each.what) for each in report.differences)
    return [
        {
            "kind": "list_differs",
            "text": f"gelombang-{number}: the list and the second reading differ on {people:,}: {what}: "
            f"see `prakerja recheck {number}`",
            "repair": None,
        }
        for (number, what), people in by_what.items()
    ]


def list_repairs(now: datetime, seen: Callable[[CohortEvent], SeenRuns]) -> list[dict[str, Any]]:
    """Return the runs that repair what is missing now: `trigger_run_id`, `conf` and `note` of each."""
    from prakerja.revocations import run_audit

    return [repair for finding in run_audit.audit(now, seen) if (repair := build_repair(finding, now))]


def report_audit(*found: list[dict[str, Any]] | None) -> None:
    """Raise `PrakerjaError` if a finding needs a person, or if a task has left no findings.

    `found` has the results of `audit_runs` and `recheck_list`; None for a task that failed.
    """
    if any(each is None for each in found):
        raise PrakerjaError("the audit did not get to its end, or its findings were altered: clear find and recheck")
    unrepaired = [finding["text"] for each in found for finding in each or [] if not finding["repair"]]
    if unrepaired:
        raise PrakerjaError("\n".join(unrepaired))
