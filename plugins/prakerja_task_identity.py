"""A running task: who acts, as the audit log names it, and with which keys."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from airflow.configuration import conf
from airflow.sdk import get_current_context
from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

from prakerja.acting import acting
from prakerja.errors import TransientError
from prakerja.settings import key_variables

#: Settings that are keys. Where a secrets backend is configured, a task takes those that its environment lacks from
#: there: the variable `prakerja_signing_key`, and so on.
KEYS = tuple(key_variables())


def assume_task_identity() -> Any:
    """Take the keys of the running task, name it as the actor in the audit log, and return its context."""
    _take_keys()
    context: Any = get_current_context()
    acting.set(f"{context['run_id']} {context['ti'].task_id}")
    return context


@cache
def _take_keys() -> None:
    """From the backend alone: the variables of Airflow's own database may be set by whoever operates DAGs."""
    backend = conf.get("workers", "secrets_backend", fallback="") or conf.get("secrets", "backend", fallback="")
    if not backend:
        return
    for each in ensure_secrets_backend_loaded():
        if f"{type(each).__module__}.{type(each).__name__}" != backend:
            continue
        for name in KEYS:
            if os.environ.get(name):
                continue
            try:
                value = each.get_variable(key=name.lower())
            except Exception as error:  # whatever its client raises
                raise TransientError(f"Airflow's secrets backend does not answer ({type(error).__name__})") from None
            if value:
                os.environ[name] = value  # of this task's own process
