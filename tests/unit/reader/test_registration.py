"""A registration that reacts to the list that its reader has synced."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from prakerja_blacklist.reader.registration import Registration
from tests.support.simulated_publisher import Repository
from tests.support.simulated_reader import NEW_SUBJECTS, Reader


def test_a_registration_refuses_who_is_listed_and_takes_up_again_who_no_longer_is(
    reader: Reader, repository: Repository, tmp_path: Path
) -> None:
    registration = Registration(tmp_path / "registration.sqlite")
    key = repository.subject_keys[0]
    for nik in (7, 8, 999):
        registration.apply(key.subject(f"{nik:016d}"), key.key_id)
    assert registration.react(reader.client.open_list(), repository.now) == {
        "refused": 2, "taken_up_again": 0, "under_another_key": 0,
    }  # fmt: skip
    repository.publish([999], [7])
    reader.sync()
    counts = {"refused": 1, "taken_up_again": 1, "under_another_key": 0}
    assert registration.react(reader.client.open_list(), repository.now) == counts
    assert registration.react(reader.client.open_list(), repository.now) == dict.fromkeys(counts, 0)
    assert sorted(registration.states().values()) == ["open", "refused", "refused"]
    late = repository.now + timedelta(days=30)
    registration.apply(key.subject(f"{9:016d}"), key.key_id)
    assert registration.react(reader.client.open_list(), late) == dict.fromkeys(counts, 0), "an expired list hides much"


def test_a_new_key_of_the_subjects_takes_nobody_up_again(repository: Repository, tmp_path: Path) -> None:
    old, new = repository.subject_keys[0], NEW_SUBJECTS
    reader = Reader(tmp_path / "reader", repository, subject_keys=[new, old])
    reader.sync()
    registration = Registration(tmp_path / "registration.sqlite")
    registration.apply(old.subject(f"{7:016d}"), old.key_id)
    registration.react(reader.client.open_list(), repository.now)
    repository.rotate_subjects(new)
    repository.publish()
    assert reader.sync().trusted.key_id == new.key_id
    counts = {"refused": 0, "taken_up_again": 0, "under_another_key": 1}
    assert registration.react(reader.client.open_list(), repository.now) == counts
    assert list(registration.states().values()) == ["refused"]
