"""Publishing: an immutable folder per version, then one pointer, replaced atomically.

The version is decided in the warehouse first. Its files follow from that row alone, byte for byte, so a publisher that
died anywhere is finished by the next one; readers see the old list or the new one, never a mixture.
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist import audit
from prakerja.blacklist.contract import (
    CONTRACT,
    Change,
    Entry,
    canonical_csv,
    canonical_json,
    counts,
    require_fit,
    sha256,
    utc_text,
)
from prakerja.blacklist.signing import SigningKey, SubjectKey, signing_key, subject_key
from prakerja.blacklist.verification import latest_entries
from prakerja.errors import PrakerjaError
from prakerja.settings import Settings, program

log = logging.getLogger(__name__)


def publish(occasion: str, at: datetime, clock: date, *, only_changes: bool = False) -> int | None:
    """Publish what was revoked and reinstated by `clock` and not yet; gives the version that this occasion published.

    An occasion publishes at least once, with an empty delta where nothing changed (it proves that the day was looked
    at). With `only_changes`, that of the daily intake, it does not, and leaves what is revoked on its own day to the
    deadline's run, which comes after it. A second call finds nothing left to do. Two publishers take turns.
    """
    signer, subjects = signing_key(), subject_key()
    with warehouse.exclusive("publish"):
        root = UPath(Settings.from_environment().publish) / "blacklist"
        _materialise(root, signer, subjects)  # what an earlier publisher left unfinished
        version = _next_version(occasion, at, clock, only_changes=only_changes)
        _materialise(root, signer, subjects)
    return version


def _next_version(occasion: str, at: datetime, clock: date, *, only_changes: bool) -> int | None:
    by = {"revoked_by": clock - timedelta(days=1) if only_changes else clock, "reinstated_by": clock}
    with warehouse.transaction(one_snapshot=True) as connection:
        published = warehouse.rows(connection, "blacklist/published_for", occasion=occasion)
        changes = warehouse.execute(connection, "blacklist/count_pending", **by).scalar_one()
        if not changes and published:
            return int(published[0]["version"])
        if not changes and only_changes:
            return None
        data_as_of = {
            row["platform"]: row["business_date"].isoformat()
            for row in warehouse.rows(connection, "blacklist/data_as_of", known_by=clock)
        }
        version = int(
            warehouse.execute(
                connection,
                "blacklist/insert_version",
                occasion=occasion,
                at=at,
                has_changed=bool(changes),
                data_as_of=json.dumps(data_as_of),
            ).scalar_one()
        )
        warehouse.execute(connection, "blacklist/insert_changes", version=version, **by)
    return version


def _materialise(root: UPath, signer: SigningKey, subjects: SubjectKey) -> None:
    """Write every version that the warehouse has and the pointer does not reach yet, in order."""
    pointed = _pointed_version(root)
    with warehouse.transaction() as connection:
        versions = warehouse.rows(connection, "blacklist/list_versions")
    newest = versions[-1]["version"] if versions else 0
    if pointed > newest:
        raise PrakerjaError(
            f"{root} holds version {pointed}, but this warehouse knows {newest}: it is another system's list; "
            "set PRAKERJA_PUBLISH to this one's folder, or an empty one"
        )
    if pointed:
        _require_same_list(root, pointed, signer, subjects)
    for row in versions:
        if row["version"] > pointed:
            _write_version(root, row, signer, subjects)


def _require_same_list(root: UPath, version: int, signer: SigningKey, subjects: SubjectKey) -> None:
    """The list that is there must be this warehouse's, under these keys: the next version is the difference to it."""
    manifest, entries = latest_entries(root)
    keys = (manifest["key_id"], manifest["signing_key_id"])
    if keys != (subjects.key_id, signer.public.key_id):
        raise PrakerjaError(
            f"the list in {root} was published under the keys {keys[0]} and {keys[1]}, these are {subjects.key_id} and "
            f"{signer.public.key_id}: put PRAKERJA_SUBJECT_KEY and PRAKERJA_SIGNING_KEY back"
        )
    if canonical_csv(Entry, entries) != canonical_csv(Entry, _entries(version, subjects)):
        raise PrakerjaError(
            f"version {version} in {root} is not what this warehouse has published: restore the warehouse it belongs to"
        )


