"""Which keys are believed: keyrings, numbered, each signed by a key of the one before it (as TUF's root is).

A new key is announced in a keyring before it signs a list, so that readers know it by then. One that no longer signs is
retired: it is believed for the versions that it signed, and for nothing later. One that was stolen is revoked: nothing
of it is believed any more. Files of their own numbers, never replaced; a reader asks for the next one until there is
none. Without any keyring a reader believes the key that it has pinned, and no other.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prakerja.blacklist.format.contract import (
    KEYRING_CONTRACT,
    DoesNotFitError,
    Keyring,
    RevokedKey,
    RingKey,
    SignedKeyring,
    canonical_json,
    parsed,
    utc_text,
)
from prakerja.blacklist.format.signing import PublicKey, SigningKey
from prakerja.errors import PrakerjaError

KEYRINGS_AT_ONCE = 256  # a reader follows no endless chain


class UntrustedError(PrakerjaError):
    """A keyring or manifest is signed by nobody who is believed."""


def file_name(number: int) -> str:
    """The name of a keyring below the list's folder."""
    return f"keys/keyring-{number:06d}.json"


@dataclass(frozen=True)
class Trust:
    """Whom a reader believes: the keys that it has pinned, then those of the last keyring that follows from them."""

    keys: Mapping[str, RingKey]
    number: int = 0  # of the keyring; 0: pinned keys alone
    revoked: Mapping[str, RevokedKey] = field(default_factory=dict)

    @classmethod
    def in_pins(cls, pins: Iterable[PublicKey]) -> Trust:
        """Trust in pinned keys."""
        return cls({key.key_id: _ring_key(key) for key in pins})

    def followed(self, read: Callable[[str], bytes | None], at_most: int | None = KEYRINGS_AT_ONCE) -> Trust:
        """The trust after every newer keyring that `read` gives by name, or so many of them.

        Keyrings from before a pinned key are passed over. Raises `UntrustedError`, `DoesNotFitError`.
        """
        trust, number = self, self.number
        while at_most is None or number < self.number + at_most:
            number += 1
            if (data := read(file_name(number))) is None:
                number -= 1
                break
            if (ring := trust._believed(number, data)) is not None:
                trust = Trust(
                    {key.signing_key_id: key for key in ring.keys},
                    number,
                    {key.signing_key_id: key for key in ring.revoked},
                )
        if number and trust.number == 0:
            raise UntrustedError("no keyring of this list is signed by a pinned key: pin the publisher's")
        return trust

    def require_signed(self, key_id: str, version: int, data: bytes, signature: bytes) -> None:
        """Check a manifest's signature. Raises `UntrustedError`."""
        key = self.keys.get(key_id)
        if key_id in self.revoked:
            raise UntrustedError(f"v{version:06d} is signed by {key_id}, a key that was revoked")
        if key is None:
            raise UntrustedError(
                f"v{version:06d} is signed by {key_id}, a key that is not trusted here: pin it instead of the old one"
            )
        if key.last_version is not None and version > key.last_version:
            raise UntrustedError(f"v{version:06d} is signed by {key_id}, a key that was retired before it")
        if not PublicKey.from_pem(key.public_key.encode()).has_signed(data, signature):
            raise UntrustedError(f"v{version:06d}: the manifest's signature is wrong")

    def _believed(self, number: int, data: bytes) -> Keyring | None:
        """A newer keyring, if it is believed; nothing for one from before the pinned keys."""
        signed, inner = _opened(data, number)
        if not any(
            PublicKey.from_pem(key.public_key.encode()).has_signed(inner, signed.signatures[name].encode())
            for name, key in self.keys.items()
            if name in signed.signatures and key.last_version is None and name not in self.revoked
        ):
            if self.number == 0:
                return None
            raise UntrustedError(f"the keyring {number} is signed by no key of the one before it")
        ring = parsed(Keyring, inner, f"the keyring {number}")
        if ring.number != number:
            raise UntrustedError(f"the keyring {number} is another one, {ring.number}")
        if not set(self.revoked) <= {key.signing_key_id for key in ring.revoked}:
            raise UntrustedError(f"the keyring {number} takes back that a key was revoked")
        for key in ring.keys:
            if PublicKey.from_pem(key.public_key.encode()).key_id != key.signing_key_id:
                raise UntrustedError(f"the keyring {number} names a key by another key's name")
        return ring


def contents(data: bytes, number: int) -> Keyring:
    """What a keyring's file says, whoever has signed it. Raises `DoesNotFitError`."""
    return parsed(Keyring, _opened(data, number)[1], f"the keyring {number}")


def made(
    before: Trust,
    signer: SigningKey,
    standby: SigningKey | None,
    version: int,
    at: datetime,
    revoking: Sequence[str] = (),
    *,
    signed_by: str | None,
) -> bytes | None:
    """The next keyring's file, where it says anything new. The next version, `version`, will be signed by `signer`.

    The key that the version before was `signed_by` is retired with it, where that is another one. Whom `standby` has
    announced stays, also where a publisher does not know it: it goes by being revoked. Raises `UntrustedError` where
    `signer` was never announced.
    """
    active = signer.public.key_id
    known = before.keys.get(active)
    if before.number and (known is None or known.last_version is not None or active in before.revoked):
        raise UntrustedError(
            f"the list's readers do not know the signing key {active}: put PRAKERJA_SIGNING_KEY back, "
            "or announce the new one first (prakerja blacklist rotate-signing-key)"
        )
    signing = [signer] + ([standby] if standby and standby.public.key_id != active else [])
    unretired = [_ring_key(key.public) for key in signing]
    now_signing = {key.signing_key_id for key in unretired}
    if now_signing & {*before.revoked, *revoking}:
        raise UntrustedError(
            "a key that signs, or is announced to, cannot be revoked, or was: let another one sign first, and take it "
            "out of PRAKERJA_SIGNING_KEY and PRAKERJA_SIGNING_KEY_NEXT"
        )
    others = [
        key.model_copy(update={"last_version": max(version - 1, 1)})
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
        created_at=utc_text(at),
        keys=[key for _, key in sorted(keys.items())],
        revoked=[
            before.revoked.get(key, RevokedKey(signing_key_id=key, revoked_at=utc_text(at)))
            for key in sorted({*before.revoked, *revoking})
        ],
    )
    data = canonical_json(ring)
    return canonical_json(
        SignedKeyring(
            keyring=base64.b64encode(data).decode(),
            signatures={key.public.key_id: key.signature(data).decode().strip() for key in signing},
        )
    )


def _opened(data: bytes, number: int) -> tuple[SignedKeyring, bytes]:
    signed = parsed(SignedKeyring, data, f"the keyring {number}")
    try:
        return signed, base64.b64decode(signed.keyring, validate=True)
    except ValueError:
        raise DoesNotFitError(f"the keyring {number} is no base64") from None


def _ring_key(key: PublicKey) -> RingKey:
    return RingKey(signing_key_id=key.key_id, public_key=key.pem.decode(), last_version=None)
