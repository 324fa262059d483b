"""A reader of the published list, attacked as TUF's clients are: it holds the old list or the new one, nothing else."""

from __future__ import annotations

import base64
import contextlib
import errno
import gzip
import io
import itertools
import json
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prakerja.blacklist import client as client_module
from prakerja.blacklist import verification
from prakerja.blacklist.client import Client, RefusedListError, Synced
from prakerja.blacklist.contract import DoesNotFitError, Manifest, RingKey, canonical_json, utc_text
from prakerja.blacklist.keyring import KEYRINGS_AT_ONCE, UntrustedError, file_name
from prakerja.blacklist.registration import Registration
from prakerja.blacklist.signing import PublicKey, SubjectKey
from prakerja.blacklist.snapshot import DELTA_HEADER, HEADER, LINE_BYTES_MAX, Lines, NotCanonicalError
from prakerja.blacklist.sources import POINTER, NotThereError, Service, TooLargeError, UnreachableError, read
from prakerja.errors import NotReadyError, PrakerjaError, TransientError
from tests.repository import (
    AT,
    EXPIRES_AFTER,
    Repository,
    Shelf,
    Watched,
    change_of,
    delta_of,
    flipped,
    gzipped,
    line_of,
    list_of,
    manifest_of,
    ring_key,
    signature_of,
    signing_key,
    snapshot_of,
    subject_key,
)

FIRST, SECOND, THIRD, STRANGER = (signing_key(name) for name in ("first", "second", "third", "stranger"))
OLD_SUBJECTS, NEW_SUBJECTS, NEWEST_SUBJECTS = (subject_key(name) for name in ("first", "second", "third"))
PEOPLE = range(1, 301)
MEMORY = Path("/dev/shm")  # noqa: S108 - where folders of their own are made
MICROSECOND = timedelta(microseconds=1)


class Reader:
    """A client in a folder of its own, over a watched source, at the repository's time."""

    def __init__(
        self, folder: Path, repository: Repository, pins: Any = (FIRST,), subject_keys: Any = (), **options: Any
    ) -> None:
        self.folder, self.repository = folder, repository
        self.client = Client(folder, [key.public for key in pins], list(subject_keys), **options)
        self.source = Watched(repository.source)

    def fork(self, folder: Path, repository: Repository) -> Reader:
        """A reader that holds the same, and goes on in another folder."""
        shutil.copytree(self.folder, folder)
        return Reader(folder, repository)

    def turn_to(self, repository: Repository) -> None:
        """Read from another publisher from now on."""
        self.repository, self.source.source = repository, repository.source

    @property
    def fetched(self) -> list[str]:
        return self.source.fetched

    def sync(self, now: datetime | None = None) -> Synced:
        """Sync, and check that it ends at what is published."""
        self.fetched.clear()
        synced = self.client.sync(self.source, now or self.repository.now)
        assert self.client.trusted() == synced.trusted
        return synced

    def subjects(self) -> list[bytes]:
        return list(self.client.opened().subjects)

    def held(self) -> dict[str, bytes]:
        """What the folder holds: the list, and its state but for the keys, which are learnt all the same."""
        trusted = self.client.trusted()
        if trusted is None:
            return {}
        state = trusted.model_copy(update={"folder": "", "keyring": 0, "keys": [], "revoked": []})
        files = {path.name: path.read_bytes() for path in (self.folder / trusted.folder).iterdir()}
        return {"trusted.json": canonical_json(state), **files}

    @contextlib.contextmanager
    def refusing(self, error: type[Exception] = RefusedListError, said: str = "") -> Iterator[None]:
        """What is done here is refused, for this reason, and leaves the list as it was, still answering."""
        before = self.client.trusted()
        held, subjects = self.held(), self.subjects() if before and not before.is_revoked else None
        with pytest.raises(error) as refused:
            yield
        if error is RefusedListError:
            assert refused.value.reason == said
        else:
            assert said in str(refused.value)
        assert self.held() == held
        trusted = self.client.trusted()
        if trusted and trusted.is_revoked:  # that its signer was stolen was learnt all the same
            with pytest.raises(RefusedListError, match="revoked"):
                self.subjects()
            assert trusted.freshness(self.repository.now).is_expired
        elif subjects is not None:
            assert self.subjects() == subjects


def always(value: Any) -> Callable[..., Any]:
    return lambda *_: value


