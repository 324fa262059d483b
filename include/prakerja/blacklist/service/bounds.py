"""What a client may cost: bytes, seconds, places. One that is slow or large is let go, and keeps no other waiting."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from prakerja.blacklist.service.problems import MEDIA_TYPE, ProblemError

REQUEST_SECONDS = 15.0  # from its first byte, a request must be whole
BODY_BYTES_MAX = 64 * 1024  # a thousand NIKs are twenty thousand bytes
SEND_SECONDS = 30.0  # for each part of an answer that the client takes
REQUESTS_AT_ONCE = 512


async def bounded_body(request: Request) -> bytes:
    """The body, up to a bound. Raises `ProblemError`."""
    body, is_whole = b"", False
    while not is_whole:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ProblemError(400, "the connection ended before the body did")
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
        if len(body) > BODY_BYTES_MAX:
            told = f"a body has at most {BODY_BYTES_MAX:,} bytes"
            raise ProblemError(413, told, headers={"connection": "close"})
    return body


class BoundedStream(StreamingResponse):
    """A long answer, to a client that takes it: one that does not is let go."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send it."""

        async def sent(message: Any) -> None:
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        with contextlib.suppress(TimeoutError):  # the server closes what was not sent to its end
            await super().__call__(scope, receive, sent)


class Places:
    """ASGI middleware: so many requests at once, and no more."""

    def __init__(self, app: Any) -> None:
        self.app, self._taken = app, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request if there is a place."""
        if self._taken >= REQUESTS_AT_ONCE:
            full = ProblemError(503, "too many requests at once", kind="full", headers={"retry-after": "1"})
            await full.response()(scope, receive, send)
            return
        self._taken += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._taken -= 1


class PromptProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, for requests that are whole in time: uvicorn itself waits for ever."""

    def connection_made(self, transport: Any) -> None:
        """A connection that sends nothing is closed."""
        super().connection_made(transport)
        self._late = self.loop.call_later(REQUEST_SECONDS, transport.close)

    def on_message_begin(self) -> None:
        """A request has begun."""
        super().on_message_begin()
        self._late.cancel()
        self._late = self.loop.call_later(REQUEST_SECONDS, self._let_go)

    def on_message_complete(self) -> None:
        """It is whole."""
        self._late.cancel()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._late.cancel()
        super().connection_lost(exc)

    def _let_go(self) -> None:
        if self.cycle is None or not self.cycle.response_started:
            self._answer(ProblemError(408, "the request did not come in time"))
        self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """What is no HTTP is answered with a problem document, too."""
        self._answer(ProblemError(400, "this is no HTTP request"))
        self.transport.close()

    def _answer(self, problem: ProblemError) -> None:
        body, document = problem.content(), problem.document
        head = (
            f"HTTP/1.1 {document.status} {document.title}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
