"""
### One run per waiting batch of reinstatements, or of a person whose hold was resolved as not purchased

`daily_audit` triggers it each morning for each batch that still lacks approvals. It asks here (*Required Actions*),
until the batch has the approvals that it needs, here or by `prakerja approve`; then it carries out what is approved and
publishes the list.

**Red**: somebody has rejected, or nobody has answered for 24 hours; the next morning asks again. Reinstatements and
holds can always be approved by `prakerja approve`; the next `platform_feeds` carries them out, too.
**Do not mark a task as successful** to get past a gate: the warehouse refuses what is not approved.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import dag, task

from prakerja import tasks
from prakerja.people import load_people
from prakerja.settings import WIB, wib_today
from prakerja_alerts import FAILURE, Alert
from prakerja_approval_operator import ask_approval
from prakerja_assets import PUBLISHES, tell_versions
from prakerja_task_identity import assume_task_identity
from prakerja_task_policy import DEFAULT_ARGS

load_people()  # a list that cannot be read is an error of the DAG, seen before anybody is asked


def conf() -> dict[str, Any]:
    return assume_task_identity()["dag_run"].conf


def request_approval() -> dict[str, Any] | None:
    return tasks.batches.request_batch_approval(conf())


def record_approval(digest: str, login: str) -> str:
    return tasks.answers.record_approval(tasks.batches.read_batch_conf(conf())[0], digest, login, wib_today())


def record_rejection(digest: str, login: str) -> str:
    return tasks.answers.record_rejection(tasks.batches.read_batch_conf(conf())[0], digest, login, wib_today())


def is_approval_missing(digest: str) -> bool:
    return tasks.answers.is_approval_missing(tasks.batches.read_batch_conf(conf())[0], digest)


@dag(
    schedule=None,
    start_date=datetime(2020, 4, 11, tzinfo=WIB),
    catchup=False,
    max_active_runs=32,
    default_args=DEFAULT_ARGS,
    dag_display_name="Approvals of reinstatements and holds",
    doc_md=__doc__,
    on_failure_callback=Alert(event=FAILURE),
    tags=["prakerja", "deadlines"],
)
def batch_approval():
    ask = ask_approval(request_approval, record_approval, record_rejection, is_approval_missing)

    @task(task_display_name="Revoke or reinstate, publish the blacklist", **PUBLISHES)
    def carry_out(*, inlet_events=None, outlet_events=None) -> dict[str, int | None]:
        done = tasks.batches.apply_batches(conf(), datetime.now(UTC))
        tell_versions(inlet_events, outlet_events, tasks.reader.published_version())
        return done

    ask >> carry_out()


batch_approval()
