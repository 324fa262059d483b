"""A list that is issued anew under another key of the subjects, and readers with either key or both."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.contract import POINTER
from prakerja_blacklist.format.keyring import UntrustedError
from prakerja_blacklist.reader.verification import RefusedListError
from tests.support.simulated_publisher import EXPIRES_AFTER, Repository, flipped, manifest_of, signature_of, snapshot_of
from tests.support.simulated_reader import NEW_SUBJECTS, NEWEST_SUBJECTS, OLD_SUBJECTS, Reader, subjects_of


def under_old(version: int, name: str) -> str:
    return f"blacklist-{OLD_SUBJECTS.key_id}/v{version:06d}/{name}"


def test_a_reader_with_the_old_key_follows_the_list_that_is_still_under_it(
    repository: Repository, tmp_path: Path
) -> None:
    reader = Reader(tmp_path / "reader", repository, subject_keys=[OLD_SUBJECTS])
    reader.sync()
    repository.rotate_subjects(NEW_SUBJECTS)
    repository.publish([301], [7])
    synced = reader.sync()
    assert (synced.how, synced.trusted.version, synced.trusted.key_id) == ("delta", 2, OLD_SUBJECTS.key_id)
    assert reader.fetched[-1] == under_old(2, "delta.csv.gz")
    repository.publish([302], [8])
    assert reader.sync().how == "delta"
    assert reader.subjects() == subjects_of(repository, OLD_SUBJECTS)
    assert reader.client.key_of(reader.client.trusted()) == OLD_SUBJECTS
    assert reader.sync().how == "unchanged"


def test_a_reader_with_the_old_key_that_missed_versions_takes_the_whole_list_under_it(
    reissued: Repository, tmp_path: Path
) -> None:
    reader = Reader(tmp_path / "reader", reissued, subject_keys=[OLD_SUBJECTS])
    reissued.point(1)
    reader.sync()
    reissued.point(3)
    assert reader.sync().how == "full"
    assert reader.fetched[-1] == under_old(3, "snapshot.csv.gz")
    assert reader.subjects() == subjects_of(reissued, OLD_SUBJECTS)


def test_a_reader_with_both_keys_goes_to_the_new_one(reissued: Repository, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "reader", reissued, subject_keys=[NEW_SUBJECTS, OLD_SUBJECTS])
    reissued.point(2)
    assert reader.sync().trusted.key_id == OLD_SUBJECTS.key_id
    reissued.point(3)
    synced = reader.sync()
    assert (synced.how, synced.trusted.key_id) == ("full", NEW_SUBJECTS.key_id)
    assert reader.client.key_of(synced.trusted) == NEW_SUBJECTS
    assert reader.subjects() == subjects_of(reissued, NEW_SUBJECTS)
    reissued.publish([303], [9])
    assert reader.sync().how == "delta"


def test_a_reader_that_is_given_the_new_key_goes_over_in_the_same_version(reissued: Repository, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "reader", reissued, subject_keys=[OLD_SUBJECTS])
    reader.sync()
    reader.client.subject_keys.insert(0, NEW_SUBJECTS)
    synced = reader.sync()
    assert (synced.trusted.version, synced.trusted.key_id) == (3, NEW_SUBJECTS.key_id)
    assert reader.subjects() == subjects_of(reissued, NEW_SUBJECTS)
    assert reader.sync().how == "unchanged"


def test_a_reader_with_the_new_key_goes_to_the_list_under_it(reissued: Repository, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "reader", reissued, subject_keys=[NEW_SUBJECTS])
    assert reader.sync().trusted.key_id == NEW_SUBJECTS.key_id
    assert not [name for name in reader.fetched if name.startswith("blacklist-")]


def test_a_reader_with_a_key_that_is_not_used_yet_is_told_which_one_is(repository: Repository, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "reader", repository, subject_keys=[NEW_SUBJECTS])
    with reader.refusing(said="key_rotated"):
        reader.sync()
    with pytest.raises(RefusedListError, match=OLD_SUBJECTS.key_id):
        reader.sync()


def test_a_reader_that_computes_no_subjects_follows_the_list_whatever_its_key(
    reader: Reader, reissued: Repository
) -> None:
    assert reader.sync().trusted.key_id == NEW_SUBJECTS.key_id
    with pytest.raises(RefusedListError, match=NEW_SUBJECTS.key_id):
        reader.client.key_of(reader.client.trusted())


def test_the_list_under_the_earlier_key_is_held_to_all_that_the_list_is(reissued: Repository, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "reader", reissued, subject_keys=[OLD_SUBJECTS])
    earlier = f"blacklist-{OLD_SUBJECTS.key_id}/"
    for name, error in (
        (earlier + POINTER, PrakerjaError),
        (earlier + manifest_of(3), PrakerjaError),
        (earlier + signature_of(3), UntrustedError),
        (earlier + snapshot_of(3), RefusedListError),
    ):
        reader.source.bent = {name: flipped}
        with pytest.raises(error):
            reader.sync()
        assert reader.client.trusted() is None
    reader.source.bent = {}
    reader.sync()
    reissued.publish([303])
    reader.sync()
    pointer = (reissued.folder / earlier / POINTER).read_bytes()
    reader.source.bent = {
        earlier + POINTER: lambda _: pointer.replace(b"v000004", b"v000003").replace(b":4", b":3"),
    }
    with reader.refusing(said="mixed"):
        reader.sync()


def test_a_list_under_another_key_is_none_under_the_earlier_one(reissued: Repository, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "reader", reissued, subject_keys=[OLD_SUBJECTS])
    reader.sync()
    reissued.publish([303])
    shutil.rmtree(reissued.folder / f"blacklist-{OLD_SUBJECTS.key_id}")
    shutil.copytree(reissued.root, reissued.folder / f"blacklist-{OLD_SUBJECTS.key_id}")
    with reader.refusing(said="key_rotated"):
        reader.sync()


@pytest.mark.parametrize("is_left_there", [False, True], ids=["folder is gone", "folder is left there"])
def test_once_the_keys_do_not_overlap_a_reader_with_the_old_one_is_told_which_to_ask_for(
    reissued: Repository, tmp_path: Path, is_left_there: bool
) -> None:
    reader = Reader(tmp_path / "reader", reissued, subject_keys=[OLD_SUBJECTS])
    reader.sync()
    reissued.overlaps = False
    reissued.publish([303], after=EXPIRES_AFTER)
    if not is_left_there:
        shutil.rmtree(reissued.folder / f"blacklist-{OLD_SUBJECTS.key_id}")
    with reader.refusing(said="key_rotated"):
        reader.sync()
    with pytest.raises(RefusedListError, match=NEW_SUBJECTS.key_id):
        reader.sync()
    reader.client.subject_keys = [NEW_SUBJECTS]
    assert reader.sync().trusted.version == 4


def test_a_reader_with_two_keys_of_three_follows_the_later_of_them(reissued: Repository, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "reader", reissued, subject_keys=[NEW_SUBJECTS, OLD_SUBJECTS])
    reissued.rotate_subjects(NEWEST_SUBJECTS)
    reissued.publish([303])
    assert reader.sync().trusted.key_id == NEW_SUBJECTS.key_id
    assert reader.subjects() == subjects_of(reissued, NEW_SUBJECTS)
