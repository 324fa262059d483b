"""The DAGs: exactly these, with these edges and policies."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prakerja.calendar import calendar
from prakerja.settings import PROJECT

TAGS = {"prakerja", "feeds", "deadlines", "blacklist"}

EDGES = {
    "platform_feeds": {
        "take_in_rosters": {"list_platforms", "all_is_in"},
        "list_platforms": {"take_in"},
        "take_in": {"tell_of_feeds", "refresh_standing", "all_is_in"},
        "tell_of_feeds": {"all_is_in"},
        "refresh_standing": {"notice_late_truth"},
        "notice_late_truth": {"all_is_in"},
        "all_is_in": set(),
        "close_reminders": set(),
    },
    "cohort_deadline": {
        "await_feeds": {"reconcile"},
        "reconcile": {"recheck"},
        "recheck": {"choose"},
        "choose": {
            "send_reminders",
            "reminder_date_is_over",
            "rehearsal_is_over",
            "cohort_has_no_roster",
            "ask_approval",
            "approve_revocation",
            "nobody_is_overdue",
            "cohort_was_decided",
        },
        "send_reminders": set(),
        "reminder_date_is_over": set(),
        "rehearsal_is_over": set(),
        "cohort_has_no_roster": set(),
        "ask_approval": {"approve_revocation"},
        "approve_revocation": {"revoke"},
        "revoke": {"publish_blacklist"},
        "nobody_is_overdue": {"publish_blacklist"},
        "cohort_was_decided": {"publish_blacklist"},
        "publish_blacklist": set(),
    },
    "batch_approval": {
        "ask_approval": {"carry_out"},
        "carry_out": set(),
    },
    "daily_audit": {
        "ask": set(),
        "find": {"repair"},
        "repair": {"report"},
        "recheck": {"report"},
        "report": set(),
    },
    "late_deliveries": {
        "take_in": {"go_on"},
        "go_on": set(),
    },
    "blacklist_readers": {
        "await_list": {"sync_list"},
        "sync_list": {"react"},
        "react": set(),
    },
}


def test_exactly_these_dags_with_these_edges(dags: dict[str, Any]) -> None:
    found = {name: {task.task_id: set(task.downstream_task_ids) for task in dag.tasks} for name, dag in dags.items()}
    assert found == EDGES


def test_dags_have_names_and_documentation(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert dag.dag_display_name != dag.dag_id
        for task in dag.tasks:
            assert task.task_display_name != task.task_id, task.task_id


def test_policies(dags: dict[str, Any]) -> None:
    assert [name for name, dag in dags.items() if dag.catchup] == ["cohort_deadline"]
    assert {name: dag.max_active_runs for name, dag in dags.items() if dag.max_active_runs > 1} == {
        "cohort_deadline": 32,
        "batch_approval": dags["batch_approval"].max_active_runs,
    }
    for name, dag in dags.items():
        assert (PROJECT / "dags" / f"{name}.py").is_file(), "a DAG's file is called what the DAG is"
        assert (PROJECT / "docs" / "runbooks" / f"{name}.md").is_file(), "every DAG has a runbook"
        assert dag.doc_md
        assert dag.tags <= TAGS
        assert "prakerja" in dag.tags
        assert dag.start_date.date() < min(cohort.announced_on for cohort in calendar().values())
        for task in dag.tasks:
            assert task.retries == 3, task.task_id
            assert task.retry_delay == timedelta(minutes=5)
            assert task.retry_policy is not None


@pytest.mark.parametrize(
    ("error", "action"),
    [
        ("prakerja.landing.RejectedError", "fail"),
        ("airflow.providers.standard.exceptions.HITLRejectException", "fail"),
        ("prakerja.tasks.feeds.IncompleteIntakeError", "fail"),
        ("prakerja.revocations.decision.BlockedError", "fail"),
        ("prakerja.warehouse.UnavailableError", "retry"),
        ("prakerja.landing.StorageError", "retry"),
        ("prakerja.reminders.channels.UnreachableError", "retry"),
        ("prakerja.reminders.channels.ProviderRefusesError", "fail"),
        ("prakerja.reminders.sending.PartialError", "fail"),
        ("prakerja_blacklist.reader.sources.UnreachableError", "retry"),
        ("prakerja_blacklist.format.keyring.UntrustedError", "fail"),
        ("prakerja.blacklist.publisher.pending.OutOfBoundsError", "fail"),
    ],
)
def test_a_broken_contract_fails_at_once_and_a_lost_connection_is_tried_again(
    dags: dict[str, Any], error: str, action: str
) -> None:
    import importlib

    from prakerja_task_policy import DEFAULT_ARGS

    module, name = error.rsplit(".", 1)
    kind = getattr(importlib.import_module(module), name)
    raised = kind("reason", "detail") if name == "RejectedError" else kind(["told"])
    decision = DEFAULT_ARGS["retry_policy"].evaluate(raised, try_number=1, max_tries=3)
    assert decision.action.value == action


def test_no_answer_in_time_is_a_rejection_and_red(dags: dict[str, Any]) -> None:
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    ask = dags["cohort_deadline"].get_task("ask_approval")
    assert isinstance(ask, ApprovalOperator)
    assert ask.defaults is None, "nobody's silence is an answer"
    assert ask.fail_on_reject is True
    assert ask.patience == timedelta(hours=24)
    assert ask.execution_timeout is None
    assert [notifier.event for notifier in ask.notifiers] == ["approval"]


@pytest.mark.parametrize("before", ["PRAKERJA_APPROVERS", "PRAKERJA_CASE_WORKERS"])
def test_settings_of_earlier_versions_stop_the_dags_that_ask(
    dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv(before, "siti, budi")
    errors = DagBag(str(PROJECT / "dags")).import_errors
    assert {Path(file).stem for file in errors} == {"cohort_deadline", "batch_approval"}
    assert all(f"{before} is not read any more: name a list of people in PRAKERJA_PEOPLE" in e for e in errors.values())


def test_sensors_give_their_slot_back(dags: dict[str, Any]) -> None:
    assert dags["cohort_deadline"].get_task("await_feeds").mode == "reschedule"
    assert dags["platform_feeds"].get_task("take_in").partial_kwargs["mode"] == "reschedule"


def test_a_calendar_that_is_not_yaml_is_one_clear_import_error(
    dags: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "calendar.yaml").write_text("cohorts: [")
    monkeypatch.setenv("PRAKERJA_CALENDAR", str(tmp_path / "calendar.yaml"))
    bag = DagBag(str(PROJECT / "dags"))
    (error,) = bag.import_errors.values()
    assert "is not YAML at line 1: correct it" in error


def test_an_entry_that_cannot_be_read_is_an_import_error_and_stops_no_other_cohort(
    dags: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import error is of a file that has no DAG: Airflow schedules no DAG of a file with an import error."""
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "calendar.yaml").write_text(
        "cohorts:\n- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-02-30}\n"
        "- {cohort: 13, announced_on: 2021-03-10, deadline_on: 2021-04-08}\n"
    )
    monkeypatch.setenv("PRAKERJA_CALENDAR", str(tmp_path / "calendar.yaml"))
    bag = DagBag(str(PROJECT / "dags"))
    ((file, error),) = bag.import_errors.items()
    assert Path(file).name == "cohort_calendar.py"
    told = 'calendar.yaml, entry 1 (cohort 12): `deadline_on` is "2021-02-30", not a date'
    assert told in error
    assert set(bag.dags) == set(dags)
    deadline = bag.dags["cohort_deadline"]
    assert {event.cohort for event in deadline.timetable.events} == {13}
    assert deadline.params.get_param("cohort").schema["enum"] == [None, 13]
    first = deadline.doc_md.strip().splitlines()[0]
    assert first.startswith("**Nothing is decided for this cohort:**")
    assert "2021-02-30" in first


