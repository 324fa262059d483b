"""The canonical list as bytes: CSV with a header, LF, sorted by subject. Sorted lines are their own index.

A change is applied by copying the bytes between the changed lines. A list of millions is never split into lines.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import operator
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.contract import Contract

SUBJECT_BYTES = 32  # of a subject in binary; twice as many in hex
HEX = 2 * SUBJECT_BYTES
HEAD_BYTES = 8  # of a subject, which few others have
HEADS = 1 << 8 * HEAD_BYTES
NEAR_DEVIATIONS = 3  # within which nearly all subjects are that are spread evenly
LINE_BYTES = 145  # of most lines
LINE_BYTES_MAX = 192  # no line that fits a contract is longer
#: No list is longer: three times as many people as the programme ever had. Files that claim more are not opened.
ROWS_MAX = 50_000_000
BLOCK_CHANGES_MAX = 50_000
_OPS = {b"ADD": "ADD", b"WITHDRAW": "WITHDRAW"}


class NotCanonicalError(PrakerjaError):
    """A list or delta is not in canonical form, or a delta does not fit the list that it is applied to."""


class Change(NamedTuple):
    """One change: `ADD` or `WITHDRAW`, the subject in hex, and the list's line that it adds or withdraws."""

    op: str
    subject: bytes
    line: bytes


def sha256(data: Any) -> str:
    """Return the SHA-256 of bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def parse_delta(data: bytes, contract: Contract) -> list[Change]:
    """Return the changes of a delta's canonical CSV, in order. Raise `NotCanonicalError`."""
    delta = Delta(contract)
    changes = delta.read_chunk(data)
    delta.require_end()
    return changes


def merge_deltas(deltas: Iterable[Sequence[Change]]) -> list[Change]:
    """Return the changes of consecutive deltas as one delta. A subject that was added and withdrawn again is not in it.

    Raise `NotCanonicalError`.
    """
    found = [delta for delta in deltas if delta]
    if len(found) == 1:
        _require_sorted_changes(found[0])
        return list(found[0])
    effect: dict[bytes, list[Change]] = {}
    for delta in found:
        for change in delta:
            steps = effect.setdefault(change.subject, [])
            if steps and steps[-1].op == change.op:
                raise NotCanonicalError("deltas in a row add or withdraw the same subject twice")
            if steps and change.op == "WITHDRAW":
                steps.pop()  # the addition that it undoes
            else:
                steps.append(change)
    return [change for _, steps in sorted(effect.items()) for change in steps]


def apply_changes(base: Any, changes: Iterable[Change]) -> Iterator[Any]:
    """Yield the canonical list after the changes, in pieces. `base` is a list's bytes or a mapped file of them.

    Raise `NotCanonicalError` if a change adds a listed subject or withdraws one that is not listed.
    """
    view, start = memoryview(base), _header_end(base)
    position, place = 0, (start, start)
    before: Change | None = None
    for change in changes:
        if before and change.subject == before.subject:
            if (before.op, change.op) != ("WITHDRAW", "ADD"):
                raise NotCanonicalError("a delta names a subject twice")
        else:
            place = _place(base, change.subject, before.subject if before else b"", place[1])
            if (change.op == "ADD") == (place[0] < place[1]):
                raise NotCanonicalError("a delta adds who is listed, or withdraws who is not")
        yield view[position : place[0]]
        if change.op == "ADD":
            yield change.line
        position, before = place[1], change
    yield view[position:]


def apply_to_blocks(header: bytes, blocks: Iterable[bytes], changes: Iterable[Change]) -> Iterator[Any]:
    """Yield the canonical list after the changes, in pieces. `blocks` are the whole lines of the list before.

    `header` is the first line of both. Neither the list nor the delta is ever held whole. Raise `NotCanonicalError` as
    `apply_changes` does.
    """
    following = iter(changes)
    pending = next(following, None)

    def take_up_to(last: bytes) -> Iterator[Change]:
        nonlocal pending
        while pending is not None and pending.subject <= last:
            yield pending
            pending = next(following, None)

    yield header
    for block in blocks:
        if block:
            start = block.rfind(b"\n", 0, -1) + 1
            due = take_up_to(block[start : start + HEX])
            first = list(itertools.islice(due, BLOCK_CHANGES_MAX))
            base = header + block
            is_all = len(first) < BLOCK_CHANGES_MAX
            pieces = _pieces(base, first) if is_all else apply_changes(base, itertools.chain(first, due))
            yield memoryview(next(pieces))[len(header) :]  # every list begins with the header
            yield from pieces
    while pending is not None:
        if pending.op != "ADD":
            raise NotCanonicalError("a delta adds who is listed, or withdraws who is not")
        yield pending.line
        pending = next(following, None)


def build_list(base: Any, changes: Sequence[Change]) -> bytes:
    """Return the list after the changes. Raise `NotCanonicalError`."""
    return b"".join(_pieces(base, changes))


