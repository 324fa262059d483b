"""The settings with which a session of the warehouse starts."""

from __future__ import annotations

#: The longest wait for a row or table: twice the longest transaction, which loads a roster of 800,000.
LOCK_SECONDS = 120
#: Statements are planned for their parameters: a generic plan for all cohorts is three times slower for a large one. A
#: year's ledger fits in memory, and a million rows are sorted there.
SESSION = {
    "prepare_threshold": None,
    "application_name": "prakerja",
    "options": f"-c work_mem=256MB -c random_page_cost=1.1 -c jit=off -c lock_timeout={LOCK_SECONDS}s"
    " -c search_path=public,pg_temp",
}
#: A read-only session in which an unqualified name is one of PostgreSQL's own. What a client sets at its start takes
#: precedence over what the owner of the database has set for the database or its logins.
PLAIN_SETTINGS = {
    "search_path": "pg_catalog,pg_temp", "row_security": "off", "timezone": "UTC", "datestyle": "ISO",
    "intervalstyle": "postgres", "bytea_output": "hex", "extra_float_digits": "1", "quote_all_identifiers": "off",
    "standard_conforming_strings": "on", "transform_null_equals": "off", "array_nulls": "on", "statement_timeout": "0",
    "default_transaction_read_only": "on",
}  # fmt: skip
PLAIN_SESSION = SESSION | {
    "client_encoding": "UTF8",
    "options": " ".join(
        [
            str(SESSION["options"]).rpartition(" -c ")[0],
            *(f"-c {name}={value}" for name, value in PLAIN_SETTINGS.items()),
        ]
    ),
}
