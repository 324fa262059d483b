"""What happens to a task that fails: a breach of contract fails at once, a lost connection is tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from prakerja.programme import programme
from prakerja.settings import Settings

programme()  # rules that do not fit are an error of every DAG, seen before any run

#: Default arguments of every DAG's tasks. The first rule that fits counts.
DEFAULT_ARGS: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=Settings.from_environment().retry_seconds),
    "retry_policy": ExceptionRetryPolicy(
        rules=[
            RetryRule(
                exception="prakerja.errors.TransientError",
                action=RetryAction.RETRY,
                reason="what gave way may come back, and nothing is done twice",
            ),
            RetryRule(
                exception="prakerja.errors.PrakerjaError",
                action=RetryAction.FAIL,
                reason="what breaks a rule does not heal by itself",
            ),
            RetryRule(
                exception="airflow.providers.standard.exceptions.HITLRejectException",
                action=RetryAction.FAIL,
                reason="who rejects, or does not answer, is not asked again",
            ),
        ]
    ),
}
