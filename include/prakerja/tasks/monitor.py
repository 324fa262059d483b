"""What every DAG does for the monitor once its work is done."""

from __future__ import annotations

import logging
from datetime import datetime

log = logging.getLogger(__name__)


def refresh_monitor(now: datetime, cohort: int | None = None) -> None:
    """Count the monitor's figures of a cohort, or of all, and publish the statistics.

    A failure is logged and raises nothing: the run's work is done, and the next run counts again.
    """
    from prakerja.monitor import figures, statistics

    try:
        figures.refresh(now, cohort)
        statistics.publish()
    except Exception as error:
        log.warning("the monitor and the statistics are not up to date (%s)", type(error).__name__)
