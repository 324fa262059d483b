"""A source that gives way, or a full disk, at any place leaves the list as it was."""

from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path

import pytest

from prakerja.errors import PrakerjaError
from prakerja_blacklist.reader.sources import NotThereError, UnreachableError
from tests.support.simulated_publisher import Repository, delta_of, snapshot_of
from tests.support.simulated_reader import JOURNEYS, Reader, clean_tree, subjects_of, tree


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
