"""Keys: Ed25519 signs manifests, a keyed HMAC turns a NIK into a subject that cannot be found by trying all NIKs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        return hmac.new(self.key, nik.encode(), hashlib.sha256).hexdigest()


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
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            public = load_pem_public_key(pem)
        except ValueError:
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
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(Settings.from_environment().signing_key_pem(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise PrakerjaError("the signing key is no Ed25519 private key as PEM: correct PRAKERJA_SIGNING_KEY")
    return SigningKey(private)


def subject_key() -> SubjectKey:
    """The configured key, or the generated one. Raises `PrakerjaError`."""
    return SubjectKey(Settings.from_environment().subject_key())
