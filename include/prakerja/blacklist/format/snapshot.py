"""The canonical list, as bytes: CSV, LF, header, sorted by subject. Sorted lines are their own index.

So a change is applied by copying what lies between the changed lines, and a list of millions is never taken apart.
"""

from __future__ import annotations

import hashlib
import itertools
import operator
import re
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from typing import Any, NamedTuple

from prakerja.blacklist.format.contract import DeltaRow, Document, SnapshotRow, columns, line_pattern
from prakerja.errors import PrakerjaError

SUBJECT_BYTES = 32  # of a subject in binary; twice as many in hex
HEX = 2 * SUBJECT_BYTES
HEAD_BYTES = 8
NEAR_BYTES = 1 << 18  # subjects are spread evenly: half a million lines stray about so far from where they would be
LINE_BYTES_MAX = 192  # of any line that fits the contract
HEADER = (",".join(columns(SnapshotRow)) + "\n").encode()
DELTA_HEADER = (",".join(columns(DeltaRow)) + "\n").encode()


class NotCanonicalError(PrakerjaError):
    """A list or delta is not in canonical form, or a delta does not fit the list that it is applied to."""


class Change(NamedTuple):
    """One change: `ADD` or `WITHDRAW`, the subject in hex, and the list's line that it is about, with its end."""

    op: str
    subject: bytes
    line: bytes


def sha256(data: Any) -> str:
    """The SHA-256 of bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def parsed_delta(data: bytes) -> list[Change]:
    """The changes of a delta's canonical CSV, in order. Raises `NotCanonicalError`."""
    if not data.startswith(DELTA_HEADER):
        raise NotCanonicalError(f"a delta must have the columns {', '.join(columns(DeltaRow))}")
    subjects = _subjects(DeltaRow, data, len(DELTA_HEADER), len(data))
    if any(map(operator.gt, subjects, subjects[1:])):
        raise NotCanonicalError("a delta is not sorted by subject")
    changes = []
    for subject, line in zip(subjects, data[len(DELTA_HEADER) :].splitlines(keepends=True), strict=True):
        op = "ADD" if line.startswith(b"ADD") else "WITHDRAW"
        changes.append(Change(op, subject, line[len(op) + 1 :]))
    if any(
        before.subject == after.subject and (before.op, after.op) != ("WITHDRAW", "ADD")
        for before, after in itertools.pairwise(changes)
    ):
        raise NotCanonicalError("a delta names a subject twice")
    added = b"".join(change.line for change in changes if change.op == "ADD")
    _subjects(SnapshotRow, added, 0, len(added))  # what it adds stands in the list, and must fit there
    return changes


def net(deltas: Iterable[Sequence[Change]]) -> list[Change]:
    """The changes of several deltas in a row as one: who was added and withdrawn again is in neither."""
    effect: dict[bytes, list[Change]] = {}
    for delta in deltas:
        for change in delta:
            steps = effect.setdefault(change.subject, [])
            if steps and steps[-1].op == change.op:
                raise NotCanonicalError("deltas in a row add or withdraw the same subject twice")
            if steps and change.op == "WITHDRAW":
                steps.pop()  # what it undoes
            else:
                steps.append(change)
    return [change for _, steps in sorted(effect.items()) for change in steps]


def applied(base: Any, changes: Iterable[Change]) -> Iterator[Any]:
    """The canonical list after the changes, in pieces; `base` is a list's bytes or a mapped file of them.

    Raises `NotCanonicalError` where a change adds who is listed, or withdraws who is not.
    """
    view = memoryview(base)
    position, place = 0, (len(HEADER), len(HEADER))
    before: Change | None = None
    for change in changes:
        if before and change.subject == before.subject:
            if (before.op, change.op) != ("WITHDRAW", "ADD"):
                raise NotCanonicalError("a delta names a subject twice")
        else:
            place = _place(base, change.subject, max(place[1], len(HEADER)))
            if (change.op == "ADD") == (place[0] < place[1]):
                raise NotCanonicalError("a delta adds who is listed, or withdraws who is not")
        yield view[position : place[0]]
        if change.op == "ADD":
            yield change.line
        position, before = place[1], change
    yield view[position:]


