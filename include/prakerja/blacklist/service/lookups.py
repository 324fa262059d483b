"""Lookups are written down: by whom, how many, how many were listed. Never who.

First into a file beside the service, before the answer leaves, then by and by into the warehouse. So a service that is
killed, or a warehouse that is away, loses none; a line of a spool is one row, however often it is loaded.
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
from prakerja.errors import PrakerjaError, TransientError

log = logging.getLogger(__name__)

SPOOL_BYTES = 16 << 20
LOAD_BYTES_MAX = 1 << 20  # in one statement


class _Spool:
    """A file of lines, whole from the start and mapped: what is written into it outlives the process at once."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{secrets.token_hex(8)}.spool"
        aside = self.path.with_suffix(".new")  # nobody's to load before it is locked
        with aside.open("xb+") as file:
            os.fchmod(file.fileno(), 0o600)
            try:
                os.posix_fallocate(file.fileno(), 0, SPOOL_BYTES)  # no room is an error here, and a signal later
            except OSError:
                aside.unlink()
                raise
            self._map = mmap.mmap(file.fileno(), SPOOL_BYTES)
            self._lock = os.dup(file.fileno())
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # as long as we live: others leave it alone
        aside.rename(self.path)
        self.size = 0
        self.loaded = (0, 0)  # lines, and their bytes

    def write(self, line: bytes) -> bool:
        """Write a line, if there is room for it."""
        end = self.size + len(line)
        if end > SPOOL_BYTES:
            return False
        self._map[self.size : end] = line
        self.size = end
        return True

    def close(self) -> None:
        """Leave it to whoever loads."""
        self._map.close()
        os.close(self._lock)


class Lookups:
    """The spool of one service process, in a folder that it shares with others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._spool = _Spool(folder)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise PrakerjaError(f"{folder} cannot be written ({why}): no lookup could be accounted for") from None

    @property
    def path(self) -> Path:
        """The spool that is written into."""
        return self._spool.path

    def note(self, api_key_id: str, operation: str, asked: int, listed: int, version: int) -> None:
        """Write a lookup down. Raises `OSError` where that fails: who cannot account for an answer gives none."""
        line = f"{time.time():.3f} {api_key_id} {operation} {asked} {listed} {version}\n".encode()
        if not self._spool.write(line):
            full, self._spool = self._spool, _Spool(self.folder)
            full.close()
            self._spool.write(line)

    def load(self) -> None:
        """Take what is written down into the warehouse; spools that are full or whose service has died, too. By one
        thread."""
        ours = self._spool
        ours.loaded = _load_all(ours.path, ours.loaded, ours.size)
        for path in sorted(self.folder.glob("*.spool")):
            if path != self._spool.path and not _is_alive(path):
                with contextlib.suppress(FileNotFoundError):  # two who find the same: each line is one row all the same
                    _load_left(path)

    def close(self) -> None:
        """Load the rest. What cannot be loaded now is by the next service."""
        self._spool.close()
        _load_all(self._spool.path, self._spool.loaded, self._spool.size)
        self._spool.path.unlink()


def _load_left(path: Path) -> None:
    """Load a spool that nobody writes any more. One that the warehouse refuses is put aside, and stops no other."""
    try:
        _load_all(path, (0, 0), SPOOL_BYTES)
        path.unlink()
    except TransientError:
        raise
    except (PrakerjaError, UnicodeDecodeError) as error:
        if isinstance(error, PrakerjaError) and not _is_of_lines(error):
            raise  # a table or a right that is missing: they are loaded once it is there
        log.warning("%s has lines that are no lookups, and is put aside as .refused: %s", path, error)
        path.rename(path.with_suffix(".refused"))


def _is_of_lines(error: PrakerjaError) -> bool:
    """Whether the warehouse refused what the lines say, by its kind of error."""
    kinds = ("InvalidTextRepresentation", "InvalidDatetimeFormat", "NumericValueOutOfRange", "DatetimeFieldOverflow",
             "NotNullViolation", "CheckViolation", "InvalidParameterValue", "StringDataRightTruncation")  # fmt: skip
    return any(kind in str(error) for kind in kinds)


def _load_all(path: Path, loaded: tuple[int, int], size: int) -> tuple[int, int]:
    while (end := _load(path, *loaded, size)) != loaded:
        loaded = end
    return loaded


def _load(path: Path, line: int, offset: int, size: int) -> tuple[int, int]:
    """Load a spool's lines from one on, up to a size; gives the next line and its offset."""
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(min(LOAD_BYTES_MAX, size - offset))
    written = data.partition(b"\0")[0]  # behind the lines, and in one that was torn
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
    return True  # gone: somebody else has loaded it
