"""Readers: a delivered file as batches of rows, told apart by the platform's layout, nothing repaired, nothing lost.

A file is read once and never held whole, where its layout allows that (CSV, JSON Lines). Text has a fast way for what
is plain, and an exact one for all else; where both can read, they read the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

from prakerja.feeds import csv_reader, json_reader, workbook
from prakerja.feeds.rows import Batch, Reading
from prakerja.landing import RejectedError
from prakerja.platforms import Platform
from prakerja.strict_csv import Source


def read(stream: Source, platform: Platform) -> Reading:
    """Tell the rows of an opened file apart. Taking batches raises `RejectedError` where the file cannot be read."""
    readers: dict[str, Callable[[Source, Platform, Reading], Iterator[Batch]]] = {
        "csv": csv_reader.read_csv,
        "jsonl": json_reader.read_jsonl,
        "json": json_reader.read_json,
        "xlsx": workbook.read_xlsx,
    }
    reading = Reading()
    reading.batches = _ahead(readers[platform.layout](stream, platform, reading), platform)
    return reading


def _ahead(batches: Iterator[Batch], platform: Platform) -> Generator[Batch]:
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, batches, None)
        try:
            while (batch := coming.result()) is not None:
                coming = reader.submit(next, batches, None)
                yield batch
        except UnicodeDecodeError:
            raise RejectedError("file_undecodable", f"{platform.file} is not UTF-8") from None
