"""Publishing: the next version is decided in the warehouse, then its files are written, the pointer last.

Two publishers take turns. A publisher that dies anywhere is finished by the next one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher import list_keys
from prakerja.blacklist.publisher.contracts_in_force import list_root
from prakerja.blacklist.publisher.list_keys import Keys, key_overlap, load_trust, signer_id, write_keyring, write_keys
from prakerja.blacklist.publisher.own_list import require_own_list
from prakerja.blacklist.publisher.published_folder import (
    list_versions,
    pointed_manifest,
    pointed_version,
)
from prakerja.blacklist.publisher.recorded_documents import Record
from prakerja.blacklist.publisher.versions import Publication, Recorded, record_next_version
from prakerja.blacklist.publisher.writing import write_sibling_lists, write_unfinished_versions
from prakerja.errors import PrakerjaError
from prakerja.keys import KeyStore
from prakerja.settings import WIB
from prakerja.signed_batches import require_same_rule
from prakerja_blacklist.format import keyring


def publish(
    run_name: str, at: datetime, as_of: date, *, is_daily: bool = False, approve_as: str | None = None
) -> int | None:
    """Publish what was revoked and reinstated by `as_of` and not yet, and return the version that this run published.

    A run publishes at least once, with an empty delta if nothing has changed: that proves that the day was checked. The
    daily intake's run does so only if no version is of its day yet, once there is a list, and it leaves the revocations
    of its own day to the deadline's run, which comes after it. A second call finds nothing left to do, unless a key was
    changed since: readers are not to wait for the next day. `approve_as` approves changes out of bounds in advance, in
    a replay.

    Additions that wait for a person delay neither withdrawals nor one another: a batch that lacks its signatures waits
    alone, and withdrawals that are out of bounds delay no addition.

    Raise `WaitingError` for what waits, once all else is published, and `PrakerjaError`.
    """
    with warehouse.transaction() as connection:
        require_same_rule(connection)
    publication = Publication(run_name, at, as_of, is_daily, approve_as)
    with warehouse.exclusive("publish"):
        # The keys are loaded under the lock, since nobody else can change them then.
        published = _publish(publication, Keys.from_settings())
    published.pending.require_nothing_waits(run_name, published.recorded)
    return published.version


def revoke_key(key_id: str, at: datetime, *, because: str, answered_by: str) -> None:
    """Tell readers to believe nothing of a signing key any more. Raise `PrakerjaError`.

    If it has signed the newest version, one that another key signs is published first, so that readers have a list.
    """
    with warehouse.exclusive("publish"):
        keys, root = Keys.from_settings(), list_root()
        if keys.standby and keys.standby.public.key_id == key_id:  # it was announced, and has signed nothing yet
            keys = replace(keys, standby=None)
            KeyStore.from_environment().drop_next_signing_key()  # first: with it, nothing could be published any more
        require_own_list(root, keys)
        write_unfinished_versions(keys)
        newest = pointed_manifest(root)
        if newest and newest.signing_key_id == key_id != keys.signer.public.key_id:
            publish_under(keys, f"revoke {key_id}", at)
        _write_revocation(list_root(), keys, key_id, at, because=because, answered_by=answered_by)


def announce(at: datetime, *, without_root: bool = False) -> None:
    """Publish the keyring of the configured keys, if it says anything new (see `write_keyring`)."""
    with warehouse.exclusive("publish"):
        keys, root = Keys.from_settings(), list_root()
        require_own_list(root, keys)
        write_unfinished_versions(keys)  # under the keys with which they were begun
        write_keyring(root, keys, Record.load(root), pointed_version(root) + 1, at, without_root=without_root)


def publish_under(keys: Keys, run_name: str, at: datetime) -> None:
    """Publish a version that these keys sign, since another has signed the one before. The caller has the lock."""
    _publish(Publication(run_name, at, at.astimezone(WIB).date(), is_daily=True), keys)


def overlaps_until() -> datetime | None:
    """Return until when the list is also published under an earlier key of the subjects, or None if it never was."""
    versions, keys = list_versions(), Keys.from_settings()
    ids = [keys.subject_key_id(version) for version in versions]
    changes = [position for position in range(1, len(ids)) if ids[position] != ids[position - 1]]
    if not changes:
        return None
    changed_at: datetime = versions[changes[-1]]["created_at"]
    overlap: timedelta = key_overlap()
    return changed_at + overlap


def _publish(publication: Publication, keys: Keys) -> Recorded:
    """Publish what does not wait."""
    root = list_root()
    require_own_list(root, keys)
    write_unfinished_versions(keys)  # of an earlier publisher
    newest = pointed_manifest(root)
    has_new_key = newest is not None and (newest.signing_key_id, newest.key_id) != (
        keys.signer.public.key_id,
        keys.current_id,
    )
    recorded = record_next_version(publication, keys.current_id, has_new_key=has_new_key)
    write_unfinished_versions(keys)
    write_sibling_lists(keys)
    return recorded


def _write_revocation(root: UPath, keys: Keys, key_id: str, at: datetime, *, because: str, answered_by: str) -> None:
    """Record the revocation of a key, and write the keyring that says so."""
    record = Record.load(root)
    before = load_trust(root, keys, record)
    if key_id not in before.keys:
        raise PrakerjaError(f"the list's readers believe no key {key_id}: see its keyring in {root / 'keys'}")
    version = pointed_version(root) + 1
    revoking = keyring.build_next_keyring(
        before, keys.signer, keys.standby, version, at, [key_id], signed_by=signer_id(root)
    )
    assert revoking is not None  # noqa: S101 - it says that the key is revoked
    list_keys.record_rotation("signing_revoked", key_id, because=because, answered_by=answered_by)
    write_keys(root, record, {keyring.file_name(before.number + 1): revoking})
