"""A client for the Task SDK that does the execution API's work in this process, over one session and without HTTP.

`InProcessTestSupervisor` is the class that `dag.test()` uses for this. Calls that this product's tasks make go straight
to the database; any other call goes through Airflow's in-process HTTP API (docs/adr/0006).
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any
from uuid import UUID

import httpx
from airflow.api_fastapi.execution_api.datamodels import taskinstance as api
from airflow.configuration import conf
from airflow.models.asset import AssetAliasModel, AssetEvent, AssetModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskmap import TaskMap
from airflow.models.xcom import XComModel
from airflow.sdk import TaskInstanceState
from airflow.sdk.api import client as sdk
from airflow.sdk.api.datamodels import _generated as generated
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor
from sqlalchemy import delete, insert, or_, select, tuple_, update
from sqlalchemy.orm import Session

OK = sdk.OKResponse(ok=True)
HOSTNAME, USER_NAME = sdk.get_hostname(), sdk.getuser()
LOGS, XCOMS = Log.__table__, XComModel.__table__

log = logging.getLogger(__name__)

task_runner.TypeAdapter = cache(task_runner.TypeAdapter)  # Airflow builds the same one for each field of each task


class Supervisor(InProcessTestSupervisor):  # type: ignore[misc]
    """Runs a task in this process, without the socket and thread for child processes: these tasks start none."""

    @contextlib.contextmanager
    def _setup_subprocess_socket(self) -> Iterator[None]:
        yield


class LazyTransport(httpx.BaseTransport):
    """Airflow's in-process HTTP API, built at the first request: building takes seconds, and requests are rare."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @cached_property
    def _inner(self) -> httpx.BaseTransport:
        from airflow.sdk.execution_time.supervisor import in_process_api_server

        transport: httpx.BaseTransport = in_process_api_server().transport
        return transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._session.commit()  # the API has its own session: it must see the task's changes and not wait for its locks
        return self._inner.handle_request(request)


class Tasks(sdk.TaskInstanceOperations):  # type: ignore[misc]
    """The calls about task instances: start, end, skip."""

    def start(self, id: UUID, pid: int, when: datetime) -> Any:  # noqa: A002, ARG002 - Airflow's name
        client, instance = self.client, self.client.instance
        instance.state, instance.pid = TaskInstanceState.RUNNING, pid
        instance.hostname, instance.unixname = HOSTNAME, USER_NAME
        instance.start_date = instance.last_heartbeat_at = when
        client.keep_log_entry("running")
        client.session.commit()
        log.info("started: %s of %s", instance.task_id, instance.run_id)
        return client.run_context.model_copy(update={"max_tries": instance.max_tries})

    def succeed(self, id: UUID, when: datetime, task_outlets: Any, outlet_events: Any, rendered_map_index: Any) -> None:  # noqa: A002, ARG002
        if not task_outlets and not outlet_events:
            self._end(TaskInstanceState.SUCCESS, when, rendered_map_index)
            return
        sent = generated.TISuccessStatePayload(
            end_date=when, task_outlets=task_outlets, outlet_events=outlet_events
        ).model_dump_json()
        payload, session = api.TISuccessStatePayload.model_validate_json(sent), self.client.session
        try:
            listeners = TaskInstance.register_asset_changes_in_db(
                self.client.instance, payload.task_outlets, payload.outlet_events, session=session
            )
        except Exception as error:  # as in the execution API, a task fails if its asset events are not recorded
            log.error(
                "the asset events of %s were not recorded (%s)", self.client.instance.task_id, type(error).__name__
            )
            session.rollback()
            self._end(TaskInstanceState.FAILED, when, rendered_map_index)
            return
        self._end(TaskInstanceState.SUCCESS, when, rendered_map_index)
        for listener in listeners:
            listener()

    def finish(self, id: UUID, state: Any, when: datetime, rendered_map_index: Any) -> None:  # noqa: A002
        ended = TaskInstanceState(getattr(state, "value", state))
        if ended == TaskInstanceState.FAILED and self.client.run.dag.fail_fast:
            super().finish(id, state, when, rendered_map_index)
            self.client.session.expire_all()  # the API has changed the instances in its own session
        else:
            self._end(ended, when, rendered_map_index)

    def _end(self, state: TaskInstanceState, when: datetime, rendered_map_index: str | None) -> None:
        client, instance = self.client, self.client.instance
        instance.state, instance.end_date = state, when
        instance.duration = (when - instance.start_date).total_seconds()
        instance._rendered_map_index = rendered_map_index
        client.keep_log_entry(state.value)
        client.write_log_entries()
        client.session.commit()
        log.info("%s: %s of %s", state.value, instance.task_id, instance.run_id)

    def set_rtif(self, id: UUID, body: Any) -> Any:  # noqa: A002, ARG002
        return OK  # no task of this product uses rendered templates

    def set_rendered_map_index(self, id: UUID, rendered_map_index: Any) -> Any:  # noqa: A002, ARG002
        return OK  # the final state has it again

    def validate_inlets_and_outlets(self, id: UUID) -> Any:  # noqa: A002, ARG002
        return generated.InactiveAssetsResponse(inactive_assets=[])  # this process has just synchronized the assets

    def skip_downstream_tasks(self, id: UUID, msg: Any) -> None:  # noqa: A002, ARG002
        run, now = self.client.run, datetime.now(UTC)
        tasks = [task if isinstance(task, tuple) else (task, -1) for task in msg.tasks]
        started = (TaskInstanceState.RUNNING, TaskInstanceState.SUCCESS, TaskInstanceState.FAILED)
        self.client.session.execute(
            update(TaskInstance)
            .where(
                TaskInstance.dag_id == run.dag_id,
                TaskInstance.run_id == run.run_id,
                tuple_(TaskInstance.task_id, TaskInstance.map_index).in_(tasks),
                or_(TaskInstance.state.is_(None), TaskInstance.state.not_in(started)),
            )
            .values(state=TaskInstanceState.SKIPPED, start_date=now, end_date=now)
        )


