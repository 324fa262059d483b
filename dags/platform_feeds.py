"""
### Takes in the platforms' daily feeds

Daily at 02:00 WIB, for the business date that ended two hours before. New rosters are loaded first. Then, for each
platform by itself: wait for the day's manifest, and take in **everything of that platform that has arrived and is not
known yet**, whatever its date: so a late delivery or a restatement is picked up by the next run. Each delivery is
checked against its manifest, judged by Great Expectations, and loaded or rejected as a whole.

What was accepted is told as asset events (late or restated, rows), and Great Expectations' Data Docs are built.

At the end every open cohort's standing is refreshed (purchased, held, at risk), and what the deliveries show about
cohorts that were decided before is written down as proposals and cases.

**Red** means: a platform's delivery is missing or was rejected; the task `take_in` of that platform says which and why.
The others are in all the same. Clear the red task once the platform has delivered.

**Do not trigger it** to force a missing feed through: an absent delivery is not an empty one. Ask the platform for it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import (
    CronDataIntervalTimetable,
    PokeReturnValue,
    TriggerRule,
    dag,
    get_current_context,
    task,
)

import prakerja_telemetry
from prakerja import tasks
from prakerja.escaping import one_line
from prakerja.run_context import RunContext
from prakerja.settings import WIB
from prakerja_alerts import FAILURE, Alert, deadline_alert
from prakerja_assets import ACCEPTED, PUBLISHES, tell_deliveries, tell_versions
from prakerja_plain_tasks import plain_sensor
from prakerja_run_notes import pull_all_signed, push_outcome, push_signed
from prakerja_task_identity import assume_task_identity
from prakerja_task_policy import DEFAULT_ARGS

PATIENCE = timedelta(hours=6)
LATE_AFTER = timedelta(hours=3)  # 05:00 WIB, when the day's figures are asked for


def this_run() -> RunContext:
    context = assume_task_identity()
    start = context.get("data_interval_start")
    return RunContext.from_daily_run(context["dag_run"].conf, start and start.astimezone(WIB).date(), datetime.now(WIB))


def may_wait() -> bool:
    """Until 08:00 WIB of its morning. A run of the past never waits: what is not there is missing, and said."""
    end = get_current_context().get("data_interval_end")
    return end is not None and not this_run().is_replay and datetime.now(WIB) < end + PATIENCE


@dag(
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="Asia/Jakarta"),
    start_date=datetime(2020, 4, 11, tzinfo=WIB),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    dag_display_name="Platform feeds, daily",
    doc_md=__doc__,
    on_failure_callback=Alert(event=FAILURE),
    deadline=deadline_alert(LATE_AFTER, "the intake of platform feeds"),
    tags=["prakerja", "feeds"],
)
def platform_feeds():
    @task(task_display_name="Take in rosters")
    def take_in_rosters() -> dict[str, int]:
        return tasks.feeds.take_in_rosters(this_run())

    @task(task_display_name="List the platforms", trigger_rule=TriggerRule.ALL_DONE)
    def list_platforms() -> list[str]:
        return tasks.feeds.list_platforms(this_run())

    @plain_sensor(
        mode="reschedule",
        poke_interval=300,
        map_index_template="{{ platform }}",
        task_display_name="Take in a platform's feed",
    )
    def take_in(platform: str, *, ti=None) -> PokeReturnValue:
        get_current_context()["platform"] = one_line(str(platform))[:100]  # Airflow keeps no longer name
        tasks.feeds.require_platform(platform, this_run())  # the list came by an XCom
        if may_wait() and not tasks.feeds.has_arrived(platform, this_run()):
            return PokeReturnValue(is_done=False)
        taken = tasks.feeds.take_in(platform, this_run())
        push_signed(ti, "accepted", {"platform": platform, "deliveries": taken.accepted})
        push_signed(ti, "counts", {"platform": platform, **taken.counts()})
        prakerja_telemetry.record_intake(platform, taken)
        taken.require_all()
        return PokeReturnValue(is_done=True)

    @task(
        task_display_name="Tell what was accepted",
        trigger_rule=TriggerRule.ALL_DONE,
        inlets=[ACCEPTED],
        outlets=[ACCEPTED],
    )
    def tell_of_feeds(*, ti=None, dag_run=None, inlet_events=None, outlet_events=None) -> str:
        # Here, not where they are taken in: only a task that succeeds tells, and one rejected delivery fails that one.
        told = inlet_events[ACCEPTED].after(dag_run.run_after)
        for accepted in pull_all_signed(ti, "accepted", "take_in"):
            tell_deliveries(told, outlet_events, accepted["platform"], accepted["deliveries"])
        return tasks.feeds.build_data_docs()

    @task(task_display_name="Refresh every open cohort's standing", trigger_rule=TriggerRule.ALL_DONE)
    def refresh_standing() -> dict[str, dict[str, int]]:
        standings = tasks.feeds.refresh_standing(this_run())
        prakerja_telemetry.record_standing(standings)
        return standings

    @task(task_display_name="Apply late evidence, publish the day's list", **PUBLISHES)
    def notice_late_truth(*, ti=None, inlet_events=None, outlet_events=None) -> int | None:
        try:
            version = tasks.feeds.apply_late_evidence(this_run())
            if version:
                prakerja_telemetry.record_list(tasks.reader.measure_list())
            tell_versions(inlet_events, outlet_events, tasks.reader.published_version())
            return version
        finally:
            run = this_run()
            tasks.monitor.refresh_monitor(run.now)
            push_outcome(ti, tasks.summaries.summarize_feeds(run, pull_all_signed(ti, "counts", "take_in")))

    @task(task_display_name="Close reminders that are too late")
    def close_reminders() -> dict[str, int]:
        return tasks.feeds.close_reminders(this_run())

    close_reminders()
    rosters, names = take_in_rosters(), list_platforms()
    feeds = take_in.expand(platform=names)
    # Red when a roster or a feed was not taken in, though the standing is refreshed from the others.
    all_is_in = EmptyOperator(task_id="all_is_in", task_display_name="All is in")
    rosters >> names >> feeds >> refresh_standing() >> notice_late_truth() >> all_is_in
    [rosters, feeds] >> all_is_in
    feeds >> tell_of_feeds() >> all_is_in


platform_feeds()
