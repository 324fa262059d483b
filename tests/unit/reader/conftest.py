"""A published list of three hundred people, and readers that have synced it or not."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from prakerja_blacklist import cli
from prakerja_blacklist.format.contract import CONTRACTS
from prakerja_blacklist.reader import witnesses
from prakerja_blacklist.reader.static_source import StaticSource
from tests.support.later_contract import LATER
from tests.support.reader_sources import Shelf
from tests.support.root_keys import endorse, put_root, root_of
from tests.support.simulated_publisher import Repository, delta_of
from tests.support.simulated_reader import FIRST, NEW_SUBJECTS, PEOPLE, SECOND, STRANGER, Offered, Reader, always
from tests.support.witnesses import Court, Desk

MEMORY = Path("/dev/shm")  # noqa: S108 - where folders of their own are made


@pytest.fixture(scope="package")
def memory() -> Iterator[Path]:
    """A folder in memory, where there is one: five hundred publishers and their readers are many files."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def tmp_path(memory: Path) -> Iterator[Path]:
    """The test's own folder."""
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture(scope="package")
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
def knowing_later_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    """This release knows a later contract too."""
    monkeypatch.setitem(CONTRACTS, LATER.name, LATER)


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


@pytest.fixture
def rooted(repository: Repository) -> Repository:
    """Version 1, and root 1 (two of three people), which has endorsed its keyring."""
    put_root(repository, 1)
    endorse(repository)
    return repository


@pytest.fixture
def follower(rooted: Repository, tmp_path: Path) -> Reader:
    """A reader that pins root 1, and has synced version 1."""
    follower = Reader(tmp_path / "follower", rooted, pins=(), root=root_of(rooted))
    follower.sync()
    return follower


@pytest.fixture(params=["new", "following"])
def anyone(request: pytest.FixtureRequest, newcomer: Reader, reader: Reader, repository: Repository) -> Reader:
    """Version 2 is published: a reader that has synced nothing yet, or one of version 1 whom no delta helps."""
    repository.publish([301], [7])
    repository.drop(delta_of(2))
    return newcomer if request.param == "new" else reader


@pytest.fixture
def reissued(repository: Repository) -> Repository:
    """Versions 1 and 2 under the old key of the subjects; version 3 under the new, and under the old beside it."""
    repository.publish([301], [7])
    repository.rotate_subjects(NEW_SUBJECTS)
    repository.publish([302], [8])
    return repository


@pytest.fixture(scope="package")
def offered(origin: Reader, memory: Path) -> Offered:
    """What a source offers, before it is bent."""
    repository = origin.repository.fork(memory / "offered")
    repository.announce(SECOND)
    repository.publish([301], [7])
    repository.rotate()
    repository.publish([302], [8])
    files = Shelf.of(repository.root).files
    return Offered(repository, {name: data for name, data in files.items() if not name.endswith(("parquet", "pem"))})


@pytest.fixture
def thief(repository: Repository, tmp_path: Path) -> Repository:
    """A list of a stranger's, that lists others, and whose keyring says that the publisher's key signs too."""
    other = Repository(tmp_path / "thief", has_keyrings=False)
    other.signer = STRANGER
    other.put_keyring(1, [STRANGER, FIRST], [STRANGER])
    other.publish(range(900, 1200))
    return other


@pytest.fixture
def chained(tmp_path: Path) -> Repository:
    """Version 1, with three hundred people and a chain file."""
    made = Repository(tmp_path / "chained", has_chains=True)
    made.publish(PEOPLE)
    return made


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A witness that has seen nothing yet."""
    return Desk.at(tmp_path, "ombudsman")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No witness is waited for long."""
    monkeypatch.setattr(witnesses, "ASK_SECONDS", 3.0)
    monkeypatch.setattr(StaticSource, "SECONDS_AT_LEAST", 1.0)


@pytest.fixture
def court(chained: Repository, tmp_path: Path, impatient: None) -> Court:
    """Two witnesses, and a reader that asks for both, all of them at version 1."""
    return Court(tmp_path, chained)


@pytest.fixture
def witness_arguments(chained: Repository, tmp_path: Path) -> list[str]:
    """A witness's command, over a list of one version."""
    (tmp_path / "pin.pem").write_bytes(FIRST.public.pem)
    assert cli.run(["witness-key", str(tmp_path / "witness.pem")]) == 0
    return [
        "witness", str(tmp_path / "own"), "--from", str(chained.folder), "--pin", str(tmp_path / "pin.pem"),
        "--key", str(tmp_path / "witness.pem"), "--out", str(tmp_path / "out"),
    ]  # fmt: skip
