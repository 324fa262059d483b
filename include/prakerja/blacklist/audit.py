"""The audit log's ends: an anchor lies beside each published version, and `verify` compares the log with all of them.

Whoever owns the database can write a new log, but not take back anchors that others have read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.contract import Manifest, canonical_json, parsed
from prakerja.blacklist.signing import PublicKey, SigningKey
from prakerja.blacklist.sources import DOCUMENT_BYTES_MAX, Folder, place_of, read_if_there, under_key
from prakerja.errors import PrakerjaError, TransientError
from prakerja.settings import Settings

CONTRACT = "prakerja.anchor/1"


@dataclass
class Verified:
    """What was verified: log entries, rows of facts, anchors, published lists; and a line per problem."""

    entries: int = 0
    rows: int = 0
    anchors: int = 0
    lists: int = 0
    problems: list[str] = field(default_factory=list)


def anchor_of(version: int, signer: SigningKey) -> dict[str, bytes]:
    """The files of a version's anchor by name: the log's position and hash when the version was recorded, signed."""
    with warehouse.transaction("publish") as connection:
        warehouse.execute(connection, "blacklist/seal_entries")
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "blacklist/anchor_of_version", version=version)
    if not rows:
        raise TransientError(f"the audit log does not tell of version {version} yet: try again")
    row = rows[0]
    anchor = canonical_json(
        {
            "contract": CONTRACT,
            "version": version,
            "position": row["position"],
            "hash": row["hash"],
            "signing_key_id": signer.public.key_id,
        }
    )
    return {f"v{version:06d}.json": anchor, f"v{version:06d}.json.sig": signer.signature(anchor)}


def folder() -> UPath:
    """Where the anchors lie."""
    return place_of(Settings.from_environment().publish) / "audit"


def verify() -> Verified:
    """The chain, the facts that it tells of, facts that it does not tell of, and the anchors."""
    found = Verified()
    with warehouse.transaction("publish") as connection:
        warehouse.execute(connection, "blacklist/seal_entries")
    with warehouse.transaction(one_snapshot=True) as connection:
        found.problems += [row["problem"] for row in warehouse.rows(connection, "blacklist/list_audit_problems")]
        for row in warehouse.rows(connection, "blacklist/count_audit_strays"):
            if row["strays"]:
                found.problems.append(f"{row['strays']:,} rows of {row['fact']} are in no entry of the log")
        totals = warehouse.rows(connection, "blacklist/count_audited")[0]
        found.entries, found.rows = totals["entries"], totals["rows"]
        for file in sorted(folder().glob("v*.json")) if folder().exists() else []:
            found.anchors += 1
            found.problems += _anchor_problems(connection, file)
        root = place_of(Settings.from_environment().publish) / "blacklist"
        for row in warehouse.rows(connection, "blacklist/list_published"):
            found.lists += 1
            found.problems += _list_problems(root, row)
    return found


def _anchor_problems(connection: warehouse.Connection, file: UPath) -> list[str]:
    data = file.read_bytes()
    try:
        anchor = json.loads(data)
        key = file.parent.parent / "blacklist" / "keys" / f"{anchor['signing_key_id']}.pem"
        signature = (file.parent / f"{file.name}.sig").read_bytes()
        is_signed = PublicKey.from_pem(key.read_bytes()).has_signed(data, signature)
        asked = {"position": int(anchor["position"]), "hash": str(anchor["hash"])}
    except (OSError, ValueError, KeyError, TypeError, PrakerjaError):
        return [f"the anchor {file.name} is damaged, or its signature or key is gone: restore {file.parent}"]
    if not is_signed:
        return [f"the anchor {file.name} has another signature: restore {file.parent}"]
    if not warehouse.execute(connection, "blacklist/has_anchor", **asked).scalar_one():
        return [f"the log lacks position {asked['position']} as the anchor {file.name} has it: it was cut or rewritten"]
    return []


def _list_problems(root: UPath, row: Any) -> list[str]:
    """Whether a version's list lies there as this warehouse has published it."""
    name = f"v{row['version']:06d}"
    for folder in (root, under_key(root, row["key_id"])):
        data = read_if_there(Folder(folder), f"{name}/manifest.json", DOCUMENT_BYTES_MAX)
        if data is None:
            continue
        manifest = parsed(Manifest, data, f"{name}/manifest.json")
        if manifest.key_id == row["key_id"]:
            is_ours = manifest.result_sha256 == row["result_sha256"]
            return [] if is_ours else [f"{name} in {folder} is not the list that this warehouse has published"]
    return [f"{name} under the key {row['key_id']} does not lie in {root.parent} any more"]


def list_entries(last: int) -> list[Any]:
    """The log's last entries: position, at, actor, facts, hash."""
    with warehouse.transaction() as connection:
        return list(warehouse.rows(connection, "blacklist/list_audit", last=last))
