"""Who may ask: API keys, one per consumer, hashed at rest, with scopes and a rate. Held in memory, refreshed behind.

A key is `<id>.<secret>`; the secret is random, so its SHA-256 tells nothing. A key that is revoked is refused within
`REFRESH_SECONDS`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from prakerja import warehouse
from prakerja.blacklist.service.problems import ProblemError
from prakerja.errors import PrakerjaError
from prakerja.settings import WIB

SCOPES = ("check", "list", "range")
REFRESH_SECONDS = 15.0
BURST_SECONDS = 10.0  # of its rate, a consumer may use so much at once


def create(consumer: str, scopes: list[str], per_minute: int, expires_on: date | None, *, created_by: str) -> str:
    """Make a key for a consumer; gives it, the only time that it can be seen. Raises `PrakerjaError`."""
    if not scopes or not set(scopes) <= set(SCOPES):
        raise PrakerjaError(f"a key has scopes out of {', '.join(SCOPES)}")
    api_key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    with warehouse.transaction("publish") as connection:
        warehouse.execute(
            connection,
            "blacklist/insert_api_key",
            api_key_id=api_key_id,
            consumer=consumer,
            secret_sha256=_hash(secret),
            scopes=sorted(set(scopes)),
            per_minute=per_minute,
            expires_on=expires_on,
            created_by=created_by,
        )
    return f"{api_key_id}.{secret}"


def revoke(api_key_id: str, *, because: str, revoked_by: str) -> None:
    """Let a key be refused from now on. Raises `PrakerjaError` where it is unknown, or revoked already."""
    with warehouse.transaction("publish") as connection:
        written = warehouse.execute(
            connection,
            "blacklist/insert_api_key_revocation",
            api_key_id=api_key_id,
            because=because,
            revoked_by=revoked_by,
        ).rowcount
    if not written:
        raise PrakerjaError(f"there is no key {api_key_id}, or it is revoked already: see `prakerja keys list`")


def list_keys() -> list[Any]:
    """Every key: api_key_id, consumer, scopes, per_minute, expires_on, created_by, created_at, revoked_at, and what was
    looked up with it: lookups, asked, last_used_at."""
    with warehouse.transaction() as connection:
        return list(warehouse.rows(connection, "blacklist/list_api_keys"))


@dataclass
class Consumer:
    """A key as the service holds it, and how much of its rate is used (GCRA: `free_at` is when all of it is free).

    `per_minute` counts what is asked about: each NIK, each range, each file.
    """

    api_key_id: str
    secret_sha256: str
    scopes: frozenset[str]
    per_minute: int
    expires_on: date | None
    free_at: float = 0.0


class Access:
    """The keys of a service."""

    def __init__(self) -> None:
        self._consumers: dict[str, Consumer] = {}
        self._seen: dict[str, Consumer] = {}  # by the header that was found to be right
        self.is_loaded = False

    def refresh(self) -> None:
        """Load the keys that are not revoked; what they have used is kept."""
        with warehouse.transaction("serve") as connection:
            rows = warehouse.rows(connection, "blacklist/list_valid_api_keys")
        before = self._consumers
        self._consumers = {
            row["api_key_id"]: Consumer(
                row["api_key_id"],
                row["secret_sha256"],
                frozenset(row["scopes"]),
                row["per_minute"],
                row["expires_on"],
                before[row["api_key_id"]].free_at if row["api_key_id"] in before else 0.0,
            )
            for row in rows
        }
        self._seen = {}
        self.is_loaded = True

    def require(self, authorization: str | None, scope: str, cost: int = 1) -> Consumer:
        """The consumer of an `Authorization: Bearer` header, who may do this, now. Raises `ProblemError`."""
        consumer = self.known(authorization, scope)
        spend(consumer, cost)
        return consumer

    def known(self, authorization: str | None, scope: str) -> Consumer:
        """The consumer of an `Authorization: Bearer` header, who may do this. Raises `ProblemError`."""
        consumer = self._seen.get(authorization or "")
        if consumer is None:
            kind, _, token = (authorization or "").partition(" ")
            api_key_id, _, secret = token.strip().partition(".")
            consumer = self._consumers.get(api_key_id) if kind.lower() == "bearer" else None
            if consumer is None or not hmac.compare_digest(_hash(secret), consumer.secret_sha256):
                wanted = {"www-authenticate": "Bearer"}
                raise ProblemError(401, "an API key is needed, and this is none", headers=wanted)
            self._seen[str(authorization)] = consumer
        if consumer.expires_on and datetime.now(WIB).date() > consumer.expires_on:
            raise ProblemError(
                401, f"this API key has expired on {consumer.expires_on}", headers={"www-authenticate": "Bearer"}
            )
        if scope not in consumer.scopes:
            raise ProblemError(403, f"this key has not the scope {scope}")
        return consumer


def spend(consumer: Consumer, cost: int) -> None:
    """Take from a consumer's rate. Raises `ProblemError` where it is used up."""
    now = time.monotonic()
    each = 60.0 / consumer.per_minute
    free_at = max(consumer.free_at, now) + each * cost
    if free_at - now > max(BURST_SECONDS, each * cost):
        wait = max(1, int(free_at - now - BURST_SECONDS) + 1)
        raise ProblemError(
            429, f"this key may ask about {consumer.per_minute:,} a minute", headers={"retry-after": str(wait)}
        )
    consumer.free_at = free_at


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
