"""URLs of PostgreSQL servers: in each form that libpq and SQLAlchemy understand, and errors that quote none of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from prakerja.errors import PrakerjaError
from prakerja.warehouse import addresses, connections, programs
from prakerja.warehouse.errors import RefusedError, UnavailableError, connection_error


def parameters(text: str) -> dict[str, str]:
    return addresses.libpq_parameters(addresses.parse_url(text))


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:p@h:5433/db",
        "postgres://u@h/db",
        "postgresql://",
        "postgresql:///db",
        "postgresql://u:a%25b%40c%2Fd@h/db",
        "postgresql://%75:p@h/d%62",
        "postgresql://me%40tenant:p@h/db",
        "postgresql://u@%2Fvar%2Frun:5433/db",
        "postgresql:///db?host=/var/run&port=5433",
        "postgresql://a:1,b:2/db?target_session_attrs=read-write",
        "postgresql://a,b/db",
        "postgresql:///db?host=a,b&port=1,2",
        "postgresql://[::1]:5433/db",
        "postgresql://[::1]:1,h:2/db",
        "postgresql:///db?host=::1",
        "postgresql://h/db?user=u&password=p%25q",
        "postgresql://h/?dbname=db",
        "postgresql://h/db?sslmode=verify-full&sslrootcert=/etc/ca%20s.pem&connect_timeout=5&application_name=a@b",
        "postgresql://h/db?options=-c%20geqo%3Doff%20-c%20jit%3Doff",
        "postgresql:///db?service=production",
    ],
)
def test_a_url_is_read_as_libpq_reads_it(text: str) -> None:
    assert parameters(text) == conninfo_to_dict(text)
    again = addresses.parse_url(text).render_as_string(hide_password=False)
    assert parameters(again) == conninfo_to_dict(text), "what a process is handed is the same"


def test_hosts_with_their_ports_may_be_repeated_as_sqlalchemy_has_them() -> None:
    assert parameters("postgresql://u@/db?host=a:1&host=b:2") == {
        "user": "u",
        "dbname": "db",
        "host": "a,b",
        "port": "1,2",
    }
    assert parameters("postgresql+psycopg2://u@/db?host=a:1&host=b") == {
        "user": "u", "dbname": "db", "host": "a,b", "port": "1,",
    }  # fmt: skip


@pytest.mark.parametrize("password", ["se@cret", "p%ss", "a/b?c#d", "a@b?c", "x:y", "@", "100%"])
def test_a_password_that_is_not_encoded_is_taken_whole(password: str) -> None:
    """No error may take a part of it for the host."""
    read = parameters(f"postgresql://u:{password}@h:5433/db?sslmode=require")
    assert read == {
        "user": "u", "password": password, "host": "h", "port": "5433", "dbname": "db", "sslmode": "require",
    }  # fmt: skip


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_password_arrives(password: str) -> None:
    given = sa.URL.create("postgresql", "u", password, "h", 1, "db").render_as_string(hide_password=False)
    assert parameters(given)["password"] == password


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nonsense", "is not a postgresql:// URL"),
        ("mysql://u:hush@h/db", "is not a postgresql:// URL"),
        ("host=h user=u password=hush", "is not a postgresql:// URL"),
        ("postgresql://u:hush@h:port/db", "is not a postgresql:// URL"),
        ("postgresql://u:hush@h/db?nonsense=1", "has the parameter `nonsense`"),
        ("postgresql://u:p@ss?hush=d@h/db", "is not a postgresql:// URL: percent-encode"),
        ("postgresql:///db?host=a,b,c&port=1,2", "has 3 hosts: give one port, or a port for each"),
        ("postgresql:///db?host=a&port=one", "has 1 host: give one port"),
    ],
)
def test_what_is_no_url_is_refused_without_being_quoted(monkeypatch: pytest.MonkeyPatch, text: str, why: str) -> None:
    monkeypatch.setenv("PRAKERJA_DATABASE_URL", text)
    with pytest.raises(PrakerjaError, match=f"^PRAKERJA_DATABASE_URL {why}") as raised:
        connections.url()
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("postgresql://u:hush@h/db", "h"),
        ("postgresql://a:1,b/db", "a:1, b"),
        ("postgresql:///db?host=/var/run&port=5433", "/var/run:5433"),
        ("postgresql:///db?host=a,b&port=5433", "a:5433, b:5433"),
        ("postgresql:///db", "localhost"),
    ],
)
def test_a_place_is_named(text: str, place: str) -> None:
    assert addresses.describe_place(addresses.parse_url(text)) == place


@pytest.mark.parametrize(
    ("said", "kind", "why"),
    [
        ('connection failed: connection to server at "h", port 1 failed: Connection refused\n\tIs the server running?',
         UnavailableError, "cannot be reached at h (Connection refused): start it"),
        ('connection failed: connection to server at "h", port 1 failed: root certificate file "/x" does not exist',
         UnavailableError, 'cannot be reached at h (root certificate file "/x" does not exist)'),
        ('connection is bad: definition of service "s" not found',
         UnavailableError, 'cannot be reached at h (definition of service "s" not found)'),
        ('connection to server at "h", port 1 failed: FATAL:  unsupported startup parameter: options',
         RefusedError, "its connection pooler takes no `options`"),
        ('connection to server at "h", port 1 failed: FATAL:  no such database: db',
         RefusedError, "the connection pooler has no such database"),
        ('connection to server at "h", port 1 failed: FATAL:  SASL authentication failed',
         RefusedError, "the login u has another password"),
        ("query_wait_timeout", UnavailableError, "its connection pooler has no connection left"),
    ],
)  # fmt: skip
def test_a_connection_that_fails_says_why(said: str, kind: type[Exception], why: str) -> None:
    error = connection_error(said, "h", "u")
    assert isinstance(error, kind)
    assert why in str(error)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("pg_dump: error: aborting because of server version mismatch\n"
         "pg_dump: detail: server version: 19.0; pg_dump version: 18.4\n",
         "aborting because of server version mismatch; server version: 19.0; pg_dump version: 18.4"),
        ("pg_dump: error: query failed: ERROR:  permission denied for table rosters\n"
         "pg_dump: detail: Query was: LOCK TABLE public.rosters, public.deliveries\n",
         "query failed: ERROR:  permission denied for table rosters"),
        ('pg_restore: error: COPY failed for table "recipients": ERROR:  invalid input syntax for type bigint: "3171"\n'
         "CONTEXT:  COPY recipients, line 1, column nik: 3171\n",
         'COPY failed for table "recipients"'),
        ("pg_restore: error: could not execute query: ERROR:  could not create unique index\n"
         "DETAIL:  Key (nik)=(3171012345678901) is duplicated.\nCommand was: create unique index\n",
         "could not execute query: ERROR:  could not create unique index"),
        ("pg_dump: warning: there are circular foreign-key constraints\npg_dump: error: first\npg_dump: error: last\n",
         "last"),
        ("psql:<stdin>:12: ERROR:  permission denied for schema public\n", "permission denied for schema public"),
        ('psql:<stdin>:99: ERROR:  invalid input syntax for type bigint: "3171"\n', "invalid input syntax"),
        ("psql: error: connection to server failed: FATAL:  the database system is shutting down\n",
         "connection to server failed: FATAL:  the database system is shutting down"),
        ("Segmentation fault\n", ""),
    ],
)  # fmt: skip
def test_the_reason_of_a_program_is_its_last_error_without_rows(said: str, reason: str) -> None:
    assert programs.find_reason(said.partition(":")[0], said) == reason


def test_a_secret_that_has_no_variable_is_not_put_among_the_arguments() -> None:
    address = addresses.parse_url("postgresql://u:p@h/db?sslpassword=hush")
    with pytest.raises(PrakerjaError, match="would show PRAKERJA_DATABASE_URL's sslpassword") as raised:
        programs.dump_database(address, Path("/nowhere"))
    assert "hush" not in str(raised.value)
