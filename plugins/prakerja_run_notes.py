"""The outcome of a run, in a sentence, as its note.

Tasks compute the outcome so far from the warehouse and push it as the XCom `outcome`. When the run ends, a listener
writes the last outcome into the note, with the failed tasks. A separate task for this would change the final state of a
run that fails or that a person ends; and the scheduler, which writes the note, has no login to the warehouse.

A user who operates DAGs may write XComs. Each outcome is therefore signed by its task, with a key that Airflow's
components share and its users do not have (`[api] secret_key`). An outcome that is unsigned, signed elsewhere or
deleted is not reported as the task's. Airflow reads notes as Markdown: the outcome is escaped for it.
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
OUTCOME_TASKS = {
    "platform_feeds": {"notice_late_truth"},
    "cohort_deadline": {"reconcile", "recheck", "send_reminders", "revoke", "publish_blacklist"},
    "daily_audit": {"find"},
    "late_deliveries": {"take_in"},
    "blacklist_readers": {"sync_list", "react"},
}
BECAUSE = " | "  # separates the reason of a run that the audit has triggered from its outcome


def push_outcome(ti: Any, sentence: str) -> None:
    """Push the outcome of the run so far."""
    push_signed(ti, OUTCOME, sentence)


def push_signed(ti: Any, key: str, value: Any) -> None:
    """Push a JSON value with a signature of this task. Without a key, log a warning and push nothing."""
    signature = _signature(_origin(ti, key), value, ti.try_number)
    if signature is None:
        log.warning("Airflow's [api] secret_key is not set: %s is not pushed", key)
        return
    pushed = {"value": value, "try": ti.try_number, "map_index": _origin(ti, key)[3], "signature": signature}
    ti.xcom_push(key, pushed)


def pull_signed(ti: Any, key: str, task_id: str, map_index: int = -1) -> Any:
    """Return what another task of the run has pushed, or None if it has not, or if the signature is not the task's."""
    pulled = ti.xcom_pull(task_ids=task_id, key=key, map_indexes=map_index if map_index >= 0 else None)
    return _verified((ti.dag_id, ti.run_id, task_id, map_index, key), pulled)


def pull_all_signed(ti: Any, key: str, task_id: str) -> list[Any]:
    """Return what the instances of another task of the run have pushed, each once, in the order of their indexes.

    The number of instances is not checked: it would come from an XCom, which can be forged.
    """
    pulled = ti.xcom_pull(task_ids=task_id, key=key)
    by_index = {}
    for pushed in pulled if isinstance(pulled, list) else [pulled]:
        index = pushed.get("map_index") if isinstance(pushed, dict) else None
        value = _verified((ti.dag_id, ti.run_id, task_id, index, key), pushed) if isinstance(index, int) else None
        if value is not None:
            by_index[index] = value
    return [by_index[index] for index in sorted(by_index)]


class RunNotes:
    """Writes the notes of runs that have ended. A note that a person has written stays."""

    @hookimpl
    def on_dag_run_success(self, dag_run: Any) -> None:
        _write_note(dag_run)

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any) -> None:
        _write_note(dag_run)


def _write_note(dag_run: Any) -> None:
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None or (dag_run.dag_run_note and dag_run.dag_run_note.user_id):
        return
    # In the scheduler's own transaction, without a savepoint: the scheduler refuses any commit but its own.
    parts = _describe_outcome(dag_run, session)
    red = sorted({ti.task_display_name for ti in dag_run.get_task_instances(["failed"], session=session)})
    if red:
        parts.append(f"red: {', '.join(red)}")
    if parts:
        dag_run.note = f"{_audit_reason(dag_run, session)}{'; '.join(parts)}"[:1000]


def _describe_outcome(dag_run: Any, session: Any) -> list[str]:
    """Return the last signed outcome, and a remark that names the successful tasks without one of their own."""
    task_ids = OUTCOME_TASKS.get(dag_run.dag_id, set())
    tasks = [ti for ti in dag_run.get_task_instances(session=session) if ti.task_id in task_ids and ti.map_index == -1]
    pushed = {row.task_id: row.value for row in session.execute(_outcomes(dag_run.dag_id, dag_run.run_id))}
    last, silent = None, []
    for ti in sorted(tasks, key=lambda ti: (ti.end_date is not None, ti.end_date)):
        sentence = _verified(_origin(ti, OUTCOME), pushed.get(ti.task_id), ti.try_number)
        if sentence is not None:
            last = markdown(str(sentence))
        elif ti.state == "success":
            silent.append(ti.task_display_name)
    parts = [] if last is None else [last]
    if silent:
        parts.append(f"not reported by its task: {', '.join(sorted(silent))}")
    return parts


def _audit_reason(dag_run: Any, session: Any) -> str:
    """Return why the audit has triggered the run, if an outcome of the audit itself confirms it."""
    from airflow.models.xcom import XComModel

    reason = (dag_run.note or "").split(BECAUSE)[0]
    if "__audit-" not in dag_run.run_id or not reason:
        return ""
    recent = _outcomes("daily_audit").order_by(XComModel.timestamp.desc()).limit(31)
    for row in session.execute(recent):
        sentence = _verified(("daily_audit", row.run_id, row.task_id, -1, OUTCOME), row.value)
        if sentence is not None and reason in markdown(str(sentence)):
            return f"{reason}{BECAUSE}"
    return ""


def _outcomes(dag_id: str, run_id: str | None = None) -> Any:
    from airflow.models.xcom import XComModel
    from sqlalchemy import select

    query = select(XComModel.run_id, XComModel.task_id, XComModel.value).where(
        XComModel.dag_id == dag_id, XComModel.key == OUTCOME, XComModel.map_index == -1
    )
    return query if run_id is None else query.where(XComModel.run_id == run_id)


def _origin(ti: Any, key: str) -> tuple[str, str, str, int, str]:
    return ti.dag_id, ti.run_id, ti.task_id, ti.map_index if ti.map_index is not None else -1, key


def _verified(origin: tuple[str, str, str, int, str], pushed: Any, try_number: int | None = None) -> Any:
    """Return the value if the task of `origin` has signed it, in this try if one is given; otherwise None."""
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
