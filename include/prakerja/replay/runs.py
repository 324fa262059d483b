"""DAG runs in this process, one task after another, with the real DAG files and Airflow's run states and trigger rules.

A run has the id, the logical date and the tasks that the scheduler would give it, and Airflow's pages show it like any
other run. `dag.test()` chooses its own run id, and takes three times as long (docs/adr/0006).
"""

from __future__ import annotations

import gc
import io
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from prakerja import airflow_home
from prakerja.errors import PrakerjaError
from prakerja.escaping import printable

log = logging.getLogger(__name__)

USER = "replay"


@dataclass
class RunResult:
    """The final `state` of a run, and the errors of the tasks that failed."""

    run_id: str
    state: str
    errors: list[PrakerjaError] = field(default_factory=list)


class Runner:
    """Parses and records the DAG files once, then executes runs one at a time."""

    def __init__(self, log_file: Path) -> None:
        gc.disable()  # imported and parsed objects are never freed: collecting them again and again takes a second
        airflow_home.configure()
        import airflow.settings as airflow  # configures the ORM

        _configure_logging(log_file)
        _commit_without_waiting(airflow.engine)
        airflow_home.upgrade_metadata()
        _require_no_scheduler()
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
        from airflow.serialization.serialized_objects import DagSerialization
        from airflow.utils.session import create_session

        from prakerja.replay.client import DirectClient

        manager = DagBundlesManager()
        with create_session() as session:
            manager.sync_bundles_to_db(session=session)
        (bundle,) = manager.get_all_dag_bundles()
        bundle.initialize()
        bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
        for file, error in bag.import_errors.items():
            if Path(file).stem == "cohort_calendar":
                continue  # it fails for unreadable cohorts: the others are replayed, and the result reports these
            raise PrakerjaError(f"the DAG file {Path(file).name} cannot be read: {error.strip().splitlines()[-1]}")
        sync_bag_to_db(bag, bundle.name, bundle.version)
        # After the sync, so that the recorded DAG keeps its retries. A replay does not wait for a retry.
        for dag in bag.dags.values():
            dag.deadline = None  # a replayed run is never late
            for task in dag.tasks:
                settings = task.partial_kwargs if hasattr(task, "partial_kwargs") else vars(task)
                settings["retries"], settings["retry_delay"] = 0, timedelta(0)
        self.dags = bag.dags
        self._recorded = {
            name: DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
            for name, dag in bag.dags.items()
        }
        # One connection for all runs: the pool would test the connection before each transaction.
        self._session = airflow.NonScopedSession(bind=airflow.engine.connect())
        self._client = DirectClient(self._session)
        gc.freeze()
        gc.enable()

    def run(
        self,
        dag_id: str,
        run_id: str,
        *,
        logical_date: datetime,
        data_interval: tuple[datetime, datetime],
        conf: dict[str, Any],
    ) -> RunResult:
        """Execute a run from the start, in place of an earlier replay of the same run, finished or killed.

        Raise `PrakerjaError` if the scheduler created that run, which a replay must not delete.
        """
        from airflow.models.dagrun import DagRun
        from airflow.sdk import DagRunState
        from airflow.utils.types import DagRunTriggeredByType, DagRunType
        from sqlalchemy import or_, select

        with self._session as session:  # closing it forgets its objects
            is_same = or_(DagRun.run_id == run_id, DagRun.logical_date == logical_date)
            for earlier in session.scalars(select(DagRun).where(DagRun.dag_id == dag_id, is_same)).all():
                if earlier.triggering_user_name != USER:
                    raise PrakerjaError(
                        f"Airflow already has the run {earlier.run_id} of {dag_id}: clear it there, "
                        "or replay in another PRAKERJA_HOME"
                    )
                session.delete(earlier)
            session.commit()
            recorded = self._recorded[dag_id]
            run = recorded.create_dagrun(
                run_id=run_id,
                logical_date=logical_date,
                data_interval=data_interval,
                run_after=data_interval[1],
                conf=conf,
                run_type=DagRunType.MANUAL,
                state=DagRunState.RUNNING,
                start_date=datetime.now(UTC),
                triggered_by=DagRunTriggeredByType.TEST,
                triggering_user_name=USER,
                session=session,
            )
            run.dag = recorded
            session.commit()
            self._client.begin(run)
            return self._drive(run, session)

    def _drive(self, run: Any, session: Any) -> RunResult:
        from airflow.sdk import DagRunState, TaskInstanceState
        from airflow.utils.timezone import utcnow

        result = RunResult(run.run_id, "running")
        dag = self.dags[run.dag_id]
        states_before: dict[str, str] | None = None
        while run.state == DagRunState.RUNNING:
            ready, _ = run.update_state(session=session, execute_callbacks=False)
            for instance in ready:
                instance.try_number += 1
                instance.scheduled_dttm = instance.queued_dttm = utcnow()
                if dag.task_dict[instance.task_id].task_type == "EmptyOperator":  # as the scheduler does
                    instance.start_date = instance.end_date = utcnow()
                    instance.state, instance.duration = TaskInstanceState.SUCCESS, 0
                else:
                    instance.state = TaskInstanceState.QUEUED
            session.commit()
            # A pass that starts no task may still skip some: the run is stuck if two such passes leave the same states.
            states = None if ready else _list_states(run, session)
            if run.state == DagRunState.RUNNING and states is not None and states == states_before:
                log.error("no task can run in %s: %s", run.run_id, states)
                run.set_state(DagRunState.FAILED)
                session.commit()
            states_before = states
            for instance in ready:
                if instance.state == TaskInstanceState.QUEUED:
                    error = self._run_task(instance, dag.task_dict[instance.task_id])
                    if error:
                        result.errors.append(error)
        result.state = str(getattr(run.state, "value", run.state))
        return result

    def _run_task(self, instance: Any, task: Any) -> PrakerjaError | None:
        """Run one task. Return its error, or None if it did not fail."""
        from airflow.models.taskinstance import TaskInstance
        from airflow.sdk import TaskInstanceState
        from sqlalchemy import update

        from prakerja.replay.client import Supervisor

        sdk_instance = _build_sdk_instance(instance)
        self._client.instance = instance
        try:
            result = Supervisor.start(what=sdk_instance, task=task, client=self._client)
            state, error = result.state, result.error
        except Exception as failure:  # Airflow failed, not the task: the run must not pass for a finished one
            self._session.rollback()
            log.error("task %s of %s broke: %s", sdk_instance.task_id, sdk_instance.run_id, type(failure).__name__)
            state, error = None, failure
        if state in (
            None,
            TaskInstanceState.DEFERRED,
            TaskInstanceState.UP_FOR_RESCHEDULE,
            TaskInstanceState.AWAITING_INPUT,
        ):
            self._session.execute(
                update(TaskInstance)
                .where(TaskInstance.id == sdk_instance.id)
                .values(state=TaskInstanceState.FAILED, trigger_id=None, next_method=None, next_kwargs=None)
            )
            self._session.commit()
            error = error or PrakerjaError(f"{sdk_instance.task_id} waits, and a replay cannot wait")
            state = TaskInstanceState.FAILED
        if state != TaskInstanceState.FAILED:
            return None
        if isinstance(error, PrakerjaError):
            return error
        # The text of any other error may quote personal data: only its type is reported.
        return PrakerjaError(f"{sdk_instance.run_id}: the task {sdk_instance.task_id} failed ({type(error).__name__})")


