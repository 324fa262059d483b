"""
### Takes in missing deliveries and rosters as soon as they arrive

Every ten minutes, it looks in the landing zone for the missing deliveries of undecided cohorts and the missing rosters
of announced cohorts, and lists their folders only. It takes in what has arrived and refreshes the standing of the open
cohorts. A cohort that missing deliveries have stopped **continues**: by its own run if that still waits, otherwise by a
run of `cohort_deadline` named `gelombang-13__deadline__2021-04-08__after-<the stopped attempt>`, one for each attempt.

Another run reminds recipients who did not get **today's reminder**: the roster arrived after the day's run, the run
failed before it started, or there was none. The run is named as a repair of the audit
(`gelombang-13__H-7__2021-04-01__audit-2021-04-01`), and starts before 20:00 WIB, when the hours for messages end.

Until 08:00 WIB, `platform_feeds` takes in the day's own deliveries. The note of a run says what has arrived.

**Red** means that the warehouse cannot be reached, or that `cohort_deadline` is paused. A rejected delivery or roster
turns no task red: an alert and the monitor report it, and its sender must send another.
"""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import CronTriggerTimetable, dag, task

import prakerja_telemetry
from prakerja import tasks
from prakerja.settings import WIB
from prakerja_alerts import ATTENTION, FAILURE, Alert
from prakerja_assets import ACCEPTED, feed_asset
from prakerja_event_runs import AUDITED, count_runs
from prakerja_run_notes import push_outcome
from prakerja_run_triggers import trigger_runs
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
        rosters, intakes = tasks.arrivals.take_in_late_rosters(now), tasks.arrivals.take_in_late(now)
        for platform, intake in intakes:
            prakerja_telemetry.record_intake(platform, intake)
            if intake.accepted:
                outlet_events[ACCEPTED].add(feed_asset(platform), extra={"deliveries": intake.accepted})
        for rejected in filter(None, [rosters.rejected, *(intake.rejected for _, intake in intakes)]):
            Alert(event=ATTENTION, text="; ".join(rejected)).notify({"dag_run": dag_run})
        push_outcome(ti, tasks.summaries.summarize_arrivals(intakes, rosters))

    # This task computes itself what it triggers: a user who operates DAGs may write other tasks' XComs.
    @task(task_display_name="Go on with the cohorts")
    def go_on(*, ti=None) -> list[str]:
        assume_task_identity()
        now = datetime.now(WIB)
        return trigger_runs(ti, AUDITED, tasks.arrivals.list_resumed_runs(now, lambda event: count_runs(event, now)))

    take_in() >> go_on()


late_deliveries()
