"""A version's files, from rows: columns at a time, so that two million people take seconds."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from prakerja.blacklist.format.contract import DeltaRow, Document, SnapshotRow, columns, require_column, utc_text
from prakerja.blacklist.format.signing import SubjectKey
from prakerja.blacklist.format.snapshot import DELTA_HEADER, HEADER, parsed_delta, result, sha256

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Rows:
    """Rows of a list or a delta: checked against their schema, sorted by subject."""

    kind: type[Document]
    table: pa.Table

    @classmethod
    def of(cls, kind: type[Document], people: pa.Table, key: SubjectKey) -> Rows:
        """Of people: `nik`, and the columns of the contract with `effective_at` in seconds. NIKs end here."""
        import pyarrow as pa

        made = people.append_column("subject", pa.array(key.subjects(people["nik"].to_pylist()), pa.string()))
        return cls._checked(kind, _with_instants(made).select(columns(kind)))

    @classmethod
    def reissued(cls, before: Rows, after: Rows) -> Rows:
        """The delta of a list that is issued anew, under another key: everybody is withdrawn, and added."""
        import pyarrow as pa

        parts = []
        for op, rows, reason in (("WITHDRAW", before, "KEY_ROTATED"), ("ADD", after, None)):
            part = rows.table.add_column(0, "op", pa.array([op] * rows.table.num_rows, pa.string()))
            if reason:
                place = part.column_names.index("reason")
                part = part.set_column(place, "reason", pa.array([reason] * part.num_rows, pa.string()))
            parts.append(part)
        return cls._checked(DeltaRow, pa.concat_tables(parts))

    @classmethod
    def _checked(cls, kind: type[Document], table: pa.Table) -> Rows:
        for name in table.column_names:
            column = table[name] if name == "subject" else table[name].unique()
            require_column(kind, name, column.to_pylist())
        return cls(kind, table.sort_by("subject"))

    def csv(self) -> bytes:
        """The canonical CSV."""
        from pyarrow import csv

        buffer = io.BytesIO(HEADER if self.kind is SnapshotRow else DELTA_HEADER)
        buffer.seek(0, io.SEEK_END)
        if self.table.num_rows:
            # No value of the contract has a comma, a quote or a line break: its schema says so.
            csv.write_csv(self.table, buffer, csv.WriteOptions(include_header=False, quoting_style="none"))
        return buffer.getvalue()


@dataclass
class VersionFiles:
    """The files of a version by name, each with its rows; and what the manifest says of them."""

    snapshot: bytes  # the canonical list, and the canonical delta that led to it
    delta: bytes
    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    result_sha256: str = ""

    @classmethod
    def following(cls, before: bytes, changed: Rows) -> VersionFiles:
        """Of the list that a delta makes of the one before. Raises `NotCanonicalError` where it does not fit that."""
        delta = changed.csv()
        return cls(result(before, parsed_delta(delta)), delta)

    @property
    def entries(self) -> int:
        """How many are listed."""
        return self.snapshot.count(b"\n") - 1

    @property
    def changes(self) -> int:
        """How many changes the delta has."""
        return self.delta.count(b"\n") - 1

    def written(self) -> VersionFiles:
        """Make the files' contents; gives itself."""
        listed = _table(self.snapshot)
        with ThreadPoolExecutor(2) as pool:  # they let go of the interpreter
            jobs: list[Callable[[], Any]] = [
                lambda: _gzip(self.snapshot),
                lambda: _parquet(listed),
                lambda: sha256(self.snapshot),
            ]
            packed, parquet, self.result_sha256 = pool.map(lambda job: job(), jobs)
        self.files = {
            "snapshot.csv.gz": (packed, self.entries),
            "snapshot.parquet": (parquet, self.entries),
            "delta.csv.gz": (_gzip(self.delta), self.changes),
        }
        by_cohort = listed["cohort"].value_counts().to_pylist()
        self.counts = {
            "entries": self.entries,
            "added": self.delta.count(b"\nADD,"),
            "withdrawn": self.delta.count(b"\nWITHDRAW,"),
            "by_cohort": {str(each["values"]): each["counts"] for each in sorted(by_cohort, key=lambda e: e["values"])},
        }
        return self


def _table(snapshot: bytes) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    types = {name: pa.int32() if name == "cohort" else pa.string() for name in columns(SnapshotRow)}
    return csv.read_csv(
        pa.BufferReader(snapshot),
        parse_options=csv.ParseOptions(quote_char=False),
        convert_options=csv.ConvertOptions(column_types=types),
    ).combine_chunks()


def _parquet(listed: pa.Table) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    buffer = pa.BufferOutputStream()
    # Subjects are all different: a dictionary of them would be a second list.
    others = [name for name in listed.column_names if name != "subject"]
    parquet.write_table(listed, buffer, use_dictionary=others)
    data: bytes = buffer.getvalue().to_pybytes()
    return data


def _with_instants(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    seconds = table["effective_at"].combine_chunks().dictionary_encode()
    texts = pa.array(
        [utc_text(datetime.fromtimestamp(each, UTC)) for each in seconds.dictionary.to_pylist()], pa.string()
    )
    place = table.column_names.index("effective_at")
    return table.set_column(place, "effective_at", texts.take(seconds.indices))


def _gzip(data: bytes) -> bytes:
    # No time of day: the same list gives the same bytes.
    pack = zlib.compressobj(6, zlib.DEFLATED, 31)
    return pack.compress(data) + pack.flush()
