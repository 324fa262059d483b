"""Files that survive a power cut, and files that are mapped rather than read. No link is followed to any of them."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HAS_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class NotRegularError(OSError):
    """What has the name of a file is a folder, a pipe, a device, or a link where none is followed."""


def open_regular(path: str | os.PathLike[str], *, folder: int | None = None, follows_links: bool = False) -> Any:
    """Open a regular file for reading, below an open `folder` if one is given. Raise `NotRegularError` or `OSError`.

    A pipe would be waited for without end, and a device might never end.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follows_links else os.O_NOFOLLOW)
    try:
        handle = os.open(path, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link; a socket
            raise NotRegularError(error.errno, "it is no regular file", os.fspath(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotRegularError(errno.EINVAL, "it is no regular file", os.fspath(path))
    return os.fdopen(handle, "rb")


def open_new(path: str | os.PathLike[str], *, folder: int | None = None, mode: int = 0o600) -> Any:
    """Open a new file for writing, below an open `folder` if one is given.

    Raise `FileExistsError` if anything has that name, a link that leads nowhere too.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, mode, dir_fd=folder), "wb")


@contextlib.contextmanager
def open_durable(path: str | os.PathLike[str], *, folder: int | None = None, mode: int = 0o600) -> Iterator[Any]:
    """Open a new file for writing, as `open_new` does. It is on the disk when the block ends."""
    with open_new(path, folder=folder, mode=mode) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file in place of the one before, durably: others see one or the other. Raise `OSError`.

    A killed writer leaves `.NAME.` and sixteen hex digits behind.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open_durable(aside, mode=mode) as file:
            file.write(data)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def name_new(aside: str | os.PathLike[str], path: str | os.PathLike[str], *, folder: int | None = None) -> None:
    """Give a file that was written aside its name too, or instead where a file system has no hard links.

    Both are below an open `folder` if one is given. Raise `FileExistsError` if anything has that name, and `OSError`.
    """
    try:
        os.link(aside, path, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in HAS_NO_HARD_LINKS:
            raise
        with contextlib.suppress(FileNotFoundError):
            os.stat(path, dir_fd=folder, follow_symlinks=False)
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(path)) from None
        os.rename(aside, path, src_dir_fd=folder, dst_dir_fd=folder)


def sync_folder(folder: Path) -> None:
    """Write a folder's entries to the disk. A rename is durable only then."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def map_opened(file: Any) -> Any:
    """Return the bytes of an open file, mapped: they are read from the disk as they are used."""
    if os.fstat(file.fileno()).st_size == 0:
        return b""
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
