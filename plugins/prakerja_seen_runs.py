"""What Airflow knows of an event's runs, for the DAGs that look after `cohort_deadline`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

if TYPE_CHECKING:
    from prakerja.calendar import CohortEvent

AUDITED = "cohort_deadline"


def seen(event: CohortEvent, now: datetime) -> Any:
    """Count an event's runs: the scheduled one and a backfill's by their date, repairs by their ids."""
    from prakerja.revocations.run_audit import SeenRuns, repair_run_ids

    ti = get_current_context()["ti"]
    by = [{"logical_dates": [event.logical_date]}, {"run_ids": repair_run_ids(event, now)}]
    return SeenRuns(
        all=sum(ti.get_dr_count(AUDITED, **which) for which in by),
        active=sum(ti.get_dr_count(AUDITED, states=["queued", "running"], **which) for which in by),
        with_tasks=sum(len(ti.get_task_states(AUDITED, **which)) for which in by),
    )
