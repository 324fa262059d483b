"""Operators are told what needs them: by the Airflow connections that are configured, and by none where none is.

An event is told over the connection `prakerja_alerts_<event>`, else over `prakerja_alerts`. Of type SMTP it has the
recipients in its extra (`{"to": "ops@example.id", "from_email": "airflow@example.id"}`); of type HTTP it takes a POST
of JSON, with the connection's password as bearer token. What is told names DAGs, runs and cohorts, never a person.
"""

from __future__ import annotations

import asyncio
import html
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import make_msgid
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import BaseNotifier, Connection, DeadlineAlert, SyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference
from airflow.sdk.exceptions import AirflowNotFoundException

from prakerja.escaping import one_line

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

FAILURE, APPROVAL, LATE, ATTENTION = "failure", "approval", "late", "attention"
TIMEOUT_SECONDS = 10


class Alert(BaseNotifier):
    """Tells an event. It never fails whoever calls it: what cannot be told is in the log."""

    template_fields = ("text",)

    def __init__(self, *, event: str, text: str = "", context: Context | None = None) -> None:
        super().__init__(context=context)
        self.event, self.text = event, text

    def notify(self, context: Context) -> None:
        """Tell it, over the connection that is configured."""
        try:
            run = _run_of(context)
            text = one_line(self.text or _failure(context))
            told = {"event": self.event, **run, "text": text}
            connection = _connection(self.event)
            if connection is None:
                log.info("nobody is told (no connection prakerja_alerts): %s %s", self.event, text)
            elif connection.conn_type == "smtp":
                _mail(connection, told)
            else:
                _post(connection, told)
        except Exception as error:  # whatever the provider does: an alert must not break what it tells of
            log.error("an alert could not be told (%s): %s", type(error).__name__, self.event)

    async def async_notify(self, context: Context) -> None:
        """As `notify`."""
        await asyncio.to_thread(self.notify, context)


def deadline_alert(after: timedelta, what: str) -> DeadlineAlert:
    """Tell operators where a run is not done so long after it was due."""
    callback = SyncCallback(Alert, kwargs={"event": LATE, "text": f"{what} is not done {after} after it was due"})
    return DeadlineAlert(reference=DueLater(int(after.total_seconds())), interval=timedelta(0), callback=callback)


@dataclass(eq=False)
class DueLater(BaseDeadlineReference):
    """So many seconds after a run was due; none for a run of the past, which a backfill or a replay makes."""

    seconds: int = 0
    required_kwargs = {"dag_id", "run_id"}  # noqa: RUF012 - Airflow's interface

    def _evaluate_with(self, *, session: Any, dag_id: str, run_id: str, **_: Any) -> datetime | None:
        from airflow.models import DagRun
        from sqlalchemy import select

        due_at = session.scalar(select(DagRun.run_after).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
        if due_at is None:
            return None
        late_at: datetime = due_at + timedelta(seconds=self.seconds)
        return late_at if late_at > datetime.now(UTC) else None

    def serialize_reference(self) -> dict[str, Any]:
        """As Airflow keeps it with the DAG."""
        return {**super().serialize_reference(), "seconds": self.seconds}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> DueLater:
        """Read it back."""
        return cls(int(reference_data["seconds"]))


class AlertsPlugin(AirflowPlugin):
    """Registers the reference, so that every component can read it back."""

    name = "alerts"
    deadline_references = [DueLater]  # noqa: RUF012 - Airflow's interface


def _run_of(context: Any) -> dict[str, str]:
    run = context.get("dag_run")
    # A deadline's callback gets a mapping, others an object.
    value = run.get if isinstance(run, dict) else lambda name: getattr(run, name, None)
    dag_id, run_id = str(value("dag_id") or ""), str(value("dag_run_id") or value("run_id") or "")
    base = conf.get("api", "base_url", fallback="") or ""
    return {"dag": dag_id, "run": run_id, "url": f"{base.rstrip('/')}/dags/{dag_id}/runs/{run_id}"}


def _failure(context: Any) -> str:
    """Which tasks are red, by their names."""
    ti, run = context.get("ti"), _run_of(context)
    states = ti.get_task_states(run["dag"], run_ids=[run["run"]]) if hasattr(ti, "get_task_states") else {}
    red = sorted(task for tasks in states.values() for task, state in tasks.items() if state == "failed")
    return f"{run['dag']} {run['run']} has failed" + (f": {', '.join(red)}" if red else "")


def _connection(event: str) -> Connection | None:
    for name in (f"prakerja_alerts_{event}", "prakerja_alerts"):
        try:
            return Connection.get(name)
        except (AirflowNotFoundException, PermissionError):  # the latter: what Airflow tells a deadline's callback
            continue
    return None


def _mail(connection: Connection, told: dict[str, str]) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    to = [each.strip() for each in str(connection.extra_dejson.get("to", "")).split(",") if each.strip()]
    text, url, run = (html.escape(told[name]) for name in ("text", "url", "run"))
    body = f"<p>{text}</p><p><a href='{url}'>{run}</a></p>"
    with SmtpHook(smtp_conn_id=connection.conn_id) as hook:
        hook.send_email_smtp(
            to=to,
            subject=f"[prakerja] {told['event']}: {told['text'][:120]}",
            html_content=body,
            custom_headers={"Message-ID": make_msgid(domain="prakerja.invalid")},
        )


def _post(connection: Connection, told: dict[str, str]) -> None:
    import httpx

    headers = {"Authorization": f"Bearer {connection.password}"} if connection.password else {}
    port = f":{connection.port}" if connection.port else ""
    scheme = connection.conn_type if connection.conn_type in ("http", "https") else "https"
    host, path = connection.host or "", f"/{connection.schema}" if connection.schema else ""
    httpx.post(f"{scheme}://{host}{port}{path}", json=told, headers=headers, timeout=TIMEOUT_SECONDS).raise_for_status()
