"""The hosts that messages may go to. They are set outside Airflow, so a person who edits a connection cannot add one.

`PRAKERJA_MESSAGE_HOSTS` lists them as `host` (any port) or `host:port`, separated by commas. The hosts and ports of the
environment's own `PRAKERJA_<GATEWAY>_URL` need not be listed. Messages are encrypted with TLS, except to this machine
and to entries written `http://host` or `smtp://host`. A name may resolve to any address: TLS proves the host.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.settings import Settings

SETTING = "PRAKERJA_MESSAGE_HOSTS"
PORTS = {"http": 80, "https": 443, "smtp": 25, "smtps": 465}
PLAIN = ("http", "smtp")
NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*")


class ForbiddenHostError(PrakerjaError):
    """Messages may not go to a host. Nothing has been sent, and every message stays queued."""


@dataclass(frozen=True)
class AllowedHost:
    """A host that messages may go to: on any port if `port` is None, and in plain text only by the scheme `plain`."""

    host: str
    port: int | None
    plain: str | None = None  # `http` or `smtp`

    def __str__(self) -> str:
        return f"{self.plain}://{place(self.host, self.port)}" if self.plain else place(self.host, self.port)


@dataclass(frozen=True)
class Destination:
    """Where a provider's URL leads, after the check.

    Connections use this and not the URL, which another parser may read differently.
    """

    scheme: str
    host: str
    port: int
    needs_tls: bool


def require_allowed(
    url: SplitResult, provider: str, *, otherwise: str = "nothing is sent, and what is queued stays queued"
) -> Destination:
    """Return the destination of a provider's URL.

    Raises `ForbiddenHostError` if messages may not go to the host, or not in plain text. `otherwise` completes the
    error: it says what becomes of the messages.
    """
    host, port = _host(url), url.port or PORTS[url.scheme]
    allowed = allowed_hosts()
    matching = [entry for entry in allowed if host is not None and entry.host == host and entry.port in (None, port)]
    if host is None or not matching:
        known = ", ".join(map(str, allowed)) or "no host"
        raise ForbiddenHostError(
            f"{provider}: messages may not go to {place(host, port) if host else 'this host'}: {SETTING} and the "
            f"environment's own URLs allow {known}; {otherwise}"
        )
    may_be_plain = is_loopback(host) or any(entry.plain == url.scheme for entry in matching)
    if url.scheme == "http" and not may_be_plain:
        raise ForbiddenHostError(
            f"{provider}: messages go to {place(host, port)} by https only, unless {SETTING} lists "
            f"http://{place(host, port)}; {otherwise}"
        )
    return Destination(url.scheme, host, port, needs_tls=not may_be_plain)


def allowed_hosts() -> list[AllowedHost]:
    """Return the hosts of `PRAKERJA_MESSAGE_HOSTS` and of the environment's own URLs.

    Raises `PrakerjaError` for an entry that is not a host.
    """
    settings = Settings.from_environment()
    hosts = [_parse_entry(entry.strip()) for entry in (settings.message_hosts or "").split(",") if entry.strip()]
    if settings.message_hosts and not hosts:
        raise PrakerjaError(f"{SETTING} names no host: give host or host:port, separated by commas, or unset it")
    for gateway in programme().reminders.list_gateways():
        parts = _split(settings.gateway_url(gateway) or "")
        if parts and parts.scheme in PORTS and (host := _host(parts)):
            hosts.append(AllowedHost(host, parts.port or PORTS[parts.scheme]))
    return list(dict.fromkeys(hosts))


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def place(host: str, port: int | None) -> str:
    """Return a host, and its port if it has one, as a URL writes them."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _parse_entry(entry: str) -> AllowedHost:
    scheme, _, rest = entry.rpartition("://")
    parts = _split(f"{scheme or 'https'}://{rest}")
    host = _host(parts) if parts else None
    if parts is None or host is None or parts.scheme not in PORTS or re.search(r"[/?#@]", rest):
        raise PrakerjaError(f"{SETTING} has an entry that is not a host: give host or host:port, separated by commas")
    return AllowedHost(host, parts.port, scheme if scheme in PLAIN else None)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 else None
    except ValueError:
        return None


def _host(parts: SplitResult) -> str | None:
    """Return the host in its canonical form, an IP address or a name in ASCII; None if it is neither."""
    hostname = parts.hostname or ""
    try:
        return str(ipaddress.ip_address(hostname))
    except ValueError:
        pass
    try:
        name = hostname.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    return name if NAME.fullmatch(name) else None
