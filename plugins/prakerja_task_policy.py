"""The retry policy of tasks: a broken rule fails at once, a temporary failure is retried."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from prakerja.programme import programme
from prakerja.settings import Settings

programme()  # invalid rules are an import error of every DAG, seen before any run

#: The default arguments of every DAG's tasks. The first retry rule that matches applies.
DEFAULT_ARGS: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=Settings.from_environment().retry_seconds),
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule(
                exception="prakerja.errors.TransientError",
                action=RetryAction.RETRY,
                reason="the failure may be temporary, and a retry does nothing twice",
            ),
            RetryRule(
                exception="prakerja.errors.PrakerjaError",
                action=RetryAction.FAIL,
                reason="a retry does not help against a broken rule",
            ),
            RetryRule(
                exception="airflow.providers.standard.exceptions.HITLRejectException",
                action=RetryAction.FAIL,
                reason="people who reject or do not answer are not asked again",
            ),
        ]
    ),
}
