"""Millions of rows at once: into the warehouse with COPY, out of it as Arrow tables."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from prakerja.warehouse.errors import RefusedError
from prakerja.warehouse.statements import SQL

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class CopyData:
    """Rows in COPY's format. One thread prepares them while another sends the rows before."""

    table: str
    columns: list[str]
    rows: int
    csv: memoryview

    @classmethod
    def from_records(cls, table: str, records: pa.Table) -> CopyData:
        """Return `records` for the table's columns of the same names."""
        import pyarrow as pa
        from pyarrow import csv

        buffer = pa.BufferOutputStream()
        # Text is always quoted: an empty text stays a text, and only a missing value is null.
        csv.write_csv(records, buffer, csv.WriteOptions(include_header=False, quoting_style="needed"))
        return cls(table, records.column_names, records.num_rows, memoryview(buffer.getvalue()))


def copy(connection: sa.Connection, data: CopyData) -> None:
    """Load rows with COPY, in the connection's transaction."""
    statement = f"copy {data.table} ({', '.join(data.columns)}) from stdin (format csv)"
    with contextlib.closing(connection.connection.cursor()) as cursor, cursor.copy(statement) as copying:
        copying.write(data.csv)


def table(connection: sa.Connection, name: str, types: Mapping[str, str], **parameters: Any) -> pa.Table:
    """Return the rows of the named statement as an Arrow table: millions of them in seconds.

    `types` maps the statement's columns to Arrow types. A value may not be null, nor contain a comma or a line break.
    The server joins rows to pages of text: fetched row by row, the driver takes longer than all the rest. Raise
    `RefusedError` if the rows cannot be read as these types.
    """
    import pyarrow as pa
    from pyarrow import csv

    selected = (SQL / f"{name}.sql").read_text(encoding="utf-8")
    pages = connection.execute(
        sa.text(
            f"select string_agg(concat_ws(',', {', '.join(types)}), chr(10)) as page"  # noqa: S608 - our own columns
            f" from (select q.*, row_number() over () / 50000 as page_number from ({selected}) as q) as r"
            " group by page_number"
        ),
        parameters,
    ).scalars()
    columns = {column: pa.type_for_alias(kind) for column, kind in types.items()}
    text = "\n".join(pages).encode()
    if not text:
        return pa.schema(columns).empty_table()
    try:
        return csv.read_csv(
            pa.BufferReader(text),
            csv.ReadOptions(column_names=list(columns), block_size=1 << 24),
            csv.ParseOptions(),
            csv.ConvertOptions(column_types=columns),
        )
    except pa.ArrowInvalid:  # whose message quotes the row
        raise RefusedError(f"{name} returned rows that cannot be read") from None
