"""How requests with a key are let in: every operation that needs one begins with `admit`, whatever it answers then."""

from __future__ import annotations

from fastapi import Request

from prakerja.blacklist.service import places
from prakerja.blacklist.service.access import Consumer, consume_quota, require_scope
from prakerja.blacklist.service.state import service_of
from prakerja.serving.problems import ProblemError
from prakerja.serving.protocol import recognize_peer

BODY_BYTES_MAX = 64 * 1024  # a thousand NIKs are twenty thousand bytes


def admit(request: Request, scope: str, *, awaits_body: bool = False) -> Consumer:
    """Return the consumer whose key a request shows, after taking one of its rate and one of its places.

    It also takes one of the service's places unless the request `awaits_body`: then `read_body` does. Raise
    `ProblemError`.
    """
    consumer = service_of(request).access.identify(_read_authorization(request))
    recognize_peer(request, f"key {consumer.key.api_key_id}")
    consume_quota(consumer, 1)
    require_scope(consumer, scope)
    if not consumer.places.take(request, places.REQUESTS_OF_ONE_KEY):
        raise ProblemError(429, "too many requests at once with this key", headers={"retry-after": "1"})
    if not awaits_body:
        _begin(request)
    return consumer


async def read_body(request: Request) -> bytes:
    """Return the body of an admitted request. Raise `ProblemError` if it is too large or breaks off."""
    body, is_whole = bytearray(), False
    while not is_whole:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ProblemError(400, "the connection ended before the body did")
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
        if len(body) > BODY_BYTES_MAX:
            detail = f"a body has at most {BODY_BYTES_MAX:,} bytes"
            raise ProblemError(413, detail, headers={"connection": "close"})
    _begin(request)
    return bytes(body)


def _begin(request: Request) -> None:
    if not service_of(request).places.take(request, places.REQUESTS_AT_ONCE):
        raise ProblemError(503, "too many requests at once", kind="full", headers={"retry-after": "1"})


def _read_authorization(request: Request) -> str | None:
    """Return the header, or None unless there is exactly one: of two, a proxy might believe the other."""
    found = [value for name, value in request.scope["headers"] if name == b"authorization"]
    return str(found[0], "latin-1") if len(found) == 1 else None
