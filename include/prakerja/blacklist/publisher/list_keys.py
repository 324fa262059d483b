"""The keys that a publisher holds, the keyrings that it writes, and the record of who changed which key."""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher.configured_keys import load_next_signing_key, load_signing_key, load_subject_keys
from prakerja.blacklist.publisher.contracts_in_force import list_root
from prakerja.blacklist.publisher.published_folder import pointed_manifest, sibling_roots
from prakerja.blacklist.publisher.recorded_documents import Record
from prakerja.blacklist.publisher.root_keys import find_root
from prakerja.blacklist.publisher.storage import document_reader_in
from prakerja.errors import PrakerjaError
from prakerja.keys import KeyStore, new_signing_key
from prakerja.programme import programme
from prakerja_blacklist.format import keyring
from prakerja_blacklist.format.signatures import SigningKey
from prakerja_blacklist.format.subject_keys import SubjectKey

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Keys:
    """What a publisher holds. `subjects` are by their id, the current one first."""

    signer: SigningKey
    standby: SigningKey | None
    subjects: dict[str, SubjectKey]

    @classmethod
    def from_settings(cls) -> Keys:
        """Return the configured keys. Raise `PrakerjaError`."""
        return cls(load_signing_key(), load_next_signing_key(), {key.key_id: key for key in load_subject_keys()})

    @property
    def current_id(self) -> str:
        """The id of the subjects' key that new versions have."""
        return next(iter(self.subjects))

    def subject_key_id(self, version: Any) -> str:
        """Return the id of the subjects' key of a version's row."""
        return str(version["key_id"] or list(self.subjects)[-1])


def load_trust(root: UPath, keys: Keys, record: Record) -> keyring.Trust:
    """Return which keys the readers of a published folder believe. Raise `UntrustedError`.

    Where root keys are in use, a keyring counts once it is recorded, whatever lies in the folder.
    """
    pins = [keys.signer.public, *([keys.standby.public] if keys.standby else [])]
    read = partial(record.find, root) if find_root(root, record) else record.reader_in(root)
    return keyring.Trust.from_pins(pins).follow(read, at_most=None)


def write_keyring(
    root: UPath, keys: Keys, record: Record, version: int, at: datetime, *, without_root: bool = False
) -> None:
    """Write the keyring of the keys that sign, if it says anything new, and each key beside it as PEM.

    Where root keys are in use, it announces no key unless it is to do `without_root`: their holders sign for that.
    """
    before = load_trust(root, keys, record)
    if keys.standby and keys.standby.public.key_id not in before.keys and not without_root and find_root(root, record):
        keys = replace(keys, standby=None)
    for key in (keys.signer, keys.standby):
        if key and record.find(root, name := f"keys/{key.public.key_id}.pem") is None:
            write_keys(root, record, {name: key.public.pem})
    following = keyring.build_next_keyring(before, keys.signer, keys.standby, version, at, signed_by=signer_id(root))
    if following:
        write_keys(root, record, {keyring.file_name(before.number + 1): following})


def write_keys(root: UPath, record: Record, documents: dict[str, bytes]) -> None:
    """Write keyrings and keys beside the list, and beside the list by each other contract, where readers look for them.

    All are recorded first: a list by another contract that cannot be written is brought up later. One that has ended
    gets them too, since its readers may need to learn that a key was revoked.
    """
    siblings = [folder for folder in sibling_roots(root) if record.names_in(folder, "keys/")]
    for folder in (root, *siblings):
        record.keep(folder, documents)
    record.write(root, documents)
    for folder in siblings:
        try:
            record.write(folder, documents)
        except PrakerjaError as error:
            log.warning("%s stays behind: %s", folder, error)


def signer_id(root: UPath | None = None) -> str | None:
    """Return the id of the key that signed the newest version, or None if there is none."""
    newest = pointed_manifest(list_root() if root is None else root)
    return newest.signing_key_id if newest else None


def listed_key_id() -> str | None:
    """Return the id of the subjects' key of the published list, or None if nothing is published."""
    newest = pointed_manifest(list_root())
    return newest.key_id if newest else None


def announced_at(key_id: str) -> str | None:
    """Return since when each keyring names this key as one that signs or may sign, or None if the newest does not."""
    read_keyring, since = document_reader_in(list_root()), None
    for number in itertools.count(1):
        data = read_keyring(keyring.file_name(number))
        if data is None:
            break
        ring = keyring.parse_keyring(data, number)
        if not any(key.signing_key_id == key_id and key.last_version is None for key in ring.keys):
            since = None
        elif since is None:
            since = ring.created_at
    return since


def key_overlap() -> timedelta:
    """Return how long a key and its successor are both of use."""
    return timedelta(days=programme().blacklist.key_overlap_days)


def record_rotation(kind: str, key_id: str, *, because: str, answered_by: str) -> None:
    """Record who changed which key, and why."""
    with warehouse.transaction("publish") as connection:
        insert_rotation(connection, kind, key_id, because=because, answered_by=answered_by)


def insert_rotation(
    connection: warehouse.Connection, kind: str, key_id: str, *, because: str, answered_by: str
) -> None:
    """Record who changed which key, and why, in a transaction that records what was changed too."""
    warehouse.execute(
        connection, "blacklist/insert_rotation", kind=kind, key_id=key_id, because=because, answered_by=answered_by
    )


def generate_standby(store: KeyStore, *, because: str, answered_by: str) -> SigningKey:
    """Make the key that is to be announced, record who did, and keep it in the home."""
    pem = new_signing_key()
    standby = SigningKey.from_pem(pem)
    record_rotation("signing_announced", standby.public.key_id, because=because, answered_by=answered_by)
    store.replace("signing_key_next.pem", pem, None)
    return standby


def require_generated(*variables: str) -> KeyStore:
    """Return the keys of the home. Raise `PrakerjaError` if the environment gives one of the keys."""
    store = KeyStore.from_environment()
    for variable in variables:
        if store.settings.find(variable):
            raise PrakerjaError(f"{variable} is set: rotate it where it is kept (docs/runbooks/blacklist.md)")
    return store
