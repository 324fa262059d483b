"""
### Reminds before a cohort's deadline, decides and revokes after it

Each reminder date and each deadline has one run, which its id names: `gelombang-13__H-7__2021-04-01`,
`gelombang-13__deadline__2021-04-08`. Every run waits for complete feeds, reconciles, reads a second time, and branches.

- **A reminder run** reminds the recipients who have not purchased: by SMS, otherwise by e-mail, in their own daytime.
- **A deadline run** (after deadline and settlement day, 06:00 WIB) decides every recipient by two readings of the same
  files, which must agree. It revokes the overdue when enough people have approved the batch: here, where `ask_approval`
  asks (*Required Actions*), or by `prakerja approve`. It then publishes the blacklist, also if nobody was revoked.
- A run with nothing to do ends in a task that is named for the reason.

**Red** before `revoke` means that nobody was revoked. `await_feeds`: the log names the missing platforms and dates.
`reconcile`: the result is implausible. `recheck`: the second reading differs. `ask_approval`: a person has rejected, or
nobody has answered for 24 hours. `approve_revocation`: approvals are missing. `send_reminders`: no provider answers, or
messages failed temporarily; cleared, it sends those and no others. Missing deliveries are loaded as they arrive, and
the cohort goes on by itself. Clear any other task when its cause is removed; clear `choose` to ask again.

**To try a run**, trigger it with a cohort and `rehearsal`. `reconcile` decides by what is known today, and reports the
counts and what would stop them. Nothing is stored; nobody is reminded, revoked or listed.

A run of the past is safe: it never waits, sends no reminder, and decides and revokes nobody twice.
**Do not mark a task as successful** to get past a gate: it guards against taking away a benefit for life.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import Param, PokeReturnValue, TriggerRule, dag, task

import prakerja_telemetry
from prakerja import tasks
from prakerja.calendar import calendar, unreadable_entries
from prakerja.escaping import markdown
from prakerja.people import load_people
from prakerja.run_context import RunContext
from prakerja.settings import WIB, wib_today
from prakerja_alerts import FAILURE, Alert
from prakerja_approval_operator import ask_approval
from prakerja_assets import PUBLISHES, announce_versions
from prakerja_connections import message_connections
from prakerja_run_notes import OUTCOME, pull_signed, push_outcome
from prakerja_task_identity import assume_task_identity
from prakerja_task_policy import DEFAULT_ARGS
from prakerja_timetable import CohortTimetable

load_people()  # an invalid list is an import error of the DAG, seen before anybody is asked
TIMETABLE = CohortTimetable.from_cohorts(calendar().values())
TODAY = wib_today()
COHORTS = {n: f"gelombang-{n}, until {cohort.as_known_on(TODAY).deadline_on}" for n, cohort in calendar().items()}
#: Unreadable entries stop no other cohort: this page shows them, and so does the import error of `cohort_calendar.py`.
UNREADABLE = "".join(f"\n**Nothing is decided for this cohort:** {markdown(e.text)}\n" for e in unreadable_entries())
DAY = timedelta(hours=24).total_seconds()
KINDS = sorted({event.kind for event in TIMETABLE.events}, key=lambda kind: (kind == "deadline", kind))


def this_run() -> RunContext:
    context = assume_task_identity()
    event = TIMETABLE.event_at(context.get("logical_date"))  # a backfill chooses its own run ids
    name = event.name if event else context["run_id"]
    return RunContext.from_cohort_run(name, context["dag_run"].conf, datetime.now(WIB))


def request_approval() -> dict[str, Any] | None:
    return tasks.deadline.request_approval(this_run())


def record_approval(digest: str, login: str) -> str:
    run = this_run()
    return tasks.answers.record_approval(run.cohort, digest, login, run.as_of)


def record_rejection(digest: str, login: str) -> str:
    run = this_run()
    return tasks.answers.record_rejection(run.cohort, digest, login, run.as_of)


def is_approval_missing(digest: str) -> bool:
    return tasks.answers.is_approval_missing(this_run().cohort, digest)


def refresh_monitor_and_note(ti: Any, run: RunContext, counts: dict[str, Any] | None = None) -> None:
    if not run.is_rehearsal:
        tasks.monitor.refresh_monitor(run.now, run.cohort)
    push_outcome(ti, tasks.summaries.summarize_cohort(run, counts))


def end(why: str) -> EmptyOperator:
    return EmptyOperator(task_id=why, task_display_name=why.replace("_", " ").capitalize())


@dag(
    schedule=TIMETABLE,
    # Before the first announcement: Airflow marks a run before the start date as successful, without any tasks.
    start_date=datetime(2020, 4, 11, tzinfo=WIB),
    catchup=True,  # an event during an outage gets its run afterwards
    max_active_runs=32,  # a run that waits for an answer blocks no reminder of another cohort
    default_args=DEFAULT_ARGS,
    dag_display_name="Cohort deadlines and reminders",
    doc_md=UNREADABLE + __doc__,
    on_failure_callback=Alert(event=FAILURE),
    params={
        "cohort": Param(None, type=["null", "integer"], enum=[None, *calendar()], values_display=COHORTS),
        "kind": Param(None, type=["null", "string"], enum=[None, *KINDS], description="Empty for the deadline."),
        "rehearsal": Param(False, type="boolean", description="Decide and report, and change nothing."),
    },
    tags=["prakerja", "deadlines"],
)
def cohort_deadline():
    @task.sensor(mode="reschedule", poke_interval=300, timeout=DAY, task_display_name="Await complete feeds")
    def await_feeds() -> PokeReturnValue:
        return PokeReturnValue(is_done=tasks.deadline.has_complete_feeds(this_run()))

    @task(task_display_name="Reconcile: count")
    def reconcile(*, ti=None) -> dict[str, Any]:
        run, counts = this_run(), None
        try:
            counts = tasks.deadline.reconcile(run)
            return counts
        finally:
            refresh_monitor_and_note(ti, run, counts)

    @task(task_display_name="Read a second time, and decide")
    def recheck(*, ti=None) -> dict[str, Any]:
        run = this_run()
        try:
            counts = tasks.deadline.recheck(run)
            prakerja_telemetry.record_decision(run, counts)
            return counts
        finally:
            if run.is_rehearsal:  # all that it leaves is the report of `reconcile`
                push_outcome(ti, pull_signed(ti, OUTCOME, "reconcile"))
            else:
                refresh_monitor_and_note(ti, run)

    @task.branch(task_display_name="Choose what comes next")
    def choose() -> str:
        return tasks.deadline.choose(this_run())

    ask = ask_approval(request_approval, record_approval, record_rejection, is_approval_missing)

    # It is poked again until no message is left: for messages that wait for the morning, temporary failures, receipts.
    @task.sensor(mode="reschedule", poke_interval=300, timeout=2 * DAY, task_display_name="Send reminders")
    def send_reminders(*, ti=None) -> PokeReturnValue:
        run = this_run()
        connections = {} if run.is_replay else message_connections()  # a replay sends to its sandbox only
        is_done, counts = tasks.deadline.send_reminders(run, connections)
        if is_done:
            refresh_monitor_and_note(ti, run)
        prakerja_telemetry.record_reminders(run, counts)
        return PokeReturnValue(is_done=is_done, xcom_value=counts)

    @task(task_display_name="Require the approval", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
    def approve_revocation() -> list[str]:
        return tasks.deadline.approve_revocation(this_run())

    @task(task_display_name="Revoke")
    def revoke(*, ti=None) -> int:
        run = this_run()
        revoked = tasks.deadline.revoke(run)
        prakerja_telemetry.record_revocation(run, revoked)
        refresh_monitor_and_note(ti, run)
        return revoked

    @task(task_display_name="Publish the blacklist", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS, **PUBLISHES)
    def publish_blacklist(*, ti=None, inlet_events=None, outlet_events=None) -> int:
        run = this_run()
        version = tasks.deadline.publish_blacklist(run)
        prakerja_telemetry.record_list(tasks.reader.measure_list())
        announce_versions(inlet_events, outlet_events, tasks.reader.published_version())
        refresh_monitor_and_note(ti, run)
        return version

    publish, approve = publish_blacklist(), approve_revocation()
    nobody_to_revoke = [end(why) for why in ("nobody_is_overdue", "cohort_was_decided")]
    nothing_to_do = ("reminder_date_is_over", "rehearsal_is_over", "cohort_has_no_roster")
    ends = [send_reminders(), *(end(why) for why in nothing_to_do)]
    choice = choose()
    await_feeds() >> reconcile() >> recheck() >> choice >> ends
    choice >> [ask, approve, *nobody_to_revoke]
    ask >> approve >> revoke() >> publish
    nobody_to_revoke >> publish


cohort_deadline()
