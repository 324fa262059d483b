"""An example of a system that reads the list: it refuses applications of listed people for a later gelombang.

It holds subjects and no NIKs: the subject is computed with the list's key as an application arrives.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from prakerja_blacklist.reader.trusted_list import TrustedList


class Registration:
    """Applications in a file of their own, each `open` or `refused`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def apply(self, subject: str, key_id: str) -> None:
        """Record an application by its subject under a key. Recording it again changes nothing."""
        with self._opened() as applications:
            applications.execute("insert or ignore into applications values (?, ?, 'open')", [subject, key_id])

    def states(self) -> dict[str, str]:
        """Return each application's state by subject."""
        with self._opened() as applications:
            return dict(applications.execute("select subject, state from applications"))

    def react(self, listed: TrustedList, now: datetime) -> dict[str, int]:
        """Refuse the applications of listed people, reopen those of others, and return how many of each.

        An expired list hides who was reinstated, so it changes nothing. A subject under another key than the list's
        keeps its state too, since the list says nothing about it: it must be computed anew.
        """
        counts = {"refused": 0, "taken_up_again": 0, "under_another_key": 0}
        if listed.trusted.freshness(now).is_expired:
            return counts
        with self._opened() as applications:
            for subject, key_id, state in applications.execute("select * from applications").fetchall():
                should_be = "refused" if listed.is_listed(bytes.fromhex(subject)) else "open"
                if key_id != listed.trusted.key_id:
                    counts["under_another_key"] += 1
                elif state != should_be:
                    applications.execute("update applications set state = ? where subject = ?", [should_be, subject])
                    counts["refused" if should_be == "refused" else "taken_up_again"] += 1
        return counts

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute(
                "create table if not exists applications (subject text primary key, key_id text, state text)"
            )
            yield connection
