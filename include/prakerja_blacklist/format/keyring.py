"""Keyrings: numbered lists of the keys that readers believe. Each is signed by a key of the one before (as TUF's root).

A new key is announced in a keyring before it signs a list, so that readers know it in time. A key that no longer signs
is retired: the versions that it signed stay valid, and it signs no later one. A stolen key is revoked: nothing that it
signed is believed. Keyrings are files with consecutive numbers and are never replaced; a reader asks for the next one
until there is none. Without a keyring a reader believes the keys that it has pinned, and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.contract import (
    KEYRING_CONTRACT,
    Keyring,
    RevokedKey,
    RingKey,
    SignedKeyring,
    format_instant,
    version_folder,
)
from prakerja_blacklist.format.documents import canonical_json, decode_base64, encode_base64, parse_document
from prakerja_blacklist.format.signatures import PublicKey, SigningKey

KEYRINGS_AT_ONCE = 256  # a reader follows no endless chain


class UntrustedError(PrakerjaError):
    """A keyring or manifest is signed by no key that is believed."""


def file_name(number: int) -> str:
    """Return the name of a keyring below the list's folder."""
    return f"keys/keyring-{number:06d}.json"


@dataclass(frozen=True)
class Trust:
    """The keys that a reader believes: the pinned ones, then those of the last keyring that follows from them."""

    keys: Mapping[str, RingKey]
    number: int = 0  # of the keyring; 0: pinned keys alone
    revoked: Mapping[str, RevokedKey] = field(default_factory=dict)
    #: What a person may do about a list that another key has signed.
    advice: str = field(default="pin it instead of the old one", compare=False)

    @classmethod
    def from_keyring(cls, ring: Keyring) -> Trust:
        """Return the trust in the keys of a keyring that is believed."""
        return cls(
            {key.signing_key_id: key for key in ring.keys},
            ring.number,
            {key.signing_key_id: key for key in ring.revoked},
        )

    @classmethod
    def from_pins(cls, pins: Iterable[PublicKey]) -> Trust:
        """Return the trust in pinned keys."""
        return cls({key.key_id: _build_ring_key(key) for key in pins})

    def follow(
        self,
        read: Callable[[str], bytes | None],
        at_most: int | None = KEYRINGS_AT_ONCE,
        believed: dict[str, RingKey] | None = None,
    ) -> Trust:
        """Return the trust after every newer keyring, or after `at_most` of them. `read` returns a keyring by name.

        Keyrings from before a pinned key are skipped. `believed` collects the keys of each step, since a keyring may
        leave one out. Raise `UntrustedError` or `DoesNotFitError`.
        """
        trust, number = self, self.number
        while at_most is None or number < self.number + at_most:
            number += 1
            if (data := read(file_name(number))) is None:
                number -= 1
                break
            if (ring := trust._verify(number, data)) is not None:
                trust = Trust.from_keyring(ring)
                (believed if believed is not None else {}).update(trust.keys)
        if number and trust.number == 0:
            raise UntrustedError("no keyring of this list is signed by a pinned key: pin the publisher's")
        return trust

    def require_signed(self, key_id: str, version: int, data: bytes, signature: bytes, what: str = "manifest") -> None:
        """Check the signature of a version's manifest, or of its chain file. Raise `UntrustedError`."""
        key, name = self.keys.get(key_id), version_folder(version)
        if key_id in self.revoked:
            raise UntrustedError(f"{name} is signed by {key_id}, a key that was revoked")
        if key is None:
            raise UntrustedError(f"{name} is signed by {key_id}, a key that is not trusted here: {self.advice}")
        if key.last_version is not None and version > key.last_version:
            raise UntrustedError(f"{name} is signed by {key_id}, a key that was retired before it")
        if not PublicKey.from_pem(key.public_key.encode()).has_signed(data, signature):
            raise UntrustedError(f"{name}: the {what}'s signature is wrong")

    def _verify(self, number: int, data: bytes) -> Keyring | None:
        """Return a newer keyring if it is believed, or None for one from before the pinned keys."""
        signed, inner = _open_keyring(data, number)
        if not any(
            PublicKey.from_pem(key.public_key.encode()).has_signed(inner, signed.signatures[name].encode())
            for name, key in self.keys.items()
            if name in signed.signatures and key.last_version is None and name not in self.revoked
        ):
            if self.number == 0:
                return None
            raise UntrustedError(f"the keyring {number} is signed by no key of the one before it")
        ring = read_keyring(inner, number)
        self.require_kept_revocations(ring)
        return ring

    def require_kept_revocations(self, ring: Keyring) -> None:
        """Raise `UntrustedError` if a later keyring does not name every key that was revoked."""
        if not set(self.revoked) <= {key.signing_key_id for key in ring.revoked}:
            raise UntrustedError(f"the keyring {ring.number} takes back that a key was revoked")


