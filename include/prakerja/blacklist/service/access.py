"""Who may ask: API keys, one per consumer, hashed at rest, with scopes and a rate. Held in memory, refreshed behind.

A key is `<id>.<secret>`; the secret is random, so its SHA-256 tells nothing. A key that is revoked is refused within
`REFRESH_SECONDS`. While the warehouse is away, those that were good last are, also in a service that starts meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from prakerja import warehouse
from prakerja.blacklist.service.problems import ProblemError
from prakerja.errors import PrakerjaError
from prakerja.settings import WIB

SCOPES = ("check", "list", "range")
REFRESH_SECONDS = 15.0
NOT_LOADED = "the API keys are not loaded yet: is the warehouse there?"
BURST_SECONDS = 10.0  # of its rate, a consumer may use so much at once


def create(consumer: str, scopes: list[str], per_minute: int, expires_on: date | None, *, created_by: str) -> str:
    """Make a key for a consumer; gives it, the only time that it can be seen. Raises `PrakerjaError`."""
    if not scopes or not set(scopes) <= set(SCOPES):
        raise PrakerjaError(f"a key has scopes out of {', '.join(SCOPES)}")
    if expires_on and expires_on < datetime.now(WIB).date():
        raise PrakerjaError(f"a key that has expired on {expires_on} is of no use: give a day to come")
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


def state_of(key: Any) -> str:
    """Of a row of `list_keys`: `valid`, `expired` or `revoked`."""
    if key["revoked_at"]:
        return "revoked"
    return "expired" if key["expires_on"] and key["expires_on"] < datetime.now(WIB).date() else "valid"


class ValidKey(BaseModel):
    """A key that is not revoked. `per_minute` counts what is asked about: each NIK, each range, each file."""

    model_config = ConfigDict(frozen=True)

    api_key_id: str
    secret_sha256: str
    scopes: frozenset[str]
    per_minute: int
    expires_on: date | None


class ValidKeys(BaseModel):
    """The keys that were valid at an instant."""

    loaded_at: datetime
    keys: list[ValidKey]


@dataclass
class Consumer:
    """A key in use, and how much of its rate is used (GCRA: `free_at` is when all of it is free)."""

    key: ValidKey
    free_at: float = 0.0


class Access:
    """The keys of a service. What it has loaded last it keeps in a file, if it is given one."""

    def __init__(self, kept: Path | None = None) -> None:
        self._kept = kept
        self._consumers: dict[str, Consumer] = {}
        self._seen: dict[str, Consumer] = {}  # by the header that was found to be right
        self.loaded_at: datetime | None = None

    def refresh(self) -> None:
        """Load the keys that are not revoked; what they have used is kept.

        Raises `PrakerjaError` where the warehouse is away. Who has just started then takes what was kept.
        """
        try:
            with warehouse.transaction("serve") as connection:
                rows = warehouse.rows(connection, "blacklist/list_valid_api_keys")
        except PrakerjaError:
            if self.loaded_at is None and self._kept:
                with contextlib.suppress(OSError, ValueError):  # none, or damaged: the warehouse is waited for
                    self._take(ValidKeys.model_validate_json(self._kept.read_bytes()))
            raise
        valid = ValidKeys(loaded_at=datetime.now(UTC), keys=[ValidKey.model_validate(dict(row)) for row in rows])
        self._take(valid)
        with contextlib.suppress(OSError):  # a full disk keeps no key from being loaded
            self._keep(valid)

    def _keep(self, valid: ValidKeys) -> None:
        if self._kept:
            aside = self._kept.with_name(f".{self._kept.name}.{secrets.token_hex(4)}")
            aside.touch(mode=0o600)
            aside.write_text(valid.model_dump_json(), encoding="utf-8")
            aside.replace(self._kept)

    def _take(self, valid: ValidKeys) -> None:
        # The same object for the same key: what a request spends that has begun before is spent all the same.
        consumers = {key.api_key_id: self._consumers.get(key.api_key_id) or Consumer(key) for key in valid.keys}
        for key in valid.keys:
            consumers[key.api_key_id].key = key
        self._consumers, self._seen, self.loaded_at = consumers, {}, valid.loaded_at

    def require(self, authorization: str | None, scope: str, cost: int = 1) -> Consumer:
        """The consumer of an `Authorization: Bearer` header, who may do this, now. Raises `ProblemError`."""
        consumer = self.known(authorization, scope)
        spend(consumer, cost)
        return consumer

    def known(self, authorization: str | None, scope: str) -> Consumer:
        """The consumer of an `Authorization: Bearer` header, who may do this. Raises `ProblemError`."""
        if self.loaded_at is None:
            raise ProblemError(503, NOT_LOADED, kind="no-keys", headers={"retry-after": "5"})
        consumer = self._seen.get(authorization or "")
        if consumer is None:
            kind, _, token = (authorization or "").partition(" ")
            api_key_id, _, secret = token.strip().partition(".")
            consumer = self._consumers.get(api_key_id) if kind.lower() == "bearer" else None
            if consumer is None or not hmac.compare_digest(_hash(secret), consumer.key.secret_sha256):
                wanted = {"www-authenticate": "Bearer"}
                raise ProblemError(401, "an API key is needed, and this is none", headers=wanted)
            self._seen[str(authorization)] = consumer
        last_day = consumer.key.expires_on
        if last_day and datetime.now(WIB).date() > last_day:
            raise ProblemError(401, f"this API key has expired on {last_day}", headers={"www-authenticate": "Bearer"})
        if scope not in consumer.key.scopes:
            raise ProblemError(403, f"this key has not the scope {scope}")
        return consumer


def spend(consumer: Consumer, cost: int) -> None:
    """Take from a consumer's rate. Raises `ProblemError` where it is used up."""
    now = time.monotonic()
    each = 60.0 / consumer.key.per_minute
    free_at = max(consumer.free_at, now) + each * cost
    if (late := free_at - now - max(BURST_SECONDS, each * cost)) > 0:
        wait = int(late) + 1
        raise ProblemError(
            429, f"this key may ask about {consumer.key.per_minute:,} a minute", headers={"retry-after": str(wait)}
        )
    consumer.free_at = free_at


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
