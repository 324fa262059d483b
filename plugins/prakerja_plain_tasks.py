"""Tasks whose arguments are never rendered as templates.

Airflow renders the arguments of tasks as templates, and a template runs code as the worker. Whether it renders values
from XComs depends on how they are passed. Here no argument is rendered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.providers.standard.decorators.sensor import DecoratedSensorOperator
from airflow.sdk.bases.decorator import task_decorator_factory


class PlainSensor(DecoratedSensorOperator):
    """A sensor of a function, mapped over values that are passed as they are."""

    template_fields = ()
    custom_operator_name = "@plain_sensor"


def plain_sensor(**kwargs: Any) -> Callable[..., Any]:
    """Return a decorator like `@task.sensor`, without templates. The function's arguments must be mapped."""
    return task_decorator_factory(multiple_outputs=False, decorated_operator_class=PlainSensor, **kwargs)
