"""Verifying a published list from its files alone: signatures, hashes, schemas, and snapshot + delta = snapshot."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from upath import UPath

from prakerja.blacklist.contract import (
    Change,
    DoesNotFitError,
    Entry,
    canonical_csv,
    counts,
    parsed_csv,
    require_fit,
    sha256,
)
from prakerja.blacklist.signing import PublicKey
from prakerja.errors import NotReadyError, PrakerjaError


def blacklist_root(folder: str) -> UPath:
    """The folder of `latest.json`: the given one, or `blacklist` in it. Raises `NotReadyError` where there is none."""
    for root in (UPath(folder), UPath(folder) / "blacklist"):
        if (root / "latest.json").is_file():
            return root
    raise NotReadyError(f"no list is published in {folder}: a cohort_deadline run publishes one")


def verified_versions(root: UPath) -> Iterator[tuple[dict[str, Any], list[Entry]]]:
    """Every version from the first to the one pointed at, verified; gives its manifest and its entries.

    Raises `PrakerjaError` at the first thing that is wrong, naming version and file.
    """
    pointer = _json(root / "latest.json", "latest.json")
    require_fit("latest", [pointer])
    before = canonical_csv(Entry, [])
    for version in range(1, pointer["version"] + 1):
        manifest, files = _verified_manifest(root, version)
        if version == pointer["version"] and sha256(_bytes(root / pointer["manifest"], version)) != pointer["sha256"]:
            raise PrakerjaError(f"latest.json points at another manifest than v{version:06d}/manifest.json")
        snapshot = _unzipped(files["snapshot.csv.gz"], version, "snapshot.csv.gz")
        changes = parsed_csv(Change, _unzipped(files["delta.csv.gz"], version, "delta.csv.gz"))
        entries = parsed_csv(Entry, snapshot)
        require_fit("snapshot_row", [asdict(entry) for entry in entries])
        require_fit("delta_row", [asdict(change) for change in changes])
        for right, wrong in (
            (sha256(snapshot) == manifest["result_sha256"], "the snapshot is not the one that result_sha256 names"),
            (canonical_csv(Entry, entries) == snapshot, "the snapshot is not in canonical form"),
            (applied(parsed_csv(Entry, before), changes) == snapshot, "the version before + delta is not the snapshot"),
            (counts(entries, changes) == manifest["counts"], "the counts are not those of the snapshot and the delta"),
            (
                {file["name"]: file["rows"] for file in manifest["files"]}
                == {"snapshot.csv.gz": len(entries), "snapshot.parquet": len(entries), "delta.csv.gz": len(changes)},
                "the files' rows are not as many as the manifest says",
            ),
            (_parquet_rows(files["snapshot.parquet"]) == entries, "snapshot.parquet is not the snapshot"),
        ):
            if not right:
                raise PrakerjaError(f"v{version:06d}: {wrong}")
        before = snapshot
        yield manifest, entries


def latest_entries(root: UPath) -> tuple[dict[str, Any], list[Entry]]:
    """The list that is pointed at, its own files verified (not its history)."""
    pointer = _json(root / "latest.json", "latest.json")
    require_fit("latest", [pointer])
    manifest, files = _verified_manifest(root, pointer["version"])
    if sha256(_bytes(root / pointer["manifest"], pointer["version"])) != pointer["sha256"]:
        raise PrakerjaError("latest.json points at another manifest than the one that lies there")
    snapshot = _unzipped(files["snapshot.csv.gz"], pointer["version"], "snapshot.csv.gz")
    if sha256(snapshot) != manifest["result_sha256"]:
        raise PrakerjaError(f"v{pointer['version']:06d}: the snapshot is not the one that result_sha256 names")
    return manifest, parsed_csv(Entry, snapshot)


def applied(entries: list[Entry], changes: list[Change]) -> bytes:
    """The canonical list after the changes. Raises `PrakerjaError` where one withdraws or adds what it cannot."""
    listed = {entry.subject: entry for entry in entries}
    for change in changes:
        if (change.op == "ADD") == (change.subject in listed):
            raise PrakerjaError("a delta adds who is listed, or withdraws who is not")
        if change.op == "WITHDRAW":
            del listed[change.subject]
        else:
            listed[change.subject] = Entry(
                change.subject, change.cohort, change.reason, change.effective_at, change.decision_id
            )
    return canonical_csv(Entry, listed.values())


def _verified_manifest(root: UPath, version: int) -> tuple[dict[str, Any], dict[str, bytes]]:
    folder, name = root / f"v{version:06d}", f"v{version:06d}"
    manifest = _json(folder / "manifest.json", f"{name}/manifest.json")
    require_fit("manifest", [manifest])
    if manifest["version"] != version or (manifest["previous_version"] or 0) != version - 1:
        raise PrakerjaError(f"{name}: the manifest is of another version")
    key = PublicKey.from_pem(_bytes(root / "keys" / f"{manifest['signing_key_id']}.pem", version))
    is_signed = key.has_signed(_bytes(folder / "manifest.json", version), _bytes(folder / "manifest.json.sig", version))
    if key.key_id != manifest["signing_key_id"] or not is_signed:
        raise PrakerjaError(f"{name}: the manifest's signature is wrong")
    files = {}
    for file in manifest["files"]:
        data = files[file["name"]] = _bytes(folder / file["name"], version)
        if len(data) != file["bytes"] or sha256(data) != file["sha256"]:
            raise PrakerjaError(f"{name}/{file['name']}: size or SHA-256 is not the manifest's")
    if len(files) != len(manifest["files"]):
        raise PrakerjaError(f"{name}: the manifest names a file twice")
    return manifest, files


def _bytes(path: UPath, version: int) -> bytes:
    try:
        data: bytes = path.read_bytes()
    except OSError:
        raise PrakerjaError(f"v{version:06d}: {path.name} is not there") from None
    return data


def _json(path: UPath, name: str) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise PrakerjaError(f"{name} is missing, or no JSON") from None
    if not isinstance(document, dict):
        raise DoesNotFitError(f"{name} is no JSON object")
    return document


def _unzipped(data: bytes, version: int, name: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise PrakerjaError(f"v{version:06d}/{name} is no gzip file") from None


def _parquet_rows(data: bytes) -> list[Entry]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return [Entry(**row) for row in parquet.read_table(pa.BufferReader(data)).to_pylist()]
    except (pa.ArrowException, TypeError):
        return []