def subjects_of(repository: Repository, key: SubjectKey | None = None) -> list[bytes]:
    return [bytes.fromhex(subject.decode()) for subject in sorted(repository.listed(key))]


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """A folder in memory, where there is one: five hundred publishers and their readers are many files."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def tmp_path(memory: Path) -> Iterator[Path]:
    """The test's own folder."""
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def origin(memory: Path) -> Reader:
    """Version 1, with three hundred people, and a reader that has synced it."""
    folder = memory / "origin"
    made = Reader(folder / "reader", Repository(folder / "published"))
    made.repository.publish(PEOPLE)
    made.sync()
    return made


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is on the disk soon enough for a test."""
    monkeypatch.setattr(os, "fsync", always(None))


@pytest.fixture
def repository(origin: Reader, tmp_path: Path) -> Repository:
    """Version 1, with three hundred people."""
    return origin.repository.fork(tmp_path / "published")


@pytest.fixture
def reader(origin: Reader, repository: Repository, tmp_path: Path) -> Reader:
    """A reader that has synced version 1."""
    return origin.fork(tmp_path / "reader", repository)


@pytest.fixture
def newcomer(repository: Repository, tmp_path: Path) -> Reader:
    """A reader that has synced nothing yet."""
    return Reader(tmp_path / "not there" / "newcomer", repository)


@pytest.fixture(params=["new", "following"])
def anyone(request: pytest.FixtureRequest, newcomer: Reader, reader: Reader, repository: Repository) -> Reader:
    """Version 2 is published: a reader that has synced nothing yet, or one of version 1 whom no delta helps."""
    repository.publish([301], [7])
    repository.drop(delta_of(2))
    return newcomer if request.param == "new" else reader


# -- following ---------------------------------------------------------------------------------------------------------


def test_the_simulated_publisher_keeps_the_contract(repository: Repository) -> None:
    repository.publish([301], [7])
    repository.publish([], [8], cohort=13)
    repository.announce(SECOND)
    repository.publish()
    repository.rotate()
    repository.publish([8], cohort=13)
    repository.rotate_subjects(NEW_SUBJECTS)
    repository.publish([9999])
    versions = list(verification.verified_versions(repository.source.root))
    assert [len(version.subjects) for version in versions] == [300, 300, 299, 299, 300, 301]
    earlier = repository.source.under_key(OLD_SUBJECTS.key_id).root
    assert [v.manifest.version for v in verification.verified_versions(earlier, repository.source.root)] == [6]


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
    opened = reader.client.opened()
    assert opened.is_listed(OLD_SUBJECTS.digest(f"{7:016d}"))
    assert not opened.is_listed(OLD_SUBJECTS.digest(f"{301:016d}"))


def test_an_unchanged_list_is_not_fetched_again(reader: Reader, repository: Repository) -> None:
    held = reader.held()
    later = repository.now + timedelta(hours=5)
    assert reader.sync(later).how == "unchanged"
    assert reader.fetched == [file_name(2), POINTER, manifest_of(1), signature_of(1)]
    assert json.loads(reader.held()["trusted.json"])["synced_at"] == utc_text(later)
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


def subject_of(nik: int) -> bytes:
    return OLD_SUBJECTS.subject(f"{nik:016d}").encode()


def test_a_list_may_become_empty_and_full_again(reader: Reader, repository: Repository) -> None:
    repository.publish([], PEOPLE)
    assert (reader.sync().trusted.entries, reader.subjects()) == (0, [])
    assert not reader.client.opened().is_listed(OLD_SUBJECTS.digest(f"{7:016d}"))
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
    opened, before = reader.client.opened(), reader.subjects()
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


#: What begins as a public key does, of a kind that no library here knows.
UNKNOWN_KIND = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2V5AyEA" + b"A" * 43 + b"=\n-----END PUBLIC KEY-----\n"


@pytest.mark.parametrize("pem", [b"", b"no key", b"\xff", FIRST.public.pem[:60], UNKNOWN_KIND], ids=range(5))
def test_what_is_no_public_key_cannot_be_pinned(pem: bytes) -> None:
    with pytest.raises(PrakerjaError, match="no Ed25519 key"):
        PublicKey.from_pem(pem)


def test_nothing_is_believed_without_a_pin_and_nothing_opened_before_a_sync(
    repository: Repository, tmp_path: Path
) -> None:
    nobody = Reader(tmp_path / "nobody", repository, pins=())
    with pytest.raises(PrakerjaError, match="believes nobody by itself"):
        nobody.sync()
    assert nobody.client.trusted() is None
    with pytest.raises(NotReadyError):
        nobody.client.opened()


def test_a_reader_that_has_synced_needs_no_pin(reader: Reader, repository: Repository) -> None:
    repository.publish([301])
    assert Client(reader.folder).sync(repository.source, repository.now).trusted.version == 2


def test_an_empty_place_is_told(newcomer: Reader, repository: Repository) -> None:
    repository.drop(POINTER)
    with newcomer.refusing(NotThereError):
        newcomer.sync()


# -- falling back to the whole list ------------------------------------------------------------------------------------


def added(nik: int) -> bytes:
    return change_of("ADD", line_of(subject_of(nik).decode()))


def withdrawn(nik: int) -> bytes:
    return change_of("WITHDRAW", line_of(subject_of(nik).decode()))


def cut(repository: Repository, name: str) -> None:
    repository.put(name, repository.data(name)[:-9])


def lengthen(repository: Repository, name: str) -> None:
    repository.put(name, repository.data(name) + b"\0")


def declare_delta(*changes: bytes, rows: int | None = None) -> Callable[[Repository, Reader], None]:
    data = gzipped(DELTA_HEADER + b"".join(changes))
    return lambda repository, _: repository.declare(delta_of(2), data, rows=rows)


UNFIT_DELTAS: dict[str, Callable[[Repository, Reader], Any]] = {
    "missing": lambda r, _: r.drop(delta_of(2)),
    "bent": lambda r, _: r.flip(delta_of(2)),
    "the last one is bent": lambda r, _: r.flip(delta_of(3)),
    "packed at another time of day": lambda r, _: r.flip(delta_of(2), 4),
    "cut off": lambda r, _: cut(r, delta_of(2)),
    "longer": lambda r, _: lengthen(r, delta_of(2)),
    "endless": lambda r, _: r.put_endless(delta_of(2)),
    "of another version": lambda r, _: r.swap(delta_of(2), delta_of(3)),
    "cannot be reached": lambda _, reader: vars(reader.source).update(breaks_at=6, breaks_once=True),
    "signed, no gzip": lambda r, _: r.declare(delta_of(2), b"no gzip"),
    "signed, cut off": lambda r, _: r.declare(delta_of(2), r.data(delta_of(2))[:-9]),
    "signed, more behind its end": lambda r, _: r.declare(delta_of(2), r.data(delta_of(2)) + b"more"),
    "signed, opens to more than its rows": lambda r, _: r.declare(delta_of(2), r.data(delta_of(2)), rows=0),
    "signed, opens to zeros without end": lambda r, _: r.declare(delta_of(2), gzipped(bytes(3 << 20))),
    "signed, another change": declare_delta(added(900)),
    "signed, no change": declare_delta(),
    "signed, adds who is listed": declare_delta(added(8)),
    "signed, withdraws who is not": declare_delta(withdrawn(900)),
    "signed, adds twice": declare_delta(added(301), added(301)),
    "signed, not sorted": declare_delta(*sorted([added(301), added(302)], reverse=True)),
    "signed, a line that does not fit": declare_delta(added(301).replace(b",12,", b",0,")),
    "signed, no header": lambda r, _: r.declare(delta_of(2), gzipped(added(301))),
    "signed, under another subject key": lambda r, _: r.restate(2, key_id=NEW_SUBJECTS.key_id),
    "signed by a stranger": lambda r, _: r.restate(2, by=STRANGER),
    "its manifest is missing": lambda r, _: r.drop(manifest_of(2)),
    "its manifest is bent": lambda r, _: r.flip(manifest_of(2)),
    "its manifest is endless": lambda r, _: r.put_endless(manifest_of(2)),
    "its manifest is another version's": lambda r, _: (
        r.swap(manifest_of(2), manifest_of(1)),
        r.swap(signature_of(2), signature_of(1)),
    ),
    "its signature is missing": lambda r, _: r.drop(signature_of(2)),
    "its signature is another version's": lambda r, _: r.swap(signature_of(2), signature_of(1)),
    "its signature is endless": lambda r, _: r.put_endless(signature_of(2)),
    "one's own lines are bent": lambda _, reader: bend_own(reader, "list.csv", flipped),
    "one's own lines are cut off": lambda _, reader: bend_own(reader, "list.csv", lambda data: data[:-9]),
    "one's own lines are no list": lambda _, reader: bend_own(reader, "list.csv", always(b"\n\n")),
    "one's own lines are gone": lambda _, reader: bend_own(reader, "list.csv", always(None)),
    "one's own subjects are bent": lambda _, reader: bend_own(reader, "subjects.bin", flipped),
    "one's own subjects are cut off": lambda _, reader: bend_own(reader, "subjects.bin", lambda data: data[:-32]),
    "one's own subjects are gone": lambda _, reader: bend_own(reader, "subjects.bin", always(None)),
    "one's own list is gone": lambda _, reader: [bend_own(reader, name, always(None)) for name in OWN_FILES],
}
OWN_FILES = ("list.csv", "subjects.bin")


def bend_own(reader: Reader, name: str, bent: Callable[[bytes], bytes | None]) -> None:
    path = reader.folder / reader.client.trusted().folder / name
    data = bent(path.read_bytes())
    path.unlink()
    if data is not None:
        path.write_bytes(data)


@pytest.mark.parametrize("unfit", UNFIT_DELTAS)
def test_where_a_delta_does_not_do_the_whole_list_is_fetched_once(
    reader: Reader, repository: Repository, unfit: str
) -> None:
    repository.publish([301], [7])
    repository.publish([302], [8])
    UNFIT_DELTAS[unfit](repository, reader)
    synced = reader.sync()
    assert (synced.how, synced.changes, synced.trusted.version) == ("full", [], 3)
    assert reader.fetched.count(snapshot_of(3)) == 1
    assert snapshot_of(2) not in reader.fetched
    assert reader.subjects() == subjects_of(repository)
    assert tree(reader) == clean_tree(reader)


def tree(reader: Reader) -> list[str]:
    """The files below a reader's folder."""
    return sorted(str(path.relative_to(reader.folder)) for path in reader.folder.rglob("*") if not path.is_dir())


def clean_tree(reader: Reader) -> list[str]:
    """The files that should be there: the trusted list's, and no others."""
    folder = reader.client.trusted().folder
    return sorted([".lock", "trusted.json", *(f"{folder}/{name}" for name in OWN_FILES)])


# -- what may follow ---------------------------------------------------------------------------------------------------


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
    repository.restate(1, expires_at=utc_text(later + EXPIRES_AFTER))
    repository.point(1)
    assert reader.client.trusted().freshness(later).is_expired
    with reader.refusing(said="rollback"):
        reader.sync(later)


def test_a_next_version_that_is_older_is_a_rollback(reader: Reader, repository: Repository) -> None:
    repository.publish([301], after=timedelta(seconds=-1))
    with reader.refusing(said="rollback"):
        reader.sync(AT + timedelta(hours=1))
    repository.restate(2, created_at=utc_text(AT))
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
        anyone.sync(repository.at - client_module.CLOCK_SKEW - MICROSECOND)
    assert anyone.sync(repository.at - client_module.CLOCK_SKEW).trusted.version == 2


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
    most = 1 + client_module.VERSIONS_SPARE + client_module.VERSIONS_A_DAY_MAX * days
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


# -- what belongs together ---------------------------------------------------------------------------------------------

#: Version 2 is pointed at; version 3, which is longer, lies there, too.
MIXED: dict[str, tuple[Callable[[Repository], Any], type[Exception], str]] = {
    "the pointer has another manifest's hash": (
        lambda r: r.put(POINTER, r.data(POINTER).replace(sha_in(r, 2), sha_in(r, 3))),
        RefusedListError,
        "mixed",
    ),
    "the pointer names another version's manifest": (
        lambda r: r.put(POINTER, r.data(POINTER).replace(b"v000002", b"v000003")),
        RefusedListError,
        "mixed",
    ),
    "the pointer names a version that is not there": (
        lambda r: r.put(POINTER, r.data(POINTER).replace(b"v000002", b"v000004").replace(b":2", b":4")),
        RefusedListError,
        "missing",
    ),
    "another version's manifest": (
        lambda r: (r.swap(manifest_of(2), manifest_of(3)), r.swap(signature_of(2), signature_of(3))),
        RefusedListError,
        "mixed",
    ),
    "the pointer writes its version otherwise": (
        lambda r: r.put(POINTER, r.data(POINTER).replace(b"v000002", b"v0000002")),
        RefusedListError,
        "mixed",
    ),
    "an earlier version's manifest, pointed at": (
        lambda r: (r.swap(manifest_of(2), manifest_of(1)), r.swap(signature_of(2), signature_of(1)), r.point(2)),
        RefusedListError,
        "mixed",
    ),
    "another version's signature": (lambda r: r.swap(signature_of(2), signature_of(3)), UntrustedError, "wrong"),
    "a later version's list": (lambda r: r.swap(snapshot_of(2), snapshot_of(3)), TooLargeError, "snapshot.csv.gz"),
    "an empty list": (lambda r: r.put(snapshot_of(2), gzipped(HEADER)), RefusedListError, "tampered"),
    "a manifest that says another version": (lambda r: r.restate(2, version=3), RefusedListError, "mixed"),
    "a previous version that is none": (lambda r: r.restate(2, previous_version=7), RefusedListError, "mixed"),
    "a manifest of the same version, not pointed at": (
        lambda r: (r.restate(2, data_as_of={}), r.put(POINTER, r.data(POINTER).replace(sha_in(r, 2), b"0" * 64))),
        RefusedListError,
        "mixed",
    ),
    "no manifest": (lambda r: r.drop(manifest_of(2)), RefusedListError, "missing"),
    "no signature": (lambda r: r.drop(signature_of(2)), RefusedListError, "missing"),
    "no list": (lambda r: r.drop(snapshot_of(2)), RefusedListError, "missing"),
    "no pointer": (lambda r: r.drop(POINTER), NotThereError, POINTER),
}


