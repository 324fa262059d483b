"""The Task SDK's client without HTTP: the execution API's own route functions, called in this process.

`run_task_in_process(client=...)` is Airflow's seam for this, the one that `dag.test()` uses. The calls that every task
makes go straight to the route functions, which makes a replay three times as fast (docs/adr/0006); any other call goes
through Airflow's in-process HTTP API, which is built only then.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
from airflow.api_fastapi.execution_api.datamodels import taskinstance as api
from airflow.api_fastapi.execution_api.routes import task_instances as ti_routes
from airflow.api_fastapi.execution_api.routes import xcoms as xcom_routes
from airflow.models.dagbag import DBDagBag
from airflow.sdk.api import client as sdk
from airflow.sdk.api.datamodels import _generated as generated
from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor
from airflow.utils.session import create_session
from fastapi import HTTPException

TOKEN = SimpleNamespace(claims=SimpleNamespace(scope="execution"))
OK = sdk.OKResponse(ok=True)


class LazyTransport(httpx.BaseTransport):
    """Airflow's in-process HTTP API, built at the first request: that takes seconds, and seldom comes to it."""

    @cached_property
    def _inner(self) -> httpx.BaseTransport:
        from airflow.sdk.execution_time.supervisor import in_process_api_server

        transport: httpx.BaseTransport = in_process_api_server().transport
        return transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._inner.handle_request(request)


class Tasks(sdk.TaskInstanceOperations):  # type: ignore[misc]
    """The task instance calls: start, end, skip."""

    def start(self, id: UUID, pid: int, when: datetime) -> Any:  # noqa: A002 - Airflow's name
        body = api.TIEnterRunningPayload(
            state="running", pid=pid, hostname=sdk.get_hostname(), unixname=sdk.getuser(), start_date=when
        )
        with create_session(scoped=False) as session:
            context = ti_routes.ti_run(id, body, None, session, self.client.dag_bag, None, TOKEN)
            raw = context.model_dump_json(exclude_unset=True)
        return generated.TIRunContext.model_validate_json(raw)

    def succeed(self, id: UUID, when: datetime, task_outlets: Any, outlet_events: Any, rendered_map_index: Any) -> None:  # noqa: A002
        payload = generated.TISuccessStatePayload(
            end_date=when, task_outlets=task_outlets, outlet_events=outlet_events, rendered_map_index=rendered_map_index
        )
        self._set(id, api.TISuccessStatePayload.model_validate_json(payload.model_dump_json()))

    def finish(self, id: UUID, state: Any, when: datetime, rendered_map_index: Any) -> None:  # noqa: A002
        self._set(
            id,
            api.TITerminalStatePayload(
                state=str(getattr(state, "value", state)), end_date=when, rendered_map_index=rendered_map_index
            ),
        )

    def _set(self, id: UUID, body: Any) -> None:  # noqa: A002
        with create_session(scoped=False) as session:
            ti_routes.ti_update_state(id, body, session, self.client.dag_bag)

    def set_rtif(self, id: UUID, body: Any) -> Any:  # noqa: A002, ARG002
        return OK  # a replayed task has no rendered templates: none is used

    def set_rendered_map_index(self, id: UUID, rendered_map_index: Any) -> Any:  # noqa: A002, ARG002
        return OK  # sent again with the final state

    def validate_inlets_and_outlets(self, id: UUID) -> Any:  # noqa: A002, ARG002
        return generated.InactiveAssetsResponse(inactive_assets=[])  # this process has just synced them

    def skip_downstream_tasks(self, id: UUID, msg: Any) -> None:  # noqa: A002
        with create_session(scoped=False) as session:
            ti_routes.ti_skip_downstream(id, api.TISkippedDownstreamTasksStatePayload(tasks=msg.tasks), session)

    def get_count(self, dag_id: str, map_index: int | None = None, *rest: Any, **more: Any) -> Any:
        with create_session(scoped=False) as session:
            count = ti_routes.get_task_instance_count(
                dag_id, session, self.client.dag_bag, _mapped(map_index), *rest, **more
            )
        return sdk.TICount(count=count)


class XComs(sdk.XComOperations):  # type: ignore[misc]
    """What tasks pass on: ids and counts."""

    def get(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        key: str,
        map_index: int | None = None,
        include_prior_dates: bool = False,
    ) -> Any:
        index = _mapped(map_index)
        params = xcom_routes.GetXcomFilterParams(
            map_index=-1 if index is None else index, include_prior_dates=include_prior_dates
        )
        try:
            with create_session(scoped=False) as session:
                found = xcom_routes.get_xcom(dag_id, run_id, task_id, key, session, params)
        except HTTPException as error:
            if error.status_code == httpx.codes.NOT_FOUND:
                return generated.XComResponse(key=key, value=None)
            raise
        return generated.XComResponse(key=key, value=found.value)

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
        index = _mapped(map_index)
        with create_session(scoped=False) as session:
            xcom_routes.set_xcom(
                dag_id,
                run_id,
                task_id,
                key,
                session,
                value,
                -1 if index is None else index,
                dag_result,
                _mapped(mapped_length),
            )
        return OK


class DirectClient(InProcessTestSupervisor._Client):  # type: ignore[misc]
    """One client for all tasks of a replay."""

    def __init__(self) -> None:
        super().__init__(base_url=None, token="", dry_run=True, transport=LazyTransport())
        self.base_url = "http://in-process.invalid./"
        self.dag_bag = DBDagBag()

    @cached_property
    def task_instances(self) -> Any:
        return Tasks(self)

    @cached_property
    def xcoms(self) -> Any:
        return XComs(self)


def _mapped(index: int | None) -> int | None:
    return index if index is not None and index >= 0 else None