def result(base: Any, changes: Sequence[Change]) -> bytes:
    """The list after the changes. Raises `NotCanonicalError`."""
    return b"".join(_pieces(base, changes))


def result_sha256(base: Any, changes: Sequence[Change]) -> str:
    """The SHA-256 of the list after the changes. Raises `NotCanonicalError`."""
    digest = hashlib.sha256()
    for piece in _pieces(base, changes):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(base: Any, changes: Sequence[Change]) -> Iterator[Any]:
    if len(changes) * 8 * LINE_BYTES_MAX < len(base):
        return applied(base, changes)
    # Most of the list changes (it is the first, or re-issued under another key): taken apart, it is quicker.
    lines = {line[:HEX]: line for line in bytes(base)[len(HEADER) :].splitlines(keepends=True)}
    for change in changes:
        if (change.op == "ADD") == (change.subject in lines):
            raise NotCanonicalError("a delta adds who is listed, or withdraws who is not")
        if change.op == "ADD":
            lines[change.subject] = change.line
        else:
            del lines[change.subject]
    return itertools.chain([HEADER], (line for _, line in sorted(lines.items())))


def _place(base: Any, subject: bytes, low: int) -> tuple[int, int]:
    """Where the subject's line begins and ends, or twice where it would begin; `low` is a line's beginning."""
    end = len(base)
    low, high = _narrowed(base, subject, low, end)
    while low < high:
        middle = (low + high) // 2
        start = base.rfind(b"\n", low, middle) + 1 or low
        if base[start : start + HEX] < subject:
            low = base.find(b"\n", middle) + 1 or end
        else:
            high = start
    if low < end and base[low : low + HEX] == subject:
        return low, base.find(b"\n", low) + 1 or end
    return low, low


def _narrowed(base: Any, subject: bytes, low: int, end: int) -> tuple[int, int]:
    """The beginnings of two lines that the subject is between, close together where subjects are spread evenly."""
    expected = len(HEADER) + ((end - len(HEADER)) * int(subject[:8], 16) >> 32)
    before = base.rfind(b"\n", low, max(expected - NEAR_BYTES, low)) + 1 or low
    if base[before : before + HEX] > subject:
        before = low
    after = base.find(b"\n", min(expected + NEAR_BYTES, end)) + 1 or end
    if after < end and base[after : after + HEX] < subject:
        after = end
    return before, after


