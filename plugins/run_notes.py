"""What a run came to, in a sentence, as its note: the last task tells it, and it is noted when the run ends."""

from __future__ import annotations

import logging
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

log = logging.getLogger(__name__)

TASK = "tell"


class RunNotes:
    """Notes on runs that have ended. What a person has written stays."""

    @hookimpl
    def on_dag_run_success(self, dag_run: Any) -> None:
        """Note a success."""
        _note(dag_run)

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any) -> None:
        """Note a failure."""
        _note(dag_run)


def _note(dag_run: Any) -> None:
    from airflow.models.xcom import XComModel
    from sqlalchemy import select
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None or (dag_run.dag_run_note and dag_run.dag_run_note.user_id):
        return
    told = session.scalars(
        select(XComModel).where(
            XComModel.dag_id == dag_run.dag_id,
            XComModel.run_id == dag_run.run_id,
            XComModel.task_id == TASK,
            XComModel.key == "return_value",
        )
    ).first()
    if told is not None:
        dag_run.note = str(XComModel.deserialize_value(told))[:1000]


class RunNotesPlugin(AirflowPlugin):
    """Registers the listener."""

    name = "prakerja_run_notes"
    listeners = [RunNotes()]  # noqa: RUF012
