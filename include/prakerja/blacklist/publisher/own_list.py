"""Whether the published list is this warehouse's own: the next version is the difference to it."""

from __future__ import annotations

import contextlib

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher.list_keys import Keys, load_trust
from prakerja.blacklist.publisher.published_folder import (
    find_pointed_version,
    list_versions,
    pointed_version,
    read_manifest,
    versions_in,
)
from prakerja.blacklist.publisher.recorded_documents import Record
from prakerja.blacklist.publisher.storage import read_document
from prakerja.blacklist.publisher.verification import require_signed
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format import keyring
from prakerja_blacklist.format.contract import Manifest, manifest_name, parse_manifest
from prakerja_blacklist.format.documents import DoesNotFitError
from prakerja_blacklist.format.keyring import Trust


def require_own_list(root: UPath, keys: Keys) -> None:
    """Raise `PrakerjaError` unless this warehouse has published the list in a folder, if any, under these keys."""
    record, newest = Record.load(root), max((row["version"] for row in list_versions()), default=0)
    trust = Trust.from_pins([keys.signer.public])
    with contextlib.suppress(keyring.UntrustedError):
        trust = load_trust(root, keys, record)
    _require_not_ahead(root, newest, trust, record)
    manifest = _newest_manifest(root, record, newest)
    if manifest is None:
        if pointed := find_pointed_version(root):
            raise PrakerjaError(f"{root} points at version {pointed}, which is not there: restore it")
        return
    has_keyring = record.reader_in(root)(keyring.file_name(1)) is not None
    known = {*trust.keys, *trust.revoked} if trust.number or not has_keyring else set()
    if manifest.key_id not in keys.subjects or manifest.signing_key_id not in known:
        raise PrakerjaError(
            f"the list in {root} was published under the keys {manifest.key_id} and {manifest.signing_key_id}, these "
            f"are {keys.current_id} and {keys.signer.public.key_id}: put PRAKERJA_SUBJECT_KEY and PRAKERJA_SIGNING_KEY "
            "back, or rotate them (docs/runbooks/blacklist.md)"
        )


def _require_not_ahead(root: UPath, newest: int, trust: Trust, record: Record) -> None:
    """Raise `PrakerjaError` if a version lies in a folder that this warehouse does not know.

    The pointer alone does not tell: whoever has restored an older warehouse may have turned it back, and anybody who
    can write there can let it name any version. What nobody has signed is no version.
    """
    pointed = find_pointed_version(root) if newest else pointed_version(root)
    ahead = [version for version in (newest + 1, pointed) if version > newest and _is_signed(root, version, trust)]
    lies_ahead = pointed > newest or read_document(root, manifest_name(newest + 1)) is not None
    if not ahead and (not lies_ahead or (newest and _has_published(root, newest, record))):
        return
    there = max([pointed, *versions_in(root)])
    if ahead and newest and _has_published(root, newest, record):
        raise PrakerjaError(
            f"this warehouse is older than its list: it knows {newest} versions, {root} holds {there}. Restore a "
            "later backup (docs/runbooks/backup.md)"
        )
    raise PrakerjaError(
        f"{root} holds version {there}, but this warehouse knows {newest}: it is another system's list; "
        "set PRAKERJA_PUBLISH to this one's folder, or an empty one"
    )


def _is_signed(root: UPath, version: int, trust: Trust) -> bool:
    """Return whether a version lies in a folder that a key of the list has signed."""
    name = manifest_name(version)
    data, signature = read_document(root, name), read_document(root, f"{name}.sig")
    if data is None or signature is None:
        return False
    try:
        manifest = parse_manifest(data, name)
        require_signed(trust, manifest, data, signature, lambda key: read_document(root, key))
    except (DoesNotFitError, keyring.UntrustedError):
        return False
    return manifest.version == version


def _newest_manifest(root: UPath, record: Record, newest: int) -> Manifest | None:
    """Return the manifest of the newest version that is recorded, or that lies in a folder, or None.

    The newest of all may be unfinished.
    """
    candidates = range(newest, 0, -1)
    if recorded := next((found for each in candidates if (found := record.find_manifest(root, each))), None):
        return recorded
    for version in candidates[:2]:
        with contextlib.suppress(DoesNotFitError):
            if manifest := read_manifest(root, version):
                return manifest
    return None


def _has_published(root: UPath, version: int, record: Record) -> bool:
    """Return whether this warehouse has published the version that lies in a folder, or has recorded the one before.

    The newest version may be unfinished.
    """
    for each in (version, version - 1):
        recorded = record.find(root, manifest_name(each)) if each else None
        if recorded is not None and recorded == read_document(root, manifest_name(each)):
            return True
    with contextlib.suppress(DoesNotFitError):
        if manifest := read_manifest(root, version):
            with warehouse.transaction() as connection:
                digest = warehouse.execute(
                    connection,
                    "blacklist/digest_of_list",
                    version=version,
                    key_id=manifest.key_id,
                    contract=manifest.contract,
                ).scalar_one_or_none()
            return digest in (None, manifest.result_sha256)  # the warehouse has no digests of the earliest lists
    return False
