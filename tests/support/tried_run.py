"""A run of which some tasks have ended, and what an operator can write into it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

SENTENCE = "gelombang-12: 48 purchased, 2 revoked, 0 held"
DATE = datetime(2021, 3, 15, tzinfo=UTC)


class Tried:
    """A run of which some tasks have ended: what it pushes, and the note that it gets."""

    def __init__(self, dag: Any, session: Any, run_id: str) -> None:
        from airflow.models.dagrun import DagRun
        from airflow.serialization.serialized_objects import DagSerialization
        from airflow.utils.types import DagRunTriggeredByType, DagRunType

        self.session = session
        session.query(DagRun).filter_by(dag_id=dag.dag_id).delete()
        session.commit()
        self.run = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag)).create_dagrun(
            run_id=run_id, logical_date=DATE, data_interval=(DATE, DATE), run_after=DATE, run_type=DagRunType.MANUAL,
            state="running", triggered_by=DagRunTriggeredByType.TEST, session=session,
        )  # fmt: skip
        session.commit()

    def end(self, task_id: str, state: str = "success", sentence: str | None = SENTENCE, *, tried: int = 1) -> None:
        """End a task, which tells what the run has come to."""
        from run_notes import push_outcome

        ti = self.run.get_task_instance(task_id, session=self.session)
        ti.state, ti.try_number, ti.end_date = state, tried, datetime.now(UTC)
        self.session.commit()
        if sentence is not None:
            push_outcome(
                SimpleNamespace(**self._of(task_id), try_number=tried, xcom_push=self._pusher(task_id)), sentence
            )

    def push(self, task_id: str, value: Any) -> None:
        """Write an XCom `outcome`, as whoever may operate the DAG can by the API."""
        self._pusher(task_id)("outcome", value)

    def pushed(self, task_id: str) -> Any:
        from airflow.models.xcom import XComModel

        found = self.session.query(XComModel).filter_by(run_id=self.run.run_id, task_id=task_id, key="outcome")
        return found.one().value

    def take_away(self, task_id: str) -> None:
        from airflow.models.xcom import XComModel

        self.session.query(XComModel).filter_by(run_id=self.run.run_id, task_id=task_id).delete()
        self.session.commit()

    def note(self) -> str | None:
        """The note, as the scheduler's listener writes it."""
        from run_notes import RunNotes

        self.session.expire_all()
        RunNotes().on_dag_run_success(self.run)
        self.session.commit()
        return self.run.note

    def _of(self, task_id: str) -> dict[str, Any]:
        return {"dag_id": self.run.dag_id, "run_id": self.run.run_id, "task_id": task_id, "map_index": -1}

    def _pusher(self, task_id: str) -> Callable[[str, Any], None]:
        from airflow.models.xcom import XComModel

        def push(key: str, value: Any) -> None:
            XComModel.set(key=key, value=value, **self._of(task_id), serialize=False, session=self.session)
            self.session.commit()

        return push
