"""The published folder: its versions, the pointer, and manifests as they lie there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher.storage import read_document
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.contract import (
    CONTRACTS,
    FIRST_CONTRACT,
    POINTER,
    Contract,
    Latest,
    Manifest,
    manifest_name,
    parse_manifest,
)
from prakerja_blacklist.format.documents import DoesNotFitError, parse_document


def contract_in(root: UPath) -> Contract:
    """Return the contract by which a list is published in a folder of this name, also under an earlier key."""
    for contract in CONTRACTS.values():
        if re.fullmatch(re.escape(contract.folder) + r"(-[0-9a-f]{16})?", root.name):
            return contract
    return FIRST_CONTRACT


def sibling_roots(root: UPath) -> list[UPath]:
    """Return where the list lies by each other contract than that of `root`, whether it is published by it or not."""
    return [root.parent / contract.folder for contract in CONTRACTS.values() if contract.folder != root.name]


def list_versions() -> Sequence[Any]:
    """Return every version that the warehouse has, in order. They are numbered from one, without a gap."""
    with warehouse.transaction() as connection:
        return warehouse.rows(connection, "blacklist/list_versions")


def versions_in(root: UPath) -> set[int]:
    """Return the versions that lie in a folder of the list, whole or not."""
    names = [path.name for path in root.glob("v*")] if root.exists() else []
    return {int(name[1:]) for name in names if re.fullmatch(r"v[0-9]{6,9}", name)}


def read_manifest(root: UPath, version: int) -> Manifest | None:
    """Return the manifest of a version that lies in a folder, or None. Raise `DoesNotFitError`."""
    name = manifest_name(version)
    data = read_document(root, name)
    return parse_manifest(data, name) if data else None


class DamagedPointerError(PrakerjaError):
    """What lies in the pointer's place is none."""


def pointed_version(root: UPath) -> int:
    """Return the version that a folder points at, or 0. Raise `DamagedPointerError`."""
    data = read_document(root, POINTER)
    if data is None:
        return 0
    try:
        return parse_document(Latest, data, POINTER).version
    except DoesNotFitError:
        raise DamagedPointerError(
            f"{root / POINTER} is damaged: `prakerja blacklist restore` writes it again (docs/runbooks/blacklist.md)"
        ) from None


def find_pointed_version(root: UPath) -> int:
    """Return the version that a folder points at, or 0 if the pointer is missing or damaged."""
    try:
        return pointed_version(root)
    except DamagedPointerError:
        return 0


def known_pointed_version(root: UPath) -> int:
    """Return the version that a folder points at, or 0 if the pointer names none that the warehouse has."""
    pointed = find_pointed_version(root)
    return pointed if pointed <= len(list_versions()) else 0


def pointed_manifest(root: UPath) -> Manifest | None:
    """Return the manifest of the version that a folder points at, or None."""
    return read_manifest(root, pointed_version(root))
