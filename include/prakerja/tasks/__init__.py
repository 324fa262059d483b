"""The work of the DAGs' tasks, a module for each DAG. Each function covers one task and is safe to run twice.

`feeds` is `platform_feeds`, `arrivals` is `late_deliveries`, `deadline` is `cohort_deadline`, `batches` is
`batch_approval`, `audit` is `daily_audit` and `reader` is `blacklist_readers`. `answers` holds what several of them do
with an answer given in Airflow, `repairs` the runs that two of them trigger. `summaries` writes the runs' notes and
changes nothing.

Importing this package is cheap: the areas are imported inside the functions, in the task's own process.
"""

from prakerja.tasks import answers, arrivals, audit, batches, deadline, feeds, monitor, reader, summaries

__all__ = ["answers", "arrivals", "audit", "batches", "deadline", "feeds", "monitor", "reader", "summaries"]