def sha_in(repository: Repository, version: int) -> bytes:
    return client_module.sha256(repository.data(manifest_of(version))).encode()


@pytest.mark.parametrize("mixed", MIXED)
def test_what_does_not_belong_together_is_refused(anyone: Reader, repository: Repository, mixed: str) -> None:
    repository.publish([302, 303])
    repository.point(2)
    bend, error, said = MIXED[mixed]
    bend(repository)
    with anyone.refusing(error, said):
        anyone.sync()


# -- signatures --------------------------------------------------------------------------------------------------------

#: By what the manifest's bytes are.
SIGNATURES: dict[str, Callable[[bytes], bytes]] = {
    "empty": always(b""),
    "a line break": always(b"\n"),
    "garbage": always(b"\xff\0garbage"),
    "zeros": always(b"A" * 86 + b"=="),
    "in hex": always(b"00" * 64),
    "no base64": lambda data: b"!" + FIRST.signature(data)[1:],
    "cut off": lambda data: FIRST.signature(data)[:40],
    "cut off between four": lambda data: FIRST.signature(data)[:41],
    "twice": lambda data: FIRST.signature(data).strip() * 2,
    "a bit": lambda data: flipped(FIRST.signature(data), 5),
    "by a stranger": lambda data: STRANGER.signature(data),
    "of other data": lambda data: FIRST.signature(data + b" "),
    "of nothing": lambda _: FIRST.signature(b""),
}


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_manifest_that_is_not_signed_rightly_is_refused(
    anyone: Reader, repository: Repository, signature: str
) -> None:
    data = repository.data(manifest_of(2))
    repository.put(signature_of(2), SIGNATURES[signature](data))
    with anyone.refusing(UntrustedError, "signature is wrong"):
        anyone.sync()
    repository.put(signature_of(2), FIRST.signature(data))
    assert anyone.sync().trusted.version == 2


def test_a_manifest_by_a_key_that_is_not_pinned_is_refused(anyone: Reader, repository: Repository) -> None:
    repository.restate(2, by=STRANGER)
    with anyone.refusing(UntrustedError, "not trusted here"):
        anyone.sync()


def test_a_manifest_that_names_the_pinned_key_and_is_signed_by_another_is_refused(
    anyone: Reader, repository: Repository
) -> None:
    repository.restate(2, by=STRANGER, signing_key_id=FIRST.public.key_id)
    with anyone.refusing(UntrustedError, "signature is wrong"):
        anyone.sync()


def test_who_pinned_another_key_is_refused(repository: Repository, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "reader", repository, pins=[STRANGER])
    with reader.refusing(UntrustedError, "pin the publisher's"):
        reader.sync()


# -- every byte --------------------------------------------------------------------------------------------------------

FETCHED = [POINTER, manifest_of(2), signature_of(2), file_name(1), snapshot_of(2)]


BENT: dict[str, Callable[[bytes], bytes]] = {
    "the first byte": lambda data: flipped(data, 0),
    "a byte in the middle": flipped,
    "one of the last bytes": lambda data: flipped(data, -3),
    "empty": always(b""),
    "half": lambda data: data[: len(data) // 2],
    "begins late": lambda data: data[1:],
    "twice": lambda data: data * 2,
    "zeros": lambda data: bytes(len(data)),
}


@pytest.mark.parametrize("name", FETCHED)
@pytest.mark.parametrize("bent", BENT)
def test_a_file_that_is_bent_is_refused(newcomer: Reader, repository: Repository, name: str, bent: str) -> None:
    repository.publish([301], [7])
    newcomer.source.bent[name] = BENT[bent]
    with newcomer.refusing(PrakerjaError):
        newcomer.sync()
    newcomer.source.bent.clear()
    assert newcomer.sync().trusted.version == 2


def test_every_single_byte_of_pointer_and_manifest_counts(reader: Reader, repository: Repository) -> None:
    repository.publish([301], [7])
    source = Shelf.of(repository.root)
    held = reader.held()
    for name in (POINTER, manifest_of(2)):
        right = source.files[name]
        for position in range(len(right)):
            source.files[name] = flipped(right, position)
            with pytest.raises(PrakerjaError):
                reader.client.sync(source, repository.now)
        source.files[name] = right
    assert reader.held() == held
    assert reader.client.sync(source, repository.now).how == "delta"


@pytest.mark.parametrize("by", [-1, 1])
def test_a_size_that_is_not_the_signed_one_is_refused(anyone: Reader, repository: Repository, by: int) -> None:
    files = json.loads(repository.data(manifest_of(2)))["files"]
    repository.restate(2, files=[file | {"bytes": file["bytes"] + by} for file in files])
    with anyone.refusing(TooLargeError if by < 0 else RefusedListError, "snapshot.csv.gz" if by < 0 else "tampered"):
        anyone.sync()


# -- data without end --------------------------------------------------------------------------------------------------


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


# -- what opens to too much, or to no list -----------------------------------------------------------------------------


def test_a_list_that_opens_to_more_than_its_rows_is_refused_though_signed(
    anyone: Reader, repository: Repository
) -> None:
    lines = list_of(repository.listed())
    assert len(lines) > len(HEADER) + 100 * LINE_BYTES_MAX
    repository.declare(snapshot_of(2), gzipped(lines), rows=100)
    with anyone.refusing(said="tampered"):
        anyone.sync()


def test_a_bomb_is_cut_off() -> None:
    opened = client_module._inflated(io.BytesIO(gzipped(bytes(32 << 20))), 5 << 20, "a bomb")
    assert sum(len(next(opened)) for _ in range(5)) == 5 << 20
    with pytest.raises(RefusedListError, match="more than its rows"):
        next(opened)


def gzipped_to(size: int, data: bytes) -> bytes:
    """As a gzip file of that size: its name makes up for what is missing."""
    packed = gzipped(data)[10:]
    return b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"n" * (size - 11 - len(packed)) + b"\0" + packed


UNFIT_GZIPS: dict[str, Callable[[bytes], bytes]] = {
    "no gzip": lambda data: data,
    "nothing": always(b""),
    "cut off": lambda data: gzipped(data)[:-9],
    "without its end": lambda data: gzipped(data)[:-1],
    "a wrong checksum": lambda data: flipped(gzipped(data), -8),
    "more behind its end": lambda data: gzipped(data) + b"more",
    "zeros behind its end": lambda data: gzipped(data) + b"\0" * 512,
    "a second member": lambda data: gzipped(data) + gzipped(b""),
    "two members": lambda data: gzipped(data[:5000]) + gzipped(data[5000:]),
    "far more behind its end": lambda data: gzipped(data) + b"\0" * (1 << 20),
    "more behind its end, where a chunk ends, too": lambda data: gzipped_to(1 << 18, data) + b"more",
    "zlib": lambda data: zlib.compress(data),
}


@pytest.mark.parametrize("unfit", UNFIT_GZIPS)
def test_a_list_that_is_not_one_whole_gzip_file_is_refused_though_signed(
    anyone: Reader, repository: Repository, unfit: str
) -> None:
    repository.declare(snapshot_of(2), UNFIT_GZIPS[unfit](list_of(repository.listed())))
    with anyone.refusing(said="tampered"):
        anyone.sync()


UNFIT_LISTS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "not sorted": lambda lines: [*lines[1:], lines[0]],
    "two lines the other way round": lambda lines: [lines[1], lines[0], *lines[2:]],
    "a subject twice": lambda lines: [lines[0], *lines],
    "a subject twice, otherwise": lambda lines: [lines[0].replace(b",12,", b",13,"), *lines],
    "upper case": lambda lines: [lines[0][:64].upper() + lines[0][64:], *lines[1:]],
    "a short subject": lambda lines: [lines[0][1:], *lines[1:]],
    "an empty line": lambda lines: [*lines, b"\n"],
    "no last line break": lambda lines: [*lines[:-1], lines[-1][:-1]],
    "CRLF": lambda lines: [line.replace(b"\n", b"\r\n") for line in lines],
    "a column more": lambda lines: [lines[0].replace(b"\n", b",\n"), *lines[1:]],
    "a column less": lambda lines: [lines[0].replace(b",12,", b","), *lines[1:]],
    "another reason": lambda lines: [lines[0].replace(b"NO_FIRST_PURCHASE", b"REINSTATED"), *lines[1:]],
    "cohort 0": lambda lines: [lines[0].replace(b",12,", b",0,"), *lines[1:]],
    "a quoted cohort": lambda lines: [lines[0].replace(b",12,", b',"12",'), *lines[1:]],
    "spaces": lambda lines: [lines[0].replace(b",", b", "), *lines[1:]],
    "zeros": lambda lines: [b"\0" * 100 + b"\n", *lines],
}


