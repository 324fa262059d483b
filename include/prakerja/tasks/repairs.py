"""Runs of `cohort_deadline` that the audit and the intake of late deliveries trigger."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from prakerja.escaping import markdown

if TYPE_CHECKING:
    from prakerja.calendar import CohortEvent
    from prakerja.revocations.run_audit import Finding


def build_run(event: CohortEvent, run_id: str, why: str) -> dict[str, Any]:
    """Return a run as it is triggered: `trigger_run_id`, `conf` and `note`."""
    return {"trigger_run_id": run_id, "conf": {"cohort": event.cohort, "kind": event.kind}, "note": markdown(why)}


def build_repair(finding: Finding, now: datetime) -> dict[str, Any] | None:
    """Return the run that repairs a finding, or None if a person is needed."""
    from prakerja.revocations.run_audit import repair_run_id

    if finding.event is None:
        return None
    return build_run(finding.event, repair_run_id(finding.event, now), finding.text)
