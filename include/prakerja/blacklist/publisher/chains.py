"""The chain files of the list's versions: each is built with its version, and those of earlier versions are built once.

They are recorded together with the manifest, before anything is written, and written before the pointer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from upath import UPath

from prakerja.blacklist.publisher import anchors, storage
from prakerja.blacklist.publisher.editions import Edition
from prakerja.blacklist.publisher.list_keys import Keys, load_trust
from prakerja.blacklist.publisher.recorded_documents import Record
from prakerja.blacklist.publisher.storage import read_document
from prakerja_blacklist.format.chain import CHAIN_CONTRACT, AuditHead, Chain, chain_name
from prakerja_blacklist.format.contract import Manifest, manifest_name, parse_manifest
from prakerja_blacklist.format.documents import DoesNotFitError, canonical_json, parse_document
from prakerja_blacklist.format.keyring import Trust, UntrustedError
from prakerja_blacklist.format.signatures import SigningKey
from prakerja_blacklist.format.snapshot import sha256


def build_chain(edition: Edition, manifest: Manifest, signer: SigningKey, record: Record) -> dict[str, bytes]:
    """Return the chain file of a version that is published now, and its signature, by name.

    Its anchor is recorded already.
    """
    return _build_chain(
        manifest,
        canonical_json(manifest),
        signer,
        previous=_find_previous(edition.root, edition.main, manifest.version, record),
        audit=_find_audit_head(record, manifest.version),
    )


def write_earlier_chains(root: UPath, versions: Sequence[Any], keys: Keys, record: Record) -> None:
    """Record and write the chain files of versions that were published before there were any, from the oldest on.

    They name no entry of the audit log, since nothing says that it stood there. Where a manifest is not recorded, the
    chain begins behind it.
    """
    names = {name.split("/", 1)[0] for name in record.documents if name.endswith("/manifest.json")}
    for folder in (root, *(root.parent / name for name in sorted(names - {root.name}))):
        missing = _list_missing(folder, [int(row["version"]) for row in versions], record)
        if not missing:
            continue
        _write_again(folder, missing[0] - 1, record)  # a killed publisher may have recorded it, and not written it
        trust = load_trust(root, keys, record)
        for version in missing:
            data = record.documents[f"{folder.name}/{manifest_name(version)}"]
            manifest = parse_manifest(data, manifest_name(version))
            previous = _find_previous(folder, root, version, record)
            built = _build_chain(manifest, data, keys.signer, previous=previous, audit=None)
            record.write(folder, _find_lying(folder, built, trust) or built)


def _build_chain(
    manifest: Manifest, data: bytes, signer: SigningKey, *, previous: bytes | None, audit: AuditHead | None
) -> dict[str, bytes]:
    chain = Chain(
        contract=CHAIN_CONTRACT,
        version=manifest.version,
        key_id=manifest.key_id,
        manifest_sha256=sha256(data),
        previous_chain_sha256=sha256(previous) if previous is not None else None,
        audit=audit,
        created_at=manifest.created_at,
        signing_key_id=signer.public.key_id,
    )
    name, content = chain_name(manifest.version), canonical_json(chain)
    return {name: content, f"{name}.sig": signer.sign(content)}


def _find_lying(folder: UPath, built: dict[str, bytes], trust: Trust) -> dict[str, bytes] | None:
    """Return the chain file that lies there and is not recorded, if a key of the list has signed it and it fits."""
    name, signature_name = built
    data, signature = read_document(folder, name), read_document(folder, signature_name)
    if data is None or signature is None:
        return None
    try:
        chain, wanted = parse_document(Chain, data, name), parse_document(Chain, built[name], name)
        trust.require_signed(chain.signing_key_id, chain.version, data, signature)
    except (DoesNotFitError, UntrustedError):
        return None
    fits = replace(chain, audit=wanted.audit, signing_key_id=wanted.signing_key_id) == wanted
    return {name: data, signature_name: signature} if fits else None


def _find_previous(folder: UPath, main: UPath, version: int, record: Record) -> bytes | None:
    """Return the chain file of the version before: of the same list, or of the one that it comes from."""
    name = chain_name(version - 1)
    return record.find(folder, name) or record.find(main, name)


def _find_audit_head(record: Record, version: int) -> AuditHead | None:
    """Return where the audit log stood when a version was recorded, or None if its anchor is not recorded."""
    name = f"{anchors.FOLDER}/{anchors.file_name(version)}"
    if (data := record.documents.get(name)) is None:  # what lies there was not verified
        return None
    anchor = parse_document(anchors.Anchor, data, name)
    return AuditHead(position=anchor.position, hash=anchor.hash)


def _list_missing(folder: UPath, versions: Sequence[int], record: Record) -> list[int]:
    """Return the recorded versions of a folder that lack a chain file, of those behind which all are recorded."""
    missing = list[int]()
    for version in reversed(versions):
        if record.find(folder, manifest_name(version)) is None:
            if missing:
                break
        elif record.find(folder, chain_name(version)) is not None:
            break
        else:
            missing.insert(0, version)
    return missing


def _write_again(folder: UPath, version: int, record: Record) -> None:
    for name in (chain_name(version), f"{chain_name(version)}.sig"):
        if (data := record.find(folder, name)) is not None:
            storage.create(record.place, f"{folder.name}/{name}", data)