@pytest.mark.parametrize("unfit", UNFIT_LISTS)
def test_a_list_that_does_not_fit_the_contract_is_refused_though_signed(
    anyone: Reader, repository: Repository, unfit: str
) -> None:
    lines = UNFIT_LISTS[unfit]([line for _, line in sorted(repository.listed().items())])
    repository.declare_list(2, HEADER + b"".join(lines), len(lines))
    with anyone.refusing(NotCanonicalError):
        anyone.sync()


@pytest.mark.parametrize("header", [b"", b"subject\n", HEADER.upper(), HEADER[:-1] + b"\r\n", b"\xef\xbb\xbf" + HEADER])
def test_a_list_without_the_contracts_columns_is_refused_though_signed(
    anyone: Reader, repository: Repository, header: bytes
) -> None:
    repository.declare_list(2, header + b"".join(line for _, line in sorted(repository.listed().items())), 300)
    with anyone.refusing(NotCanonicalError):
        anyone.sync()


@pytest.mark.parametrize("data", [b"", HEADER[:-1], HEADER[:9]])
def test_a_list_without_a_whole_header_is_refused_though_signed(
    anyone: Reader, repository: Repository, data: bytes
) -> None:
    repository.declare_list(2, data, 0)
    with anyone.refusing(NotCanonicalError):
        anyone.sync()


def test_a_list_that_is_packed_otherwise_is_taken(anyone: Reader, repository: Repository) -> None:
    for packed in (gzipped_to(1 << 18, list_of(repository.listed())), gzip.compress(list_of(repository.listed()), 1)):
        repository.declare(snapshot_of(2), packed)
        assert anyone.sync().trusted.version == 2
        shutil.rmtree(anyone.folder)


def test_a_list_of_another_hash_than_signed_is_refused(anyone: Reader, repository: Repository) -> None:
    repository.restate(2, result_sha256="0" * 64)
    with anyone.refusing(said="tampered"):
        anyone.sync()


def test_a_list_of_another_length_than_signed_is_refused(anyone: Reader, repository: Repository) -> None:
    counts = json.loads(repository.data(manifest_of(2)))["counts"]
    repository.restate(2, counts=counts | {"entries": 301})
    with anyone.refusing(said="tampered"):
        anyone.sync()


def test_a_delta_that_leads_to_another_length_than_signed_is_refused(reader: Reader, repository: Repository) -> None:
    repository.publish([301, 302], [7])
    counts = json.loads(repository.data(manifest_of(2)))["counts"]
    repository.restate(2, counts=counts | {"entries": 300})
    with reader.refusing(said="tampered"):
        reader.sync()


def test_a_delta_brings_no_line_that_the_whole_list_may_not_have(
    reader: Reader, newcomer: Reader, repository: Repository
) -> None:
    repository.publish([301])
    lines = repository.listed()
    lines[subject_of(301)] = lines[subject_of(301)].replace(b"NO_FIRST_PURCHASE", b"REINSTATED")
    repository.declare(delta_of(2), gzipped(DELTA_HEADER + change_of("ADD", lines[subject_of(301)], "REINSTATED")))
    repository.declare_list(2, list_of(lines), 301)
    for each in (newcomer, reader):
        with each.refusing(NotCanonicalError):
            each.sync()


# -- documents ---------------------------------------------------------------------------------------------------------

NO_DOCUMENTS = {
    "nothing": b"",
    "no JSON": b"no JSON",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1",
    "an empty one": b"{}",
    "not closed": b'{"version": 2',
    "deep": b"[" * 100_000,
    "deep in a member": b'{"version":' + b'{"a":' * 50_000,
    "no UTF-8": b'{"version": "\xff"}',
    "UTF-16": '{"version": 2}'.encode("utf-16"),
    "a lone surrogate": b'{"version": "\\ud800"}',
    "a long number": b'{"version": ' + b"9" * 5000 + b"}",
    "HTML": b"<html>please log in</html>",
}


@pytest.mark.parametrize("document", NO_DOCUMENTS)
@pytest.mark.parametrize("name", [POINTER, manifest_of(2), file_name(1), file_name(2)])
def test_what_is_no_document_is_refused(newcomer: Reader, repository: Repository, name: str, document: str) -> None:
    repository.publish([301])
    if name == manifest_of(2):
        repository.sign(NO_DOCUMENTS[document], 2)
        repository.point(2)
    else:
        repository.put(name, NO_DOCUMENTS[document])
    with newcomer.refusing(DoesNotFitError):
        newcomer.sync()


POINTERS: dict[str, dict[str, Any]] = {
    "a member more": {"more": 1},
    "a version as text": {"version": "2"},
    "a version as a float": {"version": 2.0},
    "version 0": {"version": 0, "manifest": "v000000/manifest.json"},
    "a negative version": {"version": -2, "manifest": "v-00002/manifest.json"},
    "a path upwards": {"manifest": "../v000002/manifest.json"},
    "a URL": {"manifest": "https://else.example/v000002/manifest.json"},
    "a line break": {"manifest": "v000002/manifest.json\n"},
    "an upper-case hash": {"sha256": "A" * 64},
    "no hash": {"sha256": None},
}


@pytest.mark.parametrize("bent", POINTERS)
def test_a_pointer_that_does_not_fit_is_refused(anyone: Reader, repository: Repository, bent: str) -> None:
    repository.put(POINTER, canonical_json(json.loads(repository.data(POINTER)) | POINTERS[bent]))
    with anyone.refusing(DoesNotFitError):
        anyone.sync()


MANIFESTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "a member more": lambda _: {"more": 1},
    "another contract": lambda _: {"contract": "prakerja.blacklist/2"},
    "a day that is none": lambda _: {"created_at": "2021-99-99T00:00:00Z"},
    "a year that is none": lambda _: {"created_at": "0000-01-01T00:00:00Z"},
    "an expiry that is none": lambda _: {"expires_at": "2021-13-01T00:00:00Z"},
    "other digits": lambda _: {"expires_at": "٢٠٢١-٠٣-٢٠T٠٠:٠٠:٠٠Z"},
    "another zone": lambda _: {"expires_at": "2021-03-30T00:00:00+07:00"},
    "a negative count": lambda m: {"counts": m["counts"] | {"entries": -1}},
    "a file twice": lambda m: {"files": [m["files"][0]] * 3},
    "a file less": lambda m: {"files": m["files"][:2]},
    "a file more": lambda m: {"files": [*m["files"], m["files"][0]]},
    "a file elsewhere": lambda m: {"files": [{**m["files"][0], "name": "../snapshot.csv.gz"}, *m["files"][1:]]},
    "a file of endless size": lambda m: {"files": [{**m["files"][0], "bytes": 2**63}, *m["files"][1:]]},
    "no key": lambda _: {"key_id": ""},
}


@pytest.mark.parametrize("bent", MANIFESTS)
def test_a_manifest_that_does_not_fit_is_refused_though_signed(
    anyone: Reader, repository: Repository, bent: str
) -> None:
    manifest = json.loads(repository.data(manifest_of(2)))
    repository.restate(2, **MANIFESTS[bent](manifest))
    with anyone.refusing(DoesNotFitError):
        anyone.sync()


# -- keyrings ----------------------------------------------------------------------------------------------------------


def test_an_unchanged_list_may_bring_a_new_keyring(reader: Reader, repository: Repository) -> None:
    repository.announce(SECOND)
    synced = reader.sync()
    assert (synced.how, synced.trusted.keyring) == ("unchanged", 2)
    assert {key.signing_key_id for key in synced.trusted.keys} == {FIRST.public.key_id, SECOND.public.key_id}


