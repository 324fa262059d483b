"""The messages' providers as Airflow connections: `prakerja_sms`, `prakerja_sms_fallback`, `prakerja_smtp`."""

from __future__ import annotations

from urllib.parse import quote

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

NAMES = ("sms", "sms_fallback", "smtp")


def message_connections() -> dict[str, str]:
    """The URLs of those that are defined, by name; where none is, the environment's are meant.

    An HTTP connection's password is the bearer token, its schema (`http`) or host may name the protocol.
    """
    found = {}
    for name in NAMES:
        try:
            connection = Connection.get(f"prakerja_{name}")
        except AirflowNotFoundException:
            continue
        found[name] = _url(connection, is_mail=name == "smtp")
    return found


def _url(connection: Connection, *, is_mail: bool) -> str:
    host = connection.host or ""
    protocol, _, place = host.rpartition("://")
    if is_mail:
        # As the SMTP provider reads it: TLS from the start, unless it is switched off (then by STARTTLS where offered).
        is_plain = str(connection.extra_dejson.get("disable_ssl", False)).lower() == "true"
        protocol = protocol or ("smtp" if is_plain else "smtps")
    else:
        protocol = protocol or connection.schema or "https"
    place, slash, path = place.partition("/")
    login = f"{quote(connection.login or '', safe='')}:{quote(connection.password or '', safe='')}@"
    port = f":{connection.port}" if connection.port else ""
    return f"{protocol}://{login if len(login) > 2 else ''}{place}{port}{slash}{path}"
