"""Signing keys: announced, signing, retired, revoked; and changes of them that broke off."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from upath import UPath

from prakerja.blacklist.publisher import configured_keys, list_keys, publishing, rotation
from prakerja.errors import PrakerjaError
from prakerja.keys import KeyStore, new_signing_key
from prakerja_blacklist.format import keyring
from prakerja_blacklist.format.contract import POINTER
from prakerja_blacklist.format.keyring import UntrustedError
from prakerja_blacklist.reader.sources import Folder
from tests.support.published_list import AT, tree
from tests.support.publisher import (
    MAY_SIGN,
    NEXT,
    WHO,
    broken_off,
    manifest,
    published,
    reader,
    ring,
    rotations,
    signer,
    verified,
    versions,
)


def test_a_signing_key_is_announced_signs_once_readers_know_it_and_retires_the_one_before(
    listed: Path, own_keys: Path, home: Path
) -> None:
    published("first")
    old = signer()
    client = reader(home / "reader")
    client.sync(Folder(UPath(listed)), AT)
    assert "is announced, and may sign from 2021-04-14 on" in rotation.rotate_signing_key(AT, **WHO)
    announced = configured_keys.load_next_signing_key()
    assert announced
    new = announced.public.key_id
    assert ring(listed) == {old: None, new: None}
    for at in (AT, MAY_SIGN - timedelta(seconds=1)):
        assert "is announced" in rotation.rotate_signing_key(at, **WHO)
        assert signer() == old
    published("second", NEXT)
    assert manifest(listed, 2).signing_key_id == old

    assert f"{new} signs from the next version on" in rotation.rotate_signing_key(MAY_SIGN, **WHO)
    assert published("third", MAY_SIGN) == 3
    assert manifest(listed, 3).signing_key_id == signer() == new
    assert ring(listed) == {old: 2, new: None}
    assert verified(listed) == [1, 2, 3]
    assert client.sync(Folder(UPath(listed)), MAY_SIGN).trusted.version == 3
    assert reader(home / "pins the new one").sync(Folder(UPath(listed)), MAY_SIGN).trusted.version == 3
    assert rotations() == ["signing_announced", "signing_changed"]


def test_a_signing_key_may_change_at_once_and_readers_follow(listed: Path, own_keys: Path, home: Path) -> None:
    published("first")
    old, client = signer(), reader(home / "reader")
    client.sync(Folder(UPath(listed)), AT)
    assert "signs from the next version on" in rotation.rotate_signing_key(AT, at_once=True, **WHO)
    new = signer()
    assert new != old
    published("second", NEXT)
    assert ring(listed) == {old: 1, new: None}
    assert client.sync(Folder(UPath(listed)), NEXT).trusted.signing_key_id == new
    assert verified(listed) == [1, 2]


def test_a_version_that_a_retired_key_signs_is_neither_published_nor_believed(
    listed: Path, own_keys: Path, home: Path
) -> None:
    published("first")
    old = (own_keys / "signing_key.pem").read_bytes()
    rotation.rotate_signing_key(AT, at_once=True, **WHO)
    published("second", NEXT)
    before, new = tree(listed), (own_keys / "signing_key.pem").read_bytes()
    (own_keys / "signing_key.pem").write_bytes(old)
    with pytest.raises(UntrustedError, match="do not know the signing key"):
        published("third", NEXT)
    assert tree(listed) == before
    (own_keys / "signing_key.pem").write_bytes(new)
    assert published("third", NEXT) == 3
    assert verified(listed) == [1, 2, 3]


def test_a_signing_key_that_was_never_announced_publishes_nothing(
    later: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(home / "publish")
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY", new_signing_key().decode())
    with pytest.raises(PrakerjaError, match="was published under the keys"):
        published("second", NEXT)
    assert tree(home / "publish") == before
    assert versions() == [(1, "first")]
    monkeypatch.delenv("PRAKERJA_SIGNING_KEY")
    assert published("second", NEXT) == 2


def test_keys_of_the_environment_are_announced_by_a_version_and_then_sign(
    listed: Path, own_keys: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("first")
    old, client = signer(), reader(home / "reader")
    client.sync(Folder(UPath(listed)), AT)
    new = new_signing_key().decode()
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY_NEXT", new)
    with pytest.raises(PrakerjaError, match="PRAKERJA_SIGNING_KEY_NEXT is set: rotate it where it is kept"):
        rotation.rotate_signing_key(AT, **WHO)
    published("second", NEXT)
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY", new)
    monkeypatch.delenv("PRAKERJA_SIGNING_KEY_NEXT")
    published("third", NEXT)
    assert ring(listed) == {old: 2, signer(): None}
    assert client.sync(Folder(UPath(listed)), NEXT).trusted.signing_key_id == signer() != old
    assert verified(listed) == [1, 2, 3]


def test_a_keyring_is_never_written_over_however_many_there_are(
    listed: Path, own_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring.Trust.follow, "__defaults__", (2, None))  # that many a reader follows at once
    written: dict[str, bytes] = {}
    for occasion in ("first", "second", "third", "fourth"):
        published(occasion)
        rings = {name: data for name, data in tree(listed).items() if "keyring" in name}
        assert written.items() <= rings.items()
        written = rings
        if len(rings) < 5:
            rotation.rotate_signing_key(AT, at_once=True, **WHO)
    assert len(written) == 5


@pytest.mark.parametrize("dies_in", ["record_rotation", "announce"])
def test_an_announcement_that_broke_off_is_taken_up_again_and_recorded(
    listed: Path, own_keys: Path, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    published("first")
    owner = {"record_rotation": list_keys, "announce": publishing}[dies_in]
    broken_off(monkeypatch, owner, dies_in, lambda: rotation.rotate_signing_key(AT, **WHO))
    assert "is announced" in rotation.rotate_signing_key(AT, **WHO)
    standby = configured_keys.load_next_signing_key()
    assert standby
    assert set(ring(listed)) == {signer(), standby.public.key_id}
    assert rotations() == ["signing_announced"]


def test_a_change_of_the_signing_key_that_broke_off_is_taken_up_again(
    listed: Path, own_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("first")
    old = signer()

    def rotate() -> str:
        return rotation.rotate_signing_key(AT, at_once=True, **WHO)

    broken_off(monkeypatch, KeyStore, "drop", rotate)
    new = signer()
    assert new != old
    assert f"{new} signs from the next version on" in rotate()
    published("second", NEXT)
    assert signer() == new
    assert ring(listed) == {old: 1, new: None}
    assert (own_keys / f"signing_key_retired_{old}.pem").exists()
    assert configured_keys.load_next_signing_key() is None


def test_history_that_a_revoked_key_signed_is_verified_but_not_the_latest(
    listed: Path, own_keys: Path, home: Path
) -> None:
    published("first")
    stolen, client = signer(), reader(home / "reader")
    client.sync(Folder(UPath(listed)), AT)
    rotation.rotate_signing_key(AT, at_once=True, **WHO)
    pointer = (listed / POINTER).read_bytes()
    publishing.revoke_key(stolen, NEXT, **WHO)
    assert versions() == [(1, "first"), (2, f"revoke {stolen}")], "readers are never without a list"
    assert verified(listed) == [1, 2]
    assert client.sync(Folder(UPath(listed)), NEXT).trusted.version == 2
    newest = (listed / POINTER).read_bytes()
    (listed / POINTER).write_bytes(pointer)
    with pytest.raises(PrakerjaError, match=f"is signed by {stolen}, a key that was revoked"):
        verified(listed)
    with pytest.raises(UntrustedError, match="a key that was revoked"):
        reader(home / "newcomer").sync(Folder(UPath(listed)), NEXT)
    (listed / POINTER).write_bytes(newest)
    (listed / "v000001" / "manifest.json.sig").write_bytes(b"AAAA\n")
    with pytest.raises(PrakerjaError, match="the manifest's signature is wrong"):
        verified(listed)


def test_a_key_is_revoked_once_another_signs(listed: Path, own_keys: Path, home: Path) -> None:
    published("first")
    stolen = signer()
    rotation.rotate_signing_key(AT, at_once=True, **WHO)
    published("second", NEXT)
    client = reader(home / "reader")
    client.sync(Folder(UPath(listed)), NEXT)
    publishing.revoke_key(stolen, NEXT, **WHO)
    assert ring(listed) == {signer(): None}
    assert verified(listed) == [1, 2]
    assert client.sync(Folder(UPath(listed)), NEXT).how == "unchanged"
    trusted = client.trusted()
    assert trusted
    assert stolen in trusted.trust.revoked
    assert published("third", NEXT) == 3
    assert rotations()[-1] == "signing_revoked"


@pytest.mark.parametrize("key_id", ["the signer's", "0" * 16])
def test_a_key_that_cannot_be_revoked_is_not_recorded_as_revoked(listed: Path, own_keys: Path, key_id: str) -> None:
    published("first")
    before = tree(listed)
    with pytest.raises(PrakerjaError, match=r"announced to, cannot be revoked|readers believe no key"):
        publishing.revoke_key(signer() if key_id == "the signer's" else key_id, NEXT, **WHO)
    assert tree(listed) == before
    assert rotations() == []
