"""A running task: who acts, as the audit log names it, and with which keys."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from airflow.configuration import conf
from airflow.sdk import Variable, get_current_context

from prakerja.settings import acting

#: Settings that are keys. Where a secrets backend is configured, a task takes those that its environment lacks from
#: there: the variable `prakerja_signing_key`, and so on.
KEYS = (
    "PRAKERJA_SIGNING_KEY",
    "PRAKERJA_SIGNING_KEY_NEXT",
    "PRAKERJA_SUBJECT_KEY",
    "PRAKERJA_SUBJECT_KEY_PREVIOUS",
    "PRAKERJA_CONTACT_KEY",
    "PRAKERJA_CONTACT_KEY_PREVIOUS",
    "PRAKERJA_RECEIPTS_SECRET",
)


def act() -> Any:
    """The running task's context; from here on the audit log says that it acts."""
    _take_keys()
    context: Any = get_current_context()
    acting.set(f"{context['run_id']} {context['ti'].task_id}")
    return context


@cache
def _take_keys() -> None:
    if not (conf.get("secrets", "backend", fallback="") or conf.get("workers", "secrets_backend", fallback="")):
        return
    for name in KEYS:
        if name not in os.environ and (value := Variable.get(name.lower(), default=None)):
            os.environ[name] = value  # of this task's own process