def test_a_key_is_announced_then_signs_then_the_one_before_is_revoked(reader: Reader, repository: Repository) -> None:
    for key, before in ((SECOND, FIRST), (THIRD, SECOND)):
        repository.announce(key)
        reader.sync()
        repository.rotate()
        repository.publish([500 + repository.version])
        assert reader.sync().trusted.signing_key_id == key.public.key_id
        repository.revoke(before)
        assert reader.sync().how == "unchanged"
        assert before.public.key_id in {each.signing_key_id for each in reader.client.trusted().revoked}


def test_a_reader_that_missed_every_rotation_follows_them_at_once(reader: Reader, repository: Repository) -> None:
    for name in ("second", "third", "fourth", "fifth"):
        repository.announce(signing_key(name))
        repository.rotate()
        repository.publish([500 + repository.version])
    synced = reader.sync()
    assert (synced.how, synced.trusted.signing_key_id) == ("delta", signing_key("fifth").public.key_id)


def test_an_announced_key_may_sign_at_once(anyone: Reader, repository: Repository) -> None:
    repository.announce(SECOND)
    repository.restate(2, by=SECOND)
    assert anyone.sync().trusted.signing_key_id == SECOND.public.key_id


def test_a_key_that_was_never_announced_signs_nothing(anyone: Reader, repository: Repository) -> None:
    repository.restate(2, by=SECOND)
    with anyone.refusing(UntrustedError, "not trusted here"):
        anyone.sync()


@pytest.mark.parametrize("pins", [[SECOND], [FIRST, SECOND], [STRANGER, SECOND]])
def test_who_pinned_a_later_key_can_start(repository: Repository, tmp_path: Path, pins: Any) -> None:
    repository.announce(SECOND)
    repository.rotate()
    repository.publish([301])
    reader = Reader(tmp_path / "reader", repository, pins=pins)
    assert reader.sync().trusted.keyring == 3
    repository.publish([302])
    assert reader.sync().how == "delta"


def test_who_pinned_a_key_that_is_retired_by_now_can_start(repository: Repository, tmp_path: Path) -> None:
    repository.announce(SECOND)
    repository.rotate()
    repository.publish([301])
    repository.revoke(FIRST)
    assert Reader(tmp_path / "reader", repository).sync().trusted.signing_key_id == SECOND.public.key_id


@pytest.mark.parametrize("keyrings", [1, 3, KEYRINGS_AT_ONCE - 1, KEYRINGS_AT_ONCE, KEYRINGS_AT_ONCE + 40])
def test_who_pinned_a_key_that_is_in_no_keyring_is_refused(
    repository: Repository, tmp_path: Path, keyrings: int
) -> None:
    for number in range(2, keyrings + 1):
        repository.put_keyring(number, [FIRST], [FIRST])
    repository.restate(1, by=STRANGER)
    reader = Reader(tmp_path / "reader", repository, pins=[STRANGER])
    with reader.refusing(UntrustedError, "pin the publisher's"):
        reader.sync()


def test_without_any_keyring_the_pinned_key_alone_is_believed(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "published", has_keyrings=False)
    repository.publish(PEOPLE)
    reader = Reader(tmp_path / "reader", repository)
    assert reader.sync().trusted.keyring == 0
    repository.publish([301])
    assert reader.sync().how == "delta"
    repository.signer = SECOND
    repository.publish([302])
    with reader.refusing(UntrustedError, "not trusted here"):
        reader.sync()


def test_a_keyring_that_is_withheld_takes_nothing_back(reader: Reader, repository: Repository) -> None:
    repository.announce(SECOND)
    repository.rotate()
    repository.publish([301])
    repository.revoke(FIRST)
    reader.sync()
    for name in map(file_name, (1, 2, 3, 4)):
        repository.drop(name)
    repository.restate(2, by=FIRST)
    with reader.refusing(UntrustedError, "was revoked"):
        reader.sync()


#: The keyrings after the first one, as (keys, signed by); and what is said to what the second key then signs.
CHAINS: dict[str, tuple[list[tuple[list[Any], list[Any]]], type[Exception] | None]] = {
    "another key, signed by both": ([([SECOND], [FIRST, SECOND])], None),
    "another key, signed by the one before": ([([SECOND], [FIRST])], None),
    "with signatures of strangers": ([([SECOND], [STRANGER, FIRST, THIRD])], None),
    "in two steps": ([([FIRST, SECOND], [FIRST]), ([SECOND], [SECOND])], None),
    "over a third key": ([([THIRD], [FIRST]), ([SECOND], [THIRD])], None),
    "unsigned": ([([SECOND], [])], UntrustedError),
    "signed by the new key alone": ([([SECOND], [SECOND])], UntrustedError),
    "signed by a stranger": ([([SECOND], [STRANGER])], UntrustedError),
    "the intermediate is unsigned": ([([FIRST, SECOND], []), ([SECOND], [FIRST])], UntrustedError),
    "the intermediate is signed by the new key": ([([FIRST, SECOND], [SECOND]), ([SECOND], [FIRST])], UntrustedError),
    "the last is signed by a key that is gone": ([([THIRD], [FIRST]), ([SECOND], [FIRST])], UntrustedError),
    "the last is signed by a retired key": (
        [([THIRD, ring_key(FIRST.public, 1)], [FIRST]), ([SECOND], [FIRST])],
        UntrustedError,
    ),
    "without the key": ([([FIRST, THIRD], [FIRST])], UntrustedError),
}


@pytest.mark.parametrize("chain", CHAINS)
def test_a_keyring_is_believed_where_a_key_of_the_one_before_signs_it(
    anyone: Reader, repository: Repository, chain: str
) -> None:
    rings, error = CHAINS[chain]
    for number, (keys, by) in enumerate(rings, 2):
        repository.put_keyring(number, keys, by)
    repository.restate(2, by=SECOND)
    if error is None:
        assert anyone.sync().trusted.keyring == 1 + len(rings)
        return
    with anyone.refusing(error):
        anyone.sync()


RINGS: dict[str, tuple[Callable[[Repository], Any], type[Exception], str]] = {
    "its own number again": (lambda r: r.put_keyring(2, [FIRST], [FIRST], number=1), UntrustedError, "another one"),
    "the one before again": (lambda r: r.swap(file_name(2), file_name(1)), UntrustedError, "another one"),
    "a later number": (lambda r: r.put_keyring(2, [FIRST], [FIRST], number=3), UntrustedError, "another one"),
    "a key by another's name": (
        lambda r: r.put_keyring(2, [FIRST, ring_key(STRANGER.public, name=SECOND.public.key_id)], [FIRST]),
        UntrustedError,
        "another key's name",
    ),
    "another contract": (
        lambda r: r.put_keyring(2, [FIRST], [FIRST], contract="prakerja.keyring/2"), DoesNotFitError, "contract",
    ),
    "a member more": (lambda r: r.put_keyring(2, [FIRST], [FIRST], more=1), DoesNotFitError, "more"),
    "no key": (lambda r: r.put_keyring(2, [], [FIRST]), DoesNotFitError, "keys"),
    "a thousand keys": (lambda r: r.put_keyring(2, [FIRST] * 1000, [FIRST]), DoesNotFitError, "keys"),
    "a key that is none": (
        lambda r: r.put_keyring(2, [named("no key")], [FIRST]),
        PrakerjaError,
        "no Ed25519 key",
    ),
    "a key of an unknown kind": (
        lambda r: r.put_keyring(2, [named(UNKNOWN_KIND.decode())], [FIRST]),
        PrakerjaError,
        "no Ed25519 key",
    ),
    "no base64": (
        lambda r: r.put(file_name(2), canonical_json({"keyring": "no base64!", "signatures": {}})),
        DoesNotFitError,
        "no base64",
    ),
    "no ASCII": (
        lambda r: r.put(file_name(2), canonical_json({"keyring": "é", "signatures": {}})),
        DoesNotFitError,
        "no base64",
    ),
    "a signature that is none": (
        lambda r: r.put(file_name(2), canonical_json(ring_in(r, 2) | {"signatures": {FIRST.public.key_id: "é!"}})),
        UntrustedError,
        "signed by no key",
    ),
    "a signature by another's name": (
        lambda r: r.put(
            file_name(2),
            canonical_json(
                ring_in(r, 2)
                | {"signatures": {FIRST.public.key_id: ring_in(r, 2, STRANGER)["signatures"][STRANGER.public.key_id]}}
            ),
        ),
        UntrustedError,
        "signed by no key",
    ),
}  # fmt: skip


def named(public_key: str) -> RingKey:
    return RingKey(signing_key_id=FIRST.public.key_id, public_key=public_key, last_version=None)


def ring_in(repository: Repository, number: int, by: Any = FIRST) -> dict[str, Any]:
    repository.put_keyring(number, [FIRST], [by])
    return json.loads(repository.data(file_name(number)))