def _commit_without_waiting(engine: Any) -> None:
    """Let commits to Airflow's metadata return before they are on disk. A killed process loses nothing by that.

    A crash of the machine may lose the task states of the last second. A new replay runs those runs again from the
    start. Commits to the warehouse still wait for the disk.
    """
    from sqlalchemy import event

    if engine.dialect.name != "postgresql":
        return

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _: Any) -> None:
        connection.autocommit = True  # else a rollback would undo it
        with connection.cursor() as cursor:
            cursor.execute("set synchronous_commit = off")
        connection.autocommit = False


def _list_states(run: Any, session: Any) -> dict[str, str]:
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    rows = session.execute(
        select(TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state, TaskInstance._rendered_map_index)
        .where(TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id)
        .order_by(TaskInstance.task_id, TaskInstance.map_index)
    )
    return {(f"{task}[{label or index}]" if index >= 0 else task): str(state) for task, index, state, label in rows}


def _build_sdk_instance(instance: Any) -> Any:
    from airflow.sdk.api.datamodels._generated import TaskInstance

    return TaskInstance(
        id=UUID(str(instance.id)),
        task_id=instance.task_id,
        dag_id=instance.dag_id,
        run_id=instance.run_id,
        try_number=instance.try_number,
        map_index=instance.map_index,
        dag_version_id=UUID(str(instance.dag_version_id)),
    )


def _require_no_scheduler() -> None:
    """Raise `PrakerjaError` if a scheduler is alive: it would run the tasks of a replayed run a second time."""
    from airflow.jobs.job import Job
    from airflow.utils.session import create_session
    from airflow.utils.state import JobState
    from sqlalchemy import select

    with create_session() as session:
        jobs = session.scalars(select(Job).where(Job.job_type == "SchedulerJob", Job.state == JobState.RUNNING)).all()
        if any(job.is_alive() for job in jobs):
            raise PrakerjaError(
                "a scheduler runs on this Airflow database: stop it, or replay in another PRAKERJA_HOME"
            )


class _LogFile(io.TextIOBase):
    """A stream without a file descriptor: Airflow makes a system call for one each time that it binds a logger."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return self._file.write(printable(text))

    def flush(self) -> None:
        self._file.flush()


def _configure_logging(path: Path) -> None:
    from airflow._shared.logging import configure_logging

    path.parent.mkdir(parents=True, exist_ok=True)
    configure_logging(log_level="INFO", output=_LogFile(path), colors=False, cache_logger_on_first_use=False)
