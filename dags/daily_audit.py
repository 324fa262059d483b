"""
### Has every cohort had its run?

Daily at 07:00 WIB, an hour after the deadlines' runs. It compares the calendar, the decisions and the runs:

- an event that was due and has **no run** (a cohort that was added late, a scheduler that was down, a backfill that
  passed over it), or a **run without tasks**,
- a cohort whose **deadline moved** after its run,
- a cohort that is **not decided** though all its feeds are in by now, or whose revocations nobody was **asked** run,
- a reminder date on which people were due and **nobody was reminded**: its run had no roster, or never began.

Each of these is repaired by a run of `cohort_deadline` (`gelombang-13__deadline__2021-04-08__audit-2021-04-10`), one a
day at most. It decides, asks and revokes as any other: nobody is revoked by the audit. A reminder is repaired on its
own day alone, by `late_deliveries`; a missed day that has passed is reported until the next reminder has begun.

It reads one decided cohort after the other a second time, each within four weeks, and compares the published list with
what the files say of each person: `recheck` (`prakerja recheck` does the same).

And it asks about each batch of reinstatements, and each resolved hold, that waits for approvals: by a run of
`batch_approval`, once a day.

**Red** means that a person is needed: `report` names the cohorts that are blocked, or were not reminded; `repair` that
`cohort_deadline` is paused.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, TriggerRule, dag, task

import prakerja_telemetry
from prakerja import tasks
from prakerja.errors import PrakerjaError
from prakerja.settings import WIB
from prakerja_alerts import ATTENTION, FAILURE, Alert
from prakerja_run_notes import pull_signed, push_outcome, push_signed
from prakerja_run_triggers import trigger_runs
from prakerja_seen_runs import AUDITED, seen
from prakerja_task_identity import assume_task_identity
from prakerja_task_policy import DEFAULT_ARGS

ASKED = "batch_approval"
FOUND = "found"  # the findings, signed: as a result anybody could write them


@dag(
    schedule=CronDataIntervalTimetable("0 7 * * *", timezone="Asia/Jakarta"),
    start_date=datetime(2020, 4, 11, tzinfo=WIB),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    dag_display_name="Audit of runs, daily",
    doc_md=__doc__,
    on_failure_callback=Alert(event=FAILURE),
    tags=["prakerja", "deadlines"],
)
def daily_audit():
    @task(task_display_name="Compare calendar, decisions and runs")
    def find(*, ti=None) -> list[dict[str, Any]]:
        assume_task_identity()
        found = None
        try:
            prakerja_telemetry.measure("blacklist", tasks.reader.measure_list())
            now = datetime.now(WIB)
            found = tasks.audit.audit_runs(now, lambda event: seen(event, now))
            push_signed(ti, FOUND, found)
            return found
        finally:
            push_outcome(ti, tasks.summaries.summarize_audit(found))

    # What is triggered, each of these two computes itself: whoever operates DAGs may write the XComs of other tasks.
    @task(task_display_name="Trigger the repairs")
    def repair(*, ti=None) -> list[str]:
        assume_task_identity()
        now = datetime.now(WIB)
        return trigger_runs(ti, AUDITED, tasks.audit.list_repairs(now, lambda event: seen(event, now)))

    @task(task_display_name="Ask for approvals")
    def ask(*, ti=None) -> list[str]:
        assume_task_identity()
        return trigger_runs(ti, ASKED, tasks.batches.list_requests(datetime.now(WIB)))

    @task(task_display_name="Read the list's people again, in turn")
    def recheck(*, ti=None) -> list[dict[str, Any]]:
        assume_task_identity()
        differing = tasks.audit.recheck_list(datetime.now(WIB))
        push_signed(ti, FOUND, differing)
        return differing

    @task(task_display_name="Report what needs a person", trigger_rule=TriggerRule.ALL_DONE)
    def report(*, ti=None, dag_run=None) -> None:
        try:
            tasks.audit.report_audit(pull_signed(ti, FOUND, "find"), pull_signed(ti, FOUND, "recheck"))
        except PrakerjaError as error:
            for told in str(error).splitlines():  # an alert each: a mail's subject has room for one
                Alert(event=ATTENTION, text=told).notify({"dag_run": dag_run})
            raise

    ask()
    [find() >> repair(), recheck()] >> report()


daily_audit()