class Subjects(Sequence[bytes]):
    """The subjects of a list in binary, sorted, in one buffer: 32 bytes each. Who is listed is found by bisection."""

    def __init__(self, buffer: Any) -> None:
        self.buffer = buffer
        self._count = len(buffer) // SUBJECT_BYTES

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return [self[each] for each in range(*position.indices(self._count))]
        if not 0 <= position < self._count:
            raise IndexError(position)
        start = position * SUBJECT_BYTES
        return self.buffer[start : start + SUBJECT_BYTES]

    def __contains__(self, subject: object) -> bool:
        if not isinstance(subject, bytes):
            return False
        position = self.place(subject)
        return position < self._count and bool(self[position] == subject)

    def place(self, subject: bytes) -> int:
        """The position of the subject, or where it would be."""
        heads = self._heads
        head = int.from_bytes(subject[:HEAD_BYTES], "big")
        first = bisect_left(heads, head)
        if first == self._count or heads[first] != head:
            return first
        return bisect_left(self, subject, first, bisect_right(heads, head, first))

    def _places(self, subjects: Sequence[bytes]) -> list[int]:
        """As `place`, of many: with their number it hardly grows."""
        import numpy

        heads = numpy.frombuffer(self._heads, dtype=numpy.uint64)
        wanted = numpy.frombuffer(b"".join(each[:HEAD_BYTES] for each in subjects), dtype=">u8").astype(numpy.uint64)
        firsts = numpy.searchsorted(heads, wanted)
        if not self._count:
            return [0] * len(subjects)
        has_head = heads[numpy.minimum(firsts, self._count - 1)] == wanted  # then the rest of the subject decides
        return [
            self.place(subject) if is_near else int(first)
            for subject, first, is_near in zip(subjects, firsts, has_head, strict=True)
        ]

    @cached_property
    def _heads(self) -> array[int]:
        """The first eight bytes of each subject, as numbers: few subjects share them, and numbers are found at once."""
        heads = array("Q")
        if self._count:
            heads.frombytes(memoryview(self.buffer).cast("B").cast("Q")[:: SUBJECT_BYTES // HEAD_BYTES].tobytes())
        if sys.byteorder == "little":
            heads.byteswap()
        return heads

    def applied(self, changes: Iterable[Change]) -> Iterator[Any]:
        """The subjects after the changes, in pieces: as `applied` does to the lines."""
        changes = list(changes)
        subjects = [bytes.fromhex(change.subject.decode()) for change in changes]
        view, position = memoryview(self.buffer), 0
        found, before = 0, b""
        for change, subject, place in zip(changes, subjects, self._places(subjects), strict=True):
            if subject != before:
                found = place
            yield view[position : found * SUBJECT_BYTES]
            position = found * SUBJECT_BYTES
            if change.op == "ADD":
                yield subject
            else:
                found += 1
                position = found * SUBJECT_BYTES
            before = subject
        yield view[position:]


class Lines:
    """The lines of a list that comes in chunks: hashed, held against the contract, and its subjects picked out."""

    def __init__(self) -> None:
        self.digest, self.rows = hashlib.sha256(), 0
        self._left, self._last, self._has_header = b"", b"", False

    def subjects_of(self, chunk: bytes) -> bytes:
        """Take in the next chunk; gives the subjects that are whole by now, in binary. Raises `NotCanonicalError`."""
        self.digest.update(chunk)
        data = self._left + chunk
        if not self._has_header:
            if len(data) < len(HEADER) and HEADER.startswith(data):
                self._left = data
                return b""
            if not data.startswith(HEADER):
                raise NotCanonicalError(f"a list must have the columns {', '.join(columns(SnapshotRow))}")
            data, self._has_header = data[len(HEADER) :], True
        whole = data.rfind(b"\n") + 1
        self._left = data[whole:]
        if len(self._left) > LINE_BYTES_MAX:
            raise NotCanonicalError("a list has a line that is longer than any of the contract")
        subjects = _subjects(SnapshotRow, data, 0, whole)
        _require_sorted([self._last, *subjects])
        if subjects:
            self._last, self.rows = subjects[-1], self.rows + len(subjects)
        return bytes.fromhex(b"".join(subjects).decode())

    def require_end(self) -> None:
        """Raises `NotCanonicalError` where the list breaks off."""
        if self._left or not self._has_header:
            raise NotCanonicalError("a list breaks off")


def _subjects(row: type[Document], data: bytes, start: int, end: int) -> list[bytes]:
    """The subjects of whole lines, each of which must fit the contract: as many fit as there are."""
    subjects: list[bytes] = _line(row).findall(data, start, end)
    if len(subjects) != data.count(b"\n", start, end) or (start < end and data[end - 1 : end] != b"\n"):
        raise NotCanonicalError("a list or delta has a line that does not fit the contract")
    return subjects


def _require_sorted(subjects: list[bytes]) -> None:
    if any(map(operator.ge, subjects, subjects[1:])):
        raise NotCanonicalError("a list or delta is not sorted by subject, or names one twice")


@cache
def _line(row: type[Document]) -> re.Pattern[bytes]:
    return re.compile(b"^" + line_pattern(row).replace(b"[0-9a-f]{64}", b"([0-9a-f]{64})", 1), re.MULTILINE)
