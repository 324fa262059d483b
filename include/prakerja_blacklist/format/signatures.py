"""Ed25519 signatures of manifests, keyrings and anchors, and the keys that make and verify them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from prakerja_blacklist.errors import PrakerjaError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


#: A public key as PEM, as it is published. The library's own loader takes other forms too, and longer to import than a
#: list takes to be verified.
PLAIN_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/]{59}=)\n-----END PUBLIC KEY-----\n")
#: What comes before the 32 bytes of every Ed25519 key in DER (RFC 8410).
DER_HEAD = bytes.fromhex("302a300506032b6570032100")
KEY_BYTES = 32


class SigningKey:
    """The private key that signs manifests."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @classmethod
    def from_pem(
        cls, pem: bytes, variable: str = "PRAKERJA_SIGNING_KEY", passphrase: bytes | None = None
    ) -> SigningKey:
        """Return the key of a PEM. Raise `PrakerjaError`, which names the `variable` that it came from."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            private = load_pem_private_key(pem, passphrase)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise PrakerjaError(f"the signing key is not an Ed25519 private key in PEM: correct {variable}")
        return cls(private)

    @classmethod
    def generate(cls) -> SigningKey:
        """Return a new key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate())

    def to_pem(self, passphrase: bytes | None = None) -> bytes:
        """Return the private key as PEM, encrypted if there is a passphrase."""
        from cryptography.hazmat.primitives.serialization import (
            BestAvailableEncryption,
            Encoding,
            KeySerializationEncryption,
            NoEncryption,
            PrivateFormat,
        )

        encryption: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)

    @property
    def public(self) -> PublicKey:
        return PublicKey(self._private.public_key())

    def sign(self, data: bytes) -> bytes:
        """Return the signature over `data`, in base64 with a line break at the end."""
        return base64.b64encode(self._private.sign(data)) + b"\n"

    def sign_text(self, data: bytes) -> str:
        """Return the signature over `data`, in base64, as documents have it."""
        return self.sign(data).decode().strip()


class PublicKey:
    """The key that verifies. A reader pins it."""

    def __init__(self, public: Ed25519PublicKey) -> None:
        self._public = public

    @classmethod
    def from_pem(cls, pem: bytes) -> PublicKey:
        """Return the key of a PEM. Raise `PrakerjaError`."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        if found := PLAIN_PEM.fullmatch(pem):
            der = binascii.a2b_base64(found[1])
            if len(der) == len(DER_HEAD) + KEY_BYTES and der.startswith(DER_HEAD):
                return cls(Ed25519PublicKey.from_public_bytes(der[len(DER_HEAD) :]))
        return cls(_load_other_pem(pem))

    @property
    def pem(self) -> bytes:
        encoded = base64.b64encode(DER_HEAD + self._public.public_bytes_raw())
        return b"-----BEGIN PUBLIC KEY-----\n" + encoded + b"\n-----END PUBLIC KEY-----\n"

    @property
    def key_id(self) -> str:
        return hashlib.sha256(self._public.public_bytes_raw()).hexdigest()[:16]

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Return whether `signature` (base64) is this key's over exactly these bytes."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._public.verify(base64.b64decode(signature.strip(), validate=True), data)
        except (InvalidSignature, binascii.Error):
            return False
        return True


def _load_other_pem(pem: bytes) -> Ed25519PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        public = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        public = None
    if not isinstance(public, Ed25519PublicKey):
        raise PrakerjaError("the public key is not an Ed25519 key in PEM")
    return public
