"""A reader of the published list in a folder of its own, what a test asks of it, and the keys that it is given."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja_blacklist.format.contract import find_contract
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.format.snapshot import build_list, parse_delta
from prakerja_blacklist.format.subject_keys import SubjectKey
from prakerja_blacklist.reader.kept_lines import CHANGES, LINES
from prakerja_blacklist.reader.kept_list import SUBJECTS
from prakerja_blacklist.reader.sync import Client, Synced
from prakerja_blacklist.reader.verification import RefusedListError
from tests.support.reader_sources import Watched
from tests.support.simulated_publisher import Repository, delta_of, signing_key, subject_key

FIRST, SECOND, THIRD, STRANGER = (signing_key(name) for name in ("first", "second", "third", "stranger"))
OLD_SUBJECTS, NEW_SUBJECTS, NEWEST_SUBJECTS = (subject_key(name) for name in ("first", "second", "third"))
PEOPLE = range(1, 301)

MICROSECOND = timedelta(microseconds=1)


class Reader:
    """A client in a folder of its own, over a watched source, at the repository's time."""

    def __init__(
        self, folder: Path, repository: Repository, pins: Any = (FIRST,), subject_keys: Any = (), **options: Any
    ) -> None:
        self.folder, self.repository = folder, repository
        self.client = Client(folder, [key.public for key in pins], list(subject_keys), **options)
        self.source = Watched(repository.source)

    def fork(self, folder: Path, repository: Repository) -> Reader:
        """A reader that holds the same, and goes on in another folder."""
        shutil.copytree(self.folder, folder)
        return Reader(folder, repository)

    def turn_to(self, repository: Repository) -> None:
        """Read from another publisher from now on."""
        self.repository, self.source.source = repository, repository.source

    @property
    def fetched(self) -> list[str]:
        return self.source.fetched

    def sync(self, now: datetime | None = None) -> Synced:
        """Sync, and check that it ends at what is published."""
        self.fetched.clear()
        synced = self.client.sync(self.source, now or self.repository.now)
        assert self.client.trusted() == synced.trusted
        return synced

    def subjects(self) -> list[bytes]:
        return list(self.client.open_list().subjects)

    def held(self) -> dict[str, bytes]:
        """What the folder holds: the list, and its state but for the keys, which are learnt all the same."""
        trusted = self.client.trusted()
        if trusted is None:
            return {}
        state = replace(trusted, folder=f"v000000-{0:016x}", keyring=0, keys=[], revoked=[], keyrings=[], root=None)
        files = {path.name: path.read_bytes() for path in (self.folder / trusted.folder).iterdir()}
        if changes := files.pop(CHANGES, None):
            files[LINES] = build_list(files[LINES], parse_delta(changes, find_contract(trusted.contract)))
        return {"trusted.json": canonical_json(state), **files}

    @contextlib.contextmanager
    def refusing(self, error: type[Exception] = RefusedListError, said: str = "") -> Iterator[None]:
        """What is done here is refused, for this reason, and leaves the list as it was, still answering."""
        before = self.client.trusted()
        held, subjects = self.held(), self.subjects() if before and not before.is_revoked else None
        with pytest.raises(error) as refused:
            yield
        if error is RefusedListError:
            assert refused.value.reason == said
        else:
            assert said in str(refused.value)
        assert self.held() == held
        trusted = self.client.trusted()
        if trusted and trusted.is_revoked:  # that its signer was stolen was learnt all the same
            with pytest.raises(RefusedListError, match="revoked"):
                self.subjects()
            assert trusted.freshness(self.repository.now).is_expired
        elif subjects is not None:
            assert self.subjects() == subjects


def always(value: Any) -> Callable[..., Any]:
    return lambda *_: value


def subjects_of(repository: Repository, key: SubjectKey | None = None) -> list[bytes]:
    return [bytes.fromhex(subject.decode()) for subject in sorted(repository.listed(key))]


def subject_of(nik: int) -> bytes:
    return OLD_SUBJECTS.subject(f"{nik:016d}").encode()


#: What begins as a public key does, of a kind that no library here knows.
UNKNOWN_KIND = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2V5AyEA" + b"A" * 43 + b"=\n-----END PUBLIC KEY-----\n"

OWN_FILES = (LINES, SUBJECTS)


def bend_own(reader: Reader, name: str, bent: Callable[[bytes], bytes | None]) -> None:
    path = reader.folder / reader.client.trusted().folder / name
    data = bent(path.read_bytes())
    path.unlink()
    if data is not None:
        path.write_bytes(data)


def tree(reader: Reader) -> list[str]:
    """The files below a reader's folder."""
    return sorted(str(path.relative_to(reader.folder)) for path in reader.folder.rglob("*") if not path.is_dir())


def clean_tree(reader: Reader) -> list[str]:
    """The files that should be there: the trusted list's, and no others."""
    folder = reader.client.trusted().folder
    own = [*OWN_FILES, *([CHANGES] if (reader.folder / folder / CHANGES).exists() else [])]
    return sorted([".lock", "trusted.json", *(f"{folder}/{name}" for name in own)])


#: What lies between a reader of version 1 and the source.
JOURNEYS: dict[str, Callable[[Repository], Any]] = {
    "a version": lambda r: r.publish([301], [7]),
    "three versions": lambda r: [r.publish([301 + n], [7 + n]) for n in range(3)],
    "the whole list": lambda r: [r.publish([301], [7]), r.drop(delta_of(2))],
    "another key": lambda r: [r.announce(SECOND), r.rotate(), r.publish([301], [7]), r.revoke(FIRST)],
    "nothing": always(None),
    "a keyring": lambda r: r.announce(SECOND),
}


@dataclass(frozen=True, repr=False)
class Offered:
    """Version 3 is published, under a second key; `files` are all that a reader may ask for."""

    repository: Repository
    files: dict[str, bytes]
