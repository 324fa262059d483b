"""Files that others see whole or not at all, however many processes write them at once.

A file is written under a name of its own beside its target, and then renamed. The name is random: a process id is not
unique, since the containers that share a volume each count their own. A killed writer leaves its hidden file behind,
which no reader of a folder takes for one of the folder's files.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from prakerja_blacklist.reader.durable_files import sync_folder

LEFT_SECONDS = 3600


@contextlib.contextmanager
def open_replacement(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Open a file for writing that replaces `path`, durably, when the block ends. An error leaves `path` as it was.

    The umask restricts `mode`.
    """
    with _new_file(path, mode) as (aside, file):
        yield file
        _flush(file)
        aside.replace(path)
    sync_folder(path.parent)


def create(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file, durably, unless it exists: of several processes at once, one writes it."""
    with _new_file(path, mode) as (aside, file):
        file.write(data)
        _flush(file)
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    sync_folder(path.parent)


@contextlib.contextmanager
def make_folder_beside(path: Path) -> Iterator[Path]:
    """Create a private folder, to be filled and then renamed to `path`. What is left of it at the end is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = _name_beside(path)
    aside.mkdir(mode=0o700)
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove files that a killed writer has left: those of a pattern that nobody has written to for an hour."""
    for path in folder.glob(pattern):
        with contextlib.suppress(FileNotFoundError):  # another process removes them too, or has finished the file
            if time.time() - path.lstat().st_mtime > LEFT_SECONDS:
                path.unlink()


@contextlib.contextmanager
def _new_file(path: Path, mode: int) -> Iterator[tuple[Path, BinaryIO]]:
    aside = _name_beside(path)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        try:
            yield aside, file
        finally:
            aside.unlink(missing_ok=True)


def _name_beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
