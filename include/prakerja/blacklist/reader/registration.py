"""An example of a system that reads the list: applications for a later gelombang, refused to who is listed.

It knows subjects, never NIKs: whoever takes an application in computes the subject with the key of the list at once.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from prakerja.blacklist.reader.client import TrustedList


class Registration:
    """The applications, in a file of their own: `open` or `refused`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def apply(self, subject: str, key_id: str) -> None:
        """Take an application in, its subject under a key. Twice is once."""
        with self._opened() as applications:
            applications.execute("insert or ignore into applications values (?, ?, 'open')", [subject, key_id])

    def states(self) -> dict[str, str]:
        """Every application's state by subject."""
        with self._opened() as applications:
            return dict(applications.execute("select subject, state from applications"))

    def react(self, listed: TrustedList, now: datetime) -> dict[str, int]:
        """Refuse and take up again what the list says; gives how many of each. Twice is once.

        A list that has expired hides who was reinstated: by it, nothing changes. Nor does anything for subjects under
        another key than the list's, of whom it says nothing: who takes applications in computes those anew.
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
