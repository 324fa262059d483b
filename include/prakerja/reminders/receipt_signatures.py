"""Verification of receipts' signatures, as the provider's file describes them."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from prakerja.reminders.sms_providers import Signature

PORTS = {"http": 80, "https": 443}
FIELDS_MAX = 1_000  # of a form: they are sorted before it is known who has sent them


@dataclass(frozen=True)
class Posted:
    """A request: the URL as its sender knows it, the headers (names in lower case) and the body."""

    url: str
    headers: Mapping[str, str]
    body: bytes


def is_signed(posted: Posted, signature: Signature, secret: bytes, now: datetime) -> bool:
    """Return whether a request is signed with a secret and, if the provider sends a timestamp, recent enough."""
    if signature.form == "standard_webhooks":
        from standardwebhooks.webhooks import Webhook, WebhookVerificationError

        try:
            Webhook(secret).verify(posted.body, dict(posted.headers), json_parse=False)
        except (WebhookVerificationError, ValueError):
            return False
        return True
    sent = posted.headers.get(signature.header, "").encode()
    if signature.timestamp is not None:
        signed_at = posted.headers.get(signature.timestamp, "")
        if not (signed_at.isascii() and signed_at.isdigit() and len(signed_at) < 15):
            return False
        if abs(now.timestamp() - int(signed_at)) > signature.within_seconds:
            return False
    try:
        signed_texts = list(_signed_texts(posted, signature))
    except ValueError:  # more fields than a form may have
        return False
    return any(
        hmac.compare_digest(b64encode(hmac.digest(secret, signed, signature.hash)), sent) for signed in signed_texts
    )


def _signed_texts(posted: Posted, signature: Signature) -> Iterator[bytes]:
    """Yield the texts that may have been signed: providers sign the URL with or without its port."""
    for url in _spellings(posted.url) if "url" in signature.signs else [posted.url]:
        parts = [_part(part, posted, url) for part in signature.signs]
        yield signature.between.encode().join(parts)


def _part(part: str, posted: Posted, url: str) -> bytes:
    if part == "body":
        return posted.body
    if part == "url":
        return url.encode()
    if part == "form":
        # Each field's name and value, sorted and without repetitions. Empty values are signed as well.
        fields = parse_qsl(posted.body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FIELDS_MAX)
        return "".join(name + value for name, value in sorted(set(fields))).encode()
    return posted.headers.get(part.removeprefix("header "), "").encode()


def _spellings(url: str) -> list[str]:
    """Return a URL with its port written out, and without a port."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = parts.port or PORTS[parts.scheme]
    return [urlunsplit(parts._replace(netloc=place, fragment="")) for place in (f"{host}:{port}", host)]
