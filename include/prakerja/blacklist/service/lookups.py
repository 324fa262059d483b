"""The record of lookups: by which key, how many people, and how many of them were listed. Never who.

A lookup is written to a file beside the service before its answer leaves, and later loaded into the warehouse. A killed
service or an absent warehouse loses none, and a line of a spool is one row, however often it is loaded.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import mmap
import os
import secrets
import time
from pathlib import Path

from prakerja import warehouse
from prakerja.atomic_files import remove_leftovers
from prakerja.errors import PrakerjaError, TransientError

log = logging.getLogger(__name__)

SPOOL_BYTES = 16 << 20
LOAD_BYTES_MAX = 1 << 20  # in one statement


class _Spool:
    """A file of lines, of its full size from the start and mapped: a line outlives the process as it is written."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{secrets.token_hex(8)}.spool"
        aside = self.path.with_suffix(".new")  # no service loads it before it is locked
        with aside.open("xb+") as file:
            os.fchmod(file.fileno(), 0o600)
            try:
                os.posix_fallocate(
                    file.fileno(), 0, SPOOL_BYTES
                )  # a full disk is an error here, and would be a signal later
            except OSError:
                aside.unlink()
                raise
            self._map = mmap.mmap(file.fileno(), SPOOL_BYTES)
            self._lock = os.dup(file.fileno())
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # while this process lives, no other service loads it
        aside.rename(self.path)
        self.size = 0
        self.loaded = (0, 0)  # lines, and their bytes

    def write(self, line: bytes) -> bool:
        """Write a line and return whether there was room for it."""
        end = self.size + len(line)
        if end > SPOOL_BYTES:
            return False
        self._map[self.size : end] = line
        self.size = end
        return True

    def close(self) -> None:
        """Release the file."""
        self._map.close()
        os.close(self._lock)


class Lookups:
    """The spool of one service process, in a folder that services share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            remove_leftovers(folder, "*.new")
            self._spool = _Spool(folder)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise PrakerjaError(f"{folder} cannot be written ({why}): no lookup could be accounted for") from None

    @property
    def path(self) -> Path:
        """The spool that this service writes."""
        return self._spool.path

    def record(self, api_key_id: str, operation: str, asked: int, listed: int, version: int) -> None:
        """Record a lookup. Raise `OSError` if that fails: an answer that cannot be accounted for is not given."""
        line = f"{time.time():.3f} {api_key_id} {operation} {asked} {listed} {version}\n".encode()
        if not self._spool.write(line):
            full, self._spool = self._spool, _Spool(self.folder)
            full.close()
            self._spool.write(line)

    def load(self) -> None:
        """Load what was recorded into the warehouse, also spools that are full or whose service has died.

        One thread at a time calls it.
        """
        own = self._spool
        own.loaded = _load_all(own.path, own.loaded, own.size)
        for path in sorted(self.folder.glob("*.spool")):
            if path != self._spool.path and not _is_alive(path):
                with contextlib.suppress(
                    FileNotFoundError
                ):  # another service loads it: each line is one row all the same
                    _load_orphan(path)

    def close(self) -> None:
        """Load the rest. The next service loads what cannot be loaded now."""
        self._spool.close()
        _load_all(self._spool.path, self._spool.loaded, self._spool.size)
        self._spool.path.unlink()


def _load_orphan(path: Path) -> None:
    """Load a spool that no service writes any more. One that the warehouse refuses is renamed, and stops no other."""
    try:
        _load_all(path, (0, 0), SPOOL_BYTES)
        path.unlink()
    except TransientError:
        raise
    except (PrakerjaError, UnicodeDecodeError) as error:
        if isinstance(error, PrakerjaError) and not _is_about_lines(error):
            raise  # a table or a right is missing: the lines are loaded once it is there
        log.warning("%s has lines that are not lookups, and is renamed to .refused: %s", path, error)
        path.rename(path.with_suffix(".refused"))


def _is_about_lines(error: PrakerjaError) -> bool:
    """Return whether the warehouse refused the contents of the lines, by its kind of error."""
    kinds = ("InvalidTextRepresentation", "InvalidDatetimeFormat", "NumericValueOutOfRange", "DatetimeFieldOverflow",
             "NotNullViolation", "CheckViolation", "InvalidParameterValue", "StringDataRightTruncation")  # fmt: skip
    return any(kind in str(error) for kind in kinds)


def _load_all(path: Path, loaded: tuple[int, int], size: int) -> tuple[int, int]:
    while (end := _load(path, *loaded, size)) != loaded:
        loaded = end
    return loaded


def _load(path: Path, line: int, offset: int, size: int) -> tuple[int, int]:
    """Load a spool's lines from one on, up to a size. Return the next line and its offset."""
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(min(LOAD_BYTES_MAX, size - offset))
    written = data.partition(b"\0")[0]  # the unwritten rest, or the end of a line that was cut off
    whole = written[: written.rfind(b"\n") + 1]
    if whole:
        with warehouse.transaction("serve") as connection:
            warehouse.execute(
                connection,
                "blacklist/insert_lookups",
                spool=path.stem,
                first_line=line,
                lines=whole.decode().rstrip("\n"),
            )
    return line + whole.count(b"\n"), offset + len(whole)


def _is_alive(spool: Path) -> bool:
    with contextlib.suppress(FileNotFoundError), spool.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
    return True  # gone: another service has loaded it