def hash_list(base: Any, changes: Sequence[Change]) -> str:
    """Return the SHA-256 of the list after the changes. Raise `NotCanonicalError`."""
    digest = hashlib.sha256()
    for piece in _pieces(base, changes):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(base: Any, changes: Sequence[Change]) -> Iterator[Any]:
    if len(changes) * 8 * LINE_BYTES_MAX < len(base):
        return apply_changes(base, changes)
    # Most of the list changes (it is the first, or re-issued under another key): splitting it into lines is faster.
    data, start = bytes(base), _header_end(base)
    lines = {line[:HEX]: line for line in data[start:].splitlines(keepends=True)}
    for change in changes:
        if (change.op == "ADD") == (change.subject in lines):
            raise NotCanonicalError("a delta adds who is listed, or withdraws who is not")
        if change.op == "ADD":
            lines[change.subject] = change.line
        else:
            del lines[change.subject]
    return itertools.chain([data[:start]], (line for _, line in sorted(lines.items())))


def _header_end(base: Any) -> int:
    """Return where the header of a canonical list ends. Raise `NotCanonicalError` if it has none."""
    end: int = base.find(b"\n") + 1
    if not end:
        raise NotCanonicalError("a list must begin with its header")
    return end


def _place(base: Any, subject: bytes, after: bytes, low: int) -> tuple[int, int]:
    """Return where the subject's line begins and ends, or twice where it would begin.

    It is not before `low`, a line's beginning, where the subject `after` would be.
    """
    end = len(base)
    first, last = _narrowed(base, subject, after, low, end)
    steps = range(first, last, LINE_BYTES)  # each within some line, and nearly each line with one of them
    step = bisect_left(
        steps, subject, key=lambda at: base[(start := base.rfind(b"\n", first, at) + 1 or first) : start + HEX]
    )
    start = base.rfind(b"\n", first, steps[step - 1]) + 1 or first if step else first
    while start < end and (found := base[start : start + HEX]) <= subject:
        following = base.find(b"\n", start) + 1 or end
        if found == subject:
            return start, following
        start = following
    return start, start