class XComs(sdk.XComOperations):  # type: ignore[misc]
    """The calls about XComs: the ids and counts that the tasks of a run exchange."""

    def get(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        key: str,
        map_index: int | None = None,
        include_prior_dates: bool = False,
    ) -> Any:
        if include_prior_dates or not self._is_of_run(dag_id, run_id):
            return super().get(dag_id, run_id, task_id, key, map_index, include_prior_dates)
        conditions = *self._conditions(task_id, key), XCOMS.c.map_index == _index(map_index)
        value = self.client.session.scalar(select(XCOMS.c.value).where(*conditions))
        return generated.XComResponse(key=key, value=value)

    def get_sequence_slice(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        key: str,
        start: int | None,
        stop: int | None,
        step: int | None,
        include_prior_dates: bool = False,
    ) -> Any:
        if include_prior_dates or not (start is stop is step is None and self._is_of_run(dag_id, run_id)):
            return super().get_sequence_slice(dag_id, run_id, task_id, key, start, stop, step, include_prior_dates)
        values = self.client.session.scalars(
            select(XCOMS.c.value).where(*self._conditions(task_id, key)).order_by(XCOMS.c.map_index)
        )
        return generated.XComSequenceSliceResponse(root=list(values))

    def set(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        key: str,
        value: Any,
        map_index: int | None = None,
        *,
        dag_result: bool = False,
        mapped_length: int | None = None,
    ) -> Any:
        session, is_too_long = self.client.session, (mapped_length or 0) > conf.getint("core", "max_map_length")
        if is_too_long or not self._is_of_run(dag_id, run_id):
            return super().set(
                dag_id, run_id, task_id, key, value, map_index, dag_result=dag_result, mapped_length=mapped_length
            )
        instance = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": _index(map_index)}
        if mapped_length is not None and mapped_length >= 0:
            session.merge(TaskMap(**instance, length=mapped_length, keys=None))
            session.flush()
        session.execute(
            delete(XCOMS).where(*self._conditions(task_id, key), XCOMS.c.map_index == instance["map_index"])
        )
        pushed = {"dag_run_id": self.client.run.id, "key": key, "value": value, "dag_result": dag_result}
        session.execute(insert(XCOMS), [instance | pushed | {"timestamp": datetime.now(UTC)}])
        return OK

    def _is_of_run(self, dag_id: str, run_id: str) -> bool:
        return bool((dag_id, run_id) == (self.client.run.dag_id, self.client.run.run_id))

    def _conditions(self, task_id: str, key: str) -> tuple[Any, ...]:
        return XCOMS.c.dag_run_id == self.client.run.id, XCOMS.c.task_id == task_id, XCOMS.c.key == key


