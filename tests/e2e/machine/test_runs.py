"""Runs after both cohorts were decided: what they tell, whom they wake, and that doing them again changes nothing."""

from __future__ import annotations

import json

from tests.e2e.machine.conftest import DEADLINE_12
from tests.support.collector import Collector
from tests.support.leaks import leaked
from tests.support.running_machine import Machine


def test_metrics_and_lineage_name_data_and_no_person(decided: Machine, collector: Collector) -> None:
    ours = {name.partition("prakerja.")[2] for name in collector.points if "prakerja." in name}
    wanted = {
        *(f"feed.{name}" for name in ("rows", "quarantined", "rejected", "missing")),
        *(f"cohort.{name}" for name in ("selected", "purchased", "held", "overdue", "revoked")),
        "blacklist.version", "blacklist.age_seconds",
    }  # fmt: skip
    assert wanted <= ours, ours
    rows = next(points for name, points in collector.points.items() if name.endswith("prakerja.feed.rows"))
    assert {attributes["platform"] for attributes, _ in rows} >= {"tokopedia", "sisnaker"}
    with decided.instance.database("warehouse") as connection:
        (loaded,) = connection.execute("select sum(loaded) from deliveries").fetchone() or (0,)
    assert sum(value for _, value in rows) == loaded

    told = (decided.instance.home / "logs" / "lineage.jsonl").read_text()
    edges = {
        (source["name"].rpartition(".")[2], target["name"].rpartition(".")[2])
        for event in map(json.loads, told.splitlines())
        for source in event["inputs"]
        for target in event["outputs"]
    }
    assert edges >= {
        ("feeds/tokopedia", "transactions"), ("transactions", "outcomes"), ("recipients", "outcomes"),
        ("outcomes", "revocations"), ("revocations", "blacklist"),
    }  # fmt: skip
    text = told + "\n".join(collector.text)
    people = [value for person in decided.instance.people() for value in person.values() if len(value) > 9]
    assert leaked(people, text) == []


def test_a_published_version_wakes_its_readers(decided: Machine) -> None:
    """The example reader syncs the list, and shows how a registration reacts."""
    with decided.instance.database("warehouse") as connection:
        (newest,) = connection.execute("select max(version) from blacklist_versions").fetchone() or (0,)
    run_id = decided.trigger("blacklist_readers")
    assert decided.await_run("blacklist_readers", run_id)["state"] == "success"
    assert decided.xcom("blacklist_readers", run_id, "sync_list")["version"] == newest
    woken = [run for run in decided.await_runs("blacklist_readers", 2) if run["run_type"] == "asset_triggered"]
    assert woken, "versions that were published have woken it"
    assert {run["state"] for run in woken} == {"success"}
    events = "select (e.extra::json->>'version')::int from asset_event e join asset a on a.id = e.asset_id"
    told = [version for (version,) in decided.metadata(f"{events} where a.name = 'blacklist' order by e.id")]
    assert told == list(range(1, newest + 1)), "each version once, in order"


def test_a_rehearsal_reports_and_changes_nothing(decided: Machine) -> None:
    state = decided.instance.state()
    run_id = decided.trigger("cohort_deadline", cohort=12, rehearsal=True)
    assert decided.await_run("cohort_deadline", run_id)["state"] == "success"
    assert decided.states("cohort_deadline", run_id)["rehearsal_is_over"] == "success"
    assert decided.xcom("cohort_deadline", run_id, "reconcile")["is_decided"] is True
    assert decided.instance.state() == state


def test_the_daily_audit_finds_nothing_to_mend(decided: Machine) -> None:
    decided.unpause("daily_audit")
    run_id = decided.trigger("daily_audit")
    assert decided.await_run("daily_audit", run_id)["state"] == "success"
    assert decided.xcom("daily_audit", run_id, "find") == []


def test_a_held_person_without_a_purchase_is_revoked_once_another_person_approves(decided: Machine) -> None:
    """One looks into the hold, by a command; the daily audit has Airflow ask another, and their answer carries it out.

    Whoever resolved it is not asked, and their answer would not count.
    """
    with decided.instance.database("warehouse") as connection:
        ((card,),) = connection.execute(
            "select max(lpad(r.card_number::text, 16, '0')) from recipients r join outcomes o using (recipient_id)"
            " where o.outcome = 'held' and o.cohort = 12"
        ).fetchall()
    resolved = decided.instance.run(
        "holds", "resolve", card, "--not-purchased", "--because", "the platform has no such order", "--as", "admin"
    )
    assert resolved.returncode == 0, resolved.stderr
    decided.unpause("daily_audit", "batch_approval")
    audited = decided.trigger("daily_audit")
    assert decided.await_run("daily_audit", audited)["state"] == "success"
    ((asked,),) = decided.metadata("select run_id from dag_run where dag_id = 'batch_approval'")

    decided.await_question(asked, dag_id="batch_approval")
    details = f"/dags/batch_approval/dagRuns/{asked}/taskInstances/ask_approval/-1/hitlDetails"
    request = decided.call("GET", details)
    assert [user["id"] for user in request["assigned_users"]] == ["operator"]
    assert "proposed by admin" in request["body"]
    assert card not in json.dumps(request)
    decided.answer(asked, "Approve", "operator", dag_id="batch_approval")
    assert decided.await_run("batch_approval", asked)["state"] == "success"
    assert card in decided.instance.list_of_cards()
    story = decided.instance.run("explain", card).stdout
    assert "operator" in story


def test_a_run_that_brings_an_approval_along_is_refused(decided: Machine) -> None:
    state = decided.instance.state()
    run_id = decided.trigger("cohort_deadline", cohort=12, approve_as="Direktur Utama")
    assert decided.await_run("cohort_deadline", run_id)["state"] == "failed"
    assert decided.states("cohort_deadline", run_id)["await_feeds"] == "failed"
    assert decided.instance.state() == state


def test_backfilled_again_cleared_and_rerun_nothing_changes(decided: Machine) -> None:
    state, published = decided.instance.state(), decided.instance.published()
    again = decided.begin_backfill(
        "cohort_deadline", "2021-03-01", "2021-03-31",
        reprocess_behavior="completed",
    )  # fmt: skip
    decided.await_backfill(again)
    assert decided.instance.state() == state

    day = next(run["dag_run_id"] for run in decided.runs("platform_feeds") if run["run_type"] == "backfill")
    one = {"dry_run": False, "dag_run_id": day, "task_ids": [["take_in", 2]], "only_failed": False,
           "include_downstream": True, "reset_dag_runs": True}  # fmt: skip
    cleared = decided.call("POST", "/dags/platform_feeds/clearTaskInstances", json=one)
    assert "take_in" in {task["task_id"] for task in cleared["task_instances"]}
    decided.await_run("platform_feeds", day)

    assert decided.states("cohort_deadline", DEADLINE_12)["revoke"] == "success", "it has gone all the way"
    decided.call("POST", f"/dags/cohort_deadline/dagRuns/{DEADLINE_12}/clear", json={"dry_run": False})
    assert decided.await_run("cohort_deadline", DEADLINE_12)["state"] == "success"
    assert decided.instance.state() == state
    assert decided.instance.published() == published
