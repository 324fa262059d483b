"""A key that was stolen, forgotten, or announced and never used."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner
from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher import configured_keys, publishing, rotation
from prakerja.cli import app
from prakerja.errors import PrakerjaError
from prakerja.keys import new_signing_key
from prakerja_blacklist.reader.sources import Folder
from tests.support.published_list import AT
from tests.support.publisher import NEXT, WHO, daily, manifest, published, reader, ring, signer, verified, versions


def test_a_stolen_key_is_answered_on_the_same_day_by_clearing_what_publishes(
    listed: Path, own_keys: Path, home: Path
) -> None:
    published("deadline")
    assert daily(NEXT) == 2
    stolen, client = signer(), reader(home / "reader")
    client.sync(Folder(UPath(listed)), NEXT)
    rotation.rotate_signing_key(NEXT, at_once=True, **WHO)
    assert daily(NEXT) == 3, "the day is published already, but by another key"
    assert daily(NEXT) == 3
    assert published("deadline") == 1
    publishing.revoke_key(stolen, NEXT, **WHO)
    assert len(versions()) == 3
    assert verified(listed) == [1, 2, 3]
    for each in (client, reader(home / "newcomer")):
        assert each.sync(Folder(UPath(listed)), NEXT).trusted.version == 3


def test_a_leaked_key_of_the_subjects_is_answered_on_the_same_day(listed: Path, own_keys: Path) -> None:
    published("deadline")
    rotation.rotate_subject_key(AT, **WHO)
    assert published("deadline") == 2
    assert manifest(listed, 2).key_id == configured_keys.load_subject_key().key_id
    assert published("deadline") == 2


def test_a_stolen_key_that_was_only_announced_is_revoked(listed: Path, own_keys: Path, home: Path) -> None:
    published("first")
    rotation.rotate_signing_key(AT, **WHO)
    announced = configured_keys.load_next_signing_key()
    assert announced is not None
    told = CliRunner().invoke(app, ["blacklist", "revoke-key", announced.public.key_id, "--because", "x", "--as", "S"])
    assert told.exit_code == 0, told.output
    assert ring(listed) == {signer(): None}
    assert configured_keys.load_next_signing_key() is None
    client = reader(home / "reader")
    assert announced.public.key_id in client.sync(Folder(UPath(listed)), AT).trusted.trust.revoked
    rotation.rotate_signing_key(AT, at_once=True, **WHO)
    assert published("second", NEXT) == 2


def test_an_announced_key_of_the_environment_is_taken_out_there_first(
    listed: Path, own_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("first")
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY_NEXT", new_signing_key().decode())
    published("second", NEXT)
    announced = configured_keys.load_next_signing_key()
    assert announced is not None
    with pytest.raises(PrakerjaError, match="unset it first"):
        publishing.revoke_key(announced.public.key_id, NEXT, **WHO)
    monkeypatch.delenv("PRAKERJA_SIGNING_KEY_NEXT")
    publishing.revoke_key(announced.public.key_id, NEXT, **WHO)
    assert ring(listed) == {signer(): None}
    assert published("third", NEXT) == 3


def test_a_key_signs_before_the_next_one_does(listed: Path, own_keys: Path) -> None:
    """One that was announced and passed over would be believed for ever."""
    published("first")
    first = signer()
    rotation.rotate_signing_key(AT, at_once=True, **WHO)
    with pytest.raises(PrakerjaError, match="publish one first"):
        rotation.rotate_signing_key(AT, at_once=True, **WHO)
    published("second", NEXT)
    second = signer()
    rotation.rotate_signing_key(NEXT, at_once=True, **WHO)
    published("third", NEXT)
    assert ring(listed) == {first: 1, second: 2, signer(): None}


def test_a_publisher_that_does_not_know_the_announced_key_leaves_it_announced(
    listed: Path, own_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("first")
    old, pem = signer(), new_signing_key().decode()
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY_NEXT", pem)
    published("second", NEXT)
    new = configured_keys.load_next_signing_key()
    monkeypatch.delenv("PRAKERJA_SIGNING_KEY_NEXT")
    published("third", NEXT)
    assert new is not None
    assert ring(listed) == {old: None, new.public.key_id: None}
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY", pem)
    assert published("fourth", NEXT) == 4
    assert ring(listed) == {old: 3, new.public.key_id: None}
    assert verified(listed) == [1, 2, 3, 4]


def test_a_publisher_that_waits_for_its_turn_signs_with_the_key_of_its_turn(
    listed: Path, own_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("first")
    old, real, turned = signer(), warehouse.exclusive, list[str]()

    @contextlib.contextmanager
    def meanwhile(name: str, *patience: int) -> Iterator[None]:
        if not turned:
            turned.append(name)
            rotation.rotate_signing_key(AT, at_once=True, **WHO)
        with real(name, *patience):
            yield

    monkeypatch.setattr(warehouse, "exclusive", meanwhile)
    assert published("second", NEXT) == 2
    assert manifest(listed, 2).signing_key_id == signer() != old
    assert published("third", NEXT) == 3
    assert verified(listed) == [1, 2, 3]


def test_an_earlier_list_stays_what_it_was_when_its_signer_is_revoked_later(
    rekeyed: Path, later: Path, home: Path
) -> None:
    published("second", NEXT)
    end, stolen = NEXT + timedelta(days=31), signer()
    published("third", end)
    rotation.rotate_signing_key(end, at_once=True, **WHO)
    publishing.revoke_key(stolen, end, **WHO)
    assert (verified(later), verified(rekeyed, later)) == ([1, 2, 3, 4], [2])
    told = CliRunner().invoke(app, ["blacklist", "verify"])
    assert told.exit_code == 0, told.output


def test_no_key_of_the_subjects_is_lost_and_an_overlap_is_cut_short_only_by_word(
    listed: Path, own_keys: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("first")
    first = configured_keys.load_subject_key()
    rotation.rotate_subject_key(AT, **WHO)
    published("second", NEXT)
    with pytest.raises(PrakerjaError, match="may use it until 2021-04-15"):
        rotation.rotate_subject_key(NEXT, **WHO)
    rotation.rotate_subject_key(NEXT, at_once=True, **WHO)
    published("third", NEXT)
    assert len(configured_keys.load_subject_keys()) == 3
    assert configured_keys.load_subject_keys()[-1] == first
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "elsewhere"))
    assert published("fourth", NEXT) is not None, "every version is written anew there"
    assert verified(home / "elsewhere" / "blacklist") == [number for number, _ in versions()]
    rotation.rotate_subject_key(NEXT + timedelta(days=30), **WHO)