@pytest.mark.parametrize("ring", RINGS)
def test_a_keyring_that_does_not_follow_is_refused(reader: Reader, repository: Repository, ring: str) -> None:
    bend, error, said = RINGS[ring]
    repository.publish([301])
    bend(repository)
    with reader.refusing(error, said):
        reader.sync()


def test_a_keyring_after_a_gap_is_not_looked_for(reader: Reader, repository: Repository) -> None:
    repository.put_keyring(3, [SECOND], [FIRST])
    assert reader.sync().trusted.keyring == 1
    repository.restate(1, by=SECOND)
    with reader.refusing(UntrustedError, "not trusted here"):
        reader.sync()


def test_a_revocation_is_learnt_though_the_list_is_refused(reader: Reader, repository: Repository) -> None:
    """Whoever holds the stolen key cannot withhold it again."""
    repository.put_keyring(2, [SECOND], [FIRST], revoked=[FIRST])
    learnt = repository.data(file_name(2))
    with reader.refusing(UntrustedError, "was revoked"):
        reader.sync()
    repository.drop(file_name(2))
    repository.publish([301])
    with reader.refusing(UntrustedError, "was revoked"):
        reader.sync()
    repository.put(file_name(2), learnt)
    repository.restate(2, by=SECOND)
    assert reader.sync().trusted.signing_key_id == SECOND.public.key_id


def test_a_keyring_that_takes_back_a_revocation_is_refused(reader: Reader, repository: Repository) -> None:
    repository.put_keyring(2, [FIRST], [FIRST], revoked=[SECOND])
    reader.sync()
    repository.put_keyring(3, [FIRST], [FIRST])
    with reader.refusing(UntrustedError, "takes back"):
        reader.sync()
    repository.put_keyring(3, [FIRST, SECOND], [FIRST], revoked=[SECOND])
    repository.publish()
    repository.restate(2, by=SECOND)
    with reader.refusing(UntrustedError, "was revoked"):
        reader.sync()


def test_a_revoked_key_signs_no_keyring_though_one_names_it_still(anyone: Reader, repository: Repository) -> None:
    repository.put_keyring(2, [FIRST, SECOND], [FIRST], revoked=[FIRST])
    repository.put_keyring(3, [SECOND, STRANGER], [FIRST], revoked=[FIRST])
    repository.restate(2, by=STRANGER)
    with anyone.refusing(UntrustedError):
        anyone.sync()


def test_what_a_retired_key_signed_before_is_believed_and_nothing_later(
    newcomer: Reader, reader: Reader, repository: Repository
) -> None:
    repository.publish([301])
    repository.publish([302])
    repository.publish([303])
    retired_after_2 = ring_key(FIRST.public, 2)
    repository.put_keyring(2, [SECOND, retired_after_2], [FIRST, SECOND])
    with reader.refusing(UntrustedError, "was retired before it"):
        reader.sync()
    with newcomer.refusing(UntrustedError, "was retired before it"):
        newcomer.sync()
    repository.restate(3, by=SECOND)
    repository.restate(4, by=SECOND)
    assert reader.sync().how == "delta", "version 2 is the retired key's"
    repository.restate(3, by=FIRST)
    repository.point(2)
    assert newcomer.sync().trusted.signing_key_id == FIRST.public.key_id
    repository.point(4)
    assert newcomer.sync().how == "full", "version 3 is signed by a key that was retired before it"


def test_the_whole_list_is_fetched_where_a_delta_is_signed_by_a_revoked_key(
    reader: Reader, repository: Repository
) -> None:
    repository.announce(SECOND)
    repository.publish([301])
    repository.rotate()
    repository.publish([302])
    repository.revoke(FIRST)
    assert reader.sync().how == "full"
    assert reader.subjects() == subjects_of(repository)


def test_a_signing_key_can_be_changed_for_many_years(reader: Reader, repository: Repository) -> None:
    for year in range(30):
        repository.announce(signing_key(f"of year {year}"))
        repository.rotate()
        repository.publish([500 + year])
        assert reader.sync().trusted.signing_key_id == repository.signer.public.key_id


def test_a_reader_who_pinned_another_key_anew_begins_anew(
    reader: Reader, repository: Repository, tmp_path: Path
) -> None:
    repository.publish([301])
    reader.sync()
    lost = Repository(tmp_path / "after the loss")
    lost.signer = THIRD
    lost.publish([*PEOPLE, 302])
    reader.turn_to(lost)
    with reader.refusing(PrakerjaError):
        reader.sync()
    reader.client.pins = [THIRD.public]
    synced = reader.sync(lost.now)
    assert (synced.how, synced.trusted.version, synced.trusted.keyring) == ("full", 1, 1)
    assert {key.signing_key_id for key in synced.trusted.keys} == {THIRD.public.key_id}
    assert reader.subjects() == subjects_of(lost)
    lost.publish([303])
    assert reader.sync(lost.now).how == "delta"


def test_a_stale_pin_takes_no_list_of_its_own_once_it_was_followed(reader: Reader, repository: Repository) -> None:
    repository.announce(SECOND)
    repository.rotate()
    repository.publish([301])
    reader.sync()
    repository.restate(1, by=FIRST)
    repository.point(1)
    with reader.refusing(said="rollback"):
        reader.sync()


# -- a source that gives way -------------------------------------------------------------------------------------------

#: What lies between a reader of version 1 and the source.
JOURNEYS: dict[str, Callable[[Repository], Any]] = {
    "a version": lambda r: r.publish([301], [7]),
    "three versions": lambda r: [r.publish([301 + n], [7 + n]) for n in range(3)],
    "the whole list": lambda r: [r.publish([301], [7]), r.drop(delta_of(2))],
    "another key": lambda r: [r.announce(SECOND), r.rotate(), r.publish([301], [7]), r.revoke(FIRST)],
    "nothing": always(None),
    "a keyring": lambda r: r.announce(SECOND),
}


@pytest.mark.parametrize("journey", [*JOURNEYS, "everything"])
@pytest.mark.parametrize("some_bytes", [0, 20], ids=["at once", "in the middle of a file"])
def test_a_source_that_gives_way_anywhere_leaves_the_list_as_it_was(
    repository: Repository, tmp_path: Path, journey: str, some_bytes: int
) -> None:
    reader = Reader(tmp_path / "reader", repository)
    if journey != "everything":
        reader.sync()
        JOURNEYS[journey](repository)
    reader.source.breaks_after = some_bytes
    for place in itertools.count(1):
        reader.source.breaks_at = place
        try:
            synced = reader.sync()
        except UnreachableError:
            with reader.refusing(UnreachableError):
                reader.sync()
            continue
        except NotThereError:
            assert some_bytes
            assert reader.fetched[-1].startswith("keys/"), "which is not there, so that nothing of it comes"
            continue
        break
    assert place > len(reader.fetched) >= 4
    assert synced.trusted.version == repository.version
    assert reader.subjects() == subjects_of(repository)


def test_a_source_that_gives_way_once_at_a_delta_is_asked_for_the_whole_list(
    reader: Reader, repository: Repository
) -> None:
    repository.publish([301], [7])
    reader.source.breaks_at, reader.source.breaks_once = 5, True
    assert reader.sync().how == "full"
    assert reader.fetched[-2:] == [delta_of(2), snapshot_of(2)]


def test_what_is_refused_leaves_nothing_lying_about(anyone: Reader, repository: Repository) -> None:
    before = tree(anyone)
    repository.flip(snapshot_of(2))
    with anyone.refusing(said="tampered"):
        anyone.sync()
    assert [name for name in tree(anyone) if name != ".lock"] == [name for name in before if name != ".lock"]


