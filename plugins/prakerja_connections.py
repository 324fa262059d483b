"""The message gateways as Airflow connections, `prakerja_<gateway>`: `prakerja_sms`, `prakerja_smtp` and so on.

A user who may edit connections can only choose among the hosts that `PRAKERJA_MESSAGE_HOSTS` allows, which is set
outside Airflow.
"""

from __future__ import annotations

from urllib.parse import quote

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from prakerja.programme import programme

PROTOCOLS = ("http", "https")


def message_connections() -> dict[str, str]:
    """Return the URLs of the connections that are defined, by the gateway's name.

    A gateway without a connection has the URL of the environment. The password of an HTTP connection is the token.
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
    """Return the gateways of `program.yaml`, in the order in which they are tried."""
    return tuple(programme().reminders.list_gateways())


def url_of(connection: Connection, *, is_mail: bool) -> str:
    """Return a connection as a URL, with its secret."""
    protocol, _, address = (connection.host or "").rpartition("://")
    host, _, path = address.partition("/")
    if is_mail:
        # The SMTP provider reads it so: TLS from the start, or with disable_ssl STARTTLS if the server offers it.
        is_plain = str(connection.extra_dejson.get("disable_ssl", False)).lower() == "true"
        protocol = protocol or ("smtp" if is_plain else "smtps")
    else:
        # Airflow stores the protocol of a connection that is written as a URI as its type, and the path as its schema.
        schema = connection.schema or ""
        path = path or (schema if schema not in PROTOCOLS else "")
        protocol = protocol or next((name for name in (schema, connection.conn_type) if name in PROTOCOLS), "https")
    login = f"{quote(connection.login or '', safe='')}:{quote(connection.password or '', safe='')}@"
    port = f":{connection.port}" if connection.port else ""
    return f"{protocol}://{login if len(login) > 2 else ''}{host}{port}{'/' if path else ''}{path}"
