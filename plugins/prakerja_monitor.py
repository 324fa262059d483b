"""The monitor within Airflow: the rights of its viewers by the auth manager, and runs from Airflow's metadata.

A user who may read `cohort_deadline` sees sums; one who may start its runs sees rows, masked. A person's story needs
the auth manager's view `Prakerja people` and the right `look` in the list of people, because the simple auth manager
grants every view.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from prakerja.errors import PrakerjaError
from prakerja.people import load_people
from prakerja.run_context import RUN_ID

if TYPE_CHECKING:
    from prakerja.monitor.app import Run

DEADLINES, FEEDS = "cohort_deadline", "platform_feeds"
PEOPLE = "Prakerja people"
URL = "/prakerja"


class AirflowRuns:
    """Runs from Airflow's metadata (`prakerja.monitor.app.Orchestrator`)."""

    def list_runs(self, cohort: int) -> list[Run]:
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import or_, select
        from sqlalchemy.orm import selectinload

        from prakerja.calendar import calendar
        from prakerja.monitor.app import Run

        dates = [event.logical_date for event in calendar()[cohort].events()]  # a backfill chooses its own run ids
        is_of_cohort = or_(
            DagRun.run_id.startswith(f"gelombang-{cohort}__", autoescape=True), DagRun.logical_date.in_(dates)
        )
        query = (
            select(DagRun)
            .where(DagRun.dag_id == DEADLINES, is_of_cohort)
            .order_by(DagRun.run_after.desc())
            .options(selectinload(DagRun.dag_run_note))
        )
        with create_session() as session:
            return [
                Run(run.run_id, _path(DEADLINES, run.run_id), str(run.state), run.note, run.start_date)
                for run in session.scalars(query)
            ]

    def find_cohort(self, dag_id: str, run_id: str) -> int | None:
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import select

        from prakerja.calendar import calendar

        if dag_id != DEADLINES:
            return None
        query = select(DagRun.logical_date, DagRun.conf).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        with create_session() as session:
            row = session.execute(query).first()
        named = RUN_ID.search(run_id)
        if named or row is None:
            return int(named["cohort"]) if named else None
        by_date = {event.logical_date: event.cohort for cohort in calendar().values() for event in cohort.events()}
        return by_date.get(row.logical_date) or (row.conf or {}).get("cohort")

    def find_intake_log(self, platform: str, recorded_at: datetime) -> str | None:
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import or_, select

        # Of two tasks at that instant, the one that ended first: the other was waiting for the day's delivery.
        query = (
            select(TaskInstance.run_id, TaskInstance.map_index)
            .where(
                TaskInstance.dag_id == FEEDS,
                TaskInstance.task_id == "take_in",
                TaskInstance.rendered_map_index == platform,
                TaskInstance.start_date <= recorded_at,
                or_(TaskInstance.end_date.is_(None), TaskInstance.end_date >= recorded_at),
            )
            .order_by(TaskInstance.end_date)
        )
        with create_session() as session:
            row = session.execute(query).first()
        return f"{_path(FEEDS, row.run_id)}/tasks/take_in/mapped/{row.map_index}" if row else None


def _path(dag_id: str, run_id: str) -> str:
    from urllib.parse import quote

    return f"dags/{dag_id}/runs/{quote(run_id)}"


def _may_look(login: str) -> bool:
    """Whether the list of people gives an Airflow user the right to see a person's story."""
    try:
        load_people().find_by_airflow_login(login, "look")
    except PrakerjaError:
        return False
    return True


@cache
def _application() -> Any:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
    from airflow.api_fastapi.core_api.security import GetUserDep
    from fastapi import HTTPException

    from prakerja.monitor import app

    details = DagDetails(id=DEADLINES)

    # The annotation of `user` is set below: as a string it could not be resolved, since it is a name of this function.
    def viewer(user) -> app.Viewer:
        manager = get_auth_manager()
        if not manager.is_authorized_dag(method="GET", details=details, user=user):
            raise HTTPException(403, f"You have no right to read {DEADLINES}: ask an administrator of this Airflow.")
        sees_rows = manager.is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=details, user=user
        )
        is_named = _may_look(user.get_id())
        may_see = manager.is_authorized_custom_view(method="GET", resource_name=PEOPLE, user=user)
        return app.Viewer(user.get_name(), sees_rows, sees_rows and may_see and is_named)

    viewer.__annotations__["user"] = GetUserDep
    return app.application(viewer, AirflowRuns())


async def monitor(scope: Any, receive: Any, send: Any) -> None:
    """Serve the application. It is built at the first request: every process of Airflow's imports this file."""
    await _application()(scope, receive, send)


def _root() -> str:
    from urllib.parse import urlsplit

    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")


class MonitorPlugin(AirflowPlugin):
    """Mounts the pages, and links them in the navigation and as a tab of runs and tasks."""

    name = "prakerja_monitor"
    fastapi_apps = [{"app": monitor, "url_prefix": URL, "name": "Prakerja monitor"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "Prakerja",
            "href": f"{_root()}{URL}/",
            "destination": "nav",
            "url_route": "prakerja",
            "nav_top_level": True,
        },
        *(
            {
                "name": "Monitor",
                "href": f"{_root()}{URL}/runs/{{DAG_ID}}/{{RUN_ID}}",
                "destination": where,
                "url_route": f"prakerja_{where}",
            }
            for where in ("dag_run", "task_instance")
        ),
    ]
