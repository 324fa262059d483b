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

        self.session, self.dag = session, dag
        session.query(DagRun).filter_by(dag_id=dag.dag_id).delete()
        session.commit()
        recorded = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        recorded.deadline = None  # Airflow looks for rows of it that its processor writes
        self.run = recorded.create_dagrun(
            run_id=run_id, logical_date=DATE, data_interval=(DATE, DATE), run_after=DATE, run_type=DagRunType.MANUAL,
            state="running", triggered_by=DagRunTriggeredByType.TEST, session=session,
        )  # fmt: skip
        self.run.dag = self.recorded = recorded
        session.commit()
        self.id = self.run.id

    def end(self, task_id: str, state: str = "success", sentence: str | None = SENTENCE, *, tried: int = 1) -> None:
        """End a task, which tells what the run has come to."""
        from prakerja_run_notes import push_outcome

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

    def forge(self, task_id: str, value: Any, *, key: str = "return_value", map_index: int = -1) -> None:
        """End a task, if the DAG has it, and write its XCom, as an operator can: by the API, in place of the task."""
        from airflow.models.taskmap import TaskMap
        from airflow.models.xcom import XComModel

        instance = self._instance(task_id, map_index)
        if instance is None:
            return
        instance.state, instance.end_date = "success", datetime.now(UTC)
        of_task = {**self._of(task_id), "map_index": map_index}
        if map_index < 0 and isinstance(value, list):
            self.session.merge(TaskMap(**of_task, length=len(value), keys=None))
        self.session.commit()
        XComModel.set(key=key, value=value, **of_task, serialize=False, session=self.session)
        self.session.commit()

    def expand(self) -> None:
        """Let Airflow make the instances of mapped tasks, as it does when what they are mapped over is there."""
        self.run.update_state(session=self.session, execute_callbacks=False)
        self.session.commit()

    def drive(self) -> None:
        """Run what is left of the run in this process, by Airflow's own runner, with its templates, without retries."""
        from airflow.sdk.definitions.dag import _run_task

        for _ in range(12):
            ready, _ = self.run.update_state(session=self.session, execute_callbacks=False)
            self.session.commit()
            if not ready:
                break
            for task_id, index in [(instance.task_id, instance.map_index) for instance in ready]:
                instance = self._instance(task_id, index)
                instance.try_number += 1
                self.session.commit()
                task = self.dag.task_dict[task_id]
                if task.task_type == "EmptyOperator":
                    instance.state = "success"
                else:
                    _run_task(ti=instance, task=task)
                self._reload()
                instance = self._instance(task_id, index)
                if instance.state == "up_for_retry":
                    instance.state = "failed"
                self.session.commit()

    def clear(self, task_id: str) -> None:
        """Let a task, and the run, be done again, as an operator does."""
        self._reload()
        instance = self.run.get_task_instance(task_id, session=self.session)
        instance.state, self.run.state = None, "running"
        self.session.commit()

    def unpause(self, *dag_ids: str, is_paused: bool = False) -> None:
        from airflow.models.dag import DagModel

        self.session.query(DagModel).filter(DagModel.dag_id.in_(dag_ids)).update({"is_paused": is_paused})
        self.session.commit()

    def _instance(self, task_id: str, map_index: int) -> Any:
        return self.run.get_task_instance(task_id, session=self.session, map_index=map_index)

    def _reload(self) -> None:
        """Find the run again: a task that runs in this process closes the session that it shares."""
        self.session.expunge_all()
        self.run = self.session.get_one(type(self.run), self.id)
        self.run.dag = self.recorded

    def states(self, task_id: str) -> list[str | None]:
        """Return the states of a task's instances, in the order of their indexes."""
        self.session.expire_all()
        found = [ti for ti in self.run.get_task_instances(session=self.session) if ti.task_id == task_id]
        return [ti.state for ti in sorted(found, key=lambda ti: int(ti.map_index))]

    def note(self) -> str | None:
        """The note, as the scheduler's listener writes it."""
        from prakerja_run_notes import RunNotes

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


class PublishedList:
    """The list of the runs that are tried: the version that its pointer names."""

    def __init__(self) -> None:
        self.version = 0

    def publish(self, version: int) -> int:
        self.version = max(self.version, version)
        return version
