"""The assets that DAGs tell of and wait for, named once."""

from __future__ import annotations

from airflow.sdk import Asset

#: A version of the list was published. Its events have the extra `version`.
BLACKLIST = Asset("blacklist", uri="prakerja://blacklist/latest")


def feed_of(platform: str) -> Asset:
    """A platform's deliveries. Events have the extra `deliveries`: those that were accepted."""
    return Asset(f"feed_{platform}", uri=f"prakerja://feeds/{platform}")
