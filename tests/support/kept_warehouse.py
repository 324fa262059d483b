"""The rows of the whole warehouse as a test has brought them about, kept aside and put back as often as needed."""

from __future__ import annotations

from dataclasses import dataclass

from prakerja import warehouse
from tests.conftest import empty

COLUMNS = (
    "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"
    " where attrelid = %s::regclass and attnum > 0 and not attisdropped and attgenerated = ''"
)


@dataclass(frozen=True)
class KeptWarehouse:
    """Copies of the tables that had rows, by table with its columns, and where the sequences stood."""

    columns: dict[str, str]
    sequences: dict[str, int]

    @classmethod
    def keep(cls) -> KeptWarehouse:
        """Copy every table that has rows into the schema `kept`."""
        columns: dict[str, str] = {}
        with warehouse.transaction(as_owner=True) as connection:
            connection.exec_driver_sql("create schema kept")
            for table in connection.exec_driver_sql(
                "select tablename from pg_tables where schemaname = 'public'"
                " and tablename not in ('alembic_version', 'transitions', 'message_transitions', 'audited',"
                " 'approval_rule', 'audit_baseline', 'warehouse_identity') order by 1"
            ).scalars():
                if connection.exec_driver_sql(f"select exists (select from {table})").scalar_one():
                    connection.exec_driver_sql(f"create table kept.{table} as table {table}")
                    columns[table] = connection.exec_driver_sql(COLUMNS, (table,)).scalar_one()
            sequences = connection.exec_driver_sql(
                "select format('%%I.%%I', schemaname, sequencename), last_value from pg_sequences"
                " where schemaname = 'public' and last_value is not null"
            )
            return cls(columns, {name: value for name, value in sequences})  # noqa: C416 - rows, not pairs

    def put_back(self) -> None:
        """Bring the warehouse back to what was kept."""
        empty()
        with warehouse.transaction(as_owner=True) as connection:
            connection.exec_driver_sql("set local session_replication_role = replica")
            for table, columns in self.columns.items():
                connection.exec_driver_sql(
                    f"insert into {table} ({columns}) overriding system value select {columns} from kept.{table}"
                )
            for sequence, value in self.sequences.items():
                connection.exec_driver_sql("select setval(%s, %s)", (sequence, value))

    def forget(self) -> None:
        """Drop the copies."""
        with warehouse.transaction(as_owner=True) as connection:
            connection.exec_driver_sql("drop schema kept cascade")
