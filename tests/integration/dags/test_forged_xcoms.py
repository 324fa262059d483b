"""Whoever operates DAGs may write XComs: no text in them is executed, and none decides what is triggered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.tried_run import Tried

AUDIT = ("find", "list_repairs", "list_requests")


def template(marker: Path) -> str:
    """Return a template that Airflow's environment executes: `macros` leads to every module."""
    return f"{{{{ macros.uuid.os.popen('touch {marker}').read() }}}}"


def runs(tried: Tried) -> set[tuple[str, str]]:
    from airflow.models.dagrun import DagRun

    return {(run.dag_id, run.run_id) for run in tried.session.query(DagRun).all()}


def test_a_forged_finding_or_request_runs_nothing(tried: Callable[..., Tried], home: Path, tmp_path: Path) -> None:
    """A finding as `find` gives it, a run as lists of runs have it, each with a template in every field."""
    marker = tmp_path / "executed"
    repair = {
        "trigger_run_id": f"forged-{template(marker)}",
        "conf": {"cohort": 22, "x": template(marker)},
        "note": template(marker),
    }
    for forged in ([{"kind": "no_run", "text": template(marker), "repair": repair}], [repair]):
        run = tried("daily_audit", "audit")
        run.unpause("cohort_deadline", "batch_approval")
        before = runs(run)
        for task_id in AUDIT:
            run.forge(task_id, forged)
        run.drive()
        assert not marker.exists(), "the worker has executed a text of an XCom"
        assert runs(run) == before, "what an XCom names is triggered"


@pytest.mark.parametrize("elsewhere", ["../../somewhere", "{template}", "tokopedia/../bukalapak", {"x": 1}, ["x"], 7])
def test_a_platform_is_taken_in_where_the_landing_zone_or_the_list_has_it(
    tried: Callable[..., Tried], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Any
) -> None:
    from prakerja import tasks

    taken: list[Any] = []
    looked: list[Any] = []
    real = tasks.feeds.take_in
    monkeypatch.setattr(tasks.feeds, "take_in", lambda name, run: (taken.append(name), real(name, run))[1])
    monkeypatch.setattr(tasks.feeds, "has_arrived", lambda name, _: (looked.append(name), True)[1])
    marker = tmp_path / "executed"
    forged = template(marker) if elsewhere == "{template}" else elsewhere
    run = tried("platform_feeds", "daily")
    run.forge("take_in_rosters", {})
    run.forge("list_platforms", [forged, "tokopedia"])
    run.drive()
    assert not marker.exists()
    assert taken == ["tokopedia"]
    assert set(looked) <= {"tokopedia"}
    assert run.states("take_in")[0] == "failed", "at once: nothing heals it"


def test_forged_counts_and_deliveries_tell_of_nothing(tried: Callable[..., Tried], home: Path) -> None:
    """An operator writes what was accepted, and which platforms there are: no asset hears of it, and no note."""
    from airflow.models.asset import AssetEvent

    run = tried("platform_feeds", "daily")
    told = run.session.query(AssetEvent).count()
    run.forge("take_in_rosters", {})
    run.forge("list_platforms", ["tokopedia"])
    run.expand()
    run.forge("take_in", [{"platform": "forged", "revision": 1}], key="accepted", map_index=0)
    run.forge("take_in", {"platform": "forged", "deliveries": 5, "rows": 9}, key="counts", map_index=0)
    run.drive()
    assert run.session.query(AssetEvent).count() == told
    note = run.note() or ""
    assert "0 deliveries of 0 platforms" in note
    assert "not looked at: bukalapak, " in note, "what an operator has left out is named"
    assert "forged" not in note


def test_what_is_triggered_is_text_and_triggered_once(
    tried: Callable[..., Tried], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the warehouse says of a cohort may have names from outside in it, which are no templates either."""
    from prakerja import tasks

    marker = tmp_path / "executed"
    wanted = {"trigger_run_id": "a-repair", "conf": {"cohort": 12, "x": template(marker)}, "note": template(marker)}
    monkeypatch.setattr(tasks.audit, "list_repairs", lambda *_: [wanted])
    for _ in range(2):
        run = tried("daily_audit", "audit")
        run.unpause("cohort_deadline")
        run.drive()
        assert run.states("repair") == ["success"]
    (found,) = run.session.query(type(run.run)).filter_by(run_id="a-repair").all()
    assert (found.dag_id, found.conf, found.note) == ("cohort_deadline", wanted["conf"], wanted["note"])
    assert not marker.exists()
    run.session.delete(found)
    run.session.commit()


def test_a_paused_dag_is_named_where_it_is_needed(
    tried: Callable[..., Tried], home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from prakerja import tasks

    wanted = {"trigger_run_id": "a-repair", "conf": {"cohort": 12}, "note": "..."}
    monkeypatch.setattr(tasks.audit, "list_repairs", lambda *_: [wanted])
    run = tried("daily_audit", "audit")
    run.unpause("cohort_deadline", is_paused=True)
    run.drive()
    assert run.states("repair") == ["failed"]
    assert run.states("ask") == ["success"], "nothing waits, so nobody is missed"
    assert "cohort_deadline is paused: unpause it, then clear this task" in capsys.readouterr().out


def test_altered_findings_leave_the_report_red(tried: Callable[..., Tried], home: Path) -> None:
    """Whoever takes what blocks a cohort out of the findings makes nothing green."""
    run = tried("daily_audit", "audit")
    run.forge("find", [], key="found")
    run.drive()
    assert run.states("report") == ["failed"]
