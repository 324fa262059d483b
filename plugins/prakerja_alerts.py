"""Alerts to operators, over Airflow connections. Without a connection, an alert is only logged.

An alert goes to the connection `prakerja_alerts_<event>`, otherwise to `prakerja_alerts`. If the environment has one of
the two, those of Airflow's database are ignored. An SMTP connection has the recipients in its extra
(`{"to": "ops@example.id", "from_email": "airflow@example.id"}`); an HTTP connection gets a POST of JSON, with the
connection's password as bearer token. An alert names DAGs, runs and cohorts, never a person.

A user who may edit connections can only choose among the hosts that `PRAKERJA_MESSAGE_HOSTS` allows, which is set
outside Airflow. A connection of the environment is set outside Airflow, too, and may lead anywhere.
"""

from __future__ import annotations

import asyncio
import html
import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import BaseNotifier, Connection, DeadlineAlert, SyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference
from airflow.sdk.exceptions import AirflowNotFoundException

from prakerja.errors import PrakerjaError
from prakerja.escaping import one_line
from prakerja.reminders import destinations
from prakerja_connections import url_of

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

FAILURE, APPROVAL, LATE, ATTENTION = "failure", "approval", "late", "attention"
TIMEOUT_SECONDS = 10


class Alert(BaseNotifier):
    """Sends an alert. It never raises: an alert that cannot be sent is logged."""

    template_fields = ()  # the text contains names and reasons from outside, and a template runs code

    def __init__(self, *, event: str, text: str = "", context: Context | None = None) -> None:
        super().__init__(context=context)
        self.event, self.text = event, text

    def notify(self, context: Context) -> None:
        """Send the alert over the configured connection."""
        try:
            run = _describe_run(context)
            text = one_line(self.text or _describe_failure(context))
            message = {"event": self.event, **run, "text": text}
            connection = _find_connection(self.event)
            if connection is None:
                log.info("alert not sent (no connection prakerja_alerts): %s %s", self.event, text)
            elif connection.conn_type == "smtp":
                _mail(connection, message)
            else:
                _post(connection, message)
        except PrakerjaError as refused:
            log.error("alert not sent: %s", refused)
        except Exception as error:  # whatever the provider raises: an alert must not fail the task that it is about
            log.error("alert not sent (%s): %s", type(error).__name__, self.event)

    async def async_notify(self, context: Context) -> None:
        await asyncio.to_thread(self.notify, context)


def deadline_alert(after: timedelta, what: str) -> DeadlineAlert:
    """Return the deadline that alerts operators if a run has not ended this long after it was due."""
    callback = SyncCallback(Alert, kwargs={"event": LATE, "text": f"{what} has not ended {after} after it was due"})
    return DeadlineAlert(reference=DueLater(int(after.total_seconds())), interval=timedelta(0), callback=callback)


@dataclass(eq=False)
class DueLater(BaseDeadlineReference):
    """The instant so many seconds after a run was due. A run of the past, by a backfill or a replay, has none."""

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
        """Return the reference as Airflow stores it with the DAG."""
        return {**super().serialize_reference(), "seconds": self.seconds}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> DueLater:
        """Return the reference that Airflow has stored."""
        return cls(int(reference_data["seconds"]))


class AlertsPlugin(AirflowPlugin):
    """Registers the deadline reference, so that every component can deserialize it."""

    name = "prakerja_alerts"
    deadline_references = [DueLater]  # noqa: RUF012 - Airflow's interface


def _describe_run(context: Any) -> dict[str, str]:
    run = context.get("dag_run")
    # The context of a deadline's callback has a mapping, others have an object.
    value = run.get if isinstance(run, dict) else lambda name: getattr(run, name, None)
    dag_id, run_id = str(value("dag_id") or ""), str(value("dag_run_id") or value("run_id") or "")
    base = conf.get("api", "base_url", fallback="") or ""
    return {"dag": dag_id, "run": run_id, "url": f"{base.rstrip('/')}/dags/{dag_id}/runs/{run_id}"}


def _describe_failure(context: Any) -> str:
    """Return a line that names the failed tasks of a run."""
    ti, run = context.get("ti"), _describe_run(context)
    states = ti.get_task_states(run["dag"], run_ids=[run["run"]]) if hasattr(ti, "get_task_states") else {}
    red = sorted(task for tasks in states.values() for task, state in tasks.items() if state == "failed")
    return f"{run['dag']} {run['run']} has failed" + (f": {', '.join(red)}" if red else "")


def _find_connection(event: str) -> Connection | None:
    names = (f"prakerja_alerts_{event}", "prakerja_alerts")
    for name in list(filter(_is_of_environment, names)) or names:
        try:
            return Connection.get(name)
        except (
            AirflowNotFoundException,
            PermissionError,
        ):  # PermissionError: Airflow's answer to a deadline's callback
            continue
    return None


def _is_of_environment(name: str) -> bool:
    """Whether the environment has a connection, which takes precedence over Airflow's database."""
    return bool(os.environ.get(f"AIRFLOW_CONN_{name.upper()}"))


def _destination(connection: Connection, url: str) -> destinations.Destination:
    """Return the destination of a connection. Raise `PrakerjaError` if it is invalid or not allowed."""
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in destinations.PORTS and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise PrakerjaError(f"the connection {connection.conn_id} has no valid host: correct it")
    if parts.hostname and _is_of_environment(str(connection.conn_id)):
        is_plain = str(connection.extra_dejson.get("disable_tls", False)).lower() == "true"
        needs_tls = not (is_plain or destinations.is_loopback(parts.hostname))
        port = parts.port or destinations.PORTS[parts.scheme]
        return destinations.Destination(parts.scheme, parts.hostname, port, needs_tls)
    return destinations.require_allowed(parts, str(connection.conn_id), otherwise="the alert is not sent")


def _mail(connection: Connection, message: dict[str, str]) -> None:
    import smtplib
    import ssl

    destination = _destination(connection, url_of(connection, is_mail=True))
    text, url, run = (html.escape(message[name]) for name in ("text", "url", "run"))
    mail = EmailMessage(policy=SMTP)
    mail["From"] = str(connection.extra_dejson.get("from_email", ""))
    mail["To"] = str(connection.extra_dejson.get("to", ""))
    mail["Subject"] = f"[prakerja] {message['event']}: {message['text'][:120]}"
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="prakerja.invalid")
    mail.set_content(f"{message['text']}\n\n{message['url']}\n")
    mail.add_alternative(f"<p>{text}</p><p><a href='{url}'>{run}</a></p>", subtype="html")
    host, port, tls = destination.host, destination.port, ssl.create_default_context()
    if destination.scheme == "smtps":
        client: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=tls)
    else:
        client = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
    with client:
        if destination.scheme == "smtp" and destination.needs_tls:
            client.starttls(context=tls)
        if connection.login:
            client.login(connection.login, connection.password or "")
        client.send_message(mail)


def _post(connection: Connection, message: dict[str, str]) -> None:
    import httpx

    url = url_of(connection, is_mail=False)
    destination = _destination(connection, url)
    headers = {"Authorization": f"Bearer {connection.password}"} if connection.password else {}
    # Built from the checked parts: another parser might read another host in the URL. No proxy of the environment.
    host = destinations.place(destination.host, destination.port)
    checked_url = f"{destination.scheme}://{host}{urlsplit(url).path}"
    with httpx.Client(trust_env=False, follow_redirects=False, timeout=TIMEOUT_SECONDS) as client:
        client.post(checked_url, json=message, headers=headers).raise_for_status()
