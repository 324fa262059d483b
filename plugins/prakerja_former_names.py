"""Names of these plugins before 0.2.0, which Airflow has stored.

A run that started before an upgrade keeps its version of the DAG, which names the timetable and the deadline reference
by their former modules. Without these names, the scheduler could not read the DAG of such a run. They can be removed
when no home is older than 0.2.0.
"""

from __future__ import annotations

import sys

from airflow.plugins_manager import AirflowPlugin

import prakerja_alerts
import prakerja_timetable

# A missed deadline's callback is imported by its former path.
sys.modules.setdefault("alerts", prakerja_alerts)


class FormerTimetable(prakerja_timetable.CohortTimetable):
    """`cohort_timetable.CohortTimetable`."""


class FormerDueLater(prakerja_alerts.DueLater):
    """`alerts.DueLater`."""


# Airflow registers a class by its module and name.
FormerTimetable.__module__, FormerTimetable.__name__ = "cohort_timetable", "CohortTimetable"
FormerDueLater.__module__, FormerDueLater.__name__ = "alerts", "DueLater"


class FormerNamesPlugin(AirflowPlugin):
    """Registers the former names."""

    name = "prakerja_former_names"
    timetables = [FormerTimetable]  # noqa: RUF012 - Airflow's interface
    deadline_references = [FormerDueLater]  # noqa: RUF012 - Airflow's interface
