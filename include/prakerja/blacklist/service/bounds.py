"""Limits on what a client may cost: bytes, seconds, connections. A client that is slow or large delays no other."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from prakerja.blacklist.service.problems import MEDIA_TYPE, ProblemError

REQUEST_SECONDS = 15.0  # for a request, from its first byte to its last; and for an idle connection
SEND_SECONDS = 30.0  # for each part of an answer that the client reads
BODY_BYTES_MAX = 64 * 1024  # a thousand NIKs are twenty thousand bytes
REQUEST_BYTES_MAX = 256 * 1024  # head, body and trailers
HEADERS_MAX = 100
HAS_BODY = (b"content-length", b"transfer-encoding")
REQUESTS_AT_ONCE = 512
CONNECTIONS_AT_ONCE = 800  # below the thousand files that a process may usually have open
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
            await full.response()(scope, receive, send)
            return
        self._running += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._running -= 1


class TimeLimitedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP with limits. uvicorn itself waits without end for a request, for its head, and for a slow client.

    Each connection checks now and then whether it is kept waiting: a timer for each request would cost more than most
    of a lookup does.
    """

    _waits_since: float | None  # for a request to begin, or to be whole
    _is_stuck_since: float | None = None  # with an answer that the client does not read
    _is_in_head, _is_whole, _bytes = False, True, 0

    def connection_made(self, transport: Any) -> None:
        """Accept a connection. If there are too many, abort the one that has been waited for longest."""
        super().connection_made(transport)
        self._waits_since = self.loop.time()
        self._watch_again()
        open_ones: list[Any] = [each for each in self.connections if not each.transport.is_closing()]
        if len(open_ones) > CONNECTIONS_AT_ONCE:
            waiting = [each for each in open_ones if each._waits_since is not None]
            min(waiting, key=lambda each: each._waits_since).transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bound the bytes of a request. The piece in which it began is bounded already, and may end another one."""
        if not self._is_whole:
            self._bytes += len(data)
            if self._bytes > REQUEST_BYTES_MAX:
                self._refuse(ProblemError(413, f"a request has at most {REQUEST_BYTES_MAX:,} bytes"))
        if not self.transport.is_closing():
            super().data_received(data)

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        super().on_message_begin()
        self._waits_since, self._bytes = self.loop.time(), 0
        self._is_in_head, self._is_whole = True, False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Bound the number of headers and trailers."""
        super().on_header(name, value)
        if len(self.headers) > HEADERS_MAX:
            raise ValueError("more headers than a request may have")  # the parser makes a 400 of it

    def on_headers_complete(self) -> None:
        """Refuse a body behind an upgrade to another protocol."""
        self._is_in_head = False
        if self.parser.should_upgrade() and any(name in HAS_BODY for name, _ in self.headers):
            # The parser would take such a body for the other protocol's, and the request would have none.
            self._refuse(ProblemError(400, "no other protocol is spoken here: ask without Upgrade, in HTTP/1.1"))
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body unless the connection is closing."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        is_answered = self.cycle is not None and self.cycle.response_complete  # before its body was there
        self._waits_since, self._is_whole = self.loop.time() if is_answered else None, True
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Note that the connection is idle until the next request begins."""
        super().on_response_complete()
        if self._is_whole and self.cycle.response_complete:
            self._waits_since = self.loop.time()

    def pause_writing(self) -> None:
        """Note since when the client does not read its answer."""
        super().pause_writing()
        self._is_stuck_since = self.loop.time()

    def resume_writing(self) -> None:
        """Note that the client has read what was there."""
        super().resume_writing()
        self._is_stuck_since = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching the connection."""
        self._watch.cancel()
        super().connection_lost(exc)

    def _watch_again(self) -> None:
        self._watch = self.loop.call_later(min(REQUEST_SECONDS, SEND_SECONDS) / 15, self._check_time)

    def _check_time(self) -> None:
        now = self.loop.time()
        self._watch_again()
        if self.transport.is_closing() and self._is_stuck_since is None:
            self._is_stuck_since = now  # closed, but for bytes that the client has not read yet
        if self._is_stuck_since is not None and now - self._is_stuck_since > SEND_SECONDS:
            self.transport.abort()
        elif self.flow.read_paused:
            self._waits_since = now if self._waits_since is not None else None  # the server itself has paused reading
        elif self._waits_since is not None and now - self._waits_since > REQUEST_SECONDS:
            self._waits_since = None
            if self._is_whole:
                self.transport.close()
            else:
                self._refuse(ProblemError(408, "the request did not come in time"))

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Answer what is not HTTP with a problem document, too."""
        self._refuse(ProblemError(400, "this is no HTTP request, or one with too many headers"))

    def _refuse(self, problem: ProblemError) -> None:
        """Close the connection, and answer the unfinished request first unless another answer has begun or is due."""
        earlier = self.cycle and not self.cycle.response_complete if self._is_in_head else self.pipeline
        is_begun = not self._is_in_head and self.cycle and self.cycle.response_started
        if not (self.transport.is_closing() or earlier or is_begun):
            body, document = problem.content(), problem.document
            head = (
                f"HTTP/1.1 {document.status} {document.title}\r\ncontent-type: {MEDIA_TYPE}\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
