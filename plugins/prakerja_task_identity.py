"""The identity of a running task: its name in the audit log, and its keys."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from airflow.configuration import conf
from airflow.sdk import get_current_context
from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

from prakerja.acting import acting
from prakerja.errors import TransientError
from prakerja.settings import Settings, key_variables

#: Settings that are keys. If a secrets backend is configured, a task takes those that it is not given from
#: the backend: the variable `prakerja_signing_key`, and so on.
KEYS = tuple(key_variables())


def assume_task_identity() -> Any:
    """Load the keys of the running task, set it as the actor in the audit log, and return its context."""
    _load_keys()
    context: Any = get_current_context()
    acting.set(f"{context['run_id']} {context['ti'].task_id}")
    return context


@cache
def _load_keys() -> None:
    """Set keys from the secrets backend only: a user who operates DAGs may set variables in Airflow's own database."""
    backend = conf.get("workers", "secrets_backend", fallback="") or conf.get("secrets", "backend", fallback="")
    if not backend:
        return
    settings = Settings.from_environment()
    for candidate in ensure_secrets_backend_loaded():
        if f"{type(candidate).__module__}.{type(candidate).__name__}" != backend:
            continue
        for name in KEYS:
            if settings.find(name):
                continue
            try:
                value = candidate.get_variable(key=name.lower())
            except Exception as error:  # whatever its client raises
                raise TransientError(f"Airflow's secrets backend does not answer ({type(error).__name__})") from None
            if value:
                os.environ[name] = value  # the environment of this task's own process
