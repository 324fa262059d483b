"""PostgreSQL's URLs, in the forms that libpq and SQLAlchemy understand, and libpq's parameters for them."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

import sqlalchemy as sa

if TYPE_CHECKING:
    from psycopg.pq.misc import ConninfoOption

#: A password may contain what should be encoded in it: no error may take a part of it for the host or the database.
URL = re.compile(
    r"(?:postgresql|postgres)(?:\+\w+)?://(?:(?P<user>[^:/?]*?)(?::(?P<password>.*?))?@)?(?P<hosts>[^@/?]*)"
    r"(?:/(?P<database>[^?@]*))?(?:\?(?P<query>\w+=[^&]*(?:&\w+=[^&]*)*)?)?",
    re.DOTALL,
)
HOST = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{0,5}))?")


def parse_url(text: str) -> sa.URL:
    """Return the URL of a server, in one form whatever the given one is. Raise `ValueError` if it is none.

    Several hosts may be given as `//a:5432,b:5432/` or `?host=a:5432&host=b:5432`, the folder of a socket as
    `?host=/folder` or percent-encoded in place of the host. The error does not quote the text, which has a password.
    """
    parts = URL.fullmatch(text)
    if parts is None:
        raise ValueError("is not a postgresql:// URL: give postgresql://user@host/database")
    given = parse_qs(parts["query"] or "", keep_blank_values=True)
    for name in given:
        if name not in parameter_names():
            if "@" in parts["query"]:  # what looks like a name may be a part of a password
                raise ValueError("is not a postgresql:// URL: percent-encode what is in its password")
            raise ValueError(f"has the parameter `{name}`, which PostgreSQL does not have: correct or remove it")
    query = {name: values[-1] for name, values in given.items() if name not in {"host", "port"}}
    hosts, ports = _split_hosts(parts["hosts"].split(",") if parts["hosts"] else given.get("host", [""]))
    if "port" in given:
        ports = given["port"][-1].split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    if len(ports) != len(hosts) or not all(re.fullmatch("[0-9]{0,5}", port) for port in ports):
        raise ValueError(
            f"has {len(hosts)} host{'s' * (len(hosts) > 1)}: give one port, or a port for each, with commas between"
        )
    is_one = len(hosts) == 1 and not hosts[0].startswith("/")
    if not is_one and any(hosts):
        query["host"] = ",".join(hosts)
    if not is_one and any(ports):
        query["port"] = ",".join(ports)
    return sa.URL.create(
        "postgresql",
        username=query.pop("user", None) or unquote(parts["user"] or "") or None,
        password=query.pop("password", None) or unquote(parts["password"] or "") or None,
        host=(hosts[0] or None) if is_one else None,
        port=int(ports[0]) if is_one and ports[0] else None,
        database=query.pop("dbname", None) or unquote(parts["database"] or "") or None,
        query=query,
    )


def libpq_parameters(address: sa.URL) -> dict[str, str]:
    """Return a URL as parameters of libpq, the password among them."""
    dialect = address.set(drivername="postgresql+psycopg").get_dialect()()
    _, parameters = dialect.create_connect_args(address)
    return {name: str(value) for name, value in parameters.items()}


def list_places(address: sa.URL) -> list[tuple[str, str]]:
    """Return the hosts of a URL, or the folders of their sockets, with their ports; "" is libpq's default."""
    parameters = libpq_parameters(address)
    hosts, ports = (parameters.get(name, "").split(",") for name in ("host", "port"))
    return list(zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=False))


def describe_place(address: sa.URL) -> str:
    """Name the server of a URL: its hosts with their ports, or the folder of its socket."""
    return ", ".join(f"{host or 'localhost'}{f':{port}' if port else ''}" for host, port in list_places(address))


@cache
def parameter_names() -> frozenset[str]:
    """Return the names of libpq's parameters."""
    return frozenset(option.keyword.decode() for option in _options())


@cache
def secret_names() -> frozenset[str]:
    """Return the names of libpq's parameters that are secrets: those that it does not display."""
    return frozenset(option.keyword.decode() for option in _options() if option.dispchar == b"*")


def _options() -> list[ConninfoOption]:
    from psycopg import pq

    return pq.Conninfo.get_defaults()


def _split_hosts(given: list[str]) -> tuple[list[str], list[str]]:
    """Return the hosts and the port of each, "" where none is given. Raise `ValueError` for one that is none."""
    hosts, ports = list[str](), list[str]()
    for each in (host for several in given for host in several.split(",")):
        is_plain = each.startswith("/") or (each.count(":") > 1 and "[" not in each)  # a socket's folder, or IPv6
        parts = None if is_plain else HOST.fullmatch(each)
        if parts is None and each.count(":") == 1:
            raise ValueError("is not a postgresql:// URL: a port is a number")
        hosts.append(unquote((parts["host"] if parts else each).strip("[]")))
        ports.append((parts["port"] if parts else "") or "")
    return hosts, ports