class AssetEvents(sdk.AssetEventOperations):  # type: ignore[misc]
    """The calls about asset events, by asset or by alias."""

    def get(
        self,
        name: str | None = None,
        uri: str | None = None,
        alias_name: str | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        ascending: bool = True,
        limit: int | None = None,
    ) -> Any:
        if before or not (name or alias_name):
            return super().get(name, uri, alias_name, after, before, ascending, limit)
        target, condition = AssetEvent.asset, AssetModel.name == name
        if alias_name:
            target, condition = AssetEvent.source_aliases, AssetAliasModel.name == alias_name
        since = AssetEvent.timestamp >= (after or datetime.min.replace(tzinfo=UTC))
        order = AssetEvent.id if ascending else AssetEvent.id.desc()
        events = self.client.session.scalars(
            select(AssetEvent).join(target).where(condition, since).order_by(order).limit(limit)
        )
        return generated.AssetEventsResponse(asset_events=[_build_event(event) for event in events])


class DirectClient(InProcessTestSupervisor._Client):  # type: ignore[misc]
    """One client for all tasks of a replay: call `begin` for each run, and set `instance` before each task."""

    def __init__(self, session: Session) -> None:
        super().__init__(base_url=None, token="", dry_run=True, transport=LazyTransport(session))
        self.base_url = "http://in-process.invalid./"
        self.session = session
        self.run: Any = None
        self.instance: Any = None
        self._log_entries: list[dict[str, Any]] = []

    def begin(self, run: DagRun) -> None:
        """Use this new run for the instances that follow."""
        self.run = run
        context = api.TIRunContext(
            dag_run=run,
            task_reschedule_count=0,
            max_tries=0,
            variables=[],
            connections=[],
            xcom_keys_to_clear=[],
            should_retry=False,
        )
        self.run_context = generated.TIRunContext.model_validate_json(context.model_dump_json(exclude_unset=True))

    def keep_log_entry(self, event: str) -> None:
        """Keep an entry of Airflow's audit log about the instance until `write_log_entries`."""
        entry = {
            "dag_id": self.instance.dag_id,
            "task_id": self.instance.task_id,
            "run_id": self.instance.run_id,
            "map_index": self.instance.map_index,
            "logical_date": self.run.logical_date,
            "owner": self.run.dag.owner,
            "try_number": self.instance.try_number,
            "dttm": datetime.now(UTC),
            "event": event,
            "extra": json.dumps({"host_name": HOSTNAME}),
        }
        self._log_entries.append(entry)

    def write_log_entries(self) -> None:
        """Write the kept entries in the session's transaction."""
        if self._log_entries:
            self.session.execute(insert(LOGS), self._log_entries)
        self._log_entries = []

    @cached_property
    def task_instances(self) -> Any:
        return Tasks(self)

    @cached_property
    def xcoms(self) -> Any:
        return XComs(self)

    @cached_property
    def asset_events(self) -> Any:
        return AssetEvents(self)


def _build_event(event: AssetEvent) -> Any:
    asset, source = event.asset, ("source_task_id", "source_dag_id", "source_run_id", "source_map_index")
    return generated.AssetEventResponse(
        id=event.id,
        timestamp=event.timestamp,
        extra=event.extra,
        asset=generated.AssetResponse(name=asset.name, uri=asset.uri, group=asset.group, extra=asset.extra),
        created_dagruns=[],
        **{name: getattr(event, name) for name in source},
    )


def _index(map_index: int | None) -> int:
    """Return the map index that Airflow's tables have: -1 for a task that is not mapped."""
    return map_index if map_index is not None and map_index >= 0 else -1
