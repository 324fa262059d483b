"""The inbox: a SQLite file with the messages. It holds phone numbers, so only its owner may read it."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prakerja.sandbox.shapes import Submission
from prakerja.sandbox.test_numbers import Receipt

SCHEMA = """
create table if not exists messages (
    id integer primary key,
    provider text not null,
    key text not null,
    recipient text not null,
    subject text,
    text text not null,
    digest blob not null,
    taken_at real not null,
    reference text,
    shape text not null default 'gateway',
    unique (provider, key)
);
create table if not exists refusals (provider text, key text, times integer, primary key (provider, key));
create table if not exists receipts (
    id integer primary key,
    message_id integer not null references messages,
    status text not null,
    code text,
    receipts_to text not null,
    due_at real not null,
    is_posted integer not null default 0
);
create index if not exists receipts_due on receipts (due_at) where not is_posted;
"""


class KeyReusedError(Exception):
    """A key was used again for another message."""


class Inbox:
    """The messages, one per provider and key, and their receipts."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._lock = threading.Lock()
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = normal")
        self._database.executescript(SCHEMA)
        columns = {row["name"] for row in self._all("pragma table_info (messages)")}
        if "shape" not in columns:  # an inbox of an earlier version
            self._database.execute("alter table messages add column reference text")
            self._database.execute("alter table messages add column shape text not null default 'gateway'")

    def has(self, provider: str, key: str) -> bool:
        """Return whether a submission with this key was stored before."""
        return bool(self._all("select 1 from messages where provider = ? and key = ?", provider, key))

    def count_refusal(self, provider: str, key: str) -> int:
        """Count a submission that may be refused; return how many times it came."""
        (row,) = self._all(
            "insert into refusals values (?, ?, 1) on conflict do update set times = times + 1 returning times",
            provider, key,
        )  # fmt: skip
        return int(row["times"])

    def store(
        self,
        provider: str,
        submission: Submission,
        receipts: Sequence[Receipt] = (),
        *,
        subject: str | None = None,
        shape: str,
    ) -> int:
        """Store a message and its future receipts; return its id, which is the same for the same key.

        Raises `KeyReusedError` if the key came with another message.
        """
        now = time.time()
        digest = hashlib.sha256(f"{submission.to}\n{submission.text}".encode()).digest()
        with self._lock:
            # `returning` gives an id only to a new message, so two keys never share one.
            row = self._database.execute(
                "insert into messages (provider, key, recipient, subject, text, digest, taken_at, reference, shape)"
                " values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing returning id",
                (
                    provider,
                    submission.key,
                    submission.to,
                    subject,
                    submission.text,
                    digest,
                    now,
                    submission.reference,
                    shape,
                ),
            ).fetchone()
            if row is None:
                known = self._database.execute(
                    "select id, digest from messages where provider = ? and key = ?", (provider, submission.key)
                ).fetchone()
                if known["digest"] != digest:
                    raise KeyReusedError
                return int(known["id"])
            if submission.receipts_to:
                self._database.executemany(
                    "insert into receipts (message_id, status, code, receipts_to, due_at) values (?, ?, ?, ?, ?)",
                    [
                        (row["id"], receipt.status, receipt.code, submission.receipts_to, now + receipt.after)
                        for receipt in receipts
                    ],
                )
        return int(row["id"])

    def due(self, most: int) -> list[dict[str, Any]]:
        """Return the receipts to post now, the oldest first."""
        return [
            dict(row)
            for row in self._all(
                "select r.id, r.status, r.code, r.receipts_to, coalesce(m.reference, m.key) as reference, m.provider,"
                " m.shape, m.recipient, m.id as number"
                " from receipts r join messages m on m.id = r.message_id"
                " where not r.is_posted and r.due_at <= ? order by r.due_at, r.id limit ?",
                time.time(), most,
            )
        ]  # fmt: skip

    def mark_posted(self, ids: Sequence[int]) -> None:
        with self._lock:
            self._database.executemany(
                "update receipts set is_posted = 1 where id = ?", [(receipt_id,) for receipt_id in ids]
            )

    def redirect(self, provider: str, receipts_to: str) -> None:
        """Change where a provider's remaining receipts are posted: their receiver no longer runs."""
        with self._lock:
            self._database.execute(
                "update receipts set receipts_to = ? where not is_posted"
                " and message_id in (select id from messages where provider = ?)",
                (receipts_to, provider),
            )

    def postpone(self, ids: Sequence[int], seconds: float) -> None:
        """Make receipts that did not arrive due later, so that others are posted first."""
        with self._lock:
            self._database.executemany(
                "update receipts set due_at = ? where id = ?",
                [(time.time() + seconds, receipt_id) for receipt_id in ids],
            )

    def count(self) -> int:
        return int(self._all("select count(*) from messages")[0][0])

    def latest(self, most: int) -> list[dict[str, Any]]:
        """Return the newest messages with their receipts, for the page."""
        return [
            dict(row)
            for row in self._all(
                "select m.id, m.provider, m.recipient, m.subject, m.text, m.taken_at,"
                " (select group_concat(r.status || case r.is_posted when 1 then '' else ' (due)' end, ', ')"
                "  from receipts r where r.message_id = m.id) as receipts"
                " from messages m order by m.id desc limit ?",
                most,
            )
        ]  # fmt: skip

    def _all(self, statement: str, *parameters: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._database.execute(statement, parameters).fetchall()
