"""Another key of the subjects: the list is issued anew, and the earlier one goes on beside it."""

from __future__ import annotations

import contextlib
import gzip
from datetime import timedelta
from pathlib import Path

import pytest
from upath import UPath

from prakerja.blacklist.publisher import configured_keys, list_keys, rotation
from prakerja.blacklist.publisher.storage import folder_under_key
from prakerja.errors import PrakerjaError
from prakerja.keys import new_random_key
from prakerja_blacklist.format.contract import FIRST_CONTRACT
from prakerja_blacklist.format.snapshot import parse_delta
from prakerja_blacklist.reader.sources import Folder
from prakerja_blacklist.reader.verification import RefusedListError
from tests.support.killed_publisher import LIST, kill
from tests.support.published_list import AT, revoke, tree
from tests.support.publisher import (
    AFTER,
    BEFORE,
    NEXT,
    WHO,
    broken_off,
    listed_to,
    manifest,
    pointed,
    published,
    reader,
    retired,
    rotations,
    signer,
    subjects_of,
    verified,
    versions,
)


def changes(root: Path, version: int) -> set[tuple[str, bytes, str]]:
    """A delta's changes: what, who, why."""
    delta = gzip.decompress((root / f"v{version:06d}" / "delta.csv.gz").read_bytes())
    return {
        (change.op, change.subject, change.line.split(b",")[2].decode())
        for change in parse_delta(delta, FIRST_CONTRACT)
    }


def test_a_new_subject_key_reissues_the_list_and_the_earlier_one_goes_on_beside_it(
    rekeyed: Path, later: Path, home: Path
) -> None:
    new, old = configured_keys.load_subject_keys()
    client = reader(home / "reader", subject_keys=[old])
    client.sync(Folder(UPath(later)), AT)
    published("second", NEXT)
    assert (manifest(later, 1).key_id, manifest(later, 2).key_id) == (old.key_id, new.key_id)
    assert changes(later, 2) == {
        *(("WITHDRAW", subject, "KEY_ROTATED") for subject in subjects_of(BEFORE, old)),
        *(("ADD", subject, "NO_FIRST_PURCHASE") for subject in subjects_of(AFTER, new)),
    }
    assert verified(later) == [1, 2]
    assert rekeyed.name == f"blacklist-{old.key_id}"
    assert manifest(rekeyed, 2).key_id == old.key_id
    assert changes(rekeyed, 2) == {
        *(("WITHDRAW", subject, "REINSTATED") for subject in subjects_of([2], old)),
        *(("ADD", subject, "NO_FIRST_PURCHASE") for subject in subjects_of([6, 7], old)),
    }
    assert verified(rekeyed, later) == [2]
    assert client.sync(Folder(UPath(later)), NEXT).how == "delta", "an earlier key's reader goes on"
    assert listed_to(client) == AFTER
    both = reader(home / "both")
    assert both.sync(Folder(UPath(later)), NEXT).trusted.key_id == new.key_id
    assert listed_to(both) == AFTER
    assert rotations() == ["subject_changed"]


def test_an_earlier_key_overlaps_for_its_days_and_then_no_more(rekeyed: Path, later: Path, home: Path) -> None:
    _, old = configured_keys.load_subject_keys()
    end = NEXT + timedelta(days=30)
    published("second", NEXT)
    assert published("third", end - timedelta(seconds=1)) == 3
    assert pointed(rekeyed) == 3
    assert published("fourth", end) == 4
    assert pointed(rekeyed) == 3
    assert verified(rekeyed, later) == [2, 3]
    client = reader(home / "reader", subject_keys=[old])
    assert client.sync(Folder(UPath(later)), end).trusted.version == 3
    with pytest.raises(RefusedListError, match="expired"):
        client.sync(Folder(UPath(later)), end + timedelta(days=7))
    retired(home / "own" / "keys").unlink()
    assert published("fifth", end) == 5, "the earlier key is needed no more"
    assert verified(later) == [1, 2, 3, 4, 5]


