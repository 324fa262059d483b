"""
### Checks that every cohort had its runs, and starts those that are missing

Daily at 07:00 WIB, an hour after the runs of deadlines. It compares the calendar, the decisions and the runs, and finds

- an event that was due and has **no run** (the cohort was added late, the scheduler was down, or a backfill omitted
  it), or a **run without tasks**,
- a cohort whose **deadline moved** after its run,
- a cohort that is **not decided** although all its feeds have arrived, or whose revocations no run has **asked** about,
- a reminder date on which **nobody was reminded** although people were due: its run had no roster, or never started.

A run of `cohort_deadline` (`gelombang-13__deadline__2021-04-08__audit-2021-04-10`) repairs each of these, at most one a
day. It decides, asks and revokes as any other run; the audit itself revokes nobody. `late_deliveries` repairs a
reminder on its own day only; a missed reminder date is reported until the next reminder run has started.

`recheck` reads one decided cohort after the other a second time, each within four weeks, and compares the published
list with the files, person by person (as `prakerja recheck` does).

`ask` triggers a run of `batch_approval`, once a day, for each batch of reinstatements and each resolved hold that waits
for approvals.

**Red** means that a person is needed. `report` names the cohorts that are blocked or were not reminded. `repair`:
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
from prakerja_event_runs import AUDITED, count_runs
from prakerja_run_notes import pull_signed, push_outcome, push_signed
from prakerja_run_triggers import trigger_runs
from prakerja_task_identity import assume_task_identity
from prakerja_task_policy import DEFAULT_ARGS

ASKED = "batch_approval"
FOUND = "found"  # the key of the signed findings: a task's plain result can be forged


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
        findings = None
        try:
            prakerja_telemetry.measure("blacklist", tasks.reader.measure_list())
            now = datetime.now(WIB)
            findings = tasks.audit.audit_runs(now, lambda event: count_runs(event, now))
            push_signed(ti, FOUND, findings)
            return findings
        finally:
            push_outcome(ti, tasks.summaries.summarize_audit(findings))

    # The next two tasks compute themselves what they trigger: a user who operates DAGs may write other tasks' XComs.
    @task(task_display_name="Trigger the repairs")
    def repair(*, ti=None) -> list[str]:
        assume_task_identity()
        now = datetime.now(WIB)
        return trigger_runs(ti, AUDITED, tasks.audit.list_repairs(now, lambda event: count_runs(event, now)))

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
            for line in str(error).splitlines():  # one alert each: the subject of a mail has room for one line
                Alert(event=ATTENTION, text=line).notify({"dag_run": dag_run})
            raise

    ask()
    [find() >> repair(), recheck()] >> report()


daily_audit()
