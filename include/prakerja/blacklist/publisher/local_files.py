"""Files of a published folder on this machine, below a root that others may write to.

Each folder on the way is opened by itself, below the one before. So no link below the root leads out of it, also if it
is laid there meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from prakerja.errors import PrakerjaError
from prakerja_blacklist.reader.durable_files import NotRegularError, name_new, open_durable, open_regular
from prakerja_blacklist.reader.sources import NotThereError, bounded_chunks

#: What a killed writer leaves half written. Earlier versions named it by their process.
LEFTOVER = re.compile(r"\..+\.([0-9a-f]{16}|[0-9]+)\.tmp", re.DOTALL)


class OtherFileError(PrakerjaError):
    """Something else lies under a name that is written once."""


class LinkError(PrakerjaError):
    """A link, or something else that is no folder, lies on the way to a file."""


def create(root: Path, name: str, data: bytes) -> bool:
    """Write a file that is there whole or not at all, and never over another. Return False if it is there already.

    Raise `OtherFileError` or `LinkError` if something else lies there, and `OSError`.
    """
    *folders, last = name.split("/")
    with _opened(root, folders, makes=True) as folder:
        if _has(root, name, folder, data):
            return False
        with _aside(folder, last, data) as aside:
            try:
                put_in_place(root, name, folder, aside)
            except FileExistsError:  # another publisher's, meanwhile
                return not _has(root, name, folder, data)
        os.fsync(folder)
    return True


def replace(root: Path, name: str, data: bytes) -> None:
    """Write a file in place of the one before: others see one or the other. Raise `LinkError` or `OSError`."""
    *folders, last = name.split("/")
    with _opened(root, folders, makes=True) as folder:
        with _aside(folder, last, data) as aside:
            put_in_place(root, name, folder, aside, replaces=True)
        os.fsync(folder)


def chunks(root: Path, name: str, bytes_max: int) -> Iterator[bytes]:
    """Yield a file's bytes, through no link. Raise `NotThereError`, `OtherFileError`, `TooLargeError` or `OSError`."""
    *folders, last = name.split("/")
    try:
        with _opened(root, folders) as folder, open_regular(last, folder=folder) as file:
            yield from bounded_chunks(file, name, bytes_max)
    except FileNotFoundError:
        raise NotThereError(f"{name} is not there") from None
    except NotRegularError:
        raise OtherFileError(not_ours(root / name)) from None


def set_aside(root: Path, name: str, into: str) -> str | None:
    """Move a file below the folder `into` of the same root, or the link that is in the place of a folder on its way.

    Return the name of what was moved, or None if nothing is there. Raise `LinkError` or `OSError`.
    """
    parts = name.split("/")
    for depth, part in enumerate(parts):
        with contextlib.suppress(FileNotFoundError), _opened(root, parts[:depth]) as folder:
            found = os.stat(part, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode) and depth < len(parts) - 1:
                continue
            with _opened(root, [*into.split("/"), *parts[:depth]], makes=True) as there:
                os.rename(part, part, src_dir_fd=folder, dst_dir_fd=there)
                os.fsync(there)
            os.fsync(folder)
            return "/".join(parts[: depth + 1])
        return None
    return None


def remove_leftovers(root: Path, folder_name: str) -> None:
    """Remove what killed writers have left half written in a folder of the root and below it."""
    with contextlib.suppress(FileNotFoundError, LinkError), _opened(root, [folder_name]) as top:
        for _, _, names, folder in os.fwalk(".", dir_fd=top):
            for name in filter(LEFTOVER.fullmatch, names):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)


def put_in_place(root: Path, name: str, folder: int, aside: str, *, replaces: bool = False) -> None:  # noqa: ARG001
    """Give a file that was written aside its name. Raise `FileExistsError` if it is not to replace another one."""
    last = name.rpartition("/")[2]
    if replaces:
        os.replace(aside, last, src_dir_fd=folder, dst_dir_fd=folder)
        return
    name_new(aside, last, folder=folder)


@contextlib.contextmanager
def _opened(root: Path, folders: Sequence[str], *, makes: bool = False) -> Iterator[int]:
    """Open a folder below the root, and make those on the way that are missing."""
    if makes:
        root.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    opened = os.open(root, flags)
    try:
        for depth, part in enumerate(folders, 1):
            if makes:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=opened)
                    os.fsync(opened)
            try:
                below = os.open(part, flags | os.O_NOFOLLOW, dir_fd=opened)
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
                raise LinkError(
                    f"{root.joinpath(*folders[:depth])} is a link or no folder, and nothing is written through it: "
                    "find out who has laid it there, and remove it"
                ) from None
            os.close(opened)
            opened = below
        yield opened
    finally:
        os.close(opened)


@contextlib.contextmanager
def _aside(folder: int, last: str, data: bytes) -> Iterator[str]:
    """Write a file under a name that nobody can guess, and remove that name in the end."""
    name = f".{last}.{secrets.token_hex(8)}.tmp"
    try:
        with open_durable(name, folder=folder, mode=0o666) as file:
            file.write(data)
        yield name
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)


def _has(root: Path, name: str, folder: int, data: bytes) -> bool:
    """Return whether a file of these bytes is there, or nothing. Raise `OtherFileError` if it is anything else."""
    last = name.rpartition("/")[2]
    try:
        found = os.stat(last, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if stat.S_ISREG(found.st_mode) and found.st_size == len(data):
        with open_regular(last, folder=folder) as file:
            if file.read(len(data) + 1) == data:
                return True
    raise OtherFileError(not_ours(root / name))


def not_ours(path: object) -> str:
    """Return the line that says of a file that another one lies in its place."""
    return (
        f"{path} is not what this warehouse has published, and is not written over: find out who has changed it; "
        "`prakerja blacklist restore` puts it aside, and writes what was published"
    )
