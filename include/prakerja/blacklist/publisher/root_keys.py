"""The root keys of a published list: who may endorse its keyrings, and whether the newest one is endorsed.

Private root keys are never here: people keep them offline, and sign elsewhere (`root_ceremony`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from upath import UPath

from prakerja.blacklist.publisher.recorded_documents import Record
from prakerja.blacklist.publisher.storage import document_reader_in
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.keyring import file_name
from prakerja_blacklist.format.roots import TrustedRoot, endorsement_name, root_name


def find_root(root: UPath, record: Record) -> TrustedRoot | None:
    """Return the newest root that this warehouse has published, or None if there are no root keys.

    What lies in the folder does not count: whoever can write there could begin roots of their own.
    """
    return _newest_root(lambda name: record.find(root, name))


@dataclass(frozen=True)
class RootState:
    """The newest root that lies beside a list, the newest keyring, and the newest keyring that this root endorses."""

    root: TrustedRoot | None
    keyring: int
    endorsed: int

    def describe(self) -> str:
        """Return a line that says whether root keys are in use, and what is missing."""
        if self.root is None:
            return (
                "no root keys: whoever has the signing key can announce keys of their own (docs/runbooks/root-keys.md)"
            )
        root = self.root.root
        line = (
            f"root {root.number} ({self.root.sha256[:16]}): {root.threshold} of {len(root.keys)} keys endorse keyrings"
        )
        if self.endorsed == self.keyring:
            return f"{line}; keyring {self.keyring} is endorsed"
        believed = f"believe keyring {self.endorsed}" if self.endorsed else "refuse the list"
        return (
            f"{line}; keyring {self.keyring} is not endorsed: readers that pin the root {believed}, until what "
            "`prakerja blacklist root propose` writes is signed"
        )


def load_root_state(root: UPath) -> RootState:
    """Return the state of the root keys by what lies in a list's folder."""
    read = document_reader_in(root)
    newest = _newest_root(read)
    keyring = next(number for number in itertools.count() if read(file_name(number + 1)) is None)
    endorsed = next((n for n in range(keyring, 0, -1) if newest and _is_endorsed(read, newest, n)), 0)
    return RootState(newest, keyring, endorsed)


def _newest_root(read: Callable[[str], bytes | None]) -> TrustedRoot | None:
    newest = None
    for number in itertools.count(1):
        if (file := read(root_name(number))) is None:
            break
        newest = newest.read_next(file) if newest else TrustedRoot.from_file(file, f"root {number}")
    return newest


def _is_endorsed(read: Callable[[str], bytes | None], root: TrustedRoot, number: int) -> bool:
    file = read(endorsement_name(number, root.number))
    try:
        return file is not None and root.read_endorsed(file, number).number == number
    except PrakerjaError:
        return False
