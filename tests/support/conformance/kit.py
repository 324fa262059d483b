"""A case of the conformance kit: what is published at each step, and what a reader must then do."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from prakerja_blacklist.format.contract import POINTER, format_instant
from tests.support.simulated_publisher import Repository, delta_of, manifest_of
from tests.support.simulated_reader import FIRST, NEW_SUBJECTS, NEWEST_SUBJECTS, OLD_SUBJECTS, SECOND, STRANGER

#: Who is listed at first, and everybody about whom a reader is asked, by number: the NIK without its zeros.
LISTED, EVERYBODY = range(1, 21), range(1, 41)
#: The keys of the kit, by the names of their files.
SIGNING_KEYS = {"first": FIRST, "second": SECOND, "stranger": STRANGER}
SUBJECT_KEYS = {"first": OLD_SUBJECTS, "second": NEW_SUBJECTS, "third": NEWEST_SUBJECTS}


@dataclass
class Step:
    """The published files at an instant, the keys that a reader is given, and what it must do.

    `sync` is `accepted`, `refused` or `either`. `trusted` is what the reader holds if it accepts: the version, until
    when it may be used, and who is listed.
    """

    files: dict[str, bytes]
    now: str
    pin: str
    subject_keys: list[str]
    sync: str
    trusted: dict[str, Any] | None = None
    answers_nobody: bool = False
    is_killed: bool = False


@dataclass(frozen=True)
class Case:
    """A case, named `topic/name`. `like` names the case of tuf-conformance that it follows."""

    name: str
    title: str
    like: str
    build: Callable[[Publication], Any]

    def steps(self) -> list[Step]:
        """Return the steps. Version 1 is published before the first."""
        return Publication.record(self.build)


CASES: dict[str, Case] = {}


def case(name: str, title: str, like: str = "") -> Callable[[Callable[[Publication], Any]], Callable[..., Any]]:
    """Return a decorator that registers a case."""

    def register(build: Callable[[Publication], Any]) -> Callable[..., Any]:
        assert name not in CASES, name
        CASES[name] = Case(name, title, like, build)
        return build

    return register


class Publication(Repository):
    """The simulated publisher, which records what it shows to a reader."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.steps: list[Step] = []
        self.lists: dict[int, list[int]] = {}

    @classmethod
    def record(cls, build: Callable[[Publication], Any]) -> list[Step]:
        """Publish version 1, then what a function publishes, and return the steps that it has shown."""
        with tempfile.TemporaryDirectory() as folder:
            publication = cls(Path(folder) / "published")
            publication.publish(LISTED)
            build(publication)
            return publication.steps

    def fork(self, folder: Path) -> Publication:
        other = super().fork(folder)
        assert isinstance(other, Publication)
        other.lists = dict(self.lists)
        return other

    def parquet_of(self, data: bytes) -> bytes:
        """Return what stands for the Parquet file, which differs by the release of pyarrow, as long as the subjects."""
        return b"the kit has no Parquet" + b"." * 32 * (data.count(b"\n") - 1) + b"\n"

    def publish(self, *args: Any, **options: Any) -> int:
        version = super().publish(*args, **options)
        self.lists[version] = sorted(self.people)
        return version

    def publish_next(self) -> int:
        """Publish the next version: one person more is listed, and one is no longer."""
        return self.publish([20 + self.version], [4 + self.version])

    def manifest(self, version: int) -> dict[str, Any]:
        """Return what a manifest says."""
        found: dict[str, Any] = json.loads(self.data(manifest_of(version)))
        return found

    def drop_deltas(self) -> None:
        """Take the deltas away, so that a reader needs the whole list."""
        for version in range(1, self.version + 1):
            self.drop(delta_of(version))

    def publish_without_deltas(self) -> None:
        """Publish versions 2 and 3, of which there is the whole list alone. A reader may be two versions behind."""
        self.publish_next()
        self.publish_next()
        self.drop_deltas()

    # -- what a reader is shown ----------------------------------------------------------------------------------------

    def accepted(self, **options: Any) -> None:
        """A reader must accept what lies here."""
        self._offer("accepted", **options)

    def either(self, **options: Any) -> None:
        """A reader may accept what lies here, or refuse it. It holds the offered list then, or the one before."""
        self._offer("either", **options)

    def refused(self, *, answers_nobody: bool = False, **options: Any) -> None:
        """A reader must refuse what lies here and keep its list, which must answer nobody if that is said."""
        step = self._record("refused", **options)
        step.answers_nobody = answers_nobody

    def _offer(
        self, sync: str, *, listed: Iterable[int] | None = None, list_of: str = "blacklist", **options: Any
    ) -> None:
        step, root = self._record(sync, **options), self.folder / list_of
        version = json.loads((root / POINTER).read_bytes())["version"]
        step.trusted = {
            "version": version,
            "expires_at": json.loads((root / manifest_of(version)).read_bytes())["expires_at"],
            "listed": sorted(self.lists[version] if listed is None else listed),
        }

    def _record(
        self,
        sync: str,
        *,
        now: datetime | None = None,
        pin: str = "first",
        subject_keys: Sequence[str] = ("first",),
        is_killed: bool = False,
    ) -> Step:
        files = {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }
        step = Step(files, format_instant(now or self.now), pin, list(subject_keys), sync, is_killed=is_killed)
        self.steps.append(step)
        return step
