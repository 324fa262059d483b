"""Range lookups: the client names the first five hex digits of a subject, and gets the rest of every listed one.

The service does not learn who is asked about, and an observer learns nothing from the size: every answer of a version
has as many suffixes. What fills an answer up looks like listed subjects and is nobody's. Readers have the key of the
subjects, so it is made with a key that only services have.

An answer consists of blocks of constant size: one that is always there, and one for each listed cohort, with those of
the cohort who are listed and decoys for the rest. So from one version to another

- a cohort that gets listed adds as many suffixes to every range, whether people or decoys;
- a person who is added later, or is withdrawn, is exchanged with a decoy, as each decoy is exchanged with another one
  now and then, in its own version;
- everything else stays as it is: who compares answers of many versions finds no decoys by what is lacking in some.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from prakerja_blacklist.format.snapshot import HEX, SUBJECT_BYTES, Subjects

PREFIX_HEX = 5
RANGES = 16**PREFIX_HEX
SUFFIX_HEX = HEX - PREFIX_HEX
DECOY_BYTES = (SUFFIX_HEX + 1) // 2
BASE, BASE_SIZE = -1, 16  # the block that is always there, and no cohort's number
BLOCK_LEAST = 4
OVERFULL_MAX = 0.01  # expected ranges of a block that are fuller than its size: then it must grow, which is seen
RENEWED_AFTER = 4096  # versions; rarely, since whoever is listed stays for years
CHUNK_BYTES = 1 << 20

Numbers = np.ndarray[Any, Any]


class Ranges:
    """The ranges of a version. Each answer has `suffixes`; the `smallest` and `largest` range have so many entries."""

    def __init__(self, subjects: Subjects, cohorts: Numbers, padding_key: bytes, version: int) -> None:
        """Take the list's subjects, the cohort of each, and the key of `derive_padding_key`."""
        self._subjects, self._cohorts = subjects, cohorts
        self._padding_key, self._version = padding_key, version
        heads = _heads(subjects)
        counts = np.bincount(heads, minlength=RANGES)
        self.smallest, self.largest = int(counts.min()), int(counts.max())
        self._blocks = {BASE: BASE_SIZE}
        for cohort in np.unique(cohorts).tolist():
            own = heads[cohorts == cohort]
            self._blocks[cohort] = _block_size(len(own), int(np.bincount(own).max()))
        self.suffixes = sum(self._blocks.values())

    def answer(self, prefix: str) -> tuple[list[str], int]:
        """Return the sorted suffixes of a prefix, padded to `suffixes`, and how many of them are listed."""
        value = int(prefix, 16)
        first, end = self._place(value), self._place(value + 1)
        found = [self._subjects[position].hex()[PREFIX_HEX:] for position in range(first, end)]
        of_cohort = Counter(self._cohorts[first:end].tolist())
        padding: list[str] = []
        for label, size in self._blocks.items():
            decoys = list(self._decoys(prefix, label, size))  # all of them, so that the time tells nothing
            padding += decoys[of_cohort[label] :]  # the first make room: none comes back once the block grows
        return sorted([*found, *padding]), len(found)

    def _decoys(self, prefix: str, label: int, size: int) -> Iterator[str]:
        """Yield the decoys of a block: each that of this period of versions or of the next, by a phase of its own."""
        block = f"{prefix} {label}"
        period, age = divmod(self._version, RENEWED_AFTER)
        streams = [self._stream(f"{block} {each}", size * DECOY_BYTES).hex() for each in (period, period + 1)]
        phases = self._stream(block, size * 2)
        for index in range(size):
            phase = int.from_bytes(phases[2 * index : 2 * index + 2], "big") % RENEWED_AFTER
            end = (index + 1) * DECOY_BYTES * 2
            yield streams[age + phase >= RENEWED_AFTER][end - SUFFIX_HEX : end]

    def _stream(self, name: str, length: int) -> bytes:
        return hashlib.shake_256(self._padding_key + name.encode()).digest(length)

    def _place(self, value: int) -> int:
        if value >= RANGES:
            return len(self._subjects)
        return self._subjects.place(bytes.fromhex(f"{value:05x}".ljust(2 * SUBJECT_BYTES, "0")))


def derive_padding_key(padding_key: bytes, key_id: str) -> bytes:
    """Return the key of the padding under a key of the subjects: with the next one, decoys change as subjects do."""
    return hmac.digest(padding_key, key_id.encode(), "sha256")


def read_cohorts(lines: Any) -> Numbers:
    """Return the cohort of each line of a canonical list, in order: its second column, by each contract."""
    found = [np.zeros(0, dtype=np.uint32)]
    position = lines.find(b"\n") + 1
    while position < len(lines):
        end = lines.rfind(b"\n", position, position + CHUNK_BYTES) + 1
        data = np.frombuffer(lines, np.uint8, end - position, position)
        starts = np.concatenate(([0], np.flatnonzero(data == ord("\n"))[:-1] + 1)) + HEX + 1
        cohorts = np.zeros(len(starts), dtype=np.uint32)
        is_digit = np.ones(len(starts), dtype=bool)
        while is_digit.any():
            digits = data[starts] - ord("0")
            is_digit &= digits < 10
            cohorts = np.where(is_digit, cohorts * 10 + digits, cohorts).astype(np.uint32)
            starts = starts + 1
        found.append(cohorts)
        position = end
    return np.concatenate(found)


def _heads(subjects: Subjects) -> Numbers:
    """Return the range of each subject."""
    heads = np.frombuffer(subjects.buffer, dtype=np.uint8).reshape(-1, SUBJECT_BYTES)[:, :3].astype(np.uint32)
    ranges: Numbers = (heads[:, 0] << 12) | (heads[:, 1] << 4) | (heads[:, 2] >> 4)
    return ranges


def _block_size(entries: int, largest: int) -> int:
    """Return the size of a block: a power of two that stays the same while a few are added or withdrawn."""
    mean = entries / RANGES
    size = BLOCK_LEAST
    while size < largest or RANGES * _poisson(mean, size + 1) > OVERFULL_MAX:
        size *= 2
    return size


def _poisson(mean: float, count: int) -> float:
    return math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
