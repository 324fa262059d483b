"""The message gateways as Airflow connections, `prakerja_<gateway>`: `prakerja_sms`, `prakerja_smtp` and so on.

Whoever may edit connections chooses among the hosts that `PRAKERJA_MESSAGE_HOSTS` allows, outside Airflow.
"""

from __future__ import annotations

from urllib.parse import quote

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from prakerja.programme import programme

PROTOCOLS = ("http", "https")


def message_connections() -> dict[str, str]:
    """The URLs of those that are defined, by name; where none is, the environment's are meant.

    An HTTP connection's password is the bearer token.
    """
    urls = {}
    for gateway in gateways():
        try:
            connection = Connection.get(f"prakerja_{gateway}")
        except AirflowNotFoundException:
            continue
        urls[gateway] = url_of(connection, is_mail=gateway in programme().reminders.list_gateways("smtp"))
    return urls


def gateways() -> tuple[str, ...]:
    """Return the names of the gateways in `program.yaml`, in the order in which they are tried."""
    return tuple(programme().reminders.list_gateways())


def url_of(connection: Connection, *, is_mail: bool) -> str:
    """Return a connection as a URL, with its secret."""
    protocol, _, place = (connection.host or "").rpartition("://")
    place, _, path = place.partition("/")
    if is_mail:
        # As the SMTP provider reads it: TLS from the start, unless it is switched off (then by STARTTLS where offered).
        is_plain = str(connection.extra_dejson.get("disable_ssl", False)).lower() == "true"
        protocol = protocol or ("smtp" if is_plain else "smtps")
    else:
        # Of a connection written as a URI, Airflow keeps the protocol as its type, and the path as its schema.
        schema = connection.schema or ""
        path = path or (schema if schema not in PROTOCOLS else "")
        protocol = protocol or next((name for name in (schema, connection.conn_type) if name in PROTOCOLS), "https")
    login = f"{quote(connection.login or '', safe='')}:{quote(connection.password or '', safe='')}@"
    port = f":{connection.port}" if connection.port else ""
    return f"{protocol}://{login if len(login) > 2 else ''}{place}{port}{'/' if path else ''}{path}"
