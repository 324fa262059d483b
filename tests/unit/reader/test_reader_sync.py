"""A reader follows the list: the first sync, the next version, many versions, nothing new."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from prakerja.errors import NotReadyError, PrakerjaError
from prakerja_blacklist.format.contract import POINTER, format_instant
from prakerja_blacklist.format.keyring import file_name
from prakerja_blacklist.format.signatures import PublicKey
from prakerja_blacklist.reader.sources import NotThereError
from prakerja_blacklist.reader.sync import Client
from tests.support.simulated_publisher import (
    EXPIRES_AFTER,
    Repository,
    delta_of,
    manifest_of,
    signature_of,
    snapshot_of,
)
from tests.support.simulated_reader import (
    FIRST,
    OLD_SUBJECTS,
    PEOPLE,
    UNKNOWN_KIND,
    Reader,
    subject_of,
    subjects_of,
)


def test_the_first_sync_takes_the_whole_list(newcomer: Reader, repository: Repository) -> None:
    assert newcomer.client.trusted() is None
    synced = newcomer.sync()
    assert (synced.how, synced.changes, synced.trusted.version) == ("full", [], 1)
    assert newcomer.fetched == [
        file_name(1), file_name(2), POINTER, manifest_of(1), signature_of(1), snapshot_of(1),
    ]  # fmt: skip
    assert newcomer.subjects() == subjects_of(repository)
    assert (synced.trusted.entries, synced.trusted.keyring, synced.trusted.key_id) == (300, 1, OLD_SUBJECTS.key_id)


def test_who_is_listed_is_told_by_the_subject(reader: Reader) -> None:
    opened = reader.client.open_list()
    assert opened.is_listed(OLD_SUBJECTS.digest(f"{7:016d}"))
    assert not opened.is_listed(OLD_SUBJECTS.digest(f"{301:016d}"))


def test_an_unchanged_list_is_not_fetched_again(reader: Reader, repository: Repository) -> None:
    held = reader.held()
    later = repository.now + timedelta(hours=5)
    assert reader.sync(later).how == "unchanged"
    assert reader.fetched == [file_name(2), POINTER, manifest_of(1), signature_of(1)]
    assert json.loads(reader.held()["trusted.json"])["synced_at"] == format_instant(later)
    assert {k: v for k, v in reader.held().items() if k != "trusted.json"} == {
        k: v for k, v in held.items() if k != "trusted.json"
    }


def test_the_next_version_is_a_delta(reader: Reader, repository: Repository) -> None:
    repository.publish([301], [7])
    synced = reader.sync()
    assert (synced.how, sorted(change.op for change in synced.changes)) == ("delta", ["ADD", "WITHDRAW"])
    assert reader.fetched == [file_name(2), POINTER, manifest_of(2), signature_of(2), delta_of(2)]
    assert reader.subjects() == subjects_of(repository)


def test_what_a_delta_leaves_is_byte_for_byte_what_the_whole_list_leaves(
    reader: Reader, newcomer: Reader, repository: Repository
) -> None:
    repository.publish([301, 302], [7, 8])
    assert (reader.sync().how, newcomer.sync().how) == ("delta", "full")
    assert reader.held() == newcomer.held()


def test_many_deltas_are_one_change(reader: Reader, repository: Repository) -> None:
    repository.publish([301, 302], [7])
    repository.publish([7], [301, 8])
    repository.publish([303], [])
    repository.publish([], [9])
    synced = reader.sync()
    assert synced.how == "delta"
    assert {(change.op, change.subject) for change in synced.changes} == {
        *(("ADD", subject_of(nik)) for nik in (302, 303, 7)),
        *(("WITHDRAW", subject_of(nik)) for nik in (7, 8, 9)),
    }
    assert [name for name in reader.fetched if "delta" in name] == [delta_of(version) for version in (2, 3, 4, 5)]
    assert reader.subjects() == subjects_of(repository)


def test_a_list_may_become_empty_and_full_again(reader: Reader, repository: Repository) -> None:
    repository.publish([], PEOPLE)
    assert (reader.sync().trusted.entries, reader.subjects()) == (0, [])
    assert not reader.client.open_list().is_listed(OLD_SUBJECTS.digest(f"{7:016d}"))
    repository.publish()
    reader.sync()
    repository.publish(PEOPLE)
    assert reader.sync().trusted.entries == 300
    assert reader.subjects() == subjects_of(repository)


def test_more_than_64_versions_behind_the_whole_list_is_less_work(
    origin: Reader, reader: Reader, repository: Repository, tmp_path: Path
) -> None:
    for _ in range(64):
        repository.publish(after=timedelta(minutes=1))
    assert reader.sync().how == "delta"
    assert reader.fetched.count(delta_of(2)) == reader.fetched.count(delta_of(65)) == 1
    repository.publish()
    other = origin.fork(tmp_path / "other", repository)
    assert other.sync().how == "full"
    assert not [name for name in other.fetched if "delta" in name]


def test_deltas_larger_than_the_list_are_not_fetched(reader: Reader, repository: Repository) -> None:
    repository.publish([], PEOPLE[10:])
    assert reader.sync().how == "full"
    assert delta_of(2) not in reader.fetched


def test_an_opened_list_stays_as_it_is(reader: Reader, repository: Repository) -> None:
    opened, before = reader.client.open_list(), reader.subjects()
    for _ in range(3):
        repository.publish(withdraw=[min(repository.people)])
        reader.sync()
    assert (list(opened.subjects), opened.trusted.version) == (before, 1)


def test_an_expired_list_of_ones_own_is_still_what_a_delta_is_applied_to(
    reader: Reader, repository: Repository
) -> None:
    repository.publish([301], after=EXPIRES_AFTER * 3)
    assert reader.client.trusted().freshness(repository.now).is_expired
    assert reader.sync().how == "delta"


@pytest.mark.parametrize("pem", [b"", b"no key", b"\xff", FIRST.public.pem[:60], UNKNOWN_KIND], ids=range(5))
def test_what_is_no_public_key_cannot_be_pinned(pem: bytes) -> None:
    with pytest.raises(PrakerjaError, match="not an Ed25519 key"):
        PublicKey.from_pem(pem)


def test_nothing_is_believed_without_a_pin_and_nothing_opened_before_a_sync(
    repository: Repository, tmp_path: Path
) -> None:
    nobody = Reader(tmp_path / "nobody", repository, pins=())
    with pytest.raises(PrakerjaError, match="believes nobody by itself"):
        nobody.sync()
    assert nobody.client.trusted() is None
    with pytest.raises(NotReadyError):
        nobody.client.open_list()


def test_a_reader_that_has_synced_needs_no_pin(reader: Reader, repository: Repository) -> None:
    repository.publish([301])
    assert Client(reader.folder).sync(repository.source, repository.now).trusted.version == 2


def test_an_empty_place_is_told(newcomer: Reader, repository: Repository) -> None:
    repository.drop(POINTER)
    with newcomer.refusing(NotThereError):
        newcomer.sync()
