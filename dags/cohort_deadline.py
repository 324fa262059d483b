"""
### One run per cohort deadline, and one per reminder date before it

The run's id says what it is: `gelombang-13__H-7__2021-04-01`, `gelombang-13__deadline__2021-04-08`. Every run has the
same shape: wait for complete feeds, reconcile, read a second time, branch.

- **Before the deadline** it reminds whoever has not bought: by SMS, else by e-mail, in the recipient's own daytime.
- **After it** (deadline and settlement day, then 06:00 WIB) it decides every recipient, by two readings of the same
  files that must agree, and revokes the overdue once enough people have approved that very batch: here, where
  `ask_approval` asks (*Required Actions*), or by `prakerja approve`. Then the next version of the blacklist is
  published, also when nobody was revoked.
- Otherwise it ends in a task whose name says why there was nothing to do.

**Red** before `revoke` means that nobody was revoked: `await_feeds` names the platforms and dates that are missing,
`reconcile` an implausible result, `recheck` a second reading that differs, `ask_approval` that somebody has rejected or
nobody has answered for 24 hours, `approve_revocation` that an approval lacks. `send_reminders` is red where no provider
answers, or where some messages have failed for now: cleared, it sends those and no other. Clear the task once that is
mended; clear `choose` to ask again.

**To try what a run would do**, trigger it with a cohort and `rehearsal`: `reconcile` decides by what is known today and
reports the counts and what would stop them, and nothing of it is kept; nobody is reminded, revoked or listed.

A run of the past is safe: it never waits, sends no reminder, and decides and revokes nobody twice.
**Do not mark a task as successful** to get past a gate: what it guards takes a benefit away for life.
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
from prakerja_assets import PUBLISHES, tell_versions
from prakerja_connections import message_connections
from prakerja_run_notes import push_outcome
from prakerja_task_identity import assume_task_identity
from prakerja_task_policy import DEFAULT_ARGS
from prakerja_timetable import CohortTimetable

load_people()  # a list that cannot be read is an error of the DAG, seen before anybody is asked
TIMETABLE = CohortTimetable.from_cohorts(calendar().values())
TODAY = wib_today()
COHORTS = {n: f"gelombang-{n}, until {cohort.as_known_on(TODAY).deadline_on}" for n, cohort in calendar().items()}
#: An entry that cannot be read stops no other cohort: the page tells it, as the import error of `cohort_calendar.py`.
UNREADABLE = "".join(
    f"\n**Nothing is decided for this cohort:** {markdown(entry.told)}\n" for entry in unreadable_entries()
)
KINDS = sorted({event.kind for event in TIMETABLE.events}, key=lambda kind: (kind == "deadline", kind))


def this_run() -> RunContext:
    context = assume_task_identity()
    event = TIMETABLE.event_at(context.get("logical_date"))  # a backfill names its runs itself
    return RunContext.from_cohort_run(
        event.name if event else context["run_id"], context["dag_run"].conf, datetime.now(WIB)
    )


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


def note_outcome(ti: Any, run: RunContext, counts: dict[str, Any] | None = None) -> None:
    if not run.is_rehearsal:
        tasks.monitor.refresh_monitor(run.now, run.cohort)
    push_outcome(ti, tasks.summaries.summarize_cohort(run, counts))


def end(why: str) -> EmptyOperator:
    return EmptyOperator(task_id=why, task_display_name=why.replace("_", " ").capitalize())


@dag(
    schedule=TIMETABLE,
    # Before the first announcement: a run that lies before its DAG's start gets no tasks, and is called a success.
    start_date=datetime(2020, 4, 11, tzinfo=WIB),
    catchup=True,  # an event that fell into an outage is made up for
    max_active_runs=32,  # one that waits for an answer keeps no reminder of another cohort waiting
    default_args=DEFAULT_ARGS,
    dag_display_name="Cohort deadlines and reminders",
    doc_md=UNREADABLE + __doc__,
    on_failure_callback=Alert(event=FAILURE),
    params={
        "cohort": Param(None, type=["null", "integer"], enum=[None, *calendar()], values_display=COHORTS),
        "kind": Param(None, type=["null", "string"], enum=[None, *KINDS], description="empty: the deadline"),
        "rehearsal": Param(False, type="boolean", description="decide and report, and change nothing"),
    },
    tags=["prakerja", "deadlines"],
)
def cohort_deadline():
    @task.sensor(
        mode="reschedule",
        poke_interval=300,
        timeout=timedelta(hours=24).total_seconds(),
        task_display_name="Await complete feeds",
    )
    def await_feeds() -> PokeReturnValue:
        return PokeReturnValue(is_done=tasks.deadline.has_complete_feeds(this_run()))

    @task(task_display_name="Reconcile: count")
    def reconcile(*, ti=None) -> dict[str, Any]:
        run, counts = this_run(), None
        try:
            counts = tasks.deadline.reconcile(run)
            return counts
        finally:
            note_outcome(ti, run, counts)

    @task(task_display_name="Read a second time, and decide")
    def recheck(*, ti=None) -> dict[str, Any]:
        run = this_run()
        try:
            counts = tasks.deadline.recheck(run)
            prakerja_telemetry.record_decision(run, counts)
            return counts
        finally:
            if not run.is_rehearsal:
                note_outcome(ti, run)

    @task.branch(task_display_name="Choose what comes next")
    def choose() -> str:
        return tasks.deadline.choose(this_run())

    ask = ask_approval(request_approval, record_approval, record_rejection, is_approval_missing)

    # It is poked again for messages that the night holds back, temporary failures and receipts, until nothing is left.
    @task.sensor(
        mode="reschedule",
        poke_interval=300,
        timeout=timedelta(hours=48).total_seconds(),
        task_display_name="Send reminders",
    )
    def send_reminders(*, ti=None) -> PokeReturnValue:
        run = this_run()
        connections = {} if run.is_replay else message_connections()  # a replay writes to its sandbox alone
        is_done, counts = tasks.deadline.send_reminders(run, connections)
        if is_done:
            note_outcome(ti, run)
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
        note_outcome(ti, run)
        return revoked

    @task(
        task_display_name="Publish the blacklist",
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        **PUBLISHES,
    )
    def publish_blacklist(*, ti=None, inlet_events=None, outlet_events=None) -> int:
        run = this_run()
        version = tasks.deadline.publish_blacklist(run)
        prakerja_telemetry.record_list(tasks.reader.measure_list())
        tell_versions(inlet_events, outlet_events, tasks.reader.published_version())
        note_outcome(ti, run)
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
