"""Files that are whole or not there, whoever writes them at once: threads stand for containers with one process id."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from prakerja import atomic_files

WRITERS, ROUNDS = 8, 25


def at_once(write: Callable[[int], Any]) -> list[Any]:
    """Return what `write` returned to each of the writers, which begin together."""
    barrier = Barrier(WRITERS)

    def begin(writer: int) -> Any:
        barrier.wait(60)
        return write(writer)

    with ThreadPoolExecutor(WRITERS) as writers:
        return list(writers.map(begin, range(WRITERS)))


def replace_with(path: Path, text: str) -> None:
    with atomic_files.open_replacement(path) as file:
        for character in text:
            file.write(character.encode())


def test_writers_with_one_process_id_replace_a_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    for _ in range(ROUNDS):
        at_once(lambda writer: replace_with(path, 200 * str(writer)))
        assert path.read_text() in {200 * str(writer) for writer in range(WRITERS)}
    assert list(tmp_path.iterdir()) == [path]


def test_of_writers_that_create_a_file_at_once_one_does(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        path = tmp_path / str(number)

        def create(writer: int, path: Path = path) -> bytes:
            atomic_files.create(path, 200 * str(writer).encode())
            return path.read_bytes()

        assert len(set(at_once(create))) == 1, "each reads the same whole file"
    assert len(list(tmp_path.iterdir())) == ROUNDS


def test_writers_with_one_process_id_fill_folders_at_once(tmp_path: Path) -> None:
    path = tmp_path / "into" / "backup"

    def fill(writer: int) -> bool:
        with atomic_files.make_folder_beside(path) as aside:
            assert stat.S_IMODE(aside.stat().st_mode) == 0o700
            (aside / "file").write_text(str(writer))
            try:
                aside.rename(path)
            except OSError:
                return False
            return True

    filled = at_once(fill)
    assert filled.count(True) == 1
    assert (path / "file").read_text() == str(filled.index(True))
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("before", ["before", None])
def test_an_error_leaves_what_was_there(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "people.yaml"
    if before:
        path.write_text(before)
    with pytest.raises(TypeError), atomic_files.open_replacement(path) as file:
        file.writelines([b"half", None])  # type: ignore[list-item]
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == ({"people.yaml": before} if before else {})


@pytest.mark.parametrize(
    ("umask", "mode", "result"),
    [(0o022, 0o666, 0o644), (0o027, 0o666, 0o640), (0o077, 0o666, 0o600), (0o022, 0o600, 0o600)],
)
def test_the_umask_says_who_may_read(tmp_path: Path, umask: int, mode: int, result: int) -> None:
    before = os.umask(umask)
    try:
        with atomic_files.open_replacement(tmp_path / "replaced", mode):
            pass
        atomic_files.create(tmp_path / "created", b"", mode)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()] == [result, result]


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def flush(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else f"{os.fstat(handle).st_size} bytes")

    for name in ("replace", "link"):
        monkeypatch.setattr(os, name, _noted(getattr(os, name), done, name))
    monkeypatch.setattr(os, "fsync", flush)
    replace_with(tmp_path / "replaced", "text")
    atomic_files.create(tmp_path / "created", b"bytes")
    assert done == ["4 bytes", "replace", "folder", "5 bytes", "link", "folder"]


def _noted(call: Callable[..., Any], done: list[str], name: str) -> Callable[..., Any]:
    def note(*arguments: Any) -> Any:
        done.append(name)
        return call(*arguments)

    return note


@pytest.mark.parametrize(("age", "is_left"), [(atomic_files.LEFT_SECONDS + 60, False), (60, True)])
def test_what_a_killed_writer_left_is_removed_after_an_hour(tmp_path: Path, age: float, is_left: bool) -> None:
    left, others = tmp_path / ".0a1b.new", [tmp_path / "0a1b", tmp_path / ".0a1b.old"]
    for path in (left, *others):
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    (tmp_path / ".elsewhere.new").symlink_to(tmp_path / "nothing")
    atomic_files.remove_leftovers(tmp_path, ".*.new")
    assert (left.exists(), [path.exists() for path in others]) == (is_left, [True, True])
    assert (tmp_path / ".elsewhere.new").is_symlink()
    atomic_files.remove_leftovers(tmp_path / "not there", "*.new")
