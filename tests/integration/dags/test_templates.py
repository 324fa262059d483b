"""Templates run code as the worker: nothing that an XCom brings, and no name from outside, becomes one."""

from __future__ import annotations

from typing import Any

import pytest

#: Templated fields that are fed by an XCom or a mapped argument, as `dag.task.field`, each with the reason why that is
#: harmless. There is none, and none is needed: pull what is signed (`run_notes`), or compute it.
REASONED: dict[str, str] = {}


def fed_templates(dag: Any) -> list[str]:
    """Return the templated fields of a DAG's tasks that are fed by an XCom or a mapped argument."""
    from airflow.sdk.definitions.xcom_arg import XComArg

    found = []
    for task in dag.tasks:
        if hasattr(task, "partial_kwargs"):  # a mapped one: any argument may be among those that are mapped
            fed = list(task.template_fields)
        else:
            values = {name: getattr(task, name, None) for name in task.template_fields}
            fed = [name for name, value in values.items() if list(XComArg.iter_xcom_references(value))]
        found += [f"{dag.dag_id}.{task.task_id}.{name}" for name in fed]
    return found


def test_no_templated_field_is_fed_by_an_xcom(dags: dict[str, Any]) -> None:
    found = [name for dag in dags.values() for name in fed_templates(dag) if name not in REASONED]
    assert found == [], "make it untemplated (plain_tasks), pull what is signed, or compute it where it is needed"


def test_the_templates_that_are_fed_are_found(dags: dict[str, Any]) -> None:
    """As they were once: mapped over an XCom, and handed over as an argument."""
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
    from airflow.sdk import dag, task

    @task
    def find() -> list[dict[str, Any]]:
        return []

    @task
    def report(found: Any) -> None:
        pass

    @dag(schedule=None)
    def as_before() -> None:
        found = find()
        TriggerDagRunOperator.partial(task_id="repair", trigger_dag_id="x").expand_kwargs(found)
        report(found)

    assert {name.rpartition(".")[0] for name in fed_templates(as_before())} == {"as_before.repair", "as_before.report"}


def test_what_is_asked_and_told_is_no_template(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests have texts of people and of deliveries in them; so have the alerts that tell of them."""
    import prakerja_alerts as alerts
    from prakerja_alerts import Alert
    from prakerja_approval_operator import BatchApprovalOperator

    told: list[dict[str, str]] = []
    monkeypatch.setattr(alerts, "_connection", lambda _: type("It", (), {"conn_type": "http"}))
    monkeypatch.setattr(alerts, "_post", lambda _, what: told.append(what))
    alert = Alert(event="approval", text="because {{ 7 * 7 }}")
    context: Any = {"dag_run": {"dag_id": "x", "run_id": "y"}}
    alert(context)
    assert told[0]["text"] == "because {{ 7 * 7 }}"
    assert not set(BatchApprovalOperator.template_fields)
