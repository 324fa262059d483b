"""Settings that Airflow imports at the start of each process, wherever it runs: on one machine or in containers.

**How long its processes wait for each other.** A task is taken for dead when it has been silent for `SILENT_SECONDS`,
and is retried. Airflow's own five minutes are long on the morning of a deadline, when a cohort is decided from 06:00
WIB on and people wait for the request to approve. Much less would take living tasks for dead: the start of an API
server beside seven busy processes per core was measured to take 100 seconds, and a task is silent for up to ten more.
A task survives an API server or a database that is away for almost as long: it repeats its calls 30 times, 2 to 10
seconds apart, and its token does not expire meanwhile.

**What saves seconds of work.** A task is a fork of its executor's process and inherits the modules that are imported
there. Great Expectations takes two seconds to import; a small delivery takes a sixth of a second to take in
(docs/adr/0008).

Airflow's processes have millions of objects that are never freed. Garbage collection takes a quarter of their start,
and up to three seconds at their end. It therefore runs more rarely, and not at the end.
"""

import atexit
import gc
import os
import sys
from pathlib import Path

from airflow.configuration import conf

SILENT_SECONDS = 180
#: By section and option. What the environment or `airflow.cfg` sets to another value than Airflow's default stays.
WAITS = {
    ("scheduler", "task_instance_heartbeat_timeout"): SILENT_SECONDS,
    # A new scheduler adopts the tasks of one that died within a minute, not five.
    ("scheduler", "orphaned_tasks_check_interval"): 30,
    ("workers", "execution_api_retries"): 30,
    ("workers", "execution_api_retry_wait_min"): 2,
    ("workers", "execution_api_retry_wait_max"): 10,
    # A token is renewed in the last fifth of its life.
    ("execution_api", "jwt_expiration_time"): 5 * SILENT_SECONDS,
}
for (section, option), seconds in WAITS.items():
    if conf.get(section, option) == conf.get_default_value(section, option):
        os.environ[f"AIRFLOW__{section.upper()}__{option.upper()}"] = str(seconds)

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