def parse_keyring(data: bytes, number: int) -> Keyring:
    """Return what a keyring's file says, whoever has signed it. Raise `DoesNotFitError`."""
    return parse_document(Keyring, _open_keyring(data, number)[1], f"the keyring {number}")


def read_keyring(inner: bytes, number: int) -> Keyring:
    """Return a keyring from its own bytes, whoever has signed it. Raise `UntrustedError` or `DoesNotFitError`."""
    ring = parse_document(Keyring, inner, f"the keyring {number}")
    if ring.number != number:
        raise UntrustedError(f"the keyring {number} is another one, {ring.number}")
    for key in ring.keys:
        if PublicKey.from_pem(key.public_key.encode()).key_id != key.signing_key_id:
            raise UntrustedError(f"the keyring {number} names a key by another key's name")
    return ring


def keyring_bytes(data: bytes, number: int) -> bytes:
    """Return the bytes of a keyring's file that are signed. Raise `DoesNotFitError`."""
    return _open_keyring(data, number)[1]


def build_next_keyring(
    before: Trust,
    signer: SigningKey,
    standby: SigningKey | None,
    version: int,
    at: datetime,
    revoking: Sequence[str] = (),
    *,
    signed_by: str | None,
) -> bytes | None:
    """Return the next keyring's file, or None if it would say nothing new. `signer` will sign the next `version`.

    `signed_by` is the key of the version before: if it is another one, this keyring retires it. A key that a `standby`
    has announced stays, even if this publisher does not have it: only a revocation removes it. Raise `UntrustedError`
    if `signer` was never announced.
    """
    active = signer.public.key_id
    known = before.keys.get(active)
    if before.number and (known is None or known.last_version is not None or active in before.revoked):
        raise UntrustedError(
            f"the list's readers do not know the signing key {active}: put PRAKERJA_SIGNING_KEY back, "
            "or announce the new one first (prakerja blacklist rotate-signing-key)"
        )
    signers = [signer] + ([standby] if standby and standby.public.key_id != active else [])
    unretired = [_build_ring_key(key.public) for key in signers]
    now_signing = {key.signing_key_id for key in unretired}
    if now_signing & {*before.revoked, *revoking}:
        raise UntrustedError(
            "a key that signs, or is announced to, cannot be revoked, or was: let another one sign first, and take it "
            "out of PRAKERJA_SIGNING_KEY and PRAKERJA_SIGNING_KEY_NEXT"
        )
    others = [
        replace(key, last_version=max(version - 1, 1))
        if key.last_version is None and key.signing_key_id == signed_by
        else key
        for key in before.keys.values()
        if key.signing_key_id not in now_signing and key.signing_key_id not in revoking
    ]
    keys = {key.signing_key_id: key for key in [*unretired, *others]}
    if before.number and keys == dict(before.keys) and not revoking:
        return None
    ring = Keyring(
        contract=KEYRING_CONTRACT,
        number=before.number + 1,
        created_at=format_instant(at),
        keys=[key for _, key in sorted(keys.items())],
        revoked=[
            before.revoked.get(key, RevokedKey(signing_key_id=key, revoked_at=format_instant(at)))
            for key in sorted({*before.revoked, *revoking})
        ],
    )
    data = canonical_json(ring)
    return canonical_json(
        SignedKeyring(
            keyring=encode_base64(data),
            signatures={key.public.key_id: key.sign_text(data) for key in signers},
        )
    )


def _open_keyring(data: bytes, number: int) -> tuple[SignedKeyring, bytes]:
    name = f"the keyring {number}"
    signed = parse_document(SignedKeyring, data, name)
    return signed, decode_base64(signed.keyring, name)


def _build_ring_key(key: PublicKey) -> RingKey:
    return RingKey(signing_key_id=key.key_id, public_key=key.pem.decode(), last_version=None)
