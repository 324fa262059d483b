"""The keys of this home: from the settings, or generated once."""

from __future__ import annotations

from prakerja.keys import KeyStore
from prakerja_blacklist.format.signatures import SigningKey
from prakerja_blacklist.format.subject_keys import SubjectKey


def load_signing_key() -> SigningKey:
    """Return the key that signs. Raise `PrakerjaError` if it is not an Ed25519 key."""
    return SigningKey.from_pem(KeyStore.from_environment().load_signing_key())


def load_next_signing_key() -> SigningKey | None:
    """Return the key that is announced to sign next, or None. Raise `PrakerjaError`."""
    pem = KeyStore.from_environment().load_next_signing_key()
    return SigningKey.from_pem(pem, "PRAKERJA_SIGNING_KEY_NEXT") if pem else None


def load_subject_key() -> SubjectKey:
    """Return the key of the subjects. Raise `PrakerjaError`."""
    return SubjectKey(KeyStore.from_environment().load_subject_key())


def load_subject_keys() -> list[SubjectKey]:
    """Return the key of the subjects and those before it, newest first. Raise `PrakerjaError`."""
    return [load_subject_key(), *map(SubjectKey, KeyStore.from_environment().load_earlier_subject_keys())]
