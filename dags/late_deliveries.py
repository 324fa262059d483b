"""
### Takes in what was missing, as soon as it arrives

Every ten minutes: the deliveries that an undecided cohort lacks are looked for in the landing zone, by the folders of
their days alone. What has arrived is taken in, the open cohorts' standing is refreshed, and a cohort that missing
deliveries have stopped **goes on**: by its own run where that still waits, else by a run of `cohort_deadline` called
`gelombang-13__deadline__2021-04-08__after-<the attempt that was stopped>`, one for each such attempt.

The day's own deliveries are the night's, until 08:00 WIB (`platform_feeds`). Where nothing is missing, nothing is
listed; its note says what came.

**Red** means that the warehouse cannot be reached, or that `cohort_deadline` is paused. A delivery that is rejected is
told by an alert, and stands in the monitor: the platform must send another.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import AssetAlias, CronTriggerTimetable, dag, task

import telemetry
from acting_task import act
from alerts import ATTENTION, FAILURE, Alert
from prakerja import workflow
from prakerja.settings import WIB
from prakerja_assets import feed_of
from run_notes import push_outcome
from seen_runs import AUDITED, seen
from task_policy import DEFAULT_ARGS

ACCEPTED = AssetAlias("accepted_delivery")


@dag(
    schedule=CronTriggerTimetable("*/10 * * * *", timezone="Asia/Jakarta"),
    start_date=datetime(2020, 4, 11, tzinfo=WIB),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    dag_display_name="Late deliveries, every ten minutes",
    doc_md=__doc__,
    on_failure_callback=Alert(event=FAILURE),
    tags=["prakerja", "feeds"],
)
def late_deliveries():
    @task(task_display_name="Take in what has arrived", outlets=[ACCEPTED])
    def take_in(*, ti=None, dag_run=None, outlet_events=None) -> None:
        act()
        taken = workflow.take_in_late(datetime.now(WIB))
        for platform, each in taken:
            telemetry.of_intake(platform, each)
            if each.accepted:
                outlet_events[ACCEPTED].add(feed_of(platform), extra={"deliveries": each.accepted})
            if each.rejected:
                Alert(event=ATTENTION, text="; ".join(each.rejected)).notify({"dag_run": dag_run})
        push_outcome(ti, workflow.tell_of_late(taken))

    @task(task_display_name="List the cohorts that go on")
    def list_runs() -> list[dict[str, Any]]:
        act()
        now = datetime.now(WIB)
        return workflow.list_resumed_runs(now, lambda event: seen(event, now))

    runs = list_runs()
    TriggerDagRunOperator.partial(
        task_id="go_on",
        task_display_name="Go on with the cohort",
        trigger_dag_id=AUDITED,
        skip_when_already_exists=True,
        fail_when_dag_is_paused=True,
        map_index_template="{{ task.trigger_run_id }}",
    ).expand_kwargs(runs)
    take_in() >> runs


late_deliveries()
