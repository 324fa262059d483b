"""Airflow's own seam for what a deployment does at start: here, what spares its processes seconds of work.

A task is a fork of its executor's process, so what that has imported, the task has too. Great Expectations takes two
seconds to import, a small delivery a sixth of one to take in (docs/adr/0008).

Airflow's processes hold millions of objects that never go. Looking for garbage among them takes a quarter of their
start, and when they end, as long as three seconds each: so they look more rarely, and not at all when they end.
"""

import atexit
import gc
import sys

gc.set_threshold(50_000, 20, 100)
atexit.register(gc.freeze)

if sys.argv[1:2] in (["scheduler"], ["celery"]):
    import psycopg  # noqa: F401

    from prakerja.feeds import data_docs, expectations, intake  # noqa: F401
