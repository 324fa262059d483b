"""Limits on bodies, and on requests at once."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from prakerja.blacklist.service.problems import respond
from prakerja.serving.problems import ProblemError

BODY_BYTES_MAX = 64 * 1024  # a thousand NIKs are twenty thousand bytes
REQUESTS_AT_ONCE = 512
ALWAYS_ANSWERED = ("/healthz", "/readyz")  # a full service lives, and must not be restarted


async def read_bounded_body(request: Request) -> bytes:
    """Return the body. Raise `ProblemError` if it is too large or breaks off."""
    body, is_whole = b"", False
    while not is_whole:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ProblemError(400, "the connection ended before the body did")
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
        if len(body) > BODY_BYTES_MAX:
            detail = f"a body has at most {BODY_BYTES_MAX:,} bytes"
            raise ProblemError(413, detail, headers={"connection": "close"})
    return body


class ConcurrencyLimit:
    """ASGI middleware that bounds the requests at once. It serves a HEAD as a GET, whose body uvicorn does not send."""

    def __init__(self, app: Any) -> None:
        self.app, self._running = app, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request unless too many are running."""
        if scope.get("method") == "HEAD":
            scope = {**scope, "method": "GET", "is_head": True}
        if scope.get("path") in ALWAYS_ANSWERED:
            await self.app(scope, receive, send)
            return
        if self._running >= REQUESTS_AT_ONCE:
            full = ProblemError(503, "too many requests at once", kind="full", headers={"retry-after": "1"})
            await respond(full)(scope, receive, send)
            return
        self._running += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._running -= 1
