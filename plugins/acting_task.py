"""A running task as the audit log names it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import get_current_context

from prakerja.settings import acting


def act() -> Any:
    """The running task's context; from here on the audit log says that it acts."""
    context: Any = get_current_context()
    acting.set(f"{context['run_id']} {context['ti'].task_id}")
    return context
