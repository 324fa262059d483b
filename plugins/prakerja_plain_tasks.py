"""Tasks whose arguments are data: what an XCom brings is never rendered as a template.

Airflow renders the arguments of tasks as templates, and a template runs code as the worker. Whether it leaves those
alone that came by an XCom depends on how they came; here none is rendered, however it came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.providers.standard.decorators.sensor import DecoratedSensorOperator
from airflow.sdk.bases.decorator import task_decorator_factory


class PlainSensor(DecoratedSensorOperator):
    """A sensor over a function, mapped over values that are passed on as they are."""

    template_fields = ()
    custom_operator_name = "@plain_sensor"


def plain_sensor(**kwargs: Any) -> Callable[..., Any]:
    """Make a function a sensor, as `@task.sensor` does, without templates. Its arguments must be mapped ones."""
    return task_decorator_factory(multiple_outputs=False, decorated_operator_class=PlainSensor, **kwargs)
