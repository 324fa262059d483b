"""The published folder: its versions, the pointer, and manifests as they lie there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.format.contract import POINTER, Latest, Manifest, manifest_name
from prakerja.blacklist.format.documents import DoesNotFitError, parse_document
from prakerja.blacklist.publisher.storage import parse_place, read_document
from prakerja.errors import PrakerjaError
from prakerja.settings import Settings


def list_root() -> UPath:
    """Return the folder of the published list."""
    return parse_place(Settings.from_environment().publish) / "blacklist"


def list_versions() -> Sequence[Any]:
    """Return every version that the warehouse has, in order. They are numbered from one, without a gap."""
    with warehouse.transaction() as connection:
        return warehouse.rows(connection, "blacklist/list_versions")


def read_manifest(root: UPath, version: int) -> Manifest | None:
    """Return the manifest of a version that lies in a folder, or None. Raise `DoesNotFitError`."""
    name = manifest_name(version)
    data = read_document(root, name)
    return parse_document(Manifest, data, name) if data else None


def pointed_version(root: UPath) -> int:
    """Return the version that a folder points at, or 0. Raise `PrakerjaError` if the pointer is damaged."""
    data = read_document(root, POINTER)
    if data is None:
        return 0
    try:
        return parse_document(Latest, data, POINTER).version
    except DoesNotFitError:
        raise PrakerjaError(f"{root / POINTER} is damaged: put back the last good one, then publish again") from None


def pointed_manifest(root: UPath) -> Manifest | None:
    """Return the manifest of the version that a folder points at, or None."""
    return read_manifest(root, pointed_version(root))
