"""What a run came to, in a sentence, as its note.

Tasks push it as the XCom `outcome`, each as far as the run has come with it; when the run ends, the last is noted, with
the tasks that are red. A task of its own for it would change what a run that fails, or is ended by a person, ends as.
"""

from __future__ import annotations

from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

#: The key of the XCom.
OUTCOME = "outcome"
BECAUSE = " | "  # after why the audit has made a run


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
    outcome = (
        select(XComModel)
        .where(XComModel.dag_id == dag_run.dag_id, XComModel.run_id == dag_run.run_id, XComModel.key == OUTCOME)
        .order_by(XComModel.timestamp.desc())
    )
    # Within the scheduler's own transaction, which takes no savepoint: it guards against any commit but its own.
    last = session.scalars(outcome).first()
    told = [str(XComModel.deserialize_value(last))] if last is not None else []
    red = sorted({ti.task_display_name for ti in dag_run.get_task_instances(["failed"], session=session)})
    if red:
        told.append(f"red: {', '.join(red)}")
    if told:
        why = f"{dag_run.note.split(BECAUSE)[0]}{BECAUSE}" if "__audit-" in dag_run.run_id and dag_run.note else ""
        dag_run.note = f"{why}{'; '.join(told)}"[:1000]


class RunNotesPlugin(AirflowPlugin):
    """Registers the listener."""

    name = "prakerja_run_notes"
    listeners = [RunNotes()]  # noqa: RUF012
