"""The timetable: one run per deadline and reminder date, each exactly once, through Airflow's own scheduler."""

from __future__ import annotations

import importlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja.calendar import Cohort
from prakerja.cli import common
from prakerja.settings import PROJECT, WIB

#: Two deadlines on one day, and a reminder on the day of another cohort's deadline run.
WAVES = [
    Cohort(date(2021, 3, 5), 12, date(2021, 4, 3)),
    Cohort(date(2021, 3, 6), 13, date(2021, 4, 3)),
    Cohort(date(2021, 3, 14), 14, date(2021, 4, 12)),
]


def all_runs(timetable: Any, *, catchup: bool = True, earliest: datetime | None = None) -> list[str]:
    """Every run that the timetable gives, as the scheduler asks for them, one after the last."""
    import pendulum
    from airflow.timetables.base import TimeRestriction
    from airflow.utils.types import DagRunType

    restriction = TimeRestriction(pendulum.instance(earliest) if earliest else None, None, catchup)
    found, last = [], None
    while info := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction):
        last = info.data_interval
        found.append(
            timetable.generate_run_id(run_type=DagRunType.SCHEDULED, run_after=info.run_after, data_interval=last)
        )
        assert len(found) < 1000
    return found


def test_every_event_once_in_order_after_a_round_trip_through_the_database(dags: dict[str, Any]) -> None:
    from prakerja_timetable import CohortTimetable

    timetable = CohortTimetable.deserialize(CohortTimetable.from_cohorts(WAVES).serialize())
    timetable.validate()
    runs = all_runs(timetable)
    assert runs == [
        "gelombang-12__H-7__2021-03-27",
        "gelombang-13__H-7__2021-03-27",
        "gelombang-12__H-3__2021-03-31",
        "gelombang-13__H-3__2021-03-31",
        "gelombang-12__H-1__2021-04-02",
        "gelombang-13__H-1__2021-04-02",
        "gelombang-12__deadline__2021-04-03",
        "gelombang-13__deadline__2021-04-03",
        "gelombang-14__H-7__2021-04-05",
        "gelombang-14__H-3__2021-04-09",
        "gelombang-14__H-1__2021-04-11",
        "gelombang-14__deadline__2021-04-12",
    ]
    assert all_runs(timetable, earliest=datetime(2021, 4, 6, tzinfo=UTC)) == runs[9:]
    assert all_runs(timetable, catchup=False) == []


def test_runs_are_at_nine_for_reminders_and_at_six_after_the_settlement_day(dags: dict[str, Any]) -> None:
    from prakerja_timetable import CohortTimetable

    at = {event.name: event.run_at for event in CohortTimetable.from_cohorts(WAVES).events}
    assert at["gelombang-12__H-7__2021-03-27"] == datetime(2021, 3, 27, 9, tzinfo=WIB)
    assert at["gelombang-12__deadline__2021-04-03"] == datetime(2021, 4, 5, 6, tzinfo=WIB)


def test_logical_dates_are_unique_and_lead_back_to_their_event(dags: dict[str, Any]) -> None:
    timetable = dags["cohort_deadline"].timetable
    assert len({event.logical_date for event in timetable.events}) == len(timetable.events) == 4 * 16
    for event in timetable.events:
        assert timetable.event_at(event.logical_date) == event
        assert timetable.event_at(event.logical_date + timedelta(microseconds=500)) is None
    assert timetable.event_at(None) is None


def test_two_events_of_one_cohort_on_one_instant_are_refused(dags: dict[str, Any]) -> None:
    from airflow.exceptions import AirflowTimetableInvalid

    from prakerja_timetable import CohortTimetable

    with pytest.raises(AirflowTimetableInvalid):
        CohortTimetable.from_cohorts([WAVES[0], WAVES[0]]).validate()


