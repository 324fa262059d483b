"""A run's note is what its tasks computed, whatever an operator writes into its XComs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from prakerja.settings import WIB
from tests.support.tried_run import SENTENCE, Tried


def test_the_note_is_the_last_outcome_and_names_the_red(tried: Callable[..., Tried]) -> None:
    run = tried()
    run.end("reconcile", sentence="gelombang-12: 48 purchased, 2 overdue wait for an approval")
    run.end("revoke")
    run.end("publish_blacklist", "failed", None)
    assert run.note() == f"{SENTENCE}; red: Publish the blacklist"


@pytest.mark.parametrize(
    "forged",
    [
        "nobody was revoked",
        {"value": "nobody was revoked"},
        {"value": "nobody was revoked", "try": 1, "signature": "0" * 64},
        {"value": "nobody was revoked", "try": 1, "signature": "é"},
        {"__classname__": "builtins.object", "__version__": 1, "__data__": {}},
        ["nobody was revoked"],
        None,
    ],
)
def test_an_outcome_that_an_operator_pushes_is_ignored(tried: Callable[..., Tried], forged: Any) -> None:
    run = tried()
    run.end("reconcile")
    run.push("choose", forged)
    assert run.note() == SENTENCE
    run.push("reconcile", forged)
    assert run.note() == "not reported by its task: Reconcile: count"


def test_an_outcome_of_another_task_is_ignored(tried: Callable[..., Tried]) -> None:
    """Of another task, another try, another run: signed, and not this one's."""
    run = tried()
    run.end("reconcile", sentence="2 overdue wait for an approval")
    waiting = run.pushed("reconcile")
    run.end("revoke")
    run.push("revoke", waiting)
    assert run.note() == "2 overdue wait for an approval; not reported by its task: Revoke"
    run.end("revoke", sentence="0 revoked")
    earlier = run.pushed("revoke")
    run.end("revoke", tried=2)
    assert run.note() == SENTENCE
    run.push("revoke", earlier)
    assert run.note() == "2 overdue wait for an approval; not reported by its task: Revoke"
    other = tried(run_id="gelombang-13__deadline__2021-03-13")
    other.end("revoke", sentence=None)
    other.push("revoke", earlier)
    assert other.note() == "not reported by its task: Revoke"


def test_a_deleted_outcome_is_reported_as_missing(tried: Callable[..., Tried]) -> None:
    run = tried()
    run.end("reconcile", sentence="2 overdue wait for an approval")
    run.end("revoke")
    run.take_away("revoke")
    assert run.note() == "2 overdue wait for an approval; not reported by its task: Revoke"


def test_what_a_person_has_written_stays(tried: Callable[..., Tried]) -> None:
    from airflow.models.dagrun import DagRunNote

    run = tried()
    run.run.dag_run_note = DagRunNote("looked into by Siti", user_id="siti")
    run.end("reconcile")
    assert run.note() == "looked into by Siti"


def test_a_note_is_read_as_text(tried: Callable[..., Tried]) -> None:
    run = tried("platform_feeds", "daily")
    run.end("notice_late_truth", sentence="2021-03-05: rejected: [x](//e.example)\n# <img src=x>\x1b[2J")
    assert run.note() == r"2021-03-05: rejected: \[x\](//e.example)\\n# \<img src=x\>\\x1b\[2J"


def test_the_reason_of_a_repair_is_noted_if_the_audit_confirms_it(tried: Callable[..., Tried]) -> None:
    audit = tried("daily_audit", "audit")
    audit.end("find", sentence="1 found, 1 to be repaired: gelombang-12 has no run of its deadline")
    run = tried(run_id="gelombang-12__deadline__2021-03-13__audit-2021-03-16")
    run.end("reconcile")
    run.run.note = "gelombang-12 has no run of its deadline"
    run.session.commit()
    told = f"gelombang-12 has no run of its deadline | {SENTENCE}"
    assert [run.note(), run.note()] == [told, told]
    run.run.note = "the Director has approved this"
    run.session.commit()
    assert run.note() == SENTENCE


def test_counts_come_from_the_tasks_that_took_in(tried: Callable[..., Tried]) -> None:
    from prakerja_run_notes import pull_signed, push_signed

    pushed: dict[str, Any] = {}
    origin = {"dag_id": "platform_feeds", "run_id": "daily"}
    ti = SimpleNamespace(**origin, task_id="take_in", map_index=3, try_number=1, xcom_push=pushed.__setitem__)
    push_signed(ti, "counts", {"platform": "tokopedia", "rows": 5})
    later = SimpleNamespace(**origin, xcom_pull=lambda **_: pushed["counts"])
    assert pull_signed(later, "counts", "take_in", 3) == {"platform": "tokopedia", "rows": 5}
    assert pull_signed(later, "counts", "take_in", 2) is None
    pushed["counts"]["value"]["rows"] = 6
    assert pull_signed(later, "counts", "take_in", 3) is None


def test_a_rehearsal_reports_the_outcome_of_its_decision(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """`recheck` decides nothing in a rehearsal. Its outcome is that of `reconcile`, so no task counts as silent."""
    from prakerja import tasks
    from prakerja.run_context import RunContext

    recheck = dags["cohort_deadline"].get_task("recheck").python_callable
    rehearsal = RunContext("deadline", date(2021, 3, 13), datetime(2021, 3, 15, 6, tzinfo=WIB), 12, is_rehearsal=True)
    pushed: list[str] = []
    monkeypatch.setattr(tasks.deadline, "recheck", lambda _: {})
    monkeypatch.setitem(recheck.__globals__, "this_run", lambda: rehearsal)
    monkeypatch.setitem(recheck.__globals__, "pull_signed", lambda _, key, task: f"{key} of {task}")
    monkeypatch.setitem(recheck.__globals__, "push_outcome", lambda _, sentence: pushed.append(sentence))
    assert recheck(ti=None) == {}
    assert pushed == ["outcome of reconcile"]
