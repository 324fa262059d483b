"""Report unreadable entries of the calendar as an import error in Airflow, a line each. This file has no DAG.

The other files of this folder have the DAGs, which continue with the other cohorts.
"""

from __future__ import annotations

from prakerja.calendar import unreadable_entries
from prakerja.errors import PrakerjaError

try:
    unreadable = unreadable_entries()
except PrakerjaError:  # the whole file is unreadable: `cohort_deadline` reports that
    unreadable = []
if unreadable:
    raise PrakerjaError("\n".join(entry.text for entry in unreadable))
