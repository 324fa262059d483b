"""Writing a published folder: each file there whole or not at all, here or in an object storage."""

from __future__ import annotations

import os
from pathlib import Path

from upath import UPath

from prakerja.blacklist.reader.sources import LOCAL, UnreachableError
from prakerja.errors import PrakerjaError

PUT_BYTES_MAX = 4 << 30  # S3 takes five gigabytes at once


def write_whole(path: UPath, data: bytes) -> None:
    """Write a file so that it is there whole or not at all (an object storage's put is that already).

    Raises `PrakerjaError`; for an object storage `UnreachableError`, since trying again may do.
    """
    if path.protocol not in LOCAL:
        try:
            if "s3" in path.protocol:
                # In one request, whatever the size: an upload in parts that breaks off leaves them lying there, unseen.
                path.fs.pipe_file(path.path, data, chunksize=PUT_BYTES_MAX)
            else:
                path.write_bytes(data)
        except Exception as error:  # an object storage's client has errors of its own
            raise UnreachableError(_told(path, type(error).__name__)) from None
        return
    try:
        local = Path(path.path)  # of a file:// URL, too
        local.parent.mkdir(parents=True, exist_ok=True)
        aside = local.with_name(f".{local.name}.{os.getpid()}.tmp")
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, local)  # noqa: PTH105 - the tests count these
        sync_folder(local.parent)
    except OSError as error:
        raise PrakerjaError(_told(path, error.strerror or type(error).__name__)) from None


def clear_leftovers(root: UPath) -> None:
    """Take away what writers that died have left half written: below this folder, and beside it under earlier keys."""
    if root.protocol not in LOCAL:
        return
    here = Path(root.path)
    for folder in (here, *here.parent.glob(f"{here.name}-*")):
        for leftover in folder.rglob(".*.tmp"):
            leftover.unlink(missing_ok=True)


def _told(path: UPath, why: str) -> str:
    return f"{path} cannot be written ({why}): check PRAKERJA_PUBLISH; the list before stays in force"


def sync_folder(folder: Path) -> None:
    """A rename is on the disk once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