def _entries(version: int, subjects: SubjectKey) -> list[Entry]:
    with warehouse.transaction() as connection:
        return [
            Entry(
                subjects.subject(f"{row['nik']:016d}"),
                row["cohort"],
                row["reason"],
                utc_text(row["effective_at"]),
                row["decision_id"],
            )
            for row in warehouse.rows(connection, "blacklist/list_entries", version=version)
        ]


def _write_version(root: UPath, row: Any, signer: SigningKey, subjects: SubjectKey) -> None:
    version = int(row["version"])
    entries = _entries(version, subjects)
    with warehouse.transaction() as connection:
        changes = [
            Change(
                c["op"],
                subjects.subject(f"{c['nik']:016d}"),
                c["cohort"],
                c["reason"],
                utc_text(c["effective_at"]),
                c["decision_id"],
            )
            for c in warehouse.rows(connection, "blacklist/list_changes", version=version)
        ]
    require_fit("snapshot_row", [asdict(entry) for entry in entries])
    require_fit("delta_row", [asdict(change) for change in changes])
    snapshot = canonical_csv(Entry, entries)
    files = {
        "snapshot.csv.gz": (_gzip(snapshot), len(entries)),
        "snapshot.parquet": (_parquet(entries), len(entries)),
        "delta.csv.gz": (_gzip(canonical_csv(Change, changes)), len(changes)),
    }
    created_at = row["created_at"]
    manifest = {
        "contract": CONTRACT,
        "version": version,
        "previous_version": version - 1 or None,
        "created_at": utc_text(created_at),
        "checked_at": utc_text(created_at),
        "changed_at": utc_text(row["changed_at"]),
        "expires_at": utc_text(created_at + timedelta(days=int(program()["blacklist"]["expires_after_days"]))),
        "data_as_of": row["data_as_of"],
        "key_id": subjects.key_id,
        "signing_key_id": signer.public.key_id,
        "counts": counts(entries, changes),
        "result_sha256": sha256(snapshot),
        "files": [
            {"name": name, "bytes": len(data), "sha256": sha256(data), "rows": rows}
            for name, (data, rows) in files.items()
        ],
    }
    require_fit("manifest", [manifest])
    manifest_bytes = canonical_json(manifest)
    pointer = {"version": version, "manifest": f"v{version:06d}/manifest.json", "sha256": sha256(manifest_bytes)}
    require_fit("latest", [pointer])
    key = root / "keys" / f"{signer.public.key_id}.pem"
    if not key.exists():
        write_whole(key, signer.public.pem)
    for name, data in audit.anchor_of(version, signer).items():
        write_whole(audit.folder() / name, data)
    folder = root / f"v{version:06d}"
    for name, (data, _) in files.items():
        write_whole(folder / name, data)
    write_whole(folder / "manifest.json", manifest_bytes)
    write_whole(folder / "manifest.json.sig", signer.signature(manifest_bytes))
    write_whole(root / "latest.json", canonical_json(pointer))
    log.info("published version %d: %d entries, %d changes", version, len(entries), len(changes))


def write_whole(path: UPath, data: bytes) -> None:
    """Write a file so that it is there whole or not at all (an object store's put is that already)."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.protocol not in ("", "file", "local"):
            path.write_bytes(data)
            return
        local = path.path  # of a file:// URL, too
        aside = f"{local}.{os.getpid()}.tmp"
        with open(aside, "wb") as file:  # noqa: PTH123 - a local path by now
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, local)  # noqa: PTH105
    except OSError as error:
        raise PrakerjaError(
            f"{path} cannot be written ({error.strerror}): check PRAKERJA_PUBLISH; the list before stays in force"
        ) from None


def _pointed_version(root: UPath) -> int:
    pointer = root / "latest.json"
    if not pointer.exists():
        return 0
    try:
        return int(json.loads(pointer.read_bytes())["version"])
    except (ValueError, KeyError, TypeError):
        raise PrakerjaError(f"{pointer} is damaged: put back the last good one, then publish again") from None


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # no time of day: the same list gives the same bytes


def _parquet(entries: Sequence[Entry]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        "subject": pa.string(),
        "cohort": pa.int32(),
        "reason": pa.string(),
        "effective_at": pa.string(),
        "decision_id": pa.string(),
    }
    rows = sorted(entries)
    buffer = io.BytesIO()
    parquet.write_table(
        pa.table({name: pa.array([getattr(row, name) for row in rows], kind) for name, kind in types.items()}), buffer
    )
    return buffer.getvalue()
