"""Lookups are written down: by whom, how many, how many were listed. Never who.

First into a file beside the service, before the answer leaves, then by and by into the warehouse. So a service that is
killed, or a warehouse that is away, loses none; a line of a spool is one row, however often it is loaded.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from pathlib import Path

from prakerja import warehouse

SPOOL_BYTES_MAX = 16 << 20
LOAD_BYTES_MAX = 1 << 20  # in one statement


class Lookups:
    """The spool of one service process, in a folder that it shares with others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._open()

    def _open(self) -> None:
        self.path = self.folder / f"{secrets.token_hex(8)}.spool"
        self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)  # as long as we live: others leave it alone
        self._lines = self._loaded = self._size = self._offset = 0

    def note(self, api_key_id: str, operation: str, asked: int, listed: int, version: int) -> None:
        """Write a lookup down. Raises `OSError` where that fails: who cannot account for an answer gives none."""
        line = f"{time.time():.3f} {api_key_id} {operation} {asked} {listed} {version}\n".encode()
        os.write(self._handle, line)
        self._lines += 1
        self._size += len(line)

    def load(self) -> None:
        """Take what is written down into the warehouse; spools of services that have died, too. By one thread."""
        for spool in sorted(self.folder.glob("*.spool")):
            if spool != self.path and not _is_alive(spool):
                with contextlib.suppress(FileNotFoundError):  # two who find the same: each line is one row all the same
                    _load_all(spool, 0, 0)
                    spool.unlink()
        if self._size > SPOOL_BYTES_MAX:
            full, loaded, offset, handle = self.path, self._loaded, self._offset, self._handle
            self._open()
            os.close(handle)
            _load_all(full, loaded, offset)
            full.unlink()
        self._loaded, self._offset = _load_all(self.path, self._loaded, self._offset)

    def close(self) -> None:
        """Load the rest. What cannot be loaded now is by the next service."""
        os.close(self._handle)
        _load_all(self.path, self._loaded, self._offset)
        self.path.unlink()


def _load_all(spool: Path, line: int, offset: int) -> tuple[int, int]:
    while (end := _load(spool, line, offset)) != (line, offset):
        line, offset = end
    return end


def _load(spool: Path, line: int, offset: int) -> tuple[int, int]:
    """Load a spool's lines from one on; gives the next line and its offset."""
    with spool.open("rb") as file:
        file.seek(offset)
        data = file.read(LOAD_BYTES_MAX)
    whole = data[: data.rfind(b"\n") + 1]
    if whole:
        with warehouse.transaction() as connection:
            warehouse.execute(
                connection,
                "blacklist/insert_lookups",
                spool=spool.stem,
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
