"""After a signing key was stolen, nothing that was published before brings an older list back."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from prakerja_blacklist.format.contract import POINTER
from prakerja_blacklist.format.keyring import UntrustedError, file_name
from prakerja_blacklist.reader.verification import RefusedListError
from tests.support.simulated_publisher import Repository, manifest_of, signature_of
from tests.support.simulated_reader import FIRST, SECOND, STRANGER, THIRD, Reader, bend_own, subjects_of


def two_rotations(repository: Repository) -> None:
    """Three versions, the last of which is by a key that is revoked; the keys before it are retired."""
    for key in (SECOND, THIRD):
        repository.announce(key)
        repository.rotate()
        repository.publish([300 + repository.version])


def answered(repository: Repository) -> bytes:
    """The third key was stolen: another signs, somebody is reinstated, the third is revoked; gives the pointer."""
    repository.announce(STRANGER)
    repository.rotate()
    repository.publish([], [7])
    repository.revoke(THIRD)
    return repository.data(POINTER)


def test_after_a_theft_a_reader_is_not_sent_back_by_what_was_published_before(
    reader: Reader, repository: Repository, tmp_path: Path
) -> None:
    """With nothing but genuine files, that have not expired: the list before a reinstatement would count again."""
    two_rotations(repository)
    old = [repository.data(name) for name in (manifest_of(2), signature_of(2))]
    reader.sync()
    newest = answered(repository)
    repository.point(2)
    assert [repository.data(name) for name in (manifest_of(2), signature_of(2))] == old
    with reader.refusing(RefusedListError, "rollback"):
        reader.sync()
    repository.put(POINTER, newest)
    assert reader.sync().trusted.version == 4


def test_after_a_theft_a_retired_key_makes_no_list_up(reader: Reader, repository: Repository) -> None:
    two_rotations(repository)
    reader.sync()
    newest = answered(repository)
    repository.restate(1, by=FIRST)
    repository.point(1)
    with reader.refusing(RefusedListError, "rollback"):
        reader.sync()
    repository.put(POINTER, newest)
    assert reader.sync().trusted.version == 4


def test_a_newcomer_is_not_sent_back_before_what_the_keyring_tells_of(newcomer: Reader, repository: Repository) -> None:
    two_rotations(repository)
    repository.point(1)
    with newcomer.refusing(RefusedListError, "rollback"):
        newcomer.sync()


def test_a_reader_whose_keyring_is_a_thiefs_is_freed_by_pinning_the_publishers_key(
    reader: Reader, repository: Repository, tmp_path: Path
) -> None:
    repository.announce(SECOND)
    captured = repository.fork(tmp_path / "captured")
    captured.put_keyring(3, [STRANGER], [FIRST], revoked=[SECOND])
    captured.restate(1, by=STRANGER)
    reader.turn_to(captured)
    with contextlib.suppress(RefusedListError):
        reader.sync()
    assert STRANGER.public.key_id in reader.client.trusted().trust.keys, "its keyring is believed all the same"
    repository.rotate()
    repository.publish([301])
    repository.revoke(FIRST)
    freed = Reader(reader.folder, repository, pins=[SECOND])
    assert freed.sync().trusted.version == 2
    assert freed.subjects() == subjects_of(repository)


def test_a_pin_that_no_keyring_names_any_more_takes_nothing_back(reader: Reader, repository: Repository) -> None:
    """Whoever says `--pin` of the first key each day is not sent back by it."""
    first = {name: repository.data(name) for name in (POINTER, manifest_of(1), signature_of(1))}
    repository.publish([301])
    repository.put_keyring(2, [SECOND], [FIRST])
    repository.restate(2, by=SECOND)
    assert reader.sync().trusted.version == 2
    repository.drop(file_name(2))
    for name, data in first.items():
        repository.put(name, data)
    with reader.refusing(UntrustedError):
        reader.sync()


def test_a_list_of_ones_own_that_is_damaged_does_not_bring_an_older_one_back(
    reader: Reader, repository: Repository
) -> None:
    first = repository.data(POINTER)
    repository.publish([301], [7])
    reader.sync()
    bend_own(reader, "subjects.bin", lambda data: data[:-32])
    repository.put(POINTER, first)
    with pytest.raises(RefusedListError, match="rollback"):
        reader.sync()
