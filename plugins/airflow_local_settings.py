"""Airflow's own seam for what a deployment does at start: here, what its tasks would each import for themselves.

A task is a fork of its executor's process, so what that has imported, the task has too. Great Expectations takes two
seconds to import, a small delivery a sixth of one to take in (docs/adr/0008).
"""

import sys

if sys.argv[1:2] in (["scheduler"], ["celery"]):
    from prakerja.feeds import data_docs, expectations, intake  # noqa: F401
