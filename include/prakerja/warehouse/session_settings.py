"""The settings with which a session of the warehouse starts."""

from __future__ import annotations

from collections.abc import Mapping

#: The longest wait for a row or table: twice the longest transaction, which loads a roster of 800,000.
LOCK_SECONDS = 120
#: How the driver connects, whatever the URL says. Nothing is prepared: a generic plan for all cohorts is three times
#: slower for a large one. COPY sends UTF-8.
DRIVER = {"prepare_threshold": None, "client_encoding": "UTF8"}
#: The name of a session that works for nobody yet, unless the URL gives one.
APPLICATION = "prakerja"
#: A year's ledger fits in memory, and a million rows are sorted there.
SESSION = {
    "work_mem": "256MB", "random_page_cost": "1.1", "jit": "off", "lock_timeout": f"{LOCK_SECONDS}s",
    "search_path": "public,pg_temp",
}  # fmt: skip
#: A session in which an unqualified name is one of PostgreSQL's own. What a client sets takes precedence over what the
#: owner of the database has set for the database or its logins. (`audit/fix_settings` makes it read-only: one that
#: starts so is refused where the URL asks for a server that can be written to.)
PLAIN_SESSION = SESSION | {
    "search_path": "pg_catalog,pg_temp", "row_security": "off", "timezone": "UTC", "datestyle": "ISO",
    "intervalstyle": "postgres", "bytea_output": "hex", "extra_float_digits": "1", "quote_all_identifiers": "off",
    "standard_conforming_strings": "on", "transform_null_equals": "off", "array_nulls": "on", "statement_timeout": "0",
}  # fmt: skip


def as_options(settings: Mapping[str, str]) -> str:
    """Return settings as a connection's parameter `options`, by which a session starts with them."""
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def as_statement(settings: Mapping[str, str]) -> str:
    """Return the statement that sets them for the rest of a session. It names no object that a search could find."""
    return "select " + ", ".join(
        f"pg_catalog.set_config('{name}', '{value}', false)" for name, value in settings.items()
    )
