"""No DAG: an import error of Airflow where the calendar has entries that cannot be read, in a line each.

The DAGs of the other cohorts are in files of their own, and go on.
"""

from __future__ import annotations

from prakerja.calendar import unreadable_entries
from prakerja.errors import PrakerjaError

try:
    unreadable = unreadable_entries()
except PrakerjaError:  # of the whole file: `cohort_deadline` says so
    unreadable = []
if unreadable:
    raise PrakerjaError("\n".join(entry.told for entry in unreadable))
