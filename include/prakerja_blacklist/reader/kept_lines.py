"""The lines that a reader's folder keeps: those of an earlier version, and what has changed since.

A sync needs the lines to prove the next delta: with it they have the hash that the manifest names. They are hashed as
they are put together and written anew only when many have changed, since writing a long list takes longer than hashing
it. Nothing of them is believed: if they are damaged, the hash is another one, and the whole list is fetched.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from prakerja_blacklist.format.snapshot import (
    DELTA_HEADER,
    Change,
    apply_changes,
    hash_list,
    merge_deltas,
    parse_delta,
)
from prakerja_blacklist.reader.durable_files import open_new
from prakerja_blacklist.reader.own_folder import map_own_file

LINES, CHANGES = "list.csv", "changes.csv"
CHANGES_KEPT_MAX = 30_000  # then a sync takes as long for finding their places as for writing a list of two millions
BATCH_BYTES = 4 << 20


def write_lines(before: Path, aside: Path, changes: Sequence[Change], kept_max: int = CHANGES_KEPT_MAX) -> str:
    """Write the lines of a folder after some changes into another one, and return their SHA-256.

    They need not be on the disk at once (see `Client._is_intact`). Raise `PrakerjaError` or `OSError`.
    """
    base = map_own_file(before / LINES)
    changes = merge_deltas([read_changes(before), changes])
    if len(changes) > kept_max or not _link(before / LINES, aside / LINES):
        return _write_and_hash(aside / LINES, apply_changes(base, changes))
    with open_new(aside / CHANGES) as out:
        out.write(DELTA_HEADER)
        out.writelines(b"%s,%s" % (change.op.encode(), change.line) for change in changes)
    return hash_list(base, changes)


def read_changes(folder: Path) -> list[Change]:
    """Return what has changed since the lines of a folder were written. Raise `PrakerjaError` or `OSError`."""
    try:
        data = map_own_file(folder / CHANGES)
    except FileNotFoundError:
        return []
    return parse_delta(bytes(data))


def _link(lines: Path, path: Path) -> bool:
    try:
        os.link(lines, path, follow_symlinks=False)
    except OSError:  # a file system without links
        return False
    return True


def _write_and_hash(path: Path, pieces: Iterable[Any]) -> str:
    """Write a file and return its SHA-256.

    One thread hashes while the other writes: both take as long, and neither needs the interpreter.
    """
    digest = hashlib.sha256()

    def hash_batch(batch: list[Any]) -> None:
        for piece in batch:
            digest.update(piece)

    with open_new(path) as out, ThreadPoolExecutor(1) as pool:
        batch, size, jobs = list[Any](), 0, list[Future[None]]()
        for piece in pieces:
            batch.append(piece)
            size += len(piece)
            if size > BATCH_BYTES:
                jobs.append(pool.submit(hash_batch, batch))
                out.writelines(batch)
                batch, size = [], 0
        jobs.append(pool.submit(hash_batch, batch))
        out.writelines(batch)
        for job in jobs:
            job.result()
    return digest.hexdigest()
