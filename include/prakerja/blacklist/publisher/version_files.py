"""A version's files, built from rows a column at a time: two million people take seconds."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from prakerja_blacklist.format.contract import Contract, Instant, format_instant
from prakerja_blacklist.format.documents import Document, column_names, field_hints, require_column, split_hint
from prakerja_blacklist.format.snapshot import build_list, parse_delta, sha256
from prakerja_blacklist.format.subject_keys import SubjectKey

if TYPE_CHECKING:
    import pyarrow as pa

_INSTANT = split_hint(Instant)[1][0]


def arrow_types(kind: type[Document]) -> dict[str, str]:
    """Return the Arrow types of a row's columns as the warehouse gives them: instants in seconds."""
    types = {}
    for name, hint in field_hints(kind).items():
        base, rules = split_hint(hint)
        types[name] = "int64" if _INSTANT in rules else "int32" if base is int else "string"
    return types


@dataclass(frozen=True)
class Rows:
    """Rows of a list or a delta, checked against their schema and sorted by subject."""

    kind: type[Document]
    table: pa.Table

    @classmethod
    def from_people(cls, kind: type[Document], people: pa.Table, key: SubjectKey) -> Rows:
        """Return the rows of people: `nik` and the contract's columns, as `arrow_types` has them. NIKs end here."""
        import pyarrow as pa

        listed = people.append_column("subject", pa.array(key.subjects(people["nik"].to_pylist()), pa.string()))
        for name, type_name in arrow_types(kind).items():
            if type_name == "int64":
                listed = _format_instants(listed, name)
        return cls._check(kind, listed.select(column_names(kind)))

    @classmethod
    def build_reissue(cls, contract: Contract, before: Rows | None, after: Rows) -> Rows:
        """Return the delta of a list that is issued anew: everybody of the list before is withdrawn, and added."""
        import pyarrow as pa

        parts = []
        for op, rows, reason in (("WITHDRAW", before, "KEY_ROTATED"), ("ADD", after, None)):
            if rows is None:
                continue
            part = rows.table.add_column(0, "op", pa.array([op] * rows.table.num_rows, pa.string()))
            if reason:
                place = part.column_names.index("reason")
                part = part.set_column(place, "reason", pa.array([reason] * part.num_rows, pa.string()))
            parts.append(part)
        return cls._check(contract.delta_row, pa.concat_tables(parts))

    @classmethod
    def _check(cls, kind: type[Document], table: pa.Table) -> Rows:
        for name in table.column_names:
            column = table[name] if name == "subject" else table[name].unique()
            require_column(kind, name, column.to_pylist())
        return cls(kind, table.sort_by("subject"))

    def csv(self) -> bytes:
        """Return the canonical CSV."""
        from pyarrow import csv

        buffer = io.BytesIO()
        buffer.write((",".join(column_names(self.kind)) + "\n").encode())
        if self.table.num_rows:
            # By the schema, no value has a comma, a quote or a line break.
            csv.write_csv(self.table, buffer, csv.WriteOptions(include_header=False, quoting_style="none"))
        return buffer.getvalue()


@dataclass(frozen=True)
class VersionFiles:
    """The canonical list and delta of a version, its files by name with their rows, and the manifest's counts."""

    snapshot: bytes
    delta: bytes
    files: dict[str, tuple[bytes, int]]
    counts: dict[str, Any]
    result_sha256: str

    @classmethod
    def build_following(cls, contract: Contract, before: bytes, changed: Rows) -> VersionFiles:
        """Return the files of the list that a delta makes of the one before. Raise `NotCanonicalError`."""
        delta = changed.csv()
        return cls.build(contract, build_list(before, parse_delta(delta, contract)), delta)

    @classmethod
    def build(cls, contract: Contract, snapshot: bytes, delta: bytes) -> VersionFiles:
        """Return the files of a canonical list and of the delta that leads to it."""
        listed = _read_table(contract, snapshot)
        with ThreadPoolExecutor(2) as pool:  # compressing and hashing release the interpreter
            jobs: list[Callable[[], Any]] = [
                lambda: _gzip(snapshot),
                lambda: _parquet(listed),
                lambda: sha256(snapshot),
            ]
            packed, parquet, result_sha256 = pool.map(lambda job: job(), jobs)
        entries, changes = _count_rows(snapshot), _count_rows(delta)
        files = {
            "snapshot.csv.gz": (packed, entries),
            "snapshot.parquet": (parquet, entries),
            "delta.csv.gz": (_gzip(delta), changes),
        }
        by_cohort = listed["cohort"].value_counts().to_pylist()
        counts = {
            "entries": entries,
            "added": delta.count(b"\nADD,"),
            "withdrawn": delta.count(b"\nWITHDRAW,"),
            "by_cohort": {str(each["values"]): each["counts"] for each in sorted(by_cohort, key=lambda e: e["values"])},
        }
        return cls(snapshot, delta, files, counts, result_sha256)

    @property
    def entries(self) -> int:
        """How many are listed."""
        return _count_rows(self.snapshot)

    @property
    def changes(self) -> int:
        """How many changes the delta has."""
        return _count_rows(self.delta)


def _count_rows(csv: bytes) -> int:
    return csv.count(b"\n") - 1


def _read_table(contract: Contract, snapshot: bytes) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    types = {
        name: pa.int32() if type_name == "int32" else pa.string()  # an instant is a text in the list
        for name, type_name in arrow_types(contract.row).items()
    }
    return csv.read_csv(
        pa.BufferReader(snapshot),
        parse_options=csv.ParseOptions(quote_char=False),
        convert_options=csv.ConvertOptions(column_types=types),
    ).combine_chunks()


def _parquet(listed: pa.Table) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    buffer = pa.BufferOutputStream()
    # No two subjects are the same: a dictionary of them would be a second list.
    others = [name for name in listed.column_names if name != "subject"]
    parquet.write_table(listed, buffer, use_dictionary=others)
    data: bytes = buffer.getvalue().to_pybytes()
    return data


def _format_instants(table: pa.Table, name: str) -> pa.Table:
    import pyarrow as pa

    seconds = table[name].combine_chunks().dictionary_encode()
    texts = pa.array(
        [format_instant(datetime.fromtimestamp(each, UTC)) for each in seconds.dictionary.to_pylist()], pa.string()
    )
    place = table.column_names.index(name)
    return table.set_column(place, name, texts.take(seconds.indices))


def _gzip(data: bytes) -> bytes:
    # Without a time of day, so that the same list gives the same bytes.
    pack = zlib.compressobj(6, zlib.DEFLATED, 31)
    return pack.compress(data) + pack.flush()
