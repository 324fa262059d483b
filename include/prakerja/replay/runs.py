"""DAG runs in this process: the real DAG files, Airflow's own run state and trigger rules, one task after another.

A run has the id, the logical date and the tasks that the scheduler would give it, and shows in Airflow's pages like any
other. `dag.test()` does the same with an id of its own choosing, and takes three times as long (docs/adr/0006).
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
class Ran:
    """How a run ended: its `state`, and the errors of the tasks that failed."""

    run_id: str
    state: str
    errors: list[PrakerjaError] = field(default_factory=list)


class Runner:
    """Parses the DAG files and records them once; then runs what it is asked to, one run at a time."""

    def __init__(self, log_file: Path) -> None:
        gc.disable()  # what is imported and parsed lives for ever: to look through it again and again takes a second
        airflow_home.configure()
        import airflow.settings as airflow  # configures the ORM

        _log_into(log_file)
        _commit_without_waiting(airflow.engine)
        airflow_home.upgrade_metadata()
        _refuse_beside_a_scheduler()
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
                continue  # which tells of cohorts that cannot be read: the others are played, and the answer says so
            raise PrakerjaError(f"the DAG file {Path(file).name} cannot be read: {error.strip().splitlines()[-1]}")
        sync_bag_to_db(bag, bundle.name, bundle.version)
        # After the sync, so that the recorded DAG keeps its retries: a replayed day does not wait for a better one.
        for dag in bag.dags.values():
            dag.deadline = None  # a played day is late for nobody
            for task in dag.tasks:
                settings = task.partial_kwargs if hasattr(task, "partial_kwargs") else vars(task)
                settings["retries"], settings["retry_delay"] = 0, timedelta(0)
        self.dags = bag.dags
        self._recorded = {
            name: DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
            for name, dag in bag.dags.items()
        }
        # One connection for all of it: from the pool each transaction would first ask whether it still lives.
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
    ) -> Ran:
        """Run it from the start; an earlier replay of the same run, finished or killed, makes way.

        Raises `PrakerjaError` where the scheduler made that run: it is not ours to take away.
        """
        from airflow.models.dagrun import DagRun
        from airflow.sdk import DagRunState
        from airflow.utils.types import DagRunTriggeredByType, DagRunType
        from sqlalchemy import or_, select

        with self._session as session:  # whose objects are forgotten at its end
            is_same = or_(DagRun.run_id == run_id, DagRun.logical_date == logical_date)
            for earlier in session.scalars(select(DagRun).where(DagRun.dag_id == dag_id, is_same)).all():
                if earlier.triggering_user_name != USER:
                    raise PrakerjaError(
                        f"Airflow has the run {earlier.run_id} of {dag_id} already: clear it there, "
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

    def _drive(self, run: Any, session: Any) -> Ran:
        from airflow.sdk import DagRunState, TaskInstanceState
        from airflow.utils.timezone import utcnow

        ran = Ran(run.run_id, "running")
        dag = self.dags[run.dag_id]
        before: dict[str, str] | None = None
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
            # A pass that starts nothing may still have skipped something: stuck is two passes in a row that are alike.
            now = None if ready else _states(run, session)
            if run.state == DagRunState.RUNNING and now is not None and now == before:
                log.error("nothing more can run in %s: %s", run.run_id, now)
                run.set_state(DagRunState.FAILED)
                session.commit()
            before = now
            for instance in ready:
                if instance.state == TaskInstanceState.QUEUED:
                    error = self._run_task(instance, dag.task_dict[instance.task_id])
                    if error:
                        ran.errors.append(error)
        ran.state = str(getattr(run.state, "value", run.state))
        return ran

    def _run_task(self, instance: Any, task: Any) -> PrakerjaError | None:
        """Run one task; gives its error if it failed."""
        from airflow.models.taskinstance import TaskInstance
        from airflow.sdk import TaskInstanceState
        from sqlalchemy import update

        from prakerja.replay.client import Supervisor

        told = _for_sdk(instance)
        self._client.instance = instance
        try:
            result = Supervisor.start(what=told, task=task, client=self._client)
            state, error = result.state, result.error
        except Exception as broken:  # the machinery failed, not the task: that must not be taken for a verdict
            self._session.rollback()
            log.error("task %s of %s broke: %s", told.task_id, told.run_id, type(broken).__name__)
            state, error = None, broken
        if state in (
            None,
            TaskInstanceState.DEFERRED,
            TaskInstanceState.UP_FOR_RESCHEDULE,
            TaskInstanceState.AWAITING_INPUT,
        ):
            self._session.execute(
                update(TaskInstance)
                .where(TaskInstance.id == told.id)
                .values(state=TaskInstanceState.FAILED, trigger_id=None, next_method=None, next_kwargs=None)
            )
            self._session.commit()
            error = error or PrakerjaError(f"{told.task_id} waits, and a replayed day does not")
            state = TaskInstanceState.FAILED
        if state != TaskInstanceState.FAILED:
            return None
        if isinstance(error, PrakerjaError):
            return error
        # Any other error's text may quote what it stumbled over; the log has its kind, and the run is red.
        return PrakerjaError(f"{told.run_id}: the task {told.task_id} failed ({type(error).__name__})")


def _commit_without_waiting(engine: Any) -> None:
    """Let this process commit to Airflow's metadata before the disk has it; a killed process loses nothing by that.

    A crash of the machine may lose the last second's states of tasks, and whoever replays those runs again replays them
    whole. The warehouse's facts wait for the disk as ever.
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


def _states(run: Any, session: Any) -> dict[str, str]:
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    rows = session.execute(
        select(TaskInstance.task_id, TaskInstance.map_index, TaskInstance.state, TaskInstance._rendered_map_index)
        .where(TaskInstance.dag_id == run.dag_id, TaskInstance.run_id == run.run_id)
        .order_by(TaskInstance.task_id, TaskInstance.map_index)
    )
    return {(f"{task}[{label or index}]" if index >= 0 else task): str(state) for task, index, state, label in rows}


def _for_sdk(instance: Any) -> Any:
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


def _refuse_beside_a_scheduler() -> None:
    """A live scheduler would take a replayed run for its own and run its tasks a second time."""
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
    """A stream without a file number: Airflow asks the kernel about one each time that it binds a logger."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return self._file.write(printable(text))

    def flush(self) -> None:
        self._file.flush()


def _log_into(path: Path) -> None:
    from airflow._shared.logging import configure_logging

    path.parent.mkdir(parents=True, exist_ok=True)
    configure_logging(log_level="INFO", output=_LogFile(path), colors=False, cache_logger_on_first_use=False)
