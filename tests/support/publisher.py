"""Publishing, and what tests ask of it: versions, keyrings, readers, and what an undisturbed publisher writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher import configured_keys, publishing, verification
from prakerja.settings import WIB
from prakerja_blacklist.format import keyring
from prakerja_blacklist.format.contract import POINTER, Manifest, parse_manifest
from prakerja_blacklist.format.subject_keys import SubjectKey
from prakerja_blacklist.reader.sync import Client
from tests.support import object_storage
from tests.support.published_list import AT, tree

NEXT = AT + timedelta(days=1)
WHO = {"because": "drill", "answered_by": "Siti"}


def published(occasion: str, at: datetime = AT, **how: Any) -> int | None:
    return publishing.publish(occasion, at, at.astimezone(WIB).date(), **how)


def broken_off(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, act: Callable[[], object]) -> None:
    """Let `act` die where it calls `owner.name`."""

    def dies(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dies)
        with pytest.raises(KeyboardInterrupt):
            act()


def pick(query: str) -> list[Any]:
    with warehouse.transaction(as_owner=True) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def versions() -> list[Any]:
    return pick("select version, occasion from blacklist_versions order by version")


def verified(root: Any, main: Any = None) -> list[int]:
    return [manifest.version for manifest in verification.verify_versions(UPath(root), main and UPath(main))]


def manifest(root: Any, version: int) -> Manifest:
    return parse_manifest((UPath(root) / f"v{version:06d}" / "manifest.json").read_bytes(), "manifest.json")


def pointed(root: Any) -> int:
    return int(json.loads((UPath(root) / POINTER).read_bytes())["version"])


def reader(folder: Path, *, subject_keys: Iterable[SubjectKey] = ()) -> Client:
    return Client(
        folder, [configured_keys.load_signing_key().public], list(subject_keys) or configured_keys.load_subject_keys()
    )


def listed_to(client: Client) -> set[int]:
    """Which recipients a reader holds for listed."""
    opened = client.open_list()
    key = client.key_of(opened.trusted)
    return {n for n in range(1, 11) if opened.is_listed(key.digest(f"{3100000000000000 + n}"))}


def undisturbed(folder: Path, occasion: str, at: datetime) -> dict[str, bytes]:
    """What a publisher writes whom nothing befalls: everything, from the warehouse's rows, into an empty folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRAKERJA_PUBLISH", str(folder))
        published(occasion, at)
    return tree(folder)


def everything_in(root: UPath) -> dict[str, bytes]:
    """As `tree`, of a folder or of an object storage."""
    if root.protocol != "s3":
        return tree(Path(root.path))
    files = object_storage.files()
    return {name.removeprefix(f"{root.path}/"): files.cat_file(name) for name in files.find(root.path)}


BEFORE, AFTER = {1, 2, 3, 4, 5}, {1, 3, 4, 5, 6, 7}


def retired(keys: Path) -> Path:
    """The key of the subjects before the one of now."""
    (found,) = keys.glob("subject_key_retired_*.b64")
    return found


def daily(at: datetime) -> int | None:
    """What the daily intake publishes."""
    return published(f"daily__{at:%Y-%m-%dT%H}", at, is_daily=True)


MAY_SIGN = AT + timedelta(days=30)


def ring(root: Path) -> dict[str, int | None]:
    """The newest keyring's keys, and the last version that each may have signed."""
    numbers = [int(path.stem.split("-")[1]) for path in (root / "keys").glob("keyring-??????.json")]
    newest = keyring.parse_keyring((root / keyring.file_name(max(numbers))).read_bytes(), max(numbers))
    return {key.signing_key_id: key.last_version for key in newest.keys}


def rotations() -> list[str]:
    return [kind for (kind,) in pick("select kind from rotations order by rotation_id")]


def signer() -> str:
    return configured_keys.load_signing_key().public.key_id


def subjects_of(recipients: Iterable[int], key: SubjectKey) -> set[bytes]:
    return {key.subject(f"{3100000000000000 + n}").encode() for n in recipients}
