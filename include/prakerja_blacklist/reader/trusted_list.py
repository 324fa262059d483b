"""What a reader trusts: the version that it holds and the keys that it believes, and the list, opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any

from prakerja_blacklist.format.contract import (
    CONTRACT_NAME,
    FIRST_CONTRACT,
    Instant,
    KeyId,
    Manifest,
    RevokedKey,
    RingKey,
    Sha256,
    UnknownContractError,
    VersionNumber,
    parse_manifest,
)
from prakerja_blacklist.format.documents import Document, DoesNotFitError, Pattern, Size
from prakerja_blacklist.format.keyring import Trust, UntrustedError, file_name
from prakerja_blacklist.format.signatures import PublicKey
from prakerja_blacklist.format.snapshot import Subjects, sha256
from prakerja_blacklist.reader.freshness import DAILY, Freshness, Schedule


@dataclass(frozen=True, slots=True)
class RootProof(Document):
    """What a reader that pins a root keeps: the roots from the pinned one on, and its keyring's endorsement."""

    roots: Annotated[list[str], Size(1, 100_000)]
    endorsement: str


@dataclass(frozen=True, slots=True)
class Trusted(Document):
    """The state of a reader's folder: the version that it trusts, and the keys that it believes by now."""

    version: VersionNumber
    folder: Annotated[str, Pattern(r"^v\d{6,9}-[0-9a-f]{16}$")]
    manifest_sha256: Sha256
    result_sha256: Sha256
    subjects_sha256: Sha256
    entries: int
    key_id: KeyId
    signing_key_id: KeyId
    created_at: Instant
    expires_at: Instant
    data_as_of: dict[str, str]
    synced_at: Instant
    keyring: int
    keys: list[RingKey]
    revoked: list[RevokedKey]
    #: The ids of the keys that were pinned at the last sync.
    pins: list[KeyId] = field(default_factory=list)
    #: The version's manifest, its signature, and every keyring up to `keyring`, as they were published: from them and a
    #: pinned key the rest follows. Readers of 0.2 and before did not keep them.
    manifest: str = ""
    signature: str = ""
    keyrings: list[str] = field(default_factory=list)
    #: The ids of the keys of the witnesses that have signed the version.
    witnessed: list[KeyId] = field(default_factory=list)
    #: In place of the pins and the keyrings, if a root is pinned.
    root: RootProof | None = None
    #: The contract by which the list's lines are written. Readers of 0.2 and before knew the first alone.
    contract: Annotated[str, Pattern(CONTRACT_NAME)] = FIRST_CONTRACT.name

    def freshness(self, now: datetime, schedule: Schedule = DAILY) -> Freshness:
        """Return the freshness of the list at an instant. A list that a revoked key has signed counts as expired."""
        freshness = Freshness.from_manifest_fields(
            self.version, self.created_at, self.expires_at, self.data_as_of, now=now, schedule=schedule
        )
        return replace(freshness, is_stale=True, is_expired=True) if self.is_revoked else freshness

    @property
    def is_revoked(self) -> bool:
        """Whether the key that signed the list is revoked. A root's keyring revokes the keys that it leaves out."""
        is_left_out = self.root is not None and self.signing_key_id not in self.trust.keys
        return is_left_out or self.signing_key_id in self.trust.revoked

    @property
    def trust(self) -> Trust:
        """The keys that the reader believes."""
        return Trust(
            {key.signing_key_id: key for key in self.keys},
            self.keyring,
            {key.signing_key_id: key for key in self.revoked},
        )

    def prove(self, pins: Iterable[PublicKey]) -> Trust | None:
        """Return the keys that are believed as they follow from pinned ones, or None if this state does not.

        Whoever may write into the folder can write any state, but no signatures. Raise `UnknownContractError`.
        """
        trust, believed = Trust.from_pins(pins), dict[str, RingKey]()
        believed.update(trust.keys)
        rings = {file_name(number): ring.encode() for number, ring in enumerate(self.keyrings, 1)}
        try:
            trust = trust.follow(rings.get, at_most=None, believed=believed)
            if trust.number != self.keyring or (trust.number and trust != self.trust):
                return None
            if not self.is_revoked:  # such a list answers nobody
                self.require_signed(believed)
        except UnknownContractError:  # a newer release has synced it
            raise
        except (UntrustedError, DoesNotFitError):
            return None
        return trust

    def require_signed(self, believed: Mapping[str, RingKey]) -> None:
        """Raise `UntrustedError` or `DoesNotFitError` unless the manifest is signed and says what this state does."""
        data, key = self.manifest.encode(), believed.get(self.signing_key_id)
        manifest = parse_manifest(data, "the manifest")
        is_signed = key is not None and PublicKey.from_pem(key.public_key.encode()).has_signed(
            data, self.signature.encode()
        )
        if not is_signed or any(
            getattr(self, name) != value for name, value in manifest_fields(manifest, data).items()
        ):
            raise UntrustedError("the manifest is another one, or its signature is wrong")


def manifest_fields(manifest: Manifest, data: bytes) -> dict[str, Any]:
    """Return the fields of `Trusted` that follow from a manifest and its bytes."""
    names = (
        "contract", "version", "result_sha256", "key_id", "signing_key_id", "created_at", "expires_at", "data_as_of",
    )  # fmt: skip
    fields = {name: getattr(manifest, name) for name in names}
    return fields | {"manifest_sha256": sha256(data), "entries": manifest.counts.entries, "manifest": data.decode()}


def trust_fields(trust: Trust, keyrings: Sequence[bytes]) -> dict[str, Any]:
    """Return the fields of `Trusted` that say which keys are believed, and by which keyrings."""
    return {
        "keyring": trust.number,
        "keys": list(trust.keys.values()),
        "revoked": list(trust.revoked.values()),
        "keyrings": [ring.decode() for ring in keyrings],
    }


@dataclass(frozen=True)
class TrustedList:
    """The list that a reader trusts, opened. A later sync does not change it."""

    trusted: Trusted
    subjects: Subjects

    def is_listed(self, subject: bytes) -> bool:
        """Return whether a subject (32 bytes) is listed."""
        return subject in self.subjects
