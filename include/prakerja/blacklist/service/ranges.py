"""Range lookups: the client names the first five hex digits of a subject, and gets the rest of every listed one.

The service does not learn who is asked about, and an observer learns nothing from the size: every answer of a version
has as many suffixes as the fullest range needs. The padding depends on the key of the subjects and the prefix alone, so
it stays the same from version to version, as most real suffixes do. It looks like them, and is nobody's.
"""

from __future__ import annotations

import hashlib

from prakerja.blacklist.format.snapshot import SUBJECT_BYTES, Subjects

PREFIX_HEX = 5
RANGES = 16**PREFIX_HEX
SUFFIXES_LEAST = 16


class Ranges:
    """The ranges of a list. Each answer has `suffixes`; the `smallest` and `largest` range have so many entries."""

    def __init__(self, subjects: Subjects, padding_key: bytes) -> None:
        self._subjects, self._padding_key = subjects, padding_key
        self.smallest, self.largest = _extremes(subjects)
        self.suffixes = SUFFIXES_LEAST
        while self.suffixes < self.largest:
            self.suffixes *= 2

    def answer(self, prefix: str) -> tuple[list[str], int]:
        """Return the sorted suffixes of a prefix, padded to `suffixes`, and how many of them are listed."""
        value = int(prefix, 16)
        found = [
            self._subjects[position].hex()[PREFIX_HEX:]
            for position in range(self._place(value), self._place(value + 1))
        ]
        padding = [
            hashlib.blake2b(f"{prefix} {each}".encode(), key=self._padding_key, digest_size=SUBJECT_BYTES).hexdigest()
            for each in range(self.suffixes - len(found))
        ]
        return sorted([*found, *(each[PREFIX_HEX:] for each in padding)]), len(found)

    def _place(self, value: int) -> int:
        if value >= RANGES:
            return len(self._subjects)
        return self._subjects.place(bytes.fromhex(f"{value:05x}".ljust(2 * SUBJECT_BYTES, "0")))


def _extremes(subjects: Subjects) -> tuple[int, int]:
    """Return how many entries the smallest and the largest of all ranges have."""
    import numpy as np

    if not len(subjects):
        return 0, 0
    heads = np.frombuffer(subjects.buffer, dtype=np.uint8).reshape(-1, SUBJECT_BYTES)[:, :3].astype(np.uint32)
    counted = np.bincount((heads[:, 0] << 12) | (heads[:, 1] << 4) | (heads[:, 2] >> 4), minlength=RANGES)
    return int(counted.min()), int(counted.max())
