"""Alerts go only to hosts that are allowed outside Airflow, also over connections that a user has edited."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from prakerja.reminders.sms_providers import load_receipt_secrets
from prakerja.sandbox import running

TOLD = {"dag_run": {"dag_id": "batch_approval", "run_id": "a run"}}


def tell(event: str = "approval") -> None:
    from prakerja_alerts import Alert

    Alert(event=event, text="gelombang-12: revoke 2 of 50?")(TOLD)


def test_an_alert_goes_to_no_host_that_airflow_alone_names(
    listener: tuple[int, list[Any]],
    connections: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    port, got = listener
    monkeypatch.setenv("PRAKERJA_MESSAGE_HOSTS", "alerts.example")
    connections["prakerja_alerts_approval"] = {"conn_type": "http", "host": "127.0.0.1", "port": port, "schema": "x"}
    tell()
    assert got == []
    assert f"prakerja_alerts_approval: messages may not go to 127.0.0.1:{port}" in caplog.text
    assert "the alert is not sent" in caplog.text
    monkeypatch.setenv("PRAKERJA_MESSAGE_HOSTS", f"127.0.0.1:{port}")
    tell()
    assert [each["path"] for each in got] == ["/x"]
    assert got[0]["text"] == "gelombang-12: revoke 2 of 50?"


def test_an_alert_follows_no_redirect_and_asks_no_proxy(
    listener: tuple[int, list[Any]], connections: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, got = listener
    monkeypatch.setenv("PRAKERJA_MESSAGE_HOSTS", f"127.0.0.1:{port}, http://alerts.example")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    connections["prakerja_alerts"] = {"conn_type": "http", "host": "127.0.0.1", "port": port, "schema": "elsewhere"}
    tell()
    assert [each["path"] for each in got] == ["/elsewhere"]
    connections["prakerja_alerts"] = {"conn_type": "http", "host": "http://alerts.example"}
    tell()
    assert len(got) == 1, "a proxy of the environment has got it"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1@evil.example", "http://[::1", "", "evil.example:0"])
def test_a_mail_goes_to_no_host_that_airflow_alone_names(
    connections: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    import socket

    asked: list[Any] = []

    def never(address: Any, *_: Any, **__: Any) -> Any:
        asked.append(address)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", never)
    monkeypatch.setenv("PRAKERJA_MESSAGE_HOSTS", "127.0.0.1")
    for kind in ("smtp", "http"):
        connections["prakerja_alerts"] = {"conn_type": kind, "host": host, "extra": '{"to": "ops@example.id"}'}
        tell()
    assert asked == []
    assert caplog.text.count("alert not sent: ") == 2


def test_a_mail_is_sent_to_an_allowed_host(
    connections: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with running.running(tmp_path / "inbox.sqlite", load_receipt_secrets()) as at:
        monkeypatch.setenv("PRAKERJA_MESSAGE_HOSTS", "127.0.0.1")
        connections["prakerja_alerts"] = {
            "conn_type": "smtp", "host": "127.0.0.1", "port": int(at.urls["smtp"].rpartition(":")[2]),
            "extra": '{"disable_ssl": true, "to": "ops@example.id, two@example.id", "from_email": "airflow@x.id"}',
        }  # fmt: skip
        tell()
    with sqlite3.connect(tmp_path / "inbox.sqlite") as inbox:
        ((recipient, subject, text),) = inbox.execute("select recipient, subject, text from messages").fetchall()
    assert recipient == "ops@example.id, two@example.id"
    assert subject == "[prakerja] approval: gelombang-12: revoke 2 of 50?"
    assert "/dags/batch_approval/runs/a run" in text


def test_a_connection_of_the_environment_is_not_shadowed_in_airflow(
    listener: tuple[int, list[Any]], connections: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a user who edits connections could divert the alerts about approvals, by one named for the event."""
    port, got = listener
    monkeypatch.setenv("PRAKERJA_MESSAGE_HOSTS", "alerts.example")  # the environment's own need not be in it
    monkeypatch.setenv("AIRFLOW_CONN_PRAKERJA_ALERTS", "...")
    connections["prakerja_alerts"] = {"conn_type": "http", "host": "127.0.0.1", "port": port, "schema": "ours"}
    connections["prakerja_alerts_approval"] = {**connections["prakerja_alerts"], "schema": "theirs"}
    tell()
    assert [each["path"] for each in got] == ["/ours"]
