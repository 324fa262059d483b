"""The runs that Airflow has of an event, for the DAGs that audit `cohort_deadline`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

if TYPE_CHECKING:
    from prakerja.calendar import CohortEvent

AUDITED = "cohort_deadline"


def count_runs(event: CohortEvent, now: datetime) -> Any:
    """Return the numbers of an event's runs: scheduled and backfilled ones by their date, repairs by their ids."""
    from prakerja.revocations.run_audit import RunCounts, repair_run_ids

    ti = get_current_context()["ti"]
    filters = [{"logical_dates": [event.logical_date]}, {"run_ids": repair_run_ids(event, now)}]
    return RunCounts(
        all=sum(ti.get_dr_count(AUDITED, **runs) for runs in filters),
        active=sum(ti.get_dr_count(AUDITED, states=["queued", "running"], **runs) for runs in filters),
        with_tasks=sum(len(ti.get_task_states(AUDITED, **runs)) for runs in filters),
    )