def test_a_full_disk_leaves_the_list_as_it_was(
    anyone: Reader, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with anyone.refusing((OSError, PrakerjaError)):  # type: ignore[arg-type]
            anyone.sync()
    assert anyone.sync().trusted.version == 2
    assert tree(anyone) == clean_tree(anyone)


# -- another key of the subjects ---------------------------------------------------------------------------------------


@pytest.fixture
def reissued(repository: Repository) -> Repository:
    """Versions 1 and 2 under the old key of the subjects; version 3 under the new, and under the old beside it."""
    repository.publish([301], [7])
    repository.rotate_subjects(NEW_SUBJECTS)
    repository.publish([302], [8])
    return repository


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


# -- killed, and at once -----------------------------------------------------------------------------------------------

STEPS = ("fsync", "mkdir", "rename", "replace", "rmdir", "unlink")


def killed_at(step: int, job: Callable[[], Any]) -> bool:
    """Do a job in a child that is killed when it is about to change the disk for the n-th time; whether it was."""
    pid = os.fork()
    if pid:
        status = os.waitpid(pid, 0)[1]
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)
    steps = itertools.count(1)

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        return call

    try:
        for name in STEPS:
            setattr(os, name, dying(getattr(os, name)))
        job()
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.parametrize("journey", [*JOURNEYS, "everything"])
def test_a_reader_that_is_killed_anywhere_holds_the_old_list_or_the_new_one(
    origin: Reader, repository: Repository, tmp_path: Path, journey: str
) -> None:
    old = origin.subjects() if journey != "everything" else None
    JOURNEYS.get(journey, always(None))(repository)
    new = subjects_of(repository)
    for step in itertools.count(1):
        folder = tmp_path / f"reader {step}"
        reader = Reader(folder, repository) if old is None else origin.fork(folder, repository)
        was_killed = killed_at(step, reader.sync)
        trusted = reader.client.trusted()
        if trusted is None:
            assert old is None
        elif not trusted.is_revoked:
            assert reader.subjects() in (old, new)
        if not was_killed:
            break
        assert reader.sync().trusted.version == repository.version
        assert reader.subjects() == new
        assert tree(reader) == clean_tree(reader), f"killed at step {step}"
    assert step > (2 if journey in ("nothing", "a keyring") else 6)


def test_a_reader_that_is_killed_while_it_mends_its_list_tells_of_the_damage_or_has_mended_it(
    reader: Reader, repository: Repository, tmp_path: Path
) -> None:
    bend_own(reader, "subjects.bin", lambda data: data[:-32])
    for step in itertools.count(1):
        other = reader.fork(tmp_path / f"reader {step}", repository)
        was_killed = killed_at(step, other.sync)
        with contextlib.suppress(RefusedListError):
            assert other.subjects() == subjects_of(repository)
        if not was_killed:
            break
        other.sync()
        assert other.subjects() == subjects_of(repository)
        assert tree(other) == clean_tree(other), f"killed at step {step}"
    assert step > 6


@pytest.mark.parametrize("how", ["delta", "full"])
def test_a_list_is_on_the_disk_before_the_state_names_it(
    reader: Reader, repository: Repository, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    repository.publish([301], [7])
    if how == "full":
        repository.drop(delta_of(2))
    synced_until_then: list[int] = []
    synced, replace = [], os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))

    def replaced(*paths: Any) -> None:
        synced_until_then.extend(synced)
        replace(*paths)

    monkeypatch.setattr(os, "replace", replaced)
    assert reader.sync().how == how
    folder = reader.folder / reader.client.trusted().folder
    state = reader.folder / "trusted.json"
    for path in (state, folder / "subjects.bin", folder, reader.folder):  # the lines may get lost: they answer nobody
        assert path.stat().st_ino in synced_until_then, path.name
    assert synced[-1] == reader.folder.stat().st_ino, "a rename is on the disk once its folder is"


