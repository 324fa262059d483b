"""The lines that a reader's folder keeps: those of an earlier version, and what has changed since.

A sync needs the lines to prove the next delta: with it they have the hash that the manifest names. They are hashed as
they are put together and written anew only when many have changed, since writing a long list takes longer than hashing
it. Nothing of them is believed: if they are damaged, the hash is another one, and the whole list is fetched.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from prakerja_blacklist.format.contract import Contract
from prakerja_blacklist.format.snapshot import (
    Change,
    apply_changes,
    merge_deltas,
    parse_delta,
)
from prakerja_blacklist.reader.durable_files import open_new
from prakerja_blacklist.reader.own_folder import map_own_file

LINES, CHANGES = "list.csv", "changes.csv"
CHANGES_KEPT_MAX = 30_000  # then a sync takes as long for finding their places as for writing a list of two millions
BATCH_BYTES, BATCHES_AHEAD = 4 << 20, 2


def write_lines(
    before: Path, aside: Path, changes: Sequence[Change], contract: Contract, kept_max: int = CHANGES_KEPT_MAX
) -> str:
    """Write the lines of a folder after some changes into another one, and return their SHA-256.

    They need not be on the disk at once (see `Client._is_intact`). Raise `PrakerjaError` or `OSError`.
    """
    base = map_own_file(before / LINES)
    changes = merge_deltas([read_changes(before, contract), changes])
    if len(changes) > kept_max or not _link(before / LINES, aside / LINES):
        with open_new(aside / LINES) as out:
            return _hash(apply_changes(base, changes), out.write)
    with open_new(aside / CHANGES) as out:
        out.write(contract.delta_header)
        out.writelines(b"%s,%s" % (change.op.encode(), change.line) for change in changes)
    return _hash(apply_changes(base, changes))


def read_changes(folder: Path, contract: Contract) -> list[Change]:
    """Return what has changed since the lines of a folder were written. Raise `PrakerjaError` or `OSError`."""
    try:
        data = map_own_file(folder / CHANGES)
    except FileNotFoundError:
        return []
    return parse_delta(bytes(data), contract)


def _link(lines: Path, path: Path) -> bool:
    try:
        os.link(lines, path, follow_symlinks=False)
    except OSError:  # a file system without links
        return False
    return True


def _hash(pieces: Iterable[Any], write: Callable[[bytes], object] | None = None) -> str:
    """Return the SHA-256 of a file's pieces, and write them if asked to.

    One thread hashes, while the other finds the places of the changes, or writes.
    """
    digest, jobs = hashlib.sha256(), deque[Future[None]]()
    with ThreadPoolExecutor(1) as pool:
        for batch in _batches(pieces):
            jobs.append(pool.submit(digest.update, batch))
            if write:
                write(batch)
            if len(jobs) > BATCHES_AHEAD:
                jobs.popleft().result()
        for job in jobs:
            job.result()
    return digest.hexdigest()


def _batches(pieces: Iterable[Any]) -> Iterator[bytes]:
    """Yield pieces joined to long ones: hashing a short one waits longer for the interpreter than it takes."""
    batch, size = list[Any](), 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size > BATCH_BYTES:
            yield b"".join(batch)
            batch, size = [], 0
    yield b"".join(batch)
