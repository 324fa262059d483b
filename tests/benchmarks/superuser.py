"""The embedded server's superuser, who may what the schema's owner may not."""

from __future__ import annotations

from typing import Any

import psycopg

from prakerja import embedded_postgres, warehouse


def superuser() -> psycopg.Connection[tuple[Any, ...]]:
    """Connect to the running server."""
    url = warehouse.url(login=embedded_postgres.SUPERUSER).set(drivername="postgresql")
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


def let_facts_go_unproved() -> None:
    """Let the owner write facts without what leads to them: a world of a million approvals takes an hour."""
    with superuser() as server:
        server.execute("grant set on parameter session_replication_role to warehouse")