def test_the_dag_of_a_run_that_began_before_an_upgrade_can_be_read(dags: dict[str, Any]) -> None:
    """Its serialized version names the plugins' classes by the modules that they were in then."""
    from airflow.serialization.helpers import (
        find_registered_custom_deadline_reference,
        find_registered_custom_timetable,
    )

    from prakerja_timetable import CohortTimetable

    kept = CohortTimetable.from_cohorts(WAVES).serialize()
    found = find_registered_custom_timetable("cohort_timetable.CohortTimetable").deserialize(kept)
    assert all_runs(found) == all_runs(CohortTimetable.from_cohorts(WAVES))
    reference = find_registered_custom_deadline_reference("alerts.DueLater")
    assert reference.deserialize_reference({"seconds": 7}).seconds == 7
    assert importlib.import_module("alerts").Alert


def test_the_scheduler_makes_exactly_one_run_per_event_and_every_run_has_its_tasks(
    dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*AT_ONCE)
    made, tasks = scheduled_runs()
    assert made == [event.name for event in dags["cohort_deadline"].timetable.events]
    assert {*tasks.values()} == {len(dags["cohort_deadline"].tasks)}
    assert len(tasks) == len(made)


def test_the_scheduler_makes_the_runs_of_a_deadline_until_its_extension_is_announced(
    dags: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calendar has the extension already, some days before it is announced: reminders go by what is known."""
    today = common.today()
    first, second = today + timedelta(days=6), today + timedelta(days=20)
    announced_on = today + timedelta(days=2)
    (tmp_path / "calendar.yaml").write_text(
        f"cohorts:\n- {{cohort: 12, announced_on: {today - timedelta(days=20)}, deadline_on: {first}, note: short, "
        f"extensions: [{{announced_on: {announced_on}, deadline_on: {second}, because: flood}}]}}\n"
    )
    monkeypatch.setenv("PRAKERJA_CALENDAR", str(tmp_path / "calendar.yaml"))
    monkeypatch.setenv(*AT_ONCE)
    made, _ = scheduled_runs()
    assert made == [f"gelombang-12__H-7__{first - timedelta(days=7)}"], "yesterday's; the others are to come"


#: A DAG that is recorded twice within seconds is kept as it was the first time, otherwise.
AT_ONCE = ("AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL", "0")


def scheduled_runs() -> tuple[list[str], dict[str, int]]:
    """The runs of `cohort_deadline` that Airflow's scheduler makes until now, in order, and how many tasks each has."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import delete, func, select, update

    manager = DagBundlesManager()
    with create_session() as session:
        manager.sync_bundles_to_db(session=session)
        session.execute(delete(DagRun))
        job = Job()
        session.add(job)
        session.flush()
        session.expunge(job)
    (bundle,) = manager.get_all_dag_bundles()
    bag = BundleDagBag(dag_folder=PROJECT / "dags", bundle_path=bundle.path, bundle_name=bundle.name)
    sync_bag_to_db(bag, bundle.name, None)
    with create_session() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == "cohort_deadline").values(is_paused=False))
    scheduler = SchedulerJobRunner(job=job)
    for _ in range(len(bag.dags["cohort_deadline"].timetable.events) + 5):
        with create_session() as session:
            due = list(DagModel.dags_needing_dagruns(session)[0])
            if not due:
                break
            scheduler._create_dag_runs(due, session)
        with create_session() as session:  # as if each run were done before the next loop
            session.execute(update(DagRun).values(state="success"))
            session.get_one(DagModel, "cohort_deadline").exceeds_max_non_backfill = False
    with create_session() as session:
        made = session.scalars(
            select(DagRun.run_id).where(DagRun.dag_id == "cohort_deadline").order_by(DagRun.logical_date)
        ).all()
        tasks = session.execute(
            select(TaskInstance.run_id, func.count()).where(TaskInstance.dag_id == "cohort_deadline").group_by("run_id")
        ).all()
        session.execute(delete(DagRun))
    return list(made), dict(tasks)
