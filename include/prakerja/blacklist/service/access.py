"""API keys: one per consumer, with scopes and a rate, hashed at rest, held in memory and refreshed in the background.

A key is `<id>.<secret>`. The secret is random, so its SHA-256 reveals nothing. A revoked key is refused within
`REFRESH_SECONDS`. While the warehouse is away the keys that were loaded last stay valid, also in a service that starts
meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from prakerja import warehouse
from prakerja.blacklist.service.places import Places
from prakerja.errors import PrakerjaError
from prakerja.serving.problems import ProblemError
from prakerja.settings import WIB

SCOPES = ("check", "list", "range")
REFRESH_SECONDS = 15.0
NOT_LOADED = "the API keys are not loaded yet: is the warehouse there?"
BURST_SECONDS = 10.0  # a consumer may use its rate of so many seconds at once
SECRET_CHARS_MAX = 100  # of a key that is shown; a secret has 43


def create(consumer: str, scopes: list[str], per_minute: int, expires_on: date | None, *, created_by: str) -> str:
    """Create a key for a consumer and return it, the only time that it can be seen. Raise `PrakerjaError`."""
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
    """Revoke a key. Raise `PrakerjaError` if it is unknown or revoked already."""
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
    """Return every key, and what was looked up with it.

    Columns: api_key_id, consumer, scopes, per_minute, expires_on, created_by, created_at, revoked_at, lookups, asked,
    last_used_at.
    """
    with warehouse.transaction() as connection:
        return list(warehouse.rows(connection, "blacklist/list_api_keys"))


def state_of(key: Any) -> str:
    """Return `valid`, `expired` or `revoked` for a row of `list_keys`."""
    if key["revoked_at"]:
        return "revoked"
    return "expired" if key["expires_on"] and key["expires_on"] < datetime.now(WIB).date() else "valid"


class ValidKey(BaseModel):
    """A key that is not revoked. `per_minute` counts each NIK and range, and each other request, also refused ones."""

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
    """A key in use, how much of its rate is used (GCRA: at `free_at` all of it is free again), and its requests."""

    key: ValidKey
    free_at: float = 0.0
    places: Places = field(default_factory=Places)


class Access:
    """The keys of a service. If it is given a file, it keeps there what it has loaded last."""

    def __init__(self, kept: Path | None = None) -> None:
        self._kept = kept
        self._consumers: dict[str, Consumer] = {}
        self.loaded_at: datetime | None = None

    def refresh(self) -> None:
        """Load the keys that are not revoked, and keep what each has used of its rate.

        Raise `PrakerjaError` if the warehouse is away. A service that has just started then loads the kept file.
        """
        try:
            with warehouse.transaction("serve") as connection:
                rows = warehouse.rows(connection, "blacklist/list_valid_api_keys")
        except PrakerjaError:
            if self.loaded_at is None and self._kept:
                with contextlib.suppress(OSError, ValueError):  # missing or damaged: it waits for the warehouse
                    self._take(ValidKeys.model_validate_json(self._kept.read_bytes()))
            raise
        valid = ValidKeys(loaded_at=datetime.now(UTC), keys=[ValidKey.model_validate(dict(row)) for row in rows])
        self._take(valid)
        with contextlib.suppress(OSError):  # a full disk does not prevent keys from being loaded
            self._keep(valid)

    def _keep(self, valid: ValidKeys) -> None:
        if self._kept:
            aside = self._kept.with_name(f".{self._kept.name}.{secrets.token_hex(4)}")
            aside.touch(mode=0o600)
            aside.write_text(valid.model_dump_json(), encoding="utf-8")
            aside.replace(self._kept)

    def _take(self, valid: ValidKeys) -> None:
        # The same object for the same key: a request that has begun before consumes the same quota.
        consumers = {key.api_key_id: self._consumers.get(key.api_key_id) or Consumer(key) for key in valid.keys}
        for key in valid.keys:
            consumers[key.api_key_id].key = key
        self._consumers, self.loaded_at = consumers, valid.loaded_at

    def identify(self, authorization: str | None) -> Consumer:
        """Return the consumer of an `Authorization: Bearer` header. Raise `ProblemError`.

        Each request hashes its secret: what was verified is not kept, since one key can be written in many ways.
        """
        if self.loaded_at is None:
            raise ProblemError(503, NOT_LOADED, kind="no-keys", headers={"retry-after": "5"})
        kind, _, token = (authorization or "").partition(" ")
        api_key_id, _, secret = token.strip().partition(".")
        consumer = self._consumers.get(api_key_id) if kind.lower() == "bearer" else None
        is_known = consumer is not None and len(secret) <= SECRET_CHARS_MAX
        if consumer is None or not is_known or not hmac.compare_digest(_hash(secret), consumer.key.secret_sha256):
            raise ProblemError(401, "an API key is needed, and this is none", headers={"www-authenticate": "Bearer"})
        last_day = consumer.key.expires_on
        if last_day and datetime.now(WIB).date() > last_day:
            raise ProblemError(401, f"this API key has expired on {last_day}", headers={"www-authenticate": "Bearer"})
        return consumer


def require_scope(consumer: Consumer, scope: str) -> None:
    """Raise `ProblemError` if a consumer's key has not the scope."""
    if scope not in consumer.key.scopes:
        raise ProblemError(403, f"this key has not the scope {scope}")


def consume_quota(consumer: Consumer, cost: int, *, paid: int = 0) -> None:
    """Take from a consumer's rate what a request costs, besides what was `paid` of it.

    Raise `ProblemError` if the rate is used up. The request then costs nothing: what was paid is given back.
    """
    now = time.monotonic()
    each = 60.0 / consumer.key.per_minute
    consumer.free_at -= each * paid
    free_at = max(consumer.free_at, now) + each * cost
    if (late := free_at - now - max(BURST_SECONDS, each * cost)) > 0:
        wait = int(late) + 1
        raise ProblemError(
            429, f"this key may ask about {consumer.key.per_minute:,} a minute", headers={"retry-after": str(wait)}
        )
    consumer.free_at = free_at


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
