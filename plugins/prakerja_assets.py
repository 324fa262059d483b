"""The assets that DAGs tell of and wait for, named once; and how each version and delivery is told once."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, AssetAlias

from prakerja.airflow_home import PUBLISHING

#: A version of the list was published. Its events have the extra `version`.
BLACKLIST = Asset("blacklist", uri="prakerja://blacklist/latest")

# Events go through an alias: a plain outlet would tell of a delivery or a version at every success, also without one.
ACCEPTED, PUBLISHED = AssetAlias("accepted_delivery"), AssetAlias("published_blacklist")

#: What a task has that publishes. The pool has one slot, which is free again once the task's events are recorded: two
#: tasks at once would both find the same versions untold.
PUBLISHES: dict[str, Any] = {"inlets": [BLACKLIST], "outlets": [PUBLISHED], "pool": PUBLISHING}


def feed_of(platform: str) -> Asset:
    """A platform's deliveries. Events have the extra `deliveries`: those that were accepted."""
    return Asset(f"feed_{platform}", uri=f"prakerja://feeds/{platform}")


def tell_versions(inlet_events: Any, outlet_events: Any, newest: int) -> None:
    """Tell of each version up to the newest that no task has told of, in order: also those of a task that died.

    What a task tells is recorded with its success, in one transaction. An event that somebody made by hand has no task.
    """
    last = inlet_events[BLACKLIST].ascending(False).limit(100)
    told = (event.extra.get("version") or 0 for event in last if event.source_task_id)
    for version in range(max(told, default=0) + 1, newest + 1):
        outlet_events[PUBLISHED].add(BLACKLIST, extra={"version": version})


def tell_deliveries(told: Any, outlet_events: Any, platform: str, deliveries: list[dict[str, Any]]) -> None:
    """Tell of a platform's accepted deliveries, but for those that the events `told` have."""
    before = [delivery for event in told if event.source_task_id for delivery in event.extra["deliveries"]]
    if untold := [delivery for delivery in deliveries if delivery not in before]:
        outlet_events[ACCEPTED].add(feed_of(platform), extra={"deliveries": untold})
