"""Whether the published list is this warehouse's own: the next version is the difference to it."""

from __future__ import annotations

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.format import keyring
from prakerja.blacklist.format.contract import POINTER, Manifest
from prakerja.blacklist.publisher.list_keys import Keys, load_trust
from prakerja.blacklist.publisher.published_folder import list_versions, pointed_version, read_manifest
from prakerja.blacklist.publisher.storage import read_document
from prakerja.errors import PrakerjaError


def require_own_list(root: UPath, keys: Keys) -> None:
    """Raise `PrakerjaError` unless this warehouse has published the list in a folder, under these keys."""
    manifest = _require_own_versions(root)
    if manifest is None:
        return
    known = {keys.signer.public.key_id}
    if read_document(root, keyring.file_name(1)) is not None:
        try:
            trust = load_trust(root, keys)
            known = {*trust.keys, *trust.revoked}
        except keyring.UntrustedError:
            known = set()
    if manifest.key_id not in keys.subjects or manifest.signing_key_id not in known:
        raise PrakerjaError(
            f"the list in {root} was published under the keys {manifest.key_id} and {manifest.signing_key_id}, these "
            f"are {keys.current_id} and {keys.signer.public.key_id}: put PRAKERJA_SUBJECT_KEY and PRAKERJA_SIGNING_KEY "
            "back, or rotate them (docs/runbooks/blacklist.md)"
        )


def _require_own_versions(root: UPath) -> Manifest | None:
    """Return the manifest that a folder points at, or None if nothing is published there yet.

    Raise `PrakerjaError` unless this warehouse has published it.
    """
    pointed = pointed_version(root)
    newest = max((row["version"] for row in list_versions()), default=0)
    if not pointed:
        if newest > 1 and _has_published(root, newest - 1):
            raise PrakerjaError(
                f"{root / POINTER} is missing, beside versions that this warehouse has published: put it back "
                "(docs/runbooks/blacklist.md)"
            )
        return None
    if pointed > newest:
        if newest and _has_published(root, newest):
            raise PrakerjaError(
                f"this warehouse is older than its list: it knows {newest} versions, {root} holds {pointed}. Restore a "
                "later backup (docs/runbooks/backup.md)"
            )
        raise PrakerjaError(
            f"{root} holds version {pointed}, but this warehouse knows {newest}: it is another system's list; "
            "set PRAKERJA_PUBLISH to this one's folder, or an empty one"
        )
    manifest = read_manifest(root, pointed)
    if manifest is None:
        raise PrakerjaError(f"{root} points at version {pointed}, which is not there: restore it")
    return manifest


def _has_published(root: UPath, version: int) -> bool:
    """Return whether this warehouse has published the version that lies in a folder."""
    manifest = read_manifest(root, version)
    if manifest is None:
        return False
    with warehouse.transaction() as connection:
        digest = warehouse.execute(
            connection, "blacklist/digest_of_list", version=version, key_id=manifest.key_id
        ).scalar_one_or_none()
    return digest in (None, manifest.result_sha256)  # the warehouse has no digests of the earliest lists
