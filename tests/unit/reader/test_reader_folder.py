"""A reader's own folder: written in the right order, damaged, shared, or not its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from prakerja.errors import PrakerjaError, TransientError
from prakerja_blacklist.format.documents import DoesNotFitError
from prakerja_blacklist.reader import sync
from prakerja_blacklist.reader.own_folder import lock_folder
from prakerja_blacklist.reader.sync import Client
from prakerja_blacklist.reader.verification import RefusedListError
from tests.support.reader_sources import Watched
from tests.support.simulated_publisher import Repository, delta_of, flipped, list_of
from tests.support.simulated_reader import Reader, always, bend_own, subjects_of, tree

# -- killed, and at once -----------------------------------------------------------------------------------------------


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
    assert list(reader.client.open_list().subjects) == subjects_of(repository)


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
        reader.client.open_list()
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
    for do in (reader.client.trusted, reader.client.open_list, reader.sync):
        with pytest.raises(DoesNotFitError, match="empty the folder"):
            do()
    assert (reader.folder / "trusted.json").read_bytes() == state


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
    monkeypatch.setattr(sync, "PATIENCE_SECONDS", 0.2)
    with lock_folder(reader.folder, 1), pytest.raises(TransientError, match="another sync"):
        reader.sync()
    assert reader.sync().how == "unchanged"