def _narrowed(base: Any, subject: bytes, after: bytes, low: int, end: int) -> tuple[int, int]:
    """Return the beginnings of two lines around the subject, close together if subjects are spread evenly."""
    head, head_after = int(subject[: 2 * HEAD_BYTES], 16), int(after[: 2 * HEAD_BYTES], 16) if after else 0
    expected, near = _expect(head, head_after, (end - low) // LINE_BYTES)
    expected, near = low + expected * LINE_BYTES, near * LINE_BYTES
    before = base.rfind(b"\n", low, max(expected - near, low)) + 1 or low
    if before > low and base[before : before + HEX] > subject:
        before = low
    after_it = base.find(b"\n", min(expected + near, end)) + 1 or end
    if after_it < end and base[after_it : after_it + HEX] < subject:
        after_it = end
    return before, after_it


def _expect(head: int, after: int, count: int) -> tuple[int, int]:
    """Return how many of `count` subjects after one are before another, and by how many that may be wrong.

    Both are the first HEAD_BYTES as numbers. Subjects are spread evenly: one strays by about the root of its distance.
    """
    expected = count * (head - after) // (HEADS - after) if head > after else 0
    return expected, NEAR_DEVIATIONS * (math.isqrt(expected) + 1)


class Subjects(Sequence[bytes]):
    """The subjects of a list in binary, sorted, in one buffer of 32 bytes each. Membership is tested by bisection."""

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

    def place(self, subject: bytes, low: int = 0) -> int:
        """Return the position of the subject, or where it would be. It is not before `low`."""
        buffer, after = self.buffer, (low - 1) * SUBJECT_BYTES
        head = int.from_bytes(subject[:HEAD_BYTES].ljust(HEAD_BYTES, b"\0"), "big")
        head_after = int.from_bytes(buffer[after : after + HEAD_BYTES], "big") if low else 0
        expected, near = _expect(head, head_after, self._count - low)
        first, last = max(low + expected - near, low), min(low + expected + near, self._count)
        if first > low and self[first - 1] >= subject:
            first = low
        if last < self._count and self[last] < subject:
            last = self._count
        return bisect_left(
            range(self._count),
            subject,
            first,
            last,
            key=lambda each: buffer[each * SUBJECT_BYTES : (each + 1) * SUBJECT_BYTES],
        )

    def apply_changes(self, changes: Iterable[Change]) -> Iterator[Any]:
        """Yield the subjects after the changes, in pieces, as `apply_changes` does with the lines."""
        view, position = memoryview(self.buffer), 0
        place, before = 0, b""
        for change in changes:
            subject = bytes.fromhex(change.subject.decode())
            if subject != before:
                place = self.place(subject, place)  # changes are sorted
            yield view[position : place * SUBJECT_BYTES]
            position = place * SUBJECT_BYTES
            if change.op == "ADD":
                yield subject
            else:
                place += 1
                position = place * SUBJECT_BYTES
            before = subject
        yield view[position:]


class WholeLines:
    """Lines that arrive in chunks, behind their header."""

    def __init__(self, header: bytes, kind: str) -> None:
        self._header, self._kind = header, kind
        self._left, self._has_header = b"", False

    def read_chunk(self, chunk: bytes) -> bytes:
        """Return the lines that the chunk completes, without the header. Raise `NotCanonicalError`."""
        data = self._left + chunk
        if not self._has_header:
            if len(data) < len(self._header) and self._header.startswith(data):
                self._left = data
                return b""
            if not data.startswith(self._header):
                columns = self._header.decode().strip().replace(",", ", ")
                raise NotCanonicalError(f"a {self._kind} must have the columns {columns}")
            data, self._has_header = data[len(self._header) :], True
        whole = data.rfind(b"\n") + 1
        self._left = data[whole:]
        if len(self._left) > LINE_BYTES_MAX:
            raise NotCanonicalError(f"a {self._kind} has a line that is longer than the contract allows")
        return data[:whole]

    def require_end(self) -> None:
        """Raise `NotCanonicalError` if the lines are not complete."""
        if self._left or not self._has_header:
            raise NotCanonicalError(f"a {self._kind} breaks off")


class Lines:
    """A list that arrives in chunks: its hash, its rows, and its subjects. Each line must fit the contract.

    `block` has the whole lines of the last chunk.
    """

    def __init__(self, contract: Contract) -> None:
        self.digest, self.rows, self.block = hashlib.sha256(), 0, b""
        self._contract = contract
        self._lines, self._last = WholeLines(contract.header, "list"), b""

    def read_chunk(self, chunk: bytes) -> bytes:
        """Read the next chunk and return the subjects of its whole lines, in binary. Raise `NotCanonicalError`."""
        self.digest.update(chunk)
        self.block = self._lines.read_chunk(chunk)
        subjects = _subjects(self._contract.lines, self.block)
        _require_sorted([self._last, *subjects])
        if subjects:
            self._last, self.rows = subjects[-1], self.rows + len(subjects)
        return bytes.fromhex(b"".join(subjects).decode())

    def require_end(self) -> None:
        """Raise `NotCanonicalError` if the list is not complete."""
        self._lines.require_end()


class Delta:
    """A delta that arrives in chunks: its changes, and how many of each kind. Each line must fit the contract."""

    def __init__(self, contract: Contract) -> None:
        self.added, self.withdrawn = 0, 0
        self._contract = contract
        self._lines, self._last = WholeLines(contract.delta_header, "delta"), Change("", b"", b"")

    def read_chunk(self, chunk: bytes) -> list[Change]:
        """Read the next chunk and return the changes of its whole lines, in order. Raise `NotCanonicalError`."""
        data = self._lines.read_chunk(chunk)
        found = self._contract.delta_lines.findall(data)
        if len(found) != data.count(b"\n"):
            raise _misfit()
        changes = [Change(_OPS[op], subject, line) for op, subject, line in found]
        _require_sorted_changes([self._last, *changes])
        added = [change.line for change in changes if change.op == "ADD"]
        _subjects(self._contract.lines, b"".join(added))  # added lines become lines of the list, and must fit there
        self._last = changes[-1] if changes else self._last
        self.added, self.withdrawn = self.added + len(added), self.withdrawn + len(changes) - len(added)
        return changes

    def require_end(self) -> None:
        """Raise `NotCanonicalError` if the delta is not complete."""
        self._lines.require_end()


def _subjects(lines: re.Pattern[bytes], data: bytes) -> list[bytes]:
    """Return the subjects of whole lines. Raise `NotCanonicalError` unless every line fits the contract."""
    subjects: list[bytes] = lines.findall(data)
    if len(subjects) != data.count(b"\n"):
        raise _misfit()
    return subjects


def _misfit() -> NotCanonicalError:
    return NotCanonicalError("a list or delta has a line that does not fit the contract")


def _are_sorted(subjects: list[bytes]) -> bool:
    """Return whether each subject is after the one before it."""
    return all(map(operator.lt, subjects, itertools.islice(subjects, 1, None)))


def _require_sorted(subjects: list[bytes]) -> None:
    if not _are_sorted(subjects):
        raise NotCanonicalError("a list or delta is not sorted by subject, or names one twice")


def _require_sorted_changes(changes: Sequence[Change]) -> None:
    if _are_sorted([change.subject for change in changes]):
        return
    for before, after in itertools.pairwise(changes):
        if before.subject > after.subject:
            raise NotCanonicalError("a delta is not sorted by subject")
        if before.subject == after.subject and (before.op, after.op) != ("WITHDRAW", "ADD"):
            raise NotCanonicalError("a delta names a subject twice")
