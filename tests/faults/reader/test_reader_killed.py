"""A reader that is killed at any step, and readers at once in one folder."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
from pathlib import Path

import pytest

from prakerja_blacklist.reader.sync import Client
from prakerja_blacklist.reader.verification import RefusedListError
from tests.support.killed_child import killed_at
from tests.support.simulated_publisher import Repository
from tests.support.simulated_reader import FIRST, JOURNEYS, Reader, always, bend_own, clean_tree, subjects_of, tree


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


def test_a_reader_killed_while_it_repairs_its_list_reports_the_damage_or_has_repaired_it(
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


def test_clients_at_once_in_one_folder_end_at_the_same_list(reader: Reader, repository: Repository) -> None:
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(4)

    def follow() -> None:
        client = Client(reader.folder, [FIRST.public])
        for _ in range(5):
            barrier.wait(600)
            client.sync(repository.source, repository.now)

    for _ in range(2):
        repository.publish([400 + repository.version], [7 + repository.version])
        processes = [fork.Process(target=follow) for _ in range(4)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(600)
        assert [process.exitcode for process in processes] == [0] * 4
        assert reader.client.trusted().version == repository.version
        assert reader.subjects() == subjects_of(repository)
        assert tree(reader) == clean_tree(reader)
