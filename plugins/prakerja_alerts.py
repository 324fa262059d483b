"""Operators are told what needs them: by the Airflow connections that are configured, and by none where none is.

An event is told over the connection `prakerja_alerts_<event>`, else over `prakerja_alerts`; where the environment has
one of the two, those of Airflow's database are not looked at. Of type SMTP it has the recipients in its extra
(`{"to": "ops@example.id", "from_email": "airflow@example.id"}`); of type HTTP it takes a POST of JSON, with the
connection's password as bearer token. What is told names DAGs, runs and cohorts, never a person.

Whoever may edit connections chooses among the hosts that `PRAKERJA_MESSAGE_HOSTS` allows, outside Airflow; a connection
of the environment is set outside it, too.
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
    """Tells an event. It never fails whoever calls it: what cannot be told is in the log."""

    template_fields = ()  # its text has names and reasons from outside, and a template runs code

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
        except PrakerjaError as refused:
            log.error("an alert could not be told: %s", refused)
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

    name = "prakerja_alerts"
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
    names = (f"prakerja_alerts_{event}", "prakerja_alerts")
    for name in list(filter(_is_of_environment, names)) or names:
        try:
            return Connection.get(name)
        except (AirflowNotFoundException, PermissionError):  # the latter: what Airflow tells a deadline's callback
            continue
    return None


def _is_of_environment(name: str) -> bool:
    """Whether a connection is set outside Airflow, and comes before any of that name in its database."""
    return bool(os.environ.get(f"AIRFLOW_CONN_{name.upper()}"))


def _destination(connection: Connection, url: str) -> destinations.Destination:
    """Return where a connection leads. Raises `PrakerjaError` where that is not allowed, or is no host."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in destinations.PORTS and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise PrakerjaError(f"the connection {connection.conn_id} names no host: correct it")
    if parts.hostname and _is_of_environment(str(connection.conn_id)):
        is_plain = str(connection.extra_dejson.get("disable_tls", False)).lower() == "true"
        needs_tls = not (is_plain or destinations.is_loopback(parts.hostname))
        port = parts.port or destinations.PORTS[parts.scheme]
        return destinations.Destination(parts.scheme, parts.hostname, port, needs_tls)
    return destinations.require_allowed(parts, str(connection.conn_id), otherwise="nobody is told")


def _mail(connection: Connection, told: dict[str, str]) -> None:
    import smtplib
    import ssl

    at = _destination(connection, url_of(connection, is_mail=True))
    text, url, run = (html.escape(told[name]) for name in ("text", "url", "run"))
    mail = EmailMessage(policy=SMTP)
    mail["From"] = str(connection.extra_dejson.get("from_email", ""))
    mail["To"] = str(connection.extra_dejson.get("to", ""))
    mail["Subject"] = f"[prakerja] {told['event']}: {told['text'][:120]}"
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="prakerja.invalid")
    mail.set_content(f"{told['text']}\n\n{told['url']}\n")
    mail.add_alternative(f"<p>{text}</p><p><a href='{url}'>{run}</a></p>", subtype="html")
    secured = ssl.create_default_context()
    if at.scheme == "smtps":
        client: smtplib.SMTP = smtplib.SMTP_SSL(at.host, at.port, timeout=TIMEOUT_SECONDS, context=secured)
    else:
        client = smtplib.SMTP(at.host, at.port, timeout=TIMEOUT_SECONDS)
    with client:
        if at.scheme == "smtp" and at.needs_tls:
            client.starttls(context=secured)
        if connection.login:
            client.login(connection.login, connection.password or "")
        client.send_message(mail)


def _post(connection: Connection, told: dict[str, str]) -> None:
    import httpx

    url = url_of(connection, is_mail=False)
    at = _destination(connection, url)
    headers = {"Authorization": f"Bearer {connection.password}"} if connection.password else {}
    # Of what was checked: no other parser of the URL may read another host in it. And no proxy of the environment's.
    place = f"{at.scheme}://{destinations.place(at.host, at.port)}{urlsplit(url).path}"
    with httpx.Client(trust_env=False, follow_redirects=False, timeout=TIMEOUT_SECONDS) as client:
        client.post(place, json=told, headers=headers).raise_for_status()
