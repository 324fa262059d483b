"""A reader's own folder. What lies there is trusted without a signature, so nobody else may be able to write there.

A file that others may write is one all the same if nobody else can reach it: a folder that is closed to others counts,
whatever mode a umask has given to the files in it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prakerja_blacklist.errors import PrakerjaError, TransientError
from prakerja_blacklist.reader.durable_files import NotRegularError, map_opened, open_regular

LOCK = ".lock"
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def require_own_folder(folder: Path) -> None:
    """Raise `PrakerjaError` if others may write into a folder, or have made it. One that is not there is nobody's."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        found = folder.stat()
        _require_own(found, folder)
        if found.st_mode & OTHERS_WRITE:
            raise PrakerjaError(_open_to_others(folder, found))


def open_own_file(path: Path) -> Any:
    """Open a file of one's own for reading. Raise `PrakerjaError` if others may write it, and `OSError`."""
    try:
        file = open_regular(path)
    except NotRegularError:
        raise PrakerjaError(f"{path} is a link, or no file: find out who has laid it there, and remove it") from None
    found = os.fstat(file.fileno())
    try:
        _require_own(found, path)
        is_closed = not path.parent.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        if found.st_mode & OTHERS_WRITE and not is_closed:
            raise PrakerjaError(_open_to_others(path, found))
    except BaseException:
        file.close()
        raise
    return file


def map_own_file(path: Path) -> Any:
    """Return a file of one's own, mapped: it is read from the disk as it is used. Raise as `open_own_file` does."""
    with open_own_file(path) as file:
        return map_opened(file)


@contextlib.contextmanager
def lock_folder(folder: Path, patience_seconds: float) -> Iterator[None]:
    """Hold the folder's lock. Raise `TransientError` if another sync holds it for longer than that, and `OSError`."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(folder / LOCK, flags, 0o600)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise PrakerjaError(f"{folder / LOCK} is a link: find out who has laid it there, and remove it") from None
    try:
        _require_own(os.fstat(handle), folder / LOCK)
        patience = time.monotonic() + patience_seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > patience:
                    raise TransientError(f"another sync of {folder} is running: wait for it") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def _require_own(found: os.stat_result, path: Path) -> None:
    if found.st_uid not in (os.geteuid(), 0):
        raise PrakerjaError(
            f"{path} belongs to another user (uid {found.st_uid}), who may have laid a list there: give the reader a "
            "folder of its own"
        )


def _open_to_others(path: Path, found: os.stat_result) -> str:
    return (
        f"others may write {path} (mode {stat.S_IMODE(found.st_mode):04o}): empty the folder if somebody may have, and "
        "take that right away (chmod go-w)"
    )
