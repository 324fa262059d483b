"""What a run came to, in a sentence, as its note.

Tasks compute it from the warehouse and push it as the XCom `outcome`, each as far as the run has come with it; when the
run ends, the last is noted, with the tasks that are red. A task of its own for it would change what a run that fails,
or is ended by a person, ends as; and the scheduler, which writes the note, has no login to the warehouse.

Whoever operates DAGs may write XComs. So each is signed by its task, with a key that Airflow's components share and its
users do not have (`[api] secret_key`): what is not signed, was signed elsewhere, or was taken away, is not told as the
task's. The note is read as Markdown by Airflow, and is escaped for it.
"""

from __future__ import annotations

import hmac
import json
import logging
from typing import Any

from airflow.configuration import conf
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from prakerja.escaping import markdown

log = logging.getLogger(__name__)

#: The key of the XCom, and the tasks that push one whenever they succeed.
OUTCOME = "outcome"
TELLING = {
    "platform_feeds": {"notice_late_truth"},
    "cohort_deadline": {"reconcile", "recheck", "send_reminders", "revoke", "publish_blacklist"},
    "daily_audit": {"find"},
    "late_deliveries": {"take_in"},
    "blacklist_readers": {"sync_list", "react"},
}
BECAUSE = " | "  # after why the audit has made a run


def push_outcome(ti: Any, sentence: str) -> None:
    """Tell what the run has come to with this task."""
    push_signed(ti, OUTCOME, sentence)


def push_signed(ti: Any, key: str, value: Any) -> None:
    """Push a JSON value that nobody but this task can have written. What cannot be signed fails no task."""
    signature = _signature(_origin(ti, key), value, ti.try_number)
    if signature is None:
        log.warning("Airflow's [api] secret_key is not set: %s is not told", key)
        return
    pushed = {"value": value, "try": ti.try_number, "map_index": _origin(ti, key)[3], "signature": signature}
    ti.xcom_push(key, pushed)


def pull_signed(ti: Any, key: str, task_id: str, map_index: int = -1) -> Any:
    """Return what another task of the run has pushed; None where it has not, or somebody else has written it."""
    pulled = ti.xcom_pull(task_ids=task_id, key=key, map_indexes=map_index if map_index >= 0 else None)
    return _verified((ti.dag_id, ti.run_id, task_id, map_index, key), pulled)


def pull_all_signed(ti: Any, key: str, task_id: str) -> list[Any]:
    """Return what the instances of another task of the run have pushed, each once, in the order of their indexes.

    However many there are: how many there should be would be an XCom's word.
    """
    pulled = ti.xcom_pull(task_ids=task_id, key=key)
    found = {}
    for pushed in pulled if isinstance(pulled, list) else [pulled]:
        index = pushed.get("map_index") if isinstance(pushed, dict) else None
        value = _verified((ti.dag_id, ti.run_id, task_id, index, key), pushed) if isinstance(index, int) else None
        if value is not None:
            found[index] = value
    return [found[index] for index in sorted(found)]


class RunNotes:
    """Notes on runs that have ended. What a person has written stays."""

    @hookimpl
    def on_dag_run_success(self, dag_run: Any) -> None:
        """Note a success."""
        _note(dag_run)

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any) -> None:
        """Note a failure."""
        _note(dag_run)


def _note(dag_run: Any) -> None:
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None or (dag_run.dag_run_note and dag_run.dag_run_note.user_id):
        return
    # Within the scheduler's own transaction, which takes no savepoint: it guards against any commit but its own.
    parts = _list_outcomes(dag_run, session)
    red = sorted({ti.task_display_name for ti in dag_run.get_task_instances(["failed"], session=session)})
    if red:
        parts.append(f"red: {', '.join(red)}")
    if parts:
        dag_run.note = f"{_why(dag_run, session)}{'; '.join(parts)}"[:1000]


def _list_outcomes(dag_run: Any, session: Any) -> list[str]:
    """The last outcome that a task has signed, and the tasks whose own is not there."""
    telling = TELLING.get(dag_run.dag_id, set())
    tasks = [ti for ti in dag_run.get_task_instances(session=session) if ti.task_id in telling and ti.map_index == -1]
    pushed = {row.task_id: row.value for row in session.execute(_outcomes(dag_run.dag_id, dag_run.run_id))}
    last, lacking = None, []
    for ti in sorted(tasks, key=lambda ti: (ti.end_date is not None, ti.end_date)):
        sentence = _verified(_origin(ti, OUTCOME), pushed.get(ti.task_id), ti.try_number)
        if sentence is not None:
            last = markdown(str(sentence))
        elif ti.state == "success":
            lacking.append(ti.task_display_name)
    told = [] if last is None else [last]
    return [*told, f"not told by its task: {', '.join(sorted(lacking))}"] if lacking else told


def _why(dag_run: Any, session: Any) -> str:
    """Why the audit has made the run, where the audit itself has told so."""
    from airflow.models.xcom import XComModel

    why = (dag_run.note or "").split(BECAUSE)[0]
    if "__audit-" not in dag_run.run_id or not why:
        return ""
    recent = _outcomes("daily_audit").order_by(XComModel.timestamp.desc()).limit(31)
    for row in session.execute(recent):
        sentence = _verified(("daily_audit", row.run_id, row.task_id, -1, OUTCOME), row.value)
        if sentence is not None and why in markdown(str(sentence)):
            return f"{why}{BECAUSE}"
    return ""


def _outcomes(dag_id: str, run_id: str | None = None) -> Any:
    from airflow.models.xcom import XComModel
    from sqlalchemy import select

    found = select(XComModel.run_id, XComModel.task_id, XComModel.value).where(
        XComModel.dag_id == dag_id, XComModel.key == OUTCOME, XComModel.map_index == -1
    )
    return found if run_id is None else found.where(XComModel.run_id == run_id)


def _origin(ti: Any, key: str) -> tuple[str, str, str, int, str]:
    return ti.dag_id, ti.run_id, ti.task_id, ti.map_index if ti.map_index is not None else -1, key


def _verified(origin: tuple[str, str, str, int, str], pushed: Any, try_number: int | None = None) -> Any:
    """Return the value that was signed there, of this try where one is named; None where it was not."""
    if not isinstance(pushed, dict) or not isinstance(pushed.get("signature"), str):
        return None
    expected = _signature(origin, pushed.get("value"), pushed.get("try"))
    is_its_own = expected is not None and hmac.compare_digest(expected.encode(), pushed["signature"].encode())
    return pushed["value"] if is_its_own and try_number in (None, pushed["try"]) else None


def _signature(origin: tuple[str, str, str, int, str], value: Any, tried: Any) -> str | None:
    secret = conf.get("api", "secret_key", fallback="")
    if not secret:
        return None
    key = hmac.digest(secret.encode(), b"prakerja run notes", "sha256")
    return hmac.new(key, json.dumps([*origin, tried, value], sort_keys=True).encode(), "sha256").hexdigest()


class RunNotesPlugin(AirflowPlugin):
    """Registers the listener."""

    name = "prakerja_run_notes"
    listeners = [RunNotes()]  # noqa: RUF012
