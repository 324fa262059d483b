"""A file's rows as the readers tell them apart, in both of their ways: the fast one, and the exact one alone."""

from __future__ import annotations

import contextlib
import gzip
import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from prakerja.feeds import canonical, forms, json_reader, readers
from prakerja.landing import RejectedError
from prakerja.platforms import platforms

#: The reason of a rejection, or the rows in the canonical columns.
Answer = str | list[dict[str, Any]]


def read_rows(platform: str, data: bytes) -> list[dict[str, Any]]:
    """Return a file's rows in the canonical columns. Raises `RejectedError`."""
    contract = platforms()[platform]
    reading = readers.read(io.BytesIO(gzip.decompress(data) if contract.compression else data), contract)
    rows: list[dict[str, Any]] = []
    with contextlib.closing(reading.batches) as batches:
        for batch in batches:
            table, _ = canonical.canonical(batch, contract)
            place = table.schema.get_field_index("occurred_at")  # whose instants may be before all of Python's
            rows += table.set_column(place, "occurred_at", table["occurred_at"].cast(pa.int64())).to_pylist()
    return rows


def answer_of(platform: str, data: bytes) -> Answer:
    """Return the rows of a file, or the reason why it is rejected; the same in both ways."""
    found = _answer_of(platform, data)
    with exact_way():
        exactly = _answer_of(platform, data)
    assert exactly == found
    return found


def _answer_of(platform: str, data: bytes) -> Answer:
    try:
        return read_rows(platform, data)
    except RejectedError as rejection:
        return rejection.reason


@contextlib.contextmanager
def exact_way() -> Iterator[None]:
    """Leave the readers and the forms of values only their exact way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_reader, "_plain_record", lambda *_: None)
        patch.setattr(forms, "_matching", lambda texts, _: pa.nulls(len(texts), pa.string()), raising=False)
        yield


def raws_of(answer: Answer) -> list[str | None]:
    """Return the raw text of each row that is unreadable, and None for each other."""
    assert not isinstance(answer, str), f"rejected: {answer}"
    return [row["raw"] for row in answer]
