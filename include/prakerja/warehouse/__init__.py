"""The warehouse: one PostgreSQL server, yours by `PRAKERJA_DATABASE_URL` or the embedded one.

Only this package opens connections to it. Each module has one subject; callers use the names listed here.
"""

from __future__ import annotations

import sqlalchemy as sa

from prakerja.embedded_postgres import program_of_server as program_of_server
from prakerja.warehouse.addresses import describe_place as describe_place
from prakerja.warehouse.addresses import list_places as list_places
from prakerja.warehouse.bulk import CopyData as CopyData
from prakerja.warehouse.bulk import copy as copy
from prakerja.warehouse.bulk import table as table
from prakerja.warehouse.connections import close_connections as close_connections
from prakerja.warehouse.connections import is_empty as is_empty
from prakerja.warehouse.connections import stop_embedded_server as stop_embedded_server
from prakerja.warehouse.connections import url as url
from prakerja.warehouse.errors import ConflictError as ConflictError
from prakerja.warehouse.errors import RefusedError as RefusedError
from prakerja.warehouse.errors import UnavailableError as UnavailableError
from prakerja.warehouse.errors import translate_database_errors as translate_database_errors
from prakerja.warehouse.locks import exclusive as exclusive
from prakerja.warehouse.plain_sessions import plain_session as plain_session
from prakerja.warehouse.plain_sessions import plain_snapshot as plain_snapshot
from prakerja.warehouse.plain_sessions import seal_apart as seal_apart
from prakerja.warehouse.programs import dump_database as dump_database
from prakerja.warehouse.programs import restore_database as restore_database
from prakerja.warehouse.session_settings import SESSION as SESSION
from prakerja.warehouse.statements import SQL as SQL
from prakerja.warehouse.statements import execute as execute
from prakerja.warehouse.statements import rows as rows
from prakerja.warehouse.statements import statement as statement
from prakerja.warehouse.transactions import SNAPSHOT_ATTEMPTS as SNAPSHOT_ATTEMPTS
from prakerja.warehouse.transactions import DatabaseRole as DatabaseRole
from prakerja.warehouse.transactions import require_duties as require_duties
from prakerja.warehouse.transactions import transaction as transaction
from prakerja.warehouse.transactions import warehouse_id as warehouse_id
from prakerja.warehouse.transactions import write_in_one_snapshot as write_in_one_snapshot

Connection = sa.Connection
Row = sa.RowMapping
