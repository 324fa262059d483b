"""Runs that a task triggers: what it has computed itself, from the warehouse and from Airflow.

Airflow's operator for this, mapped over an XCom, would trigger what whoever may write XComs names, and renders the
names, configurations and notes as templates: a template runs code as the worker (docs/adr/0020).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from prakerja.errors import PrakerjaError

log = logging.getLogger(__name__)


def trigger_runs(ti: Any, dag_id: str, runs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Trigger each run (`trigger_run_id`, `conf`, `note`) that Airflow does not have, and return all their ids.

    Nothing in them is a template. Raises `PrakerjaError` where there are some, and the DAG is paused.
    """
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    ids = []
    for run in runs:
        if not ids and ti.get_dag(dag_id).is_paused:
            raise PrakerjaError(f"{dag_id} is paused: unpause it, then clear this task")
        ids.append(run["trigger_run_id"])
        answer = SUPERVISOR_COMMS.send(
            TriggerDagRun(dag_id=dag_id, run_id=ids[-1], logical_date=None, conf=run["conf"], note=run["note"])
        )
        if not isinstance(answer, ErrorResponse):
            log.info("triggered %s of %s", ids[-1], dag_id)
        elif answer.error == ErrorType.DAGRUN_ALREADY_EXISTS:
            log.info("%s of %s is there already", ids[-1], dag_id)
        else:
            raise AirflowRuntimeError(answer)
    return ids
