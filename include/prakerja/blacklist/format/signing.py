"""Keys: Ed25519 signs manifests, a keyed HMAC turns a NIK into a subject that cannot be found by trying all NIKs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from prakerja.errors import PrakerjaError
from prakerja.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


@dataclass(frozen=True)
class SubjectKey:
    """The HMAC key of the subjects. `key_id` names it without telling it."""

    key: bytes

    @property
    def key_id(self) -> str:
        return hashlib.sha256(b"prakerja subject key " + self.key).hexdigest()[:16]

    def subject(self, nik: str) -> str:
        """Lower-case hex HMAC-SHA256(key, NIK)."""
        return self.digest(nik).hex()

    def digest(self, nik: str) -> bytes:
        """HMAC-SHA256(key, NIK), 32 bytes."""
        return hmac.digest(self.key, nik.encode(), "sha256")

    def subjects(self, niks: Iterable[int]) -> list[str]:
        """The subjects of many NIKs, in order."""
        return [digest.hex() for digest in self.digests(b"%016d" % nik for nik in niks)]

    def digests(self, niks: Iterable[bytes]) -> list[bytes]:
        """As `digest`, of many: three times as fast, since the key's two blocks are hashed once."""
        inner, outer = self._blocks
        found = []
        for nik in niks:
            first, second = inner.copy(), outer.copy()
            first.update(nik)
            second.update(first.digest())
            found.append(second.digest())
        return found

    @cached_property
    def _blocks(self) -> tuple[Any, Any]:
        block = (hashlib.sha256(self.key).digest() if len(self.key) > 64 else self.key).ljust(64, b"\0")
        return hashlib.sha256(bytes(b ^ 0x36 for b in block)), hashlib.sha256(bytes(b ^ 0x5C for b in block))


class SigningKey:
    """The private key that signs manifests."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @property
    def public(self) -> PublicKey:
        return PublicKey(self._private.public_key())

    def signature(self, data: bytes) -> bytes:
        """The signature over `data`, in base64 with a line break at the end."""
        return base64.b64encode(self._private.sign(data)) + b"\n"


class PublicKey:
    """What a consumer pins."""

    def __init__(self, public: Ed25519PublicKey) -> None:
        self._public = public

    @classmethod
    def from_pem(cls, pem: bytes) -> PublicKey:
        """Read a PEM. Raises `PrakerjaError`."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            public = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            public = None
        if not isinstance(public, Ed25519PublicKey):
            raise PrakerjaError("the public key is no Ed25519 key as PEM")
        return cls(public)

    @property
    def pem(self) -> bytes:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self._public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def key_id(self) -> str:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return hashlib.sha256(self._public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether `signature` (base64) is this key's over exactly these bytes."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._public.verify(base64.b64decode(signature.strip(), validate=True), data)
        except (InvalidSignature, binascii.Error):
            return False
        return True


def signing_key() -> SigningKey:
    """The configured key, or the generated one. Raises `PrakerjaError` where it is no Ed25519 key."""
    return signing_key_of(Settings.from_environment().signing_key_pem())


def next_signing_key() -> SigningKey | None:
    """The key that is announced to sign next, if there is one. Raises `PrakerjaError`."""
    pem = Settings.from_environment().next_signing_key_pem()
    return signing_key_of(pem, "PRAKERJA_SIGNING_KEY_NEXT") if pem else None


def subject_key() -> SubjectKey:
    """The configured key, or the generated one. Raises `PrakerjaError`."""
    return SubjectKey(Settings.from_environment().subject_key())


def subject_keys() -> list[SubjectKey]:
    """The key of the subjects, and those before it, newest first. Raises `PrakerjaError`."""
    return [subject_key(), *map(SubjectKey, Settings.from_environment().earlier_subject_keys())]


def signing_key_of(pem: bytes, variable: str = "PRAKERJA_SIGNING_KEY") -> SigningKey:
    """The key of a PEM. Raises `PrakerjaError`, naming where it came from."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise PrakerjaError(f"the signing key is no Ed25519 private key as PEM: correct {variable}")
    return SigningKey(private)
