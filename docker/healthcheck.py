"""Exit with 0 if a process of this container is healthy, with 1 and a line if it is not.

    healthcheck.py http URL     URL answers 200 (and Airflow's API server reaches its database)
    healthcheck.py job TYPE     the Airflow job of this container has written its heartbeat to Airflow's database
    healthcheck.py worker       the Celery worker of this container has sent its heartbeat to the broker

It runs once or twice a minute in each container, so it imports neither Airflow nor Celery, which takes seconds. Run it
with `python -I -S`: the site module would read the virtual environment's path files.
"""

import os
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

SECONDS = 60  # Airflow's jobs and Celery's workers send a heartbeat every few seconds
HEARTBEAT = "worker-heartbeat"  # plugins/airflow_local_settings.py touches it


def main() -> None:
    check = {"http": check_http, "job": check_job, "worker": check_worker}[sys.argv[1]]
    try:
        check(*sys.argv[2:])
    except (OSError, HTTPException) as error:
        sys.exit(f"no answer: {error}")


def check_http(url: str) -> None:
    host, _, path = url.removeprefix("http://").partition("/")
    connection = HTTPConnection(host, timeout=10)
    connection.request("GET", f"/{path}")
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        sys.exit(f"{url} answers {answer.status}")
    if url.endswith("/api/v2/monitor/health"):
        # It answers 200 even if the database is down: the database's status is in the body.
        import json

        status = json.loads(body)["metadatabase"]["status"]
        if status != "healthy":
            sys.exit(f"the metadata database is {status}")


def check_job(kind: str) -> None:
    # Without the site module, the virtual environment's packages are not on the path.
    version = "python{}.{}".format(*sys.version_info)
    sys.path.append(str(Path(sys.executable).parents[1] / "lib" / version / "site-packages"))
    import psycopg2

    with os.popen(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD"]) as output:  # noqa: S605 - our own command
        url = output.read().replace("+psycopg2", "", 1)
    try:
        connection = psycopg2.connect(
            url, connect_timeout=10, options="-c statement_timeout=10s", application_name="healthcheck"
        )
        with connection.cursor() as cursor:
            name = os.uname().nodename
            cursor.execute(
                "select extract(epoch from now() - max(latest_heartbeat)) from job "
                "where job_type = %s and state = 'running' and (hostname = %s or hostname like %s)",
                [kind, name, f"{name}.%"],
            )
            (age,) = cursor.fetchone()
    except psycopg2.Error as error:
        sys.exit(f"the metadata database refuses ({type(error).__name__})")
    if age is None:
        sys.exit(f"{kind} of {name} has not started")
    if age > SECONDS:
        sys.exit(f"{kind} of {name} sent its last heartbeat {age:.0f} s ago")


def check_worker() -> None:
    age = time.time() - (Path(os.environ["AIRFLOW_HOME"]) / HEARTBEAT).stat().st_mtime
    if age > SECONDS:
        sys.exit(f"the worker sent its last heartbeat {age:.0f} s ago")


main()
