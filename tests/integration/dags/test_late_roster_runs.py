"""The DAGs' tasks when a roster comes after its reminder's run: one run more, of that day, and nothing else."""

from __future__ import annotations

import datetime as real
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prakerja.settings import WIB
from tests.support.landing_zone import deliver_roster, roster_line
from tests.support.tried_run import Tried

OWN = "gelombang-12__H-7__2021-03-06"
REPAIR = f"{OWN}__audit-2021-03-06"
NINE, TEN_PAST = (real.datetime(2021, 3, 6, 9, minute, tzinfo=WIB) for minute in (0, 10))


def at(monkeypatch: pytest.MonkeyPatch, run: Tried, now: real.datetime) -> Tried:
    """Let the DAG's tasks believe that it is another instant."""

    class Clock(real.datetime):
        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> Any:
            return now.astimezone(tz)

    for task in run.dag.tasks:
        if hasattr(task, "python_callable"):
            monkeypatch.setitem(task.python_callable.__globals__, "datetime", Clock)
    return run


def runs(tried: Tried) -> dict[str, Any]:
    from airflow.models.dagrun import DagRun

    found = tried.session.query(DagRun).filter_by(dag_id="cohort_deadline").all()
    return {run.run_id: (run.state, run.conf) for run in found}


def test_a_roster_that_comes_after_the_run_gets_one_run_more(
    tried: Callable[..., Tried], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = at(monkeypatch, tried("cohort_deadline", OWN), NINE)
    own.run.logical_date = NINE.replace(microsecond=12)
    own.session.commit()
    own.drive()
    assert own.states("choose") == ["success"]
    assert own.states("send_reminders") == ["skipped"]
    own.run.state = "success"  # as the scheduler finds, once its last task has ended
    own.session.commit()

    deliver_roster(home / "landing", 12, [roster_line(1)], "2021-03-05", "2021-03-13")
    for _ in range(2):
        look = at(monkeypatch, tried("late_deliveries", "look"), TEN_PAST)
        look.unpause("cohort_deadline")
        look.drive()
        assert look.states("go_on") == ["success"]
        assert set(runs(look)) == {OWN, REPAIR}
    assert runs(look)[REPAIR] == ("queued", {"cohort": 12, "kind": "H-7"})
    assert "roster of gelombang-12: 1 taken in" not in (look.note() or ""), "the first look has taken it in"


def test_a_paused_dag_is_named_when_somebody_is_due(
    tried: Callable[..., Tried], home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried()  # of this event there is no run
    deliver_roster(home / "landing", 12, [roster_line(1)], "2021-03-05", "2021-03-13")
    look = at(monkeypatch, tried("late_deliveries", "look"), NINE.replace(hour=10))
    look.unpause("cohort_deadline", is_paused=True)
    look.drive()
    look.unpause("cohort_deadline")
    assert look.states("go_on") == ["failed"]
    assert "cohort_deadline is paused: unpause it, then clear this task" in capsys.readouterr().out


def test_a_rejected_roster_is_an_alert(
    tried: Callable[..., Tried], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver_roster(home / "landing", 12, [roster_line(1), roster_line(1)], "2021-03-05", "2021-03-13")
    look = at(monkeypatch, tried("late_deliveries", "look"), TEN_PAST)
    told: list[dict[str, str]] = []
    alerts = look.dag.get_task("take_in").python_callable.__globals__["Alert"].notify.__globals__
    monkeypatch.setitem(alerts, "_find_connection", lambda _: SimpleNamespace(conn_type="http"))
    monkeypatch.setitem(alerts, "_post", lambda _, alert: told.append(alert))
    look.drive()
    assert look.states("take_in") == ["success"]
    assert [(alert["event"], alert["text"].partition(": the same")[0]) for alert in told] == [
        ("attention", "roster of gelombang-12: recipient_twice")
    ]


def test_the_next_mornings_audit_is_red_and_its_note_says_who_was_not_reminded(
    tried: Callable[..., Tried], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried()
    deliver_roster(home / "landing", 12, [roster_line(1)], "2021-03-05", "2021-03-13")
    at(monkeypatch, tried("late_deliveries", "look"), NINE.replace(hour=20)).drive()
    audit = at(monkeypatch, tried("daily_audit", "audit"), NINE.replace(day=7, hour=7))
    audit.drive()
    assert (audit.states("repair"), audit.states("report")) == (["success"], ["failed"])
    assert REPAIR not in runs(audit)
    told = "gelombang-12: 1 of its recipients got no reminder on 2021-03-06 (H-7) of the deadline 2021-03-13"
    assert told in (audit.note() or "")
