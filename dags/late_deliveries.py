"""
### Takes in what was missing, as soon as it arrives

Every ten minutes: the missing deliveries of undecided cohorts, and the missing rosters of announced cohorts, are looked
for in the landing zone, by their folders alone. What has arrived is taken in, the open cohorts'
standing is refreshed, and a cohort that missing deliveries have stopped **goes on**: by its own run where that still
waits, else by a run of `cohort_deadline` called `gelombang-13__deadline__2021-04-08__after-<the attempt that was
stopped>`, one for each such attempt.

Recipients who were due **today's reminder** and did not get it are reminded by another run: the roster came after the
day's run, the run failed before it began, or there was none. It is called as a repair of the audit
(`gelombang-13__H-7__2021-04-01__audit-2021-04-01`), and begins before 20:00 WIB, when the hours for messages end.

The day's own deliveries are the night's, until 08:00 WIB (`platform_feeds`). Where nothing is missing, nothing is
listed; its note says what came.

**Red** means that the warehouse cannot be reached, or that `cohort_deadline` is paused. An alert and the
monitor report a delivery or roster that is rejected: its sender must send another.
"""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import CronTriggerTimetable, dag, task

import prakerja_telemetry
from prakerja import tasks
from prakerja.settings import WIB
from prakerja_alerts import ATTENTION, FAILURE, Alert
from prakerja_assets import ACCEPTED, feed_of
from prakerja_run_notes import push_outcome
from prakerja_run_triggers import trigger_runs
from prakerja_seen_runs import AUDITED, seen
from prakerja_task_identity import assume_task_identity
from prakerja_task_policy import DEFAULT_ARGS


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
        assume_task_identity()
        now = datetime.now(WIB)
        rosters, taken = tasks.arrivals.take_in_late_rosters(now), tasks.arrivals.take_in_late(now)
        for platform, each in taken:
            prakerja_telemetry.record_intake(platform, each)
            if each.accepted:
                outlet_events[ACCEPTED].add(feed_of(platform), extra={"deliveries": each.accepted})
        for rejected in filter(None, [rosters.rejected, *(each.rejected for _, each in taken)]):
            Alert(event=ATTENTION, text="; ".join(rejected)).notify({"dag_run": dag_run})
        push_outcome(ti, tasks.summaries.summarize_arrivals(taken, rosters))

    # It computes itself what goes on: whoever operates DAGs may write the XComs of other tasks.
    @task(task_display_name="Go on with the cohorts")
    def go_on(*, ti=None) -> list[str]:
        assume_task_identity()
        now = datetime.now(WIB)
        return trigger_runs(ti, AUDITED, tasks.arrivals.list_resumed_runs(now, lambda event: seen(event, now)))

    take_in() >> go_on()


late_deliveries()
