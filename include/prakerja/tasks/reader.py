"""The tasks of `blacklist_readers`, an example reader, and what other DAGs ask of the published list."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from prakerja.errors import NotReadyError, PrakerjaError
from prakerja.settings import Settings

if TYPE_CHECKING:
    from prakerja_blacklist.reader.freshness import Freshness

log = logging.getLogger(__name__)


def has_list() -> bool:
    """Return whether a list is published."""
    from prakerja.blacklist.publisher import storage

    try:
        storage.find_list(Settings.from_environment().publish)
    except NotReadyError:
        return False
    return True


def has_fresh_list(version: int = 0) -> bool:
    """Return whether a list of at least this version is published, and the next one is not overdue."""
    published = _published()
    return published is not None and published.version >= version and not published.is_stale


def published_version() -> int:
    """Return the version of the list that is published, 0 if there is none."""
    published = _published()
    return published.version if published else 0


def _published() -> Freshness | None:
    from prakerja.blacklist.publisher import storage
    from prakerja.blacklist.publisher.freshness import load_freshness

    try:
        return load_freshness(storage.find_list(Settings.from_environment().publish), datetime.now(UTC))
    except NotReadyError:
        return None


def measure_list() -> dict[str, float]:
    """Return the published list's `version` and `age_seconds`; nothing if no list can be read."""
    from prakerja.blacklist.publisher import storage
    from prakerja.blacklist.publisher.freshness import load_freshness

    now = datetime.now(UTC)
    try:
        found = load_freshness(storage.find_list(Settings.from_environment().publish), now)
    except PrakerjaError as error:
        log.warning("the published list was not measured: %s", error)
        return {}
    return {"version": found.version, "age_seconds": (now - found.created_at).total_seconds()}


def sync_list() -> dict[str, Any]:
    """Sync the example reader's copy; return its `version`, `how` it came, its `entries`, and what deltas `added` and
    `withdrawn`.
    """
    from prakerja.blacklist.publisher import storage

    synced = _reader().sync(storage.source_in(storage.find_list(Settings.from_environment().publish)))
    return {
        "version": synced.trusted.version,
        "how": synced.how,
        "entries": synced.trusted.entries,
        "added": sum(change.op == "ADD" for change in synced.changes),
        "withdrawn": sum(change.op == "WITHDRAW" for change in synced.changes),
    }


def react_to_list() -> dict[str, int]:
    """Let the example registration refuse and resume applications by the list that it trusts; return the counts."""
    from prakerja_blacklist.reader.registration import Registration

    reader = _reader()
    return Registration(reader.folder.parent / "registration.sqlite").react(reader.open_list(), datetime.now(UTC))


def _reader() -> Any:
    from prakerja.blacklist.publisher import configured_keys
    from prakerja_blacklist.reader.sync import Client

    folder = Settings.from_environment().make_home() / "readers" / "registration" / "list"
    return Client(folder, [configured_keys.load_signing_key().public], configured_keys.load_subject_keys())
