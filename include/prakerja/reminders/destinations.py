"""The hosts that messages may go to, set outside Airflow: whoever may edit a connection there chooses among these.

`PRAKERJA_MESSAGE_HOSTS` lists them as `host` (any port) or `host:port`, with commas between; the hosts and ports of the
environment's own `PRAKERJA_<GATEWAY>_URL` may be used without being listed. Names and numbers travel by TLS, except to
this machine and to entries written `http://host` or `smtp://host`. What a name resolves to is the resolver's word: TLS
is what proves the host.
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
    """Messages may not go there: nothing has been sent, and everything stays queued."""


@dataclass(frozen=True)
class Allowed:
    """A host that messages may go to: on any port where none is named; in plain text only where that is meant."""

    host: str
    port: int | None
    plain: str | None = None  # `http` or `smtp`

    def __str__(self) -> str:
        return f"{self.plain}://{place(self.host, self.port)}" if self.plain else place(self.host, self.port)


@dataclass(frozen=True)
class Destination:
    """A provider's address, as it was checked, and as it is to be connected to."""

    scheme: str
    host: str
    port: int
    needs_tls: bool


def require_allowed(
    url: SplitResult, provider: str, *, otherwise: str = "nothing is sent, and what is queued stays queued"
) -> Destination:
    """Return where a provider's URL leads. Raises `ForbiddenHostError` where messages may not go there, or not so.

    `otherwise` says what becomes of them then.
    """
    host, port = _host(url), url.port or PORTS[url.scheme]
    allowed = allowed_hosts()
    here = [each for each in allowed if host is not None and each.host == host and each.port in (None, port)]
    if host is None or not here:
        known = ", ".join(map(str, allowed)) or "no host"
        raise ForbiddenHostError(
            f"{provider}: messages may not go to {place(host, port) if host else 'this host'}: {SETTING} and the "
            f"environment's own URLs allow {known}; {otherwise}"
        )
    may_be_plain = is_loopback(host) or any(each.plain == url.scheme for each in here)
    if url.scheme == "http" and not may_be_plain:
        raise ForbiddenHostError(
            f"{provider}: messages go to {place(host, port)} by https alone, unless {SETTING} says "
            f"http://{place(host, port)}; {otherwise}"
        )
    return Destination(url.scheme, host, port, needs_tls=not may_be_plain)


def allowed_hosts() -> list[Allowed]:
    """Return what `PRAKERJA_MESSAGE_HOSTS` lists, and the hosts of the environment's own URLs."""
    settings = Settings.from_environment()
    found = [_entry(entry.strip()) for entry in (settings.message_hosts or "").split(",") if entry.strip()]
    if settings.message_hosts and not found:
        raise PrakerjaError(f"{SETTING} names no host: give host or host:port, with commas between, or unset it")
    for gateway in programme().reminders.list_gateways():
        parts = _split(settings.gateway_url(gateway) or "")
        if parts and parts.scheme in PORTS and (host := _host(parts)):
            found.append(Allowed(host, parts.port or PORTS[parts.scheme]))
    return list(dict.fromkeys(found))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def place(host: str, port: int | None) -> str:
    """Return a host, and its port where there is one, as a URL has them."""
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _entry(entry: str) -> Allowed:
    scheme, _, rest = entry.rpartition("://")
    parts = _split(f"{scheme or 'https'}://{rest}")
    host = _host(parts) if parts else None
    if parts is None or host is None or parts.scheme not in PORTS or re.search(r"[/?#@]", rest):
        raise PrakerjaError(f"{SETTING} has an entry that is no host: give host or host:port, with commas between")
    return Allowed(host, parts.port, scheme if scheme in PLAIN else None)


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 else None
    except ValueError:
        return None


def _host(parts: SplitResult) -> str | None:
    """Return the host in its one form: an address, or a name in ASCII; None for anything else."""
    given = parts.hostname or ""
    try:
        return str(ipaddress.ip_address(given))
    except ValueError:
        pass
    try:
        name = given.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    return name if NAME.fullmatch(name) else None
