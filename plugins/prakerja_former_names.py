"""Names that these plugins had before 0.2.0, for what Airflow has kept under them.

A run that began before an upgrade keeps the version of its DAG that it began with, and that names the timetable and the
deadline reference by their former modules. Without these names the scheduler could not read such a run's DAG. They can
go once no home is older than 0.2.0.
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
