"""The keys of this home: from the settings, or generated once."""

from __future__ import annotations

from prakerja.blacklist.format.signatures import SigningKey
from prakerja.blacklist.format.subject_keys import SubjectKey
from prakerja.settings import Settings


def load_signing_key() -> SigningKey:
    """Return the key that signs. Raise `PrakerjaError` if it is not an Ed25519 key."""
    return SigningKey.from_pem(Settings.from_environment().signing_key_pem())


def load_next_signing_key() -> SigningKey | None:
    """Return the key that is announced to sign next, or None. Raise `PrakerjaError`."""
    pem = Settings.from_environment().next_signing_key_pem()
    return SigningKey.from_pem(pem, "PRAKERJA_SIGNING_KEY_NEXT") if pem else None


def load_subject_key() -> SubjectKey:
    """Return the key of the subjects. Raise `PrakerjaError`."""
    return SubjectKey(Settings.from_environment().subject_key())


def load_subject_keys() -> list[SubjectKey]:
    """Return the key of the subjects and those before it, newest first. Raise `PrakerjaError`."""
    return [load_subject_key(), *map(SubjectKey, Settings.from_environment().earlier_subject_keys())]