def test_clients_at_once_in_one_folder_end_at_the_same_list(reader: Reader, repository: Repository) -> None:
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(4)

    def follow() -> None:
        client = Client(reader.folder, [FIRST.public])
        for _ in range(5):
            barrier.wait(20)
            client.sync(repository.source, repository.now)

    for _ in range(2):
        repository.publish([400 + repository.version], [7 + repository.version])
        processes = [fork.Process(target=follow) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(30)
        assert [process.exitcode for process in processes] == [0] * 4
        assert reader.client.trusted().version == repository.version
        assert reader.subjects() == subjects_of(repository)
        assert tree(reader) == clean_tree(reader)


def test_a_list_that_is_exchanged_while_it_is_opened_is_opened(
    reader: Reader, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.publish([301], [7])
    real, other = Client.trusted, Reader(reader.folder, repository)

    def exchanged(client: Client) -> Any:
        found = real(client)
        if client is reader.client and found and found.version == 1:
            other.sync()
        return found

    monkeypatch.setattr(Client, "trusted", exchanged)
    assert list(reader.client.opened().subjects) == subjects_of(repository)


# -- damage in one's own folder ----------------------------------------------------------------------------------------

DAMAGE: dict[str, Callable[[bytes], bytes | None]] = {
    "a bit": flipped,
    "cut off": lambda data: data[:-32],
    "empty": always(b""),
    "gone": always(None),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_of_the_subjects_is_noticed_and_mended_by_the_next_sync(
    reader: Reader, repository: Repository, damage: str
) -> None:
    bend_own(reader, "subjects.bin", DAMAGE[damage])
    with pytest.raises(RefusedListError) as refused:
        reader.client.opened()
    assert refused.value.reason == "damaged"
    reader.sync()
    assert reader.subjects() == subjects_of(repository)


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_of_the_subjects_is_never_carried_into_a_trusted_list(
    reader: Reader, repository: Repository, damage: str
) -> None:
    bend_own(reader, "subjects.bin", DAMAGE[damage])
    repository.publish([301], [7])
    reader.sync()
    assert reader.subjects() == subjects_of(repository)


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_of_the_lines_is_mended_by_the_next_version(reader: Reader, repository: Repository, damage: str) -> None:
    bend_own(reader, "list.csv", DAMAGE[damage])
    reader.sync()
    repository.publish([301], [7])
    reader.sync()
    assert reader.subjects() == subjects_of(repository)
    assert reader.held()["list.csv"] == list_of(repository.listed())


@pytest.mark.parametrize("state", [b"", b"{}", b"[" * 100_000, b'{"version": 1}'])
def test_a_damaged_state_is_told_and_nothing_is_forgotten_over_it(
    reader: Reader, repository: Repository, state: bytes
) -> None:
    (reader.folder / "trusted.json").write_bytes(state)
    repository.publish([301])
    for do in (reader.client.trusted, reader.client.opened, reader.sync):
        with pytest.raises(DoesNotFitError, match="empty the folder"):
            do()
    assert (reader.folder / "trusted.json").read_bytes() == state


# -- anything at all ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Offered:
    """Version 3 is published, under a second key; `files` are all that a reader may ask for."""

    repository: Repository
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def offered(origin: Reader, memory: Path) -> Offered:
    """What a source offers, before it is bent."""
    repository = origin.repository.fork(memory / "offered")
    repository.announce(SECOND)
    repository.publish([301], [7])
    repository.rotate()
    repository.publish([302], [8])
    files = Shelf.of(repository.root).files
    return Offered(repository, {name: data for name, data in files.items() if not name.endswith(("parquet", "pem"))})


ANYTHING = settings(
    max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True
)


SPLINTERS = st.sampled_from(
    [b"\0", b"\n", b" ", b'"', b"\\", b"\\u0000", b"\\ud800", b"\xff", "é".encode(), "٣".encode(), b"{", b"[", b"]"]
) | st.binary(min_size=1, max_size=9)  # fmt: skip


@given(data=st.data(), is_new=st.booleans())
@ANYTHING
def test_whatever_the_source_offers_a_reader_holds_the_old_list_or_the_new_one(
    memory: Path, origin: Reader, offered: Offered, data: st.DataObject, is_new: bool
) -> None:
    source = Shelf(offered.files)
    for name in data.draw(st.lists(st.sampled_from(sorted(offered.files)), min_size=1, max_size=4, unique=True)):
        right = offered.files[name]
        place = data.draw(st.integers(0, len(right) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "drop", "insert", "swap"])):
            case "flip":
                source.files[name] = flipped(right, place)
            case "cut":
                source.files[name] = right[:place]
            case "drop":
                del source.files[name]
            case "insert":
                source.files[name] = right[:place] + data.draw(SPLINTERS) + right[place:]
            case "swap":
                source.files[name] = offered.files[data.draw(st.sampled_from(sorted(offered.files)))]
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        reader = Reader(Path(folder), offered.repository)
        if not is_new:
            shutil.copytree(origin.folder, folder, dirs_exist_ok=True)
        with contextlib.suppress(PrakerjaError):
            reader.client.sync(source, offered.repository.now)
        trusted = reader.client.trusted()
        if trusted is None:
            assert is_new
            return
        right = Manifest.model_validate_json(offered.files[manifest_of(trusted.version)])
        lines = reader.held()["list.csv"]
        assert client_module.sha256(lines) == trusted.result_sha256 == right.result_sha256
        if not trusted.is_revoked:
            assert b"".join(reader.subjects()) == Lines().subjects_of(lines)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["0000-00-00T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "0" * 64, "0" * 16]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def bent_somewhere(document: Any, data: st.DataObject) -> Any:
    """With something else in one place, however deep."""
    if not isinstance(document, dict | list) or not document or data.draw(st.integers(0, 3)) == 0:
        return data.draw(JSON)
    place = data.draw(st.sampled_from(sorted(document) if isinstance(document, dict) else range(len(document))))
    document[place] = bent_somewhere(document[place], data)
    return document


def json_bytes(document: Any) -> bytes:
    return json.dumps(document).encode("utf-8", "surrogatepass")


@given(what=st.sampled_from(["pointer", "manifest", "keyring", "signed keyring"]), data=st.data())
@ANYTHING
def test_whatever_a_document_says_it_is_taken_or_refused_in_one_line(
    memory: Path, origin: Reader, offered: Offered, what: str, data: st.DataObject
) -> None:
    source = Shelf(offered.files)
    match what:
        case "pointer":
            source.files[POINTER] = json_bytes(bent_somewhere(json.loads(offered.files[POINTER]), data))
        case "manifest":
            signed = json_bytes(bent_somewhere(json.loads(offered.files[manifest_of(3)]), data))
            pointer = json.loads(offered.files[POINTER]) | {"sha256": client_module.sha256(signed)}
            source.files |= {manifest_of(3): signed, signature_of(3): SECOND.signature(signed)}
            source.files[POINTER] = json_bytes(pointer)
        case "keyring":
            name = data.draw(st.sampled_from([file_name(2), file_name(3)]))
            source.files[name] = json_bytes(bent_somewhere(json.loads(offered.files[name]), data))
        case "signed keyring":
            ring = json.loads(base64.b64decode(json.loads(offered.files[file_name(2)])["keyring"]))
            signed = json_bytes(bent_somewhere(ring, data))
            source.files[file_name(2)] = json_bytes(
                {
                    "keyring": base64.b64encode(signed).decode(),
                    "signatures": {FIRST.public.key_id: FIRST.signature(signed).decode().strip()},
                }
            )
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        shutil.copytree(origin.folder, folder, dirs_exist_ok=True)
        client = Client(Path(folder), [FIRST.public])
        with contextlib.suppress(PrakerjaError):
            client.sync(source, offered.repository.now)
        assert client.opened().trusted.freshness(offered.repository.now).version in (1, 3)


# -- what else lies in a reader's folder -------------------------------------------------------------------------------


def test_a_folder_that_holds_other_files_is_left_alone(newcomer: Reader) -> None:
    (newcomer.folder / "venv").mkdir(parents=True)
    (newcomer.folder / "venv" / "kept").write_text("kept")
    (newcomer.folder / "vault.kdbx").write_text("kept")
    before = tree(newcomer)
    with pytest.raises(PrakerjaError, match="a folder of its own"):
        newcomer.sync()
    assert tree(newcomer) == before


def test_what_another_lays_there_meanwhile_is_left_alone(reader: Reader, repository: Repository) -> None:
    class Slow(Watched):
        def chunks(self, name: str, bytes_max: int) -> Iterator[bytes]:
            (reader.folder / "vault.kdbx").write_text("kept")
            return super().chunks(name, bytes_max)

    repository.publish([301], [7])
    reader.client.sync(Slow(repository.source), repository.now)
    assert (reader.folder / "vault.kdbx").read_text() == "kept"
    assert reader.subjects() == subjects_of(repository)


def test_the_published_folder_is_no_readers(newcomer: Reader, repository: Repository) -> None:
    newcomer.client.folder = repository.root
    before = {path: path.read_bytes() for path in repository.root.rglob("*") if path.is_file()}
    with pytest.raises(PrakerjaError, match="a folder of its own"):
        newcomer.client.sync(repository.source, repository.now)
    assert {path: path.read_bytes() for path in repository.root.rglob("*") if path.is_file()} == before


def test_a_folder_that_is_a_file_is_one_line(newcomer: Reader) -> None:
    newcomer.folder.parent.mkdir()
    newcomer.folder.write_text("a file")
    with pytest.raises(PrakerjaError, match="cannot be written"):
        newcomer.sync()


def test_another_sync_of_the_folder_is_waited_for_and_not_for_ever(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "PATIENCE_SECONDS", 0.2)
    with reader.client._alone(), pytest.raises(TransientError, match="another sync"):
        reader.sync()
    assert reader.sync().how == "unchanged"


# -- after a theft -----------------------------------------------------------------------------------------------------


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


# -- the service as a source -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def answering(*pieces: bytes, pause: float = 0.0) -> Iterator[Service]:
    """A server that answers whatever it is asked with these bytes, and pauses between them."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(65536)
                        for piece in pieces:
                            connection.sendall(piece)
                            time.sleep(pause)

        threading.Thread(target=serve, daemon=True).start()
        yield Service(f"http://127.0.0.1:{listening.getsockname()[1]}", "id.secret")


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_source_that_plays_for_time_is_given_up(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setattr(Service, "SECONDS_AT_LEAST", 0.5)
    begin = OK + b"x: " if where == "head" else OK + b"content-length: 1000\r\n\r\n"
    begun = time.monotonic()
    with answering(begin, *[b"x"] * 100, pause=0.1) as source, pytest.raises(UnreachableError, match="too slowly"):
        read(source, POINTER, 1000)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (OK + b"content-length: 5000\r\n\r\n" + b"x" * 5000, TooLargeError),
        (OK + b"transfer-encoding: chunked\r\n\r\n" + b"ff\r\n" + b"x" * 255 + b"\r\n" * 1, UnreachableError),
        (OK + b"content-length: 500\r\n\r\n" + b"x" * 100, UnreachableError),
        (OK + b"x: " + b"x" * 100_000 + b"\r\n\r\n", UnreachableError),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n", UnreachableError),
        (b"HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n", UnreachableError),
        (b"HTTP/1.1 404 no\r\ncontent-length: 0\r\n\r\n", NotThereError),
        (b"this is no HTTP\r\n\r\n", UnreachableError),
        (b"", UnreachableError),
    ],
    ids=["too large", "chunks that break off", "short", "a long header", "elsewhere", "defect", "gone", "no HTTP", ""],
)
def test_what_a_service_may_answer_is_an_error_of_ours(answer: bytes, error: type[Exception]) -> None:
    with answering(answer) as source, pytest.raises(error):
        read(source, POINTER, 1000)


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip"])
def test_what_is_packed_is_not_unpacked_before_it_is_measured(encoding: str) -> None:
    packed = gzip.compress(gzip.compress(bytes(200_000_000), 9), 9)
    head = f"content-encoding: {encoding}\r\ncontent-length: {len(packed)}\r\n\r\n".encode()
    with answering(OK + head + packed) as source:
        assert read(source, POINTER, 10_000) == packed


@pytest.mark.parametrize("url", ["http://[::1", "http://a..b", "http://", "http://127.0.0.1:99999"])
def test_a_url_that_is_none_is_one_line(url: str) -> None:
    with pytest.raises(PrakerjaError):
        read(Service(url, "id.secret"), POINTER, 1000)


def test_a_pipe_is_no_file_of_a_list(reader: Reader, repository: Repository) -> None:
    repository.drop(POINTER)
    os.mkfifo(repository.root / POINTER)
    with reader.refusing(NotThereError):
        reader.sync()


# -- a reader that reacts ----------------------------------------------------------------------------------------------


def test_a_registration_refuses_who_is_listed_and_takes_up_again_who_no_longer_is(
    reader: Reader, repository: Repository, tmp_path: Path
) -> None:
    registration = Registration(tmp_path / "registration.sqlite")
    key = repository.subject_keys[0]
    for nik in (7, 8, 999):
        registration.apply(key.subject(f"{nik:016d}"), key.key_id)
    assert registration.react(reader.client.opened(), repository.now) == {
        "refused": 2, "taken_up_again": 0, "under_another_key": 0,
    }  # fmt: skip
    repository.publish([999], [7])
    reader.sync()
    counts = {"refused": 1, "taken_up_again": 1, "under_another_key": 0}
    assert registration.react(reader.client.opened(), repository.now) == counts
    assert registration.react(reader.client.opened(), repository.now) == dict.fromkeys(counts, 0)
    assert sorted(registration.states().values()) == ["open", "refused", "refused"]
    late = repository.now + timedelta(days=30)
    registration.apply(key.subject(f"{9:016d}"), key.key_id)
    assert registration.react(reader.client.opened(), late) == dict.fromkeys(counts, 0), "an expired list hides much"


def test_a_new_key_of_the_subjects_takes_nobody_up_again(repository: Repository, tmp_path: Path) -> None:
    old, new = repository.subject_keys[0], NEW_SUBJECTS
    reader = Reader(tmp_path / "reader", repository, subject_keys=[new, old])
    reader.sync()
    registration = Registration(tmp_path / "registration.sqlite")
    registration.apply(old.subject(f"{7:016d}"), old.key_id)
    registration.react(reader.client.opened(), repository.now)
    repository.rotate_subjects(new)
    repository.publish()
    assert reader.sync().trusted.key_id == new.key_id
    counts = {"refused": 0, "taken_up_again": 0, "under_another_key": 1}
    assert registration.react(reader.client.opened(), repository.now) == counts
    assert list(registration.states().values()) == ["refused"]
