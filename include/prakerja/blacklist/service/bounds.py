"""What a client may cost: bytes, seconds, places. One that is slow or large is let go, and keeps no other waiting."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from prakerja.blacklist.service.problems import MEDIA_TYPE, ProblemError

HEADER_SECONDS = 10.0
BODY_BYTES_MAX = 64 * 1024  # a thousand NIKs are twenty thousand bytes
BODY_SECONDS = 10.0
SEND_SECONDS = 30.0  # for each part of an answer that the client takes
REQUESTS_AT_ONCE = 512


class Bounds:
    """ASGI middleware: bounds what a request may send and for how long, how slowly it may read, and how many there are.

    The bounds are attributes, for tests.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.body_bytes_max, self.body_seconds, self.send_seconds = BODY_BYTES_MAX, BODY_SECONDS, SEND_SECONDS
        self.requests_at_once, self._running = REQUESTS_AT_ONCE, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request within its bounds."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self._running >= self.requests_at_once:
            full = ProblemError(503, "too many requests at once", kind="full", headers={"retry-after": "1"})
            await full.response()(scope, receive, send)
            return
        self._running += 1
        try:
            await self.app(scope, self._received(receive), self._sent(send))
        except TimeoutError:
            pass  # the client takes nothing more of its answer: the connection is closed
        finally:
            self._running -= 1

    def _received(self, receive: Any) -> Any:
        size, is_whole = 0, False
        until = asyncio.get_running_loop().time() + self.body_seconds

        async def received() -> Any:
            nonlocal size, is_whole
            if is_whole:
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise ProblemError(408, "the body did not come in time", headers={"connection": "close"}) from None
            size += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if size > self.body_bytes_max:
                raise ProblemError(
                    413, f"a body has at most {self.body_bytes_max:,} bytes", headers={"connection": "close"}
                )
            return message

        return received

    def _sent(self, send: Any) -> Any:
        async def sent(message: Any) -> None:
            if not message.get("more_body"):
                await send(message)
                return
            async with asyncio.timeout(self.send_seconds):
                await send(message)

        return sent


class PromptProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, on connections that send their headers in time: uvicorn itself waits for ever."""

    header_seconds = HEADER_SECONDS

    def connection_made(self, transport: Any) -> None:
        """A connection that sends nothing is closed."""
        super().connection_made(transport)
        self._late = self.loop.call_later(self.header_seconds, transport.close)

    def on_message_begin(self) -> None:
        """A request has begun: its headers are awaited."""
        super().on_message_begin()
        self._late.cancel()
        self._late = self.loop.call_later(self.header_seconds, self.transport.close)

    def on_headers_complete(self) -> None:
        """They are there."""
        self._late.cancel()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._late.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """What is no HTTP is answered with a problem document, too."""
        body = ProblemError(400, "this is no HTTP request").content()
        head = (
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
