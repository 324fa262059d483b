"""Settings that Airflow imports at the start of each process. They save its processes seconds of work.

A task is a fork of its executor's process and inherits the modules that are imported there. Great Expectations takes
two seconds to import; a small delivery takes a sixth of a second to take in (docs/adr/0008).

Airflow's processes have millions of objects that are never freed. Garbage collection takes a quarter of their start,
and up to three seconds at their end. It therefore runs more rarely, and not at the end.
"""

import atexit
import gc
import os
import sys
from pathlib import Path

gc.set_threshold(50_000, 20, 100)
atexit.register(gc.freeze)

if sys.argv[1:2] in (["scheduler"], ["celery"]):
    import psycopg  # noqa: F401

    from prakerja.feeds import data_docs, expectations, intake  # noqa: F401

if sys.argv[1:3] == ["celery", "worker"]:
    from celery.signals import heartbeat_sent

    # Whoever asks a worker over the broker must import Celery and Airflow first, which takes seconds. The age of a file
    # answers as well: a worker that hangs, or has lost the broker, sends no heartbeat (docker/healthcheck.py).
    heartbeat = Path(os.environ["AIRFLOW_HOME"]) / "worker-heartbeat"
    heartbeat_sent.connect(lambda **_: heartbeat.touch(), weak=False)
