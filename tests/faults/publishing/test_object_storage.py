"""A list in an object storage: the same as in a folder, with killed publishers, and unreachable."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from upath import UPath

from prakerja.blacklist.publisher import audit, configured_keys, rotation, storage
from prakerja.blacklist.publisher.storage import folder_under_key
from prakerja.cli import app
from prakerja.errors import NotReadyError, PrakerjaError
from prakerja_blacklist.format.contract import POINTER
from tests.support.killed_publisher import DONE, exit_codes, kill, steps, watched
from tests.support.published_list import AT, reinstate, revoke
from tests.support.publisher import (
    AFTER,
    NEXT,
    WHO,
    everything_in,
    listed_to,
    published,
    reader,
    undisturbed,
    verified,
    versions,
)

# -- an object storage -------------------------------------------------------------------------------------------------


def test_a_list_in_an_object_storage_is_laid_out_verified_and_synced_as_in_a_folder(
    stored: UPath, bucket: str, home: Path
) -> None:
    published("first")
    revoke([6, 7])
    reinstate(2)
    assert published("second", NEXT) == 2
    assert everything_in(stored.parent) == undisturbed(home / "undisturbed", "second", NEXT)
    assert verified(stored) == [1, 2]
    assert not [problem for problem in audit.verify().problems if "anchor" in problem]
    client = reader(home / "reader")
    for place in (f"{bucket}/publish", f"{bucket}/publish/blacklist", f"{bucket}/publish/"):
        assert client.sync(storage.open_source(place, None), NEXT).trusted.version == 2
    assert listed_to(client) == AFTER
    told = CliRunner().invoke(app, ["blacklist", "verify", f"{bucket}/publish"])
    assert told.exit_code == 0, told.output
    assert "2 versions are whole and signed" in told.output
    synced = CliRunner().invoke(
        app,
        ["blacklist", "sync", str(home / "other"), "--from", f"{bucket}/publish", "--at", f"{NEXT:%Y-%m-%dT%H:%M:%SZ}"],
    )
    assert "version 2: 6 entries, by the whole list" in synced.output


def test_an_object_storage_holds_the_list_under_an_earlier_key_too(
    own_keys: Path, stored: UPath, bucket: str, home: Path
) -> None:
    published("first")
    earlier = configured_keys.load_subject_key()
    rotation.rotate_subject_key(AT, **WHO)
    published("second", NEXT)
    assert verified(folder_under_key(stored, earlier.key_id), stored) == [2]
    client = reader(home / "reader", subject_keys=[earlier])
    assert client.sync(storage.open_source(f"{bucket}/publish", None), NEXT).trusted.key_id == earlier.key_id
    told = CliRunner().invoke(app, ["blacklist", "verify", f"{bucket}/publish"]).output
    assert "1 versions are whole" in told, "the earlier one"
    assert "2 versions are whole" in told


def test_a_publisher_to_an_object_storage_may_be_killed_at_any_step(stored: UPath, home: Path) -> None:
    """Publish one version after another, and kill each publisher a step later than the one before."""
    taken: list[str] = []
    published("first")
    with watched(taken.append):
        published("second")
    assert taken == steps("later", halves=False)
    client = reader(home / "reader")
    revoke([6])
    for version, step in enumerate(steps("later", halves=False), 3):
        old = (stored / POINTER).read_bytes()
        kill(step, step, AT)
        is_old = step != DONE
        assert ((stored / POINTER).read_bytes() == old) is is_old, step
        assert client.sync(storage.source_in(stored), AT).trusted.version == version - is_old
        assert published(step) == version
    assert verified(stored) == [number for number, _ in versions()] == list(range(1, version + 1))
    assert everything_in(stored.parent) == undisturbed(home / "undisturbed", "second", AT)


def test_a_client_that_has_listed_an_object_storage_sees_later_publications(stored: UPath, home: Path) -> None:
    published("first")
    client = reader(home / "reader")
    assert client.sync(storage.source_in(stored), AT).trusted.version == 1
    assert sorted(path.name for path in stored.iterdir()) == ["keys", POINTER, "v000001"]
    assert sorted(path.name for path in (stored / "keys").iterdir())[0].endswith(".pem")
    assert exit_codes(("second", AT, "")) == [0]
    assert client.sync(storage.source_in(stored), AT).trusted.version == 2
    assert verified(stored) == [1, 2]
    assert published("third") == 3


def test_a_keyring_that_cannot_be_looked_at_is_not_written_over(stored: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy object storage must not be taken for one without a keyring."""
    import s3fs

    published("first")
    before = everything_in(stored.parent)
    info, looks = s3fs.S3FileSystem._info, list[str]()

    async def busy(self: Any, path: str, *arguments: Any, **how: Any) -> Any:
        looks.append(path)
        if "keyring" in path and looks.count(path) > 1:
            raise OSError("SlowDown")
        return await info(self, path, *arguments, **how)

    with monkeypatch.context() as patch, contextlib.suppress(OSError, PrakerjaError):
        patch.setattr(s3fs.S3FileSystem, "_info", busy)
        published("second", NEXT)
    after = everything_in(stored.parent)
    kept = [name for name in before if POINTER not in name]
    assert [after[name] for name in kept] == [before[name] for name in kept]


def test_a_publisher_to_an_unreachable_object_storage_fails_and_leaves_no_version(unreached: UPath) -> None:
    with pytest.raises(PrakerjaError, match="check"):
        published("second")
    assert versions() == [(1, "first")]


def test_a_reader_of_an_unreachable_object_storage_gets_a_reason(unreached: UPath, home: Path) -> None:
    for act in (
        lambda: reader(home / "reader").sync(storage.source_in(unreached), AT),
        lambda: storage.find_list(str(unreached)),
        lambda: verified(unreached),
    ):
        with pytest.raises(PrakerjaError, match="check the storage"):
            act()


def test_a_missing_bucket_is_reported_in_one_line(listed: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAKERJA_PUBLISH", f"{bucket}-that-is-not-there/publish")
    with pytest.raises(PrakerjaError, match=r"cannot be written .*: check PRAKERJA_PUBLISH"):
        published("first")
    with pytest.raises(NotReadyError, match="no list is published"):
        storage.find_list(f"{bucket}-that-is-not-there/publish")


# -- a clock, a pointer and a warehouse that are not as they were ------------------------------------------------------


def test_a_file_is_put_into_an_object_storage_at_once(stored: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """A multipart upload by a killed publisher would leave invisible parts there."""
    import s3fs

    asked, call = [], s3fs.S3FileSystem._call_s3

    async def counted(self: Any, method: str, *arguments: Any, **how: Any) -> Any:
        asked.append(method)
        return await call(self, method, *arguments, **how)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", counted)
    storage.replace(stored, "large", bytes(120 << 20))
    assert "put_object" in asked
    assert not [method for method in asked if "multipart" in method or "part" in method]
