"""Sources for a reader of the list: one that is watched and fails where a test says so, and one in memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from prakerja_blacklist.reader.sources import NotThereError, Source, TooLargeError, UnreachableError


class Watched:
    """A source that tells what it was asked for, with which bounds, and that fails or bends what a test names.

    `bent` has what becomes of a file's bytes (`None`: it is not there), by name. From the `breaks_at`-th file on (the
    first is 1) nothing can be reached, or that one file (`breaks_once`), which shows after `breaks_after` bytes.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.fetched: list[str] = []
        self.bounds: dict[str, int] = {}
        self.bent: dict[str, Callable[[bytes], bytes | None]] = {}
        self.breaks_at: int | None = None
        self.breaks_once, self.breaks_after = False, 0
        self._prefix = ""

    def chunks(self, name: str, bytes_max: int) -> Iterator[bytes]:
        """A file's bytes."""
        name, plain = self._prefix + name, name
        self.fetched.append(name)
        self.bounds[name] = bytes_max
        if self._is_broken(len(self.fetched)):
            if self.breaks_after:
                yield b"".join(self.source.chunks(plain, bytes_max))[: self.breaks_after]
            raise UnreachableError(f"{name} cannot be reached")
        yield from self._found(plain, name, bytes_max)

    def under_key(self, key_id: str) -> Watched:
        """The list under an earlier key, watched with this one; its files are named `blacklist-<key id>/...`."""
        other = copy.copy(self)
        other.source, other._prefix = self.source.under_key(key_id), f"blacklist-{key_id}/"
        return other

    def _is_broken(self, number: int) -> bool:
        if self.breaks_at is None:
            return False
        return number == self.breaks_at if self.breaks_once else number >= self.breaks_at

    def _found(self, plain: str, name: str, bytes_max: int) -> Iterator[bytes]:
        if name not in self.bent:
            return self.source.chunks(plain, bytes_max)
        data = self.bent[name](b"".join(self.source.chunks(plain, bytes_max)))
        if data is None:
            raise NotThereError(f"{name} is not there")
        return iter([data])


class Shelf:
    """A source in memory: a published folder's files by name."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)

    @classmethod
    def of(cls, root: Path) -> Shelf:
        """What lies in a folder."""
        return cls({str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()})

    def chunks(self, name: str, bytes_max: int) -> Iterator[bytes]:
        """A file's bytes."""
        if name not in self.files:
            raise NotThereError(f"{name} is not there")
        if len(self.files[name]) > bytes_max:
            raise TooLargeError(f"{name} is too large")
        yield self.files[name]

    def under_key(self, key_id: str) -> Shelf:
        """The list under an earlier key, where its files lie here as `blacklist-<key id>/...`."""
        prefix = f"blacklist-{key_id}/"
        return Shelf({name.removeprefix(prefix): data for name, data in self.files.items() if name.startswith(prefix)})
