"""Files of a witness: each is there whole or not at all, and none is ever written over."""

from __future__ import annotations

import contextlib
import errno
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.reader.durable_files import NotRegularError, name_new, open_durable, open_regular, sync_folder
from prakerja_blacklist.reader.sources import bounded_chunks

#: Statements, by version and the key of an earlier list.
STATEMENT = re.compile(r"v(?P<version>[0-9]{6,9})(?:-(?P<key_id>[0-9a-f]{16}))?\.json")
UNFINISHED = re.compile(r"\..+\.json\.[0-9a-f]{16}\.new")
FILE_BYTES_MAX = 1 << 30  # the evidence of a conflict may be long; who writes into a public folder could exhaust memory


class StatementFolder:
    """A folder of files that are written once. Others may read it if it is public.

    One that is below another folder of these is reached by no link.
    """

    def __init__(self, folder: Path, *, is_public: bool = False, is_below: bool = False) -> None:
        self.folder, self._mode, self._is_below = folder, 0o644 if is_public else 0o600, is_below
        self._folder_mode = 0o755 if is_public else 0o700

    def make(self) -> None:
        """Make the folder, and remove what a killed witness has left unfinished. Raise `OSError`."""
        self.folder.mkdir(mode=self._folder_mode, parents=True, exist_ok=True)
        if self._is_below and self.folder.is_symlink():
            raise NotRegularError(errno.ELOOP, "it is a link", str(self.folder))
        for path in self.folder.iterdir():
            if UNFINISHED.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, or None if it is not there. Raise `TooLargeError` or `OSError`."""
        try:
            with open_regular(self.folder / name) as file:
                return b"".join(bounded_chunks(file, str(self.folder / name), FILE_BYTES_MAX))
        except FileNotFoundError:
            return None

    def create(self, name: str, data: bytes) -> None:
        """Write a file. Raise `FileExistsError` if it is there already, whatever it is."""
        aside = self.folder / f".{name}.{secrets.token_hex(8)}.new"
        try:
            with open_durable(aside, mode=self._mode) as out:
                out.write(data)
            name_new(aside, self.folder / name)
        finally:
            aside.unlink(missing_ok=True)
        sync_folder(self.folder)

    def versions(self, key_id: str | None) -> list[int]:
        """Return the versions of which there are statements, of the list or of one under an earlier key."""
        found = (STATEMENT.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(each["version"]) for each in found if each and each["key_id"] == key_id)

    def names(self) -> list[str]:
        """Return the names of the files, in order."""
        return sorted(path.name for path in self.folder.iterdir() if not path.name.startswith(".") and path.is_file())


@contextlib.contextmanager
def describe_errors(what: Path) -> Iterator[None]:
    """Raise `PrakerjaError` for an error of the disk."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise PrakerjaError(f"{error.filename or what} cannot be used ({why}): correct that, and start again") from None
