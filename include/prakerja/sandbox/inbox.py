"""What the sandbox has taken, in one SQLite file: it holds phone numbers, and only its owner may read it."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prakerja.sandbox.shapes import Asked
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
    """The same key came with another message."""


class Inbox:
    """The messages, each key once, and the receipts that are due."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._lock = threading.Lock()
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = normal")
        self._database.executescript(SCHEMA)
        columns = {row["name"] for row in self._all("pragma table_info (messages)")}
        if "shape" not in columns:  # an inbox of before there was more than one
            self._database.execute("alter table messages add column reference text")
            self._database.execute("alter table messages add column shape text not null default 'gateway'")

    def has(self, provider: str, key: str) -> bool:
        """Whether this submission was taken before."""
        return bool(self._all("select 1 from messages where provider = ? and key = ?", provider, key))

    def refuse(self, provider: str, key: str, times: int) -> bool:
        """Whether to refuse a submission that is refused so many times; counts it."""
        (row,) = self._all(
            "insert into refusals values (?, ?, 1) on conflict do update set times = times + 1 returning times",
            provider, key,
        )  # fmt: skip
        return int(row["times"]) <= times

    def take(
        self, provider: str, asked: Asked, receipts: Sequence[Receipt] = (), *, subject: str | None = None, shape: str
    ) -> int:
        """Keep a message and the receipts that it will have; return its id, the same for the same key."""
        now = time.time()
        digest = hashlib.sha256(f"{asked.to}\n{asked.text}".encode()).digest()
        with self._lock:
            # An id only where it is new: a message of another key must never share one.
            row = self._database.execute(
                "insert into messages (provider, key, recipient, subject, text, digest, taken_at, reference, shape)"
                " values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing returning id",
                (provider, asked.key, asked.to, subject, asked.text, digest, now, asked.reference, shape),
            ).fetchone()
            if row is None:
                known = self._database.execute(
                    "select id, digest from messages where provider = ? and key = ?", (provider, asked.key)
                ).fetchone()
                if known["digest"] != digest:
                    raise KeyReusedError
                return int(known["id"])
            if asked.receipts_to:
                self._database.executemany(
                    "insert into receipts (message_id, status, code, receipts_to, due_at) values (?, ?, ?, ?, ?)",
                    [(row["id"], each.status, each.code, asked.receipts_to, now + each.after) for each in receipts],
                )
        return int(row["id"])

    def due(self, most: int) -> list[dict[str, Any]]:
        """The receipts to post now, the oldest first."""
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

    def posted(self, ids: Sequence[int]) -> None:
        """These receipts have arrived."""
        with self._lock:
            self._database.executemany("update receipts set is_posted = 1 where id = ?", [(each,) for each in ids])

    def redirect(self, provider: str, receipts_to: str) -> None:
        """Send a provider's receipts that are still due here: whoever was to have them is gone."""
        with self._lock:
            self._database.execute(
                "update receipts set receipts_to = ? where not is_posted"
                " and message_id in (select id from messages where provider = ?)",
                (receipts_to, provider),
            )

    def put_off(self, ids: Sequence[int], seconds: float) -> None:
        """These have not arrived: others go first."""
        with self._lock:
            self._database.executemany(
                "update receipts set due_at = ? where id = ?", [(time.time() + seconds, each) for each in ids]
            )

    def count(self) -> int:
        """How many messages were taken."""
        return int(self._all("select count(*) from messages")[0][0])

    def latest(self, most: int) -> list[dict[str, Any]]:
        """The newest messages with what their receipts said, for the page."""
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
