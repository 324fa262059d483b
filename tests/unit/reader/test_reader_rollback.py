"""What may follow the list that a reader holds: nothing older, nothing expired, no other of the same version."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from prakerja_blacklist.format.contract import format_instant
from prakerja_blacklist.format.keyring import UntrustedError
from prakerja_blacklist.reader import sync
from tests.support.simulated_publisher import AT, EXPIRES_AFTER, Repository, snapshot_of
from tests.support.simulated_reader import FIRST, MICROSECOND, SECOND, Reader, subjects_of


def test_an_older_version_is_a_rollback(reader: Reader, repository: Repository) -> None:
    repository.publish([301])
    reader.sync()
    repository.point(1)
    with reader.refusing(said="rollback"):
        reader.sync()


def test_an_older_version_is_a_rollback_when_ones_own_list_has_expired_too(
    reader: Reader, repository: Repository
) -> None:
    repository.publish([301])
    reader.sync()
    later = repository.at + EXPIRES_AFTER * 2
    repository.restate(1, expires_at=format_instant(later + EXPIRES_AFTER))
    repository.point(1)
    assert reader.client.trusted().freshness(later).is_expired
    with reader.refusing(said="rollback"):
        reader.sync(later)


def test_a_next_version_that_is_older_is_a_rollback(reader: Reader, repository: Repository) -> None:
    repository.publish([301], after=timedelta(seconds=-1))
    with reader.refusing(said="rollback"):
        reader.sync(AT + timedelta(hours=1))
    repository.restate(2, created_at=format_instant(AT))
    assert reader.sync().trusted.version == 2


def test_a_list_that_is_frozen_is_refused_once_it_has_expired_and_says_since_when(
    reader: Reader, repository: Repository
) -> None:
    expires_at = repository.at + EXPIRES_AFTER
    assert reader.sync(expires_at - MICROSECOND).how == "unchanged"
    trusted = reader.client.trusted()
    for now in (expires_at, expires_at + timedelta(days=30)):
        with reader.refusing(said="expired"):
            reader.sync(now)
    freshness = trusted.freshness(expires_at)
    assert (freshness.is_stale, freshness.is_expired, freshness.expires_at) == (True, True, expires_at)
    assert not trusted.freshness(expires_at - MICROSECOND).is_expired
    assert not trusted.freshness(repository.now).is_stale


def test_who_takes_expired_lists_takes_no_other_for_it(repository: Repository, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "reader", repository, takes_expired=True)
    later = repository.at + EXPIRES_AFTER
    assert reader.sync(later).trusted.freshness(later).is_expired
    repository.publish([301])
    later += EXPIRES_AFTER
    assert reader.sync(later).trusted.version == 2
    repository.point(1)
    with reader.refusing(said="rollback"):
        reader.sync(later)


def test_a_new_list_that_has_expired_is_refused(anyone: Reader, repository: Repository) -> None:
    expires_at = repository.at + EXPIRES_AFTER
    with anyone.refusing(said="expired"):
        anyone.sync(expires_at)
    assert snapshot_of(2) not in anyone.fetched
    assert anyone.sync(expires_at - MICROSECOND).trusted.version == 2


def test_a_list_from_the_future_is_refused(anyone: Reader, repository: Repository) -> None:
    with anyone.refusing(said="from_the_future"):
        anyone.sync(repository.at - sync.CLOCK_SKEW - MICROSECOND)
    assert anyone.sync(repository.at - sync.CLOCK_SKEW).trusted.version == 2


def test_two_lists_of_one_version_are_told(reader: Reader, repository: Repository, tmp_path: Path) -> None:
    other = repository.fork(tmp_path / "other")
    repository.publish([301])
    other.publish([302])
    reader.sync()
    reader.turn_to(other)
    with reader.refusing(said="two_of_one"):
        reader.sync()
    reader.turn_to(repository)
    assert reader.sync().how == "unchanged"


@pytest.mark.parametrize("days", [0, 3])
def test_a_version_too_far_ahead_was_made_up(reader: Reader, repository: Repository, days: int) -> None:
    most = 1 + sync.VERSIONS_SPARE + sync.VERSIONS_A_DAY_MAX * days
    repository.publish(version=most + 1, after=timedelta(days=days))
    now = AT + timedelta(days=days, hours=1)
    with reader.refusing(said="fast_forward"):
        reader.sync(now)
    assert snapshot_of(most + 1) not in reader.fetched
    repository.publish(version=most, after=timedelta(0))
    assert reader.sync(now).trusted.version == most


def test_a_reader_that_a_stolen_key_sent_far_ahead_comes_back_once_the_key_is_revoked(
    reader: Reader, repository: Repository, tmp_path: Path
) -> None:
    repository.announce(SECOND)
    reader.sync()
    thief = repository.fork(tmp_path / "thief")
    thief.publish([999], version=99)
    reader.turn_to(thief)
    assert reader.sync().trusted.version == 99
    reader.turn_to(repository)
    repository.rotate()
    repository.publish([301])
    with reader.refusing(said="rollback"):
        reader.sync()
    repository.revoke(FIRST)
    synced = reader.sync()
    assert (synced.how, synced.trusted.version, synced.trusted.signing_key_id) == ("full", 2, SECOND.public.key_id)
    assert reader.subjects() == subjects_of(repository)
    reader.turn_to(thief)
    with reader.refusing(UntrustedError, "was revoked"):
        reader.sync()