def test_each_finding_that_needs_a_person_is_an_alert(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from prakerja.errors import PrakerjaError

    told: list[dict[str, str]] = []
    report = dags["daily_audit"].get_task("report").python_callable
    alerts = report.__globals__["Alert"].notify.__globals__  # Airflow's plugin manager may have imported another
    monkeypatch.setitem(alerts, "_find_connection", lambda event: SimpleNamespace(conn_type="http", event=event))
    monkeypatch.setitem(alerts, "_post", lambda _, alert: told.append(alert))
    run = SimpleNamespace(dag_id="daily_audit", run_id="scheduled__2021-03-15")
    lines = ["gelombang-13 has no roster, and its deadline is in 1 day", "gelombang-12 is not in the calendar"]
    found = [{"kind": "x", "text": line, "repair": None} for line in lines]
    mended = {"kind": "no_run", "text": "mended by a run", "repair": {"trigger_run_id": "x"}}
    monkeypatch.setitem(
        report.__globals__, "pull_signed", lambda _, __, task: [*found, mended] if task == "find" else []
    )
    with pytest.raises(PrakerjaError, match="gelombang-13 has no roster"):
        report(ti=None, dag_run=run)
    assert [(alert["event"], alert["text"]) for alert in told] == [("attention", line) for line in lines]
    assert {(alert["dag"], alert["run"]) for alert in told} == {("daily_audit", "scheduled__2021-03-15")}
    monkeypatch.setitem(report.__globals__, "pull_signed", lambda _, __, task: [mended] if task == "find" else [])
    report(ti=None, dag_run=run)
    assert len(told) == 2


@pytest.mark.parametrize(
    ("uri", "is_mail", "url"),
    [
        ("http://:to%2Fken@sms.example:8095/https", False, "https://:to%2Fken@sms.example:8095"),
        ("http://:token@sms.example/", False, "http://:token@sms.example"),
        ("https://:token@sms.example/sms/v1", False, "https://:token@sms.example/sms/v1"),
        ('{"conn_type": "http", "host": "sms.example", "schema": "https"}', False, "https://sms.example"),
        ('{"conn_type": "http", "host": "http://127.0.0.1/sms/first", "port": 80, "password": "t"}', False,
         "http://:t@127.0.0.1:80/sms/first"),
        ("smtp://anna:se%40cret@mail.example:465", True, "smtps://anna:se%40cret@mail.example:465"),
        ("smtp://mail.example:25?disable_ssl=true", True, "smtp://mail.example:25"),
    ],
)  # fmt: skip
def test_connections_become_the_urls_that_channels_take(
    dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, uri: str, is_mail: bool, url: str
) -> None:
    from airflow.sdk import Connection

    from prakerja_connections import gateways, url_of

    connection = (
        Connection.from_json(uri, "prakerja_x") if uri.startswith("{") else Connection.from_uri(uri, "prakerja_x")
    )
    assert url_of(connection, is_mail=is_mail) == url
    assert gateways() == ("sms", "sms_fallback", "smtp")
