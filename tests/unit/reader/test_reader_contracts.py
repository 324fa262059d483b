"""A reader reads each version by the contract that its manifest names, and goes from one contract to another."""

from __future__ import annotations

import json

import pytest

from prakerja_blacklist.format.contract import CONTRACTS, FIRST_CONTRACT, UnknownContractError
from prakerja_blacklist.format.documents import DoesNotFitError
from prakerja_blacklist.reader.verification import RefusedListError
from tests.support.later_contract import LATER
from tests.support.simulated_publisher import Repository, delta_of, snapshot_of
from tests.support.simulated_reader import Reader, subjects_of

pytestmark = pytest.mark.usefixtures("knowing_later_contract")


def test_a_list_that_changes_its_contract_is_read_by_each_version_s_own(reader: Reader, repository: Repository) -> None:
    repository.contract = LATER
    repository.publish([301], [7])
    synced = reader.sync()
    assert (synced.how, synced.trusted.contract) == ("full", LATER.name)
    assert reader.subjects() == subjects_of(repository)
    repository.publish([302], [8])
    synced = reader.sync()
    assert (synced.how, len(synced.changes)) == ("delta", 2)
    assert reader.subjects() == subjects_of(repository)
    assert reader.held()["list.csv"].startswith(LATER.header)
    repository.contract = FIRST_CONTRACT
    repository.publish([303])
    assert (reader.sync().how, reader.client.trusted().contract) == ("full", FIRST_CONTRACT.name)
    assert reader.subjects() == subjects_of(repository)


def test_a_delta_by_another_contract_is_not_among_those_that_lead_to_the_list(
    reader: Reader, repository: Repository
) -> None:
    repository.contract = LATER
    repository.publish([301])
    repository.contract = FIRST_CONTRACT
    repository.publish([302])
    assert reader.sync().how == "full"
    assert snapshot_of(3) in reader.fetched
    assert delta_of(2) not in reader.fetched
    assert reader.subjects() == subjects_of(repository)


def test_a_list_by_a_contract_that_this_release_does_not_know_is_refused_in_a_line_that_says_what_to_do(
    reader: Reader, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.contract = LATER
    repository.publish([301])
    monkeypatch.delitem(CONTRACTS, LATER.name)
    line = (
        "v000002/manifest.json is of the contract prakerja.blacklist/2, and this release knows prakerja.blacklist/1: "
        "install a newer one"
    )
    with reader.refusing(UnknownContractError, line):
        reader.sync()


def test_a_copy_that_a_newer_release_has_synced_is_not_read_and_not_called_forged(
    reader: Reader, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.contract = LATER
    repository.publish([301])
    reader.sync()
    monkeypatch.delitem(CONTRACTS, LATER.name)
    with pytest.raises(UnknownContractError, match="install a newer one"):
        reader.client.open_list()


@pytest.mark.parametrize("contract", ["prakerja.blacklist/01", "prakerja.blacklist/1\n", "other/1", 1, None, []])
def test_what_is_no_contract_is_not_repeated(reader: Reader, repository: Repository, contract: object) -> None:
    repository.publish([301])
    repository.restate(2, contract=contract)
    with reader.refusing(DoesNotFitError, "contract does not fit its schema"):
        reader.sync()


def test_a_reader_goes_over_to_the_list_by_another_contract_at_the_same_version(
    reader: Reader, repository: Repository
) -> None:
    other = repository.fork(repository.folder.parent / "other")
    other.contract = LATER
    repository.publish([301])
    other.publish([301])
    reader.sync()
    reader.turn_to(other)
    assert reader.sync().trusted.contract == LATER.name
    assert reader.subjects() == subjects_of(other)


def test_two_lists_of_one_version_by_one_contract_are_refused_all_the_same(
    reader: Reader, repository: Repository
) -> None:
    repository.contract = LATER
    other = repository.fork(repository.folder.parent / "other")
    repository.publish([301])
    other.publish([302])
    reader.sync()
    reader.turn_to(other)
    with reader.refusing(RefusedListError, "two_of_one"):
        reader.sync()


def test_a_state_that_names_another_contract_than_its_manifest_is_believed_by_nobody(reader: Reader) -> None:
    def bent(data: bytes) -> bytes:
        return json.dumps(json.loads(data) | {"contract": LATER.name}).encode()

    path = reader.folder / "trusted.json"
    path.write_bytes(bent(path.read_bytes()))
    with pytest.raises(RefusedListError, match="unproved"):
        reader.client.trusted()
