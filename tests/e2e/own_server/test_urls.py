"""Backup and restore, and what is read and written, through every way to a server that a URL can name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_uses import OWNER
from tests.support.own_server import OwnServer, only_line
from tests.support.postgres_and_redis import PASSWORD, PGBOUNCER

needs_pgbouncer = pytest.mark.skipif(PGBOUNCER is None, reason="needs pgbouncer (Debian: apt install pgbouncer)")
#: By what they try: `{password}` is encoded, `{pooler}` the port of PgBouncer with session pooling, which asks for TLS.
URLS = {
    "a password": "postgresql://warehouse:{password}@127.0.0.1:{port}/{database}",
    "another scheme, and a password in a parameter": "postgres://127.0.0.1:{port}/{database}?user=warehouse&password={password}",
    "a file of passwords": "postgresql://warehouse@127.0.0.1:{port}/{database}",
    "a socket": "postgresql://warehouse:{password}@/{database}?host={folder}&port={port}",
    "a socket in place of the host": "postgresql://warehouse:{password}@{encoded_folder}:{port}/{database}",
    "several hosts": "postgresql://warehouse:{password}@/{database}?host=127.0.0.1:1&host=127.0.0.1:{port}"
    "&target_session_attrs=read-write",
    "several hosts as libpq has them": "postgresql://warehouse:{password}@127.0.0.1:1,127.0.0.1:{port}/{database}",
    "options, a name and a timeout": "postgresql://warehouse:{password}@127.0.0.1:{port}/{database}"
    "?options=-c%20geqo%3Doff&application_name=o%27clock&connect_timeout=9",
    "a session pooler with TLS": "postgresql://warehouse:{password}@localhost:{pooler}/{database}"
    "?sslmode=verify-full&sslrootcert={certificate}",
}


@pytest.mark.parametrize(
    "url",
    [pytest.param(url, id=name, marks=needs_pgbouncer if "pooler" in name else ()) for name, url in URLS.items()],
)
def test_everything_works_through_a_url(
    own: OwnServer, empty_database: str, filled: Callable[..., str], passwords: dict[str, str], tmp_path: Path, url: str
) -> None:
    """The restored warehouse is written into: restoring it sets its sessions' search path, locks it and seals facts."""
    known = {} if "{password}" in url else passwords
    live, other = filled(url, "warehouse"), filled(url, empty_database)
    home = {**known, "PRAKERJA_HOME": str(tmp_path / "home")}
    made = own.run(None, "backup", str(tmp_path / "backup"), url=live, **home)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(f"{tmp_path / 'backup'}: 1 files, ")
    restored = own.run(None, "restore", str(tmp_path / "backup"), url=other, **home)
    assert restored.returncode == 1, "there is no published folder beside this home"
    assert "entries of the audit log" in restored.stdout, restored.stderr
    frozen = own.run(None, "freeze", "start", "--because", "a test", "--as", "siti", url=other, **home)
    assert ": nobody of any cohort is revoked" in frozen.stdout, frozen.stderr
    corrected = own.run(
        None, "correct", "-", "--because", "a test", "--as", "siti", url=other, **home,
        given=json.dumps({"card_number": _somebody(own), "region_code": "31"}),
    )  # fmt: skip
    assert corrected.returncode == 0, corrected.stderr
    listed = own.run(None, "audit", "list", "--last", "2", url=other, **home)
    assert "1 freezes" in listed.stdout, listed.stderr


@needs_pgbouncer
@pytest.mark.parametrize(
    "command",
    [
        ["cohorts"], ["db", "upgrade"], ["backup", "{new}"], ["restore", "{old}"], ["serve"],
        ["replay", "--from", "2021-03-15", "--to", "2021-03-15"],
    ],
    ids=lambda command: command[0],
)  # fmt: skip
def test_a_pooler_that_shares_sessions_is_refused(
    own: OwnServer, transaction_pooler: int, backup: Path, command: list[str], tmp_path: Path
) -> None:
    """Nothing is set in a session that others get next, and no lock is taken there."""
    url = own.server.url(OWNER, "warehouse").replace(f":{own.server.port}/", f":{transaction_pooler}/")
    arguments = [each.format(new=tmp_path / "backup", old=backup) for each in command]
    line = only_line(own.run(None, *arguments, url=url))
    assert "a connection pooler that shares sessions between clients: use session pooling (PgBouncer" in line
    assert not (tmp_path / "backup").exists()
    with own.server.connect() as connection:
        left = "select count(*) from pg_locks where locktype = 'advisory'"
        assert connection.execute(left).fetchone() == (0,)


@needs_pgbouncer
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://warehouse:{password}@127.0.0.1:{pooler}/warehouse?sslmode=verify-full&sslrootcert={certificate}",
         'server certificate for "localhost"'),
        ("postgresql://warehouse:{password}@localhost:{pooler}/warehouse?sslmode=verify-full&sslrootcert=/nowhere.pem",
         'root certificate file "/nowhere.pem" does not exist'),
        ("postgresql://warehouse:{password}@localhost:{port}/warehouse?sslmode=require", "does not support SSL"),
        ("postgresql://warehouse:wrong@localhost:{pooler}/warehouse", "the login warehouse has another password"),
        ("postgresql://warehouse:{password}@localhost:{pooler}/nowhere", "no such database"),
        ("postgresql://warehouse:{password}@localhost:{pooler}/warehouse?options=-c%20geqo%3Doff",
         "takes no `options`"),
        ("postgresql://warehouse@localhost:{port}/warehouse", "the login warehouse needs a password"),
        ("postgresql://warehouse:{password}@localhost:{port},localhost:1/warehouse?target_session_attrs=standby",
         "cannot be reached at localhost:{port}, localhost:1, database warehouse (Connection refused)"),
    ],
)  # fmt: skip
def test_a_way_that_does_not_lead_there_is_one_line(
    own: OwnServer, filled: Callable[..., str], url: str, why: str, tmp_path: Path
) -> None:
    for command in (["cohorts"], ["backup", str(tmp_path / "backup")]):
        line = only_line(own.run(None, *command, url=filled(url, "warehouse")))
        assert filled(why, "warehouse") in line
        assert PASSWORD not in line
        assert not (tmp_path / "backup").exists()


def _somebody(own: OwnServer) -> str:
    with own.server.connect() as connection:
        row = connection.execute("select lpad(card_number::text, 16, '0') from recipients limit 1").fetchone()
    return str(row and row[0])
