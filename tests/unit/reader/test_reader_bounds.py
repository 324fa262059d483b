"""A reader asks for each file with a bound, and stops at it."""

from __future__ import annotations

import pytest

from prakerja_blacklist.format.contract import POINTER
from prakerja_blacklist.format.keyring import KEYRINGS_AT_ONCE, file_name
from prakerja_blacklist.reader.sources import TooLargeError
from tests.support.simulated_publisher import Repository, delta_of, manifest_of, signature_of, snapshot_of
from tests.support.simulated_reader import FIRST, Reader

ENDLESS = [POINTER, manifest_of(2), signature_of(2), file_name(2), snapshot_of(2)]


def test_every_file_is_asked_for_with_a_bound(reader: Reader, newcomer: Reader, repository: Repository) -> None:
    repository.publish([301], [7])
    reader.sync()
    newcomer.sync()
    assert reader.source.bounds | newcomer.source.bounds == {
        **dict.fromkeys([file_name(1), file_name(2), POINTER, manifest_of(2)], 1_000_000),
        signature_of(2): 1_000,
        delta_of(2): len(repository.data(delta_of(2))),
        snapshot_of(2): len(repository.data(snapshot_of(2))),
    }


@pytest.mark.parametrize("name", ENDLESS)
def test_a_file_without_end_is_cut_off(anyone: Reader, repository: Repository, name: str) -> None:
    repository.put_endless(name)
    with anyone.refusing(TooLargeError, name):
        anyone.sync()


def test_a_first_keyring_without_end_is_cut_off(newcomer: Reader, repository: Repository) -> None:
    repository.put_endless(file_name(1))
    with newcomer.refusing(TooLargeError, file_name(1)):
        newcomer.sync()


def test_a_chain_of_keyrings_without_end_is_followed_in_bounds(reader: Reader, repository: Repository) -> None:
    for number in range(2, 2 + KEYRINGS_AT_ONCE * 2):
        repository.put_keyring(number, [FIRST], [FIRST])
    assert reader.sync().trusted.keyring == 1 + KEYRINGS_AT_ONCE
    assert len([name for name in reader.fetched if name.startswith("keys/")]) == KEYRINGS_AT_ONCE
    assert reader.sync().trusted.keyring == 1 + KEYRINGS_AT_ONCE * 2
    assert reader.sync().trusted.keyring == 1 + KEYRINGS_AT_ONCE * 2
