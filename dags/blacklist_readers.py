"""
### Follows the blacklist, as a system that reads it should

An example for the authors of such a system: a registration that refuses the applications of listed people. Each
published version starts a run, which does what every reader should do:

- `await_list` waits until the published list is the announced version and is not stale.
- `sync_list` syncs with the client (`prakerja_blacklist.reader.sync`): fetch, verify against the pinned key, apply the
  delta, replace the copy.
- `react` refuses the open applications of listed people, and reopens those of people who were withdrawn from the list.
  With an expired list it does neither: a reader refuses nobody by a list that may be out of date.

The reader keeps its copy in `readers/registration` in the home, and reads the published files only, never the
warehouse.

**Red** means that the reader keeps the list that it last trusted. `await_list`: no fresh list was published in time
(look at `publish_blacklist`). `sync_list`: the published list was refused; the log has the reason.

**Do not trigger it** to get a newer list: it reads what is published.
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
        announced = [event.extra.get("version", 0) for event in events[BLACKLIST]] if BLACKLIST in events else []
        return tasks.reader.has_fresh_list(max(announced, default=0))

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
