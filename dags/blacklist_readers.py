"""
### How a system that reads the blacklist keeps up with it

An example, for whoever writes such a system: a registration that refuses applications of listed people. It is woken by
each published version, and does what any reader should:

- wait until the list is the announced version and not stale,
- sync with the client (`prakerja.blacklist.client`): fetch, verify against the pinned key, apply the delta, exchange,
- react: refuse open applications of who is listed now, take up again those of who is withdrawn. With a list that has
  expired it does neither: what nobody knows is refused to nobody.

It keeps its own folder, `readers/registration` in the home, and reads the published files alone, never the warehouse.

**Red** means that the reader stays with the list that it last trusted: `await_list` that nothing fresh was published in
time (look at `publish_blacklist`), `sync_list` that what lies there was refused, and why.

**Do not trigger it** to make a list newer: it reads what is published.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import dag, get_current_context, task

from prakerja import tasks
from prakerja.settings import WIB
from prakerja_alerts import FAILURE, Alert
from prakerja_assets import BLACKLIST
from prakerja_run_notes import OUTCOME, pull_signed, push_outcome
from prakerja_task_identity import assume_task_identity
from prakerja_task_policy import DEFAULT_ARGS


@dag(
    schedule=[BLACKLIST],
    start_date=datetime(2020, 4, 11, tzinfo=WIB),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    dag_display_name="Example reader of the blacklist",
    doc_md=__doc__,
    on_failure_callback=Alert(event=FAILURE),
    tags=["prakerja", "blacklist"],
)
def blacklist_readers():
    @task.sensor(
        mode="reschedule",
        poke_interval=60,
        timeout=timedelta(hours=6).total_seconds(),
        task_display_name="Await a fresh list",
    )
    def await_list() -> bool:
        events: Any = get_current_context()["triggering_asset_events"]
        told = [event.extra.get("version", 0) for event in events[BLACKLIST]] if BLACKLIST in events else []
        return tasks.reader.has_fresh_list(max(told, default=0))

    @task(task_display_name="Sync the reader's copy")
    def sync_list(*, ti=None) -> dict[str, Any]:
        assume_task_identity()
        synced = tasks.reader.sync_list()
        push_outcome(ti, tasks.summaries.summarize_sync(synced))
        return synced

    @task(task_display_name="React as a registration would")
    def react(*, ti=None) -> dict[str, int]:
        assume_task_identity()
        reacted = tasks.reader.react_to_list()
        push_outcome(ti, tasks.summaries.summarize_reader(pull_signed(ti, OUTCOME, "sync_list"), reacted))
        return reacted

    await_list() >> sync_list() >> react()


blacklist_readers()