def test_without_the_earlier_key_a_list_is_not_reissued(rekeyed: Path, later: Path, own_keys: Path, home: Path) -> None:
    before = tree(home / "publish")
    previous = retired(own_keys)
    kept = previous.read_bytes()
    previous.unlink()
    with pytest.raises(PrakerjaError, match="was published under the keys"):
        published("second", NEXT)
    assert tree(home / "publish") == before
    assert versions() == [(1, "first")]
    previous.write_bytes(kept)
    assert published("second", NEXT) == 2
    assert verified(later) == [1, 2]


def test_a_subject_key_that_was_changed_twice_is_not_lost(rekeyed: Path, later: Path, own_keys: Path) -> None:
    """The list is still under the first one: without it nothing follows."""
    with contextlib.suppress(PrakerjaError):  # it may be refused
        rotation.rotate_subject_key(AT, **WHO)
    assert published("second", NEXT) == 2
    assert verified(later) == [1, 2]


def test_a_change_of_the_subject_key_that_broke_off_is_recorded_and_loses_no_key(
    own_keys: Path, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = configured_keys.load_subject_key()
    broken_off(monkeypatch, list_keys, "record_rotation", lambda: rotation.rotate_subject_key(AT, **WHO))
    with contextlib.suppress(PrakerjaError):
        rotation.rotate_subject_key(AT, **WHO)
    assert rotations() == ["subject_changed"]
    assert old in configured_keys.load_subject_keys()


def test_an_overlap_with_a_gap_holds_nothing_up(rekeyed: Path, later: Path, own_keys: Path, home: Path) -> None:
    """Whoever forgets the earlier key for a day may bring it back."""
    _, old = configured_keys.load_subject_keys()
    published("second", NEXT)
    previous = retired(own_keys)
    kept = previous.read_bytes()
    previous.unlink()
    revoke([8])
    published("third", NEXT)
    previous.write_bytes(kept)
    revoke([9])
    assert published("fourth", NEXT) == 4
    assert verified(later) == [1, 2, 3, 4]
    client = reader(home / "reader", subject_keys=[old])
    assert client.sync(Folder(UPath(later)), NEXT).trusted.version == 4
    assert listed_to(client) == AFTER | {8, 9}
    assert verified(rekeyed, later)[-1] == 4


def test_both_keys_may_change_at_once(rekeyed: Path, later: Path, home: Path) -> None:
    old = signer()
    rotation.rotate_signing_key(AT, at_once=True, **WHO)
    kill(f"before {LIST[0]}", "second", NEXT)
    published("second", NEXT)
    assert {manifest(root, 2).signing_key_id for root in (rekeyed, later)} == {signer()} != {old}
    assert (verified(later), verified(rekeyed, later)) == ([1, 2], [2])


def test_the_signing_key_may_change_between_the_lists_of_two_keys(rekeyed: Path, later: Path, home: Path) -> None:
    _, old = configured_keys.load_subject_keys()
    client = reader(home / "reader", subject_keys=[old])
    kill(f"before {LIST[0]}", "second", NEXT)
    rotation.rotate_signing_key(NEXT, at_once=True, **WHO)  # which finishes the version under the key that began it
    assert manifest(later, 2).signing_key_id != signer()
    assert published("second", NEXT) == 3, "by the key that signs now"
    assert (verified(later), verified(rekeyed, later)) == ([1, 2, 3], [2, 3])
    assert client.sync(Folder(UPath(later)), NEXT).trusted.version == 3


def test_keys_of_the_environment_are_not_changed_in_the_home(
    own_keys: Path, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = configured_keys.load_subject_key()
    monkeypatch.setenv("PRAKERJA_SUBJECT_KEY", new_random_key().decode())
    with pytest.raises(PrakerjaError, match="PRAKERJA_SUBJECT_KEY is set: rotate it where it is kept"):
        rotation.rotate_subject_key(AT, **WHO)
    with pytest.raises(PrakerjaError, match="was published under the keys"):
        published("second", NEXT)
    monkeypatch.setenv("PRAKERJA_SUBJECT_KEY_PREVIOUS", (own_keys / "subject_key.b64").read_text())
    assert published("second", NEXT) == 2
    assert verified(later) == [1, 2]
    assert verified(folder_under_key(UPath(later), old.key_id), later) == [2]
