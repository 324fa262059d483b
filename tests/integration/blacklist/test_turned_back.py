"""A published folder that is not as it was: the pointer turned back, files replaced or gone, an older backup of it."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prakerja import warehouse
from prakerja.blacklist.publisher import audit, publishing, rotation, version_files
from prakerja.cli import app
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.contract import POINTER
from prakerja_blacklist.format.signatures import SigningKey
from prakerja_blacklist.format.snapshot import sha256
from prakerja_blacklist.reader.sources import Folder
from tests.support.published_list import tree
from tests.support.publisher import NEXT, WHO, published, reader, signer, verified, versions


def pointer_at(root: Path, version: int) -> bytes:
    """The pointer as it was when a version was the newest."""
    data = (root / f"v{version:06d}" / "manifest.json").read_bytes()
    return json.dumps(
        {"version": version, "manifest": f"v{version:06d}/manifest.json", "sha256": sha256(data)}
    ).encode()


def everything(root: Path) -> dict[str, bytes]:
    """What is published, without what was moved aside."""
    return {name: data for name, data in tree(root.parent).items() if not name.startswith("displaced/")}


def restored(exit_code: int = 0) -> str:
    told = CliRunner().invoke(app, ["blacklist", "restore"])
    assert told.exit_code == exit_code, told.output
    return told.output


#: What may befall a pointer.
POINTERS: dict[str, Callable[[Path], Any]] = {
    "of the version before": lambda root: (root / POINTER).write_bytes(pointer_at(root, 2)),
    "of the first version": lambda root: (root / POINTER).write_bytes(pointer_at(root, 1)),
    "gone": lambda root: (root / POINTER).unlink(),
    "damaged": lambda root: (root / POINTER).write_bytes(b"["),
    "of another manifest": lambda root: (root / POINTER).write_text(
        json.dumps({"version": 3, "manifest": "v000003/manifest.json", "sha256": "0" * 64})
    ),
}


@pytest.mark.parametrize("befallen", POINTERS)
def test_publishing_goes_on_from_what_was_recorded_whatever_the_pointer_says(rotated: Path, befallen: str) -> None:
    """Behind a change of keys, a publisher that went by the pointer would sign what was published once more."""
    before = everything(rotated)
    POINTERS[befallen](rotated)
    assert published("fourth", NEXT) == 4
    after = everything(rotated)
    assert {name: data for name, data in after.items() if name in before and POINTER not in name} == {
        name: data for name, data in before.items() if POINTER not in name
    }
    assert verified(rotated) == [1, 2, 3, 4]
    assert versions()[-1] == (4, "fourth")


@pytest.mark.parametrize("befallen", POINTERS)
def test_a_pointer_is_restored_by_the_command(rotated: Path, befallen: str) -> None:
    before = everything(rotated)
    POINTERS[befallen](rotated)
    assert "blacklist/latest.json: written again" in restored()
    assert everything(rotated) == before
    assert "written again" not in restored(), "a second time there is nothing to do"


#: Files that were published, and whether the pointer is turned back before them.
FILES = [
    ("v000003/manifest.json", False), ("v000003/snapshot.csv.gz", False), ("v000003/manifest.json", True),
    ("v000003/manifest.json.sig", True), ("v000002/manifest.json", True), ("v000002/snapshot.csv.gz", True),
    ("v000003/snapshot.parquet", True), ("v000003/delta.csv.gz", True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "is_turned_back"), FILES)
def test_a_file_that_was_replaced_is_never_written_over_and_restored_by_the_command(
    rotated: Path, name: str, is_turned_back: bool
) -> None:
    before = everything(rotated)
    if is_turned_back:
        (rotated / POINTER).write_bytes(pointer_at(rotated, 1))
    (rotated / name).write_bytes(b"somebody else's")
    with pytest.raises(PrakerjaError, match=r"^[^\n]*is not what this warehouse has published[^\n]*blacklist restore"):
        published("fourth", NEXT)
    assert (rotated / name).read_bytes() == b"somebody else's"
    told = restored()
    assert f"blacklist/{name}: moved into displaced/" in told
    after = everything(rotated)
    assert before.items() - {(f"blacklist/{POINTER}", before[f"blacklist/{POINTER}"])} <= after.items()
    (displaced,) = (rotated.parent / "displaced").glob(f"*/blacklist/{name}")
    assert displaced.read_bytes() == b"somebody else's"
    published("fourth", NEXT)
    assert verified(rotated) == [1, 2, 3, 4]


@pytest.mark.parametrize("version", [4, 999])
def test_a_version_that_nobody_has_signed_stops_nobody(rotated: Path, version: int) -> None:
    """Whoever can write there can lay any manifest and any pointer."""
    manifest = rotated / f"v{version:06d}" / "manifest.json"
    manifest.parent.mkdir()
    manifest.write_bytes((rotated / "v000003" / "manifest.json").read_bytes())
    (rotated / POINTER).write_bytes(pointer_at(rotated, version))
    if version == 4:
        with pytest.raises(PrakerjaError, match="is not what this warehouse has published"):
            published("fourth", NEXT)
        assert "v000004/manifest.json: moved into displaced/" in restored()
    assert published("fourth", NEXT) == 4
    assert verified(rotated) == [1, 2, 3, 4]


def test_a_manifest_of_the_newest_version_that_was_replaced_stops_publishing(rotated: Path) -> None:
    """Whoever has an earlier key can sign a list; the publisher neither builds on it nor writes over it."""
    manifest = rotated / "v000003" / "manifest.json"
    data = manifest.read_bytes().replace(b'"platform"', b'"x"').replace(b'"checked_at":"2021', b'"checked_at":"2022')
    manifest.write_bytes(data)
    (rotated / "v000003" / "manifest.json.sig").write_bytes(load_retired(rotated).sign(data))
    with pytest.raises(PrakerjaError, match=r"manifest\.json is not what this warehouse has published.*restore"):
        published("fourth", NEXT)
    assert manifest.read_bytes() == data
    assert versions()[-1] == (3, "third"), "nothing was recorded either"
    assert any("v000003" in problem and "another manifest" in problem for problem in audit.verify().problems)
    restored()
    assert not [problem for problem in audit.verify().problems if "manifest" in problem]
    assert published("fourth", NEXT) == 4


def load_retired(root: Path) -> SigningKey:
    folder = root.parents[1] / "own" / "keys"
    return SigningKey.from_pem(sorted(folder.glob("signing_key_retired_*.pem"))[0].read_bytes())


@pytest.mark.parametrize("name", ["keys/keyring-000002.json", "keys/keyring-000003.json", "../audit/v000003.json"])
def test_a_keyring_or_an_anchor_that_is_gone_is_written_as_it_was(rotated: Path, name: str) -> None:
    """Made anew, a keyring would leave out what the one that is gone said: that a key was revoked."""
    stolen = signer()
    rotation.rotate_signing_key(NEXT, at_once=True, **WHO)
    publishing.revoke_key(stolen, NEXT, **WHO)
    before = everything(rotated)
    (rotated / name).unlink()
    if "audit" in name:
        restored()
    assert published("fifth", NEXT) == 5
    assert before.items() - {(f"blacklist/{POINTER}", before[f"blacklist/{POINTER}"])} <= everything(rotated).items()


def test_a_folder_from_an_older_backup_is_brought_up_to_what_was_recorded(rotated: Path, home: Path) -> None:
    client = reader(home / "reader")
    client.sync(Folder(rotated), NEXT)
    whole = everything(rotated)
    for name in [name for name in whole if "v000003" in name or "keyring-000003" in name]:
        (rotated.parent / name).unlink()
    (rotated / POINTER).write_bytes(pointer_at(rotated, 2))
    assert published("third", NEXT) == 3
    assert everything(rotated) == whole, "not a byte of the third version is another one"
    assert client.sync(Folder(rotated), NEXT).how == "unchanged"


def test_a_folder_that_was_emptied_is_written_as_it_was(rotated: Path) -> None:
    whole = everything(rotated)
    for folder in rotated.parent.iterdir():
        shutil.rmtree(folder)
    restored()
    assert everything(rotated) == whole


def test_what_these_libraries_pack_otherwise_is_asked_of_a_backup(
    rotated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = everything(rotated)
    for name in ("v000002/snapshot.csv.gz", "v000001/delta.csv.gz"):
        (rotated / name).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(version_files, "_gzip", lambda data: gzip.compress(data, 1, mtime=0))
        told = restored(1)
    assert "blacklist/v000001/delta.csv.gz is missing, and today's libraries pack it into other bytes" in told
    for name in ("v000002/snapshot.csv.gz", "v000001/delta.csv.gz"):
        (rotated / name).write_bytes(whole[f"blacklist/{name}"])
    restored()
    assert everything(rotated) == whole


def test_a_warehouse_from_an_older_backup_writes_over_nothing_whatever_the_pointer_says(rotated: Path) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        for table in ("blacklist_changes", "published_lists", "blacklist_versions"):
            connection.exec_driver_sql(f"delete from {table} where version > 1")
        connection.exec_driver_sql("delete from published_documents where name ~ 'v00000[23]|keyring-00000[23]'")
    for befall in (lambda _: None, *POINTERS.values()):
        befall(rotated)
        before = tree(rotated.parent)
        for act in (lambda: published("another", NEXT), restored_or_raised):
            with pytest.raises(PrakerjaError, match="this warehouse is older than its list: it knows 1 versions"):
                act()
        assert tree(rotated.parent) == before


def restored_or_raised() -> None:
    told = CliRunner().invoke(app, ["blacklist", "restore"])
    assert told.exception is not None
    raise told.exception


def test_a_list_of_another_system_is_not_moved_aside(
    rotated: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = home / "other" / "blacklist"
    shutil.copytree(rotated, other)
    for manifest in other.glob("v*/manifest.json"):
        manifest.write_bytes(manifest.read_bytes().replace(b'"entries":', b'"entries": '))
    for chain in other.glob("v*/chain.json"):
        chain.write_bytes(chain.read_bytes().replace(b'"audit":', b'"audit": '))
    for ring in other.glob("keys/keyring-*.json"):
        ring.unlink()
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(other.parent))
    before = tree(other.parent)
    with pytest.raises(PrakerjaError, match="has nothing of what this warehouse has published"):
        restored_or_raised()
    assert tree(other.parent) == before


def test_a_list_under_an_earlier_key_is_restored_too(rekeyed: Path, later: Path) -> None:
    published("second", NEXT)
    whole = everything(later)
    (rekeyed / POINTER).unlink()
    (rekeyed / "v000002" / "snapshot.parquet").unlink()
    (rekeyed / "v000002" / "manifest.json").write_bytes(b"{}")
    restored()
    assert everything(later) == whole
    assert verified(rekeyed, later) == [2]


def test_a_version_that_was_begun_otherwise_is_begun_again_by_the_command(later: Path) -> None:
    """A publisher died before anything was recorded, and other libraries would pack the files into other bytes."""
    (later / "v000002").mkdir()
    (later / "v000002" / "snapshot.csv.gz").write_bytes(b"packed otherwise")
    with pytest.raises(PrakerjaError, match="prakerja blacklist restore"):
        published("second", NEXT)
    assert (later / "v000002" / "snapshot.csv.gz").read_bytes() == b"packed otherwise"
    assert "blacklist/v000002/snapshot.csv.gz: moved into displaced/" in restored()
    assert published("second", NEXT) == 2
    assert verified(later) == [1, 2]


# -- lists of a warehouse that recorded no documents -------------------------------------------------------------------


def forget_documents() -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("delete from published_documents")


@pytest.mark.parametrize("befallen", POINTERS)
def test_what_was_published_before_documents_were_recorded_is_recorded_as_it_lies_there(
    rotated: Path, befallen: str
) -> None:
    before = everything(rotated)
    forget_documents()
    POINTERS[befallen](rotated)
    assert published("fourth", NEXT) == 4
    assert before.items() - {(f"blacklist/{POINTER}", before[f"blacklist/{POINTER}"])} <= everything(rotated).items()
    assert verified(rotated) == [1, 2, 3, 4]
    (rotated / "v000001" / "manifest.json").unlink()
    restored()
    assert verified(rotated) == [1, 2, 3, 4]


def test_what_was_replaced_before_documents_were_recorded_is_not_recorded(rotated: Path) -> None:
    forget_documents()
    (rotated / "v000003" / "manifest.json").write_bytes((rotated / "v000002" / "manifest.json").read_bytes())
    before = everything(rotated)
    with pytest.raises(PrakerjaError):
        published("fourth", NEXT)
    assert everything(rotated) == before


# -- under a key that was lost -----------------------------------------------------------------------------------------


def test_after_the_signing_key_was_lost_the_list_is_published_anew_in_an_empty_folder(
    rotated: Path, own_keys: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pem in own_keys.glob("signing_key*.pem"):
        pem.unlink()
    before = tree(rotated)
    told = CliRunner().invoke(app, ["blacklist", "republish", "--because", "lost", "--as", "siti"])
    assert "has a list: set PRAKERJA_PUBLISH to an empty folder" in str(told.exception)
    with pytest.raises(PrakerjaError, match="was published under the keys"):
        published("fourth", NEXT)
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "new"))
    with pytest.raises(PrakerjaError, match="was published under the keys"):
        published("fourth", NEXT)
    assert not (home / "new" / "blacklist").exists(), "only a person begins anew"
    told = CliRunner().invoke(app, ["blacklist", "republish", "--because", "lost", "--as", "siti"])
    assert told.exit_code == 0, told.output
    assert f"published up to version 3, signed by {signer()}" in told.output
    assert verified(home / "new" / "blacklist") == [1, 2, 3]
    assert published("fourth", NEXT) == 4
    assert verified(home / "new" / "blacklist") == [1, 2, 3, 4]
    assert not [problem for problem in audit.verify().problems if "v0000" in problem]
    assert tree(rotated) == before
    client = reader(home / "reader")
    assert client.sync(Folder(home / "new" / "blacklist"), NEXT).trusted.version == 4
