"""The assets of the DAGs, and their events: each version and each delivery is announced exactly once."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, AssetAlias

from prakerja.airflow_home import PUBLISHING

#: The published list. Its events have the extra `version`.
BLACKLIST = Asset("blacklist", uri="prakerja://blacklist/latest")

# Events go through an alias: a plain outlet would create an event at every success of its task, also without a version.
ACCEPTED, PUBLISHED = AssetAlias("accepted_delivery"), AssetAlias("published_blacklist")

#: The arguments of a task that publishes. The pool has one slot, which is released after the task's events are
#: recorded: two tasks at once would announce the same versions.
PUBLISHES: dict[str, Any] = {"inlets": [BLACKLIST], "outlets": [PUBLISHED], "pool": PUBLISHING}


def feed_asset(platform: str) -> Asset:
    """Return the asset of a platform's deliveries. Its events have the extra `deliveries`: the accepted ones."""
    return Asset(f"feed_{platform}", uri=f"prakerja://feeds/{platform}")


def announce_versions(inlet_events: Any, outlet_events: Any, newest: int) -> None:
    """Add an event for each version up to `newest` that no task has announced, in order, also after a task that died.

    Airflow records a task's events with its success, in one transaction. An event without a task was created by hand,
    and does not count.
    """
    last = inlet_events[BLACKLIST].ascending(False).limit(100)
    announced = (event.extra.get("version") or 0 for event in last if event.source_task_id)
    for version in range(max(announced, default=0) + 1, newest + 1):
        outlet_events[PUBLISHED].add(BLACKLIST, extra={"version": version})


def announce_deliveries(announced: Any, outlet_events: Any, platform: str, deliveries: list[dict[str, Any]]) -> None:
    """Add an event for a platform's accepted deliveries, without those in the events `announced`."""
    before = [delivery for event in announced if event.source_task_id for delivery in event.extra["deliveries"]]
    new = [delivery for delivery in deliveries if delivery not in before]
    if new:
        outlet_events[ACCEPTED].add(feed_asset(platform), extra={"deliveries": new})
