"""Readers: a delivered file as batches of rows, by the reader of its layout. Nothing is repaired and nothing is lost.

A file is read once, and CSV and JSON are never held in memory as a whole. The text readers have a fast path for plain
rows and an exact path for all others; both read a plain row alike.
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
    """Start reading the rows of an opened file. Taking batches raises `RejectedError` if it cannot be read."""
    readers: dict[str, Callable[[Source, Platform, Reading], Iterator[Batch]]] = {
        "csv": csv_reader.read_csv,
        "jsonl": json_reader.read_jsonl,
        "json": json_reader.read_json,
        "xlsx": workbook.read_xlsx,
    }
    reading = Reading()
    reading.batches = _read_ahead(readers[platform.layout](stream, platform, reading), platform)
    return reading


def _read_ahead(batches: Iterator[Batch], platform: Platform) -> Generator[Batch]:
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, batches, None)
        try:
            while (batch := coming.result()) is not None:
                coming = reader.submit(next, batches, None)
                yield batch
        except UnicodeDecodeError:
            raise RejectedError("file_undecodable", f"{platform.file} is not UTF-8") from None
