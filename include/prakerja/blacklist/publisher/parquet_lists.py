"""The rows of a published Parquet file, read in a child process whose memory is bounded.

A few bytes of Parquet can make any decoder allocate gigabytes: a page states the size that it unpacks to, and a
dictionary repeats a long text for each row. No check of the file's metadata excludes that, so the kernel does.
"""

from __future__ import annotations

import hashlib
import io
import os
import resource
from pathlib import Path
from typing import IO

from prakerja_blacklist.format.contract import Contract
from prakerja_blacklist.format.documents import column_names

MEMORY_BYTES_MAX = 512 << 20  # more than the process has already; a list of two million takes a tenth of it
BATCH_ROWS = 1 << 14
ROWS_A_SECOND = 10_000  # a slower file has no rows, but work


def hash_list(packed: IO[bytes], rows: int, contract: Contract) -> str | None:
    """Return the SHA-256 of the canonical CSV of an open Parquet file, or None if it has no list of so many rows."""
    from pyarrow import csv, parquet  # noqa: F401 - the child finds them loaded

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _bound_process(60 + rows // ROWS_A_SECOND)
            os.write(writing, _hash_list(packed, rows, contract).encode())
        finally:  # no line of the parent's runs in the child, whatever happens
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        found = answer.read().decode()
    os.waitpid(child, 0)
    return found or None


def _bound_process(seconds: int) -> None:
    import pyarrow as pa

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what a decoder says as it gives up is no line for a person
    pa.set_memory_pool(pa.system_memory_pool())  # the others reserve address space in gigabytes
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for limit, most in (
        (resource.RLIMIT_AS, used + MEMORY_BYTES_MAX), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _hash_list(packed: IO[bytes], rows: int, contract: Contract) -> str:
    from pyarrow import csv, parquet

    names, digest = column_names(contract.row), hashlib.sha256(contract.header)
    packed.seek(0)
    opened = parquet.ParquetFile(packed, pre_buffer=False, buffer_size=1 << 20)
    if opened.schema_arrow.names != names or opened.metadata.num_rows != rows:
        return ""
    for batch in opened.iter_batches(BATCH_ROWS, use_threads=False):
        buffer = io.BytesIO()
        csv.write_csv(batch, buffer, csv.WriteOptions(include_header=False, quoting_style="none"))
        digest.update(buffer.getvalue())
    return digest.hexdigest()
