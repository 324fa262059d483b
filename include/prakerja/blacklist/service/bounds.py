"""What a client may cost: bytes, seconds, places. One that is slow or large is let go, and keeps no other waiting."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from prakerja.blacklist.service.problems import MEDIA_TYPE, ProblemError

REQUEST_SECONDS = 15.0  # from its first byte, a request must be whole; and so long a connection may be idle
SEND_SECONDS = 30.0  # for each part of an answer that the client takes
BODY_BYTES_MAX = 64 * 1024  # a thousand NIKs are twenty thousand bytes
REQUEST_BYTES_MAX = 256 * 1024  # head, body and trailers
HEADERS_MAX = 100
HAS_BODY = (b"content-length", b"transfer-encoding")
REQUESTS_AT_ONCE = 512
CONNECTIONS_AT_ONCE = 800  # below the thousand files that a process may usually have open
ALWAYS_ANSWERED = ("/healthz", "/readyz")  # a full service lives: it is not to be started again


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


class Places:
    """ASGI middleware: so many requests at once, and no more. A HEAD is a GET whose body uvicorn keeps back."""

    def __init__(self, app: Any) -> None:
        self.app, self._taken = app, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request if there is a place."""
        if scope.get("method") == "HEAD":
            scope = {**scope, "method": "GET", "is_head": True}
        if scope.get("path") in ALWAYS_ANSWERED:
            await self.app(scope, receive, send)
            return
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
    """uvicorn's HTTP with bounds: uvicorn itself waits for ever, for heads of any size, and to be rid of an answer.

    Each connection looks now and then whether it is kept waiting: a timer for each request would cost more than most
    of a lookup does.
    """

    _waits_since: float | None  # for a request to begin, or to be whole
    _is_stuck_since: float | None = None  # with an answer that is not taken
    _is_in_head, _is_whole, _bytes = False, True, 0

    def connection_made(self, transport: Any) -> None:
        """One more, for whom the one that has kept us waiting longest makes room."""
        super().connection_made(transport)
        self._waits_since = self.loop.time()
        self._watch_again()
        open_ones: list[Any] = [each for each in self.connections if not each.transport.is_closing()]
        if len(open_ones) > CONNECTIONS_AT_ONCE:
            waiting = [each for each in open_ones if each._waits_since is not None]
            min(waiting, key=lambda each: each._waits_since).transport.abort()

    def data_received(self, data: bytes) -> None:
        """Count what a request has. The piece that it began in is bounded by itself, and may hold others' ends."""
        if not self._is_whole:
            self._bytes += len(data)
            if self._bytes > REQUEST_BYTES_MAX:
                self._refuse(ProblemError(413, f"a request has at most {REQUEST_BYTES_MAX:,} bytes"))
        if not self.transport.is_closing():
            super().data_received(data)

    def on_message_begin(self) -> None:
        """A request has begun."""
        super().on_message_begin()
        self._waits_since, self._bytes = self.loop.time(), 0
        self._is_in_head, self._is_whole = True, False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        super().on_header(name, value)
        if len(self.headers) > HEADERS_MAX:
            raise ValueError("more headers than a request may have")  # the parser makes a 400 of it

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._is_in_head = False
        if self.parser.should_upgrade() and any(name in HAS_BODY for name, _ in self.headers):
            # The parser would take such a body for the other protocol's, and leave us a request without one.
            self._refuse(ProblemError(400, "no other protocol is spoken here: ask without Upgrade, in HTTP/1.1"))
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """It is whole."""
        is_answered = self.cycle is not None and self.cycle.response_complete  # before its body was there
        self._waits_since, self._is_whole = self.loop.time() if is_answered else None, True
        if not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered: until the next one begins, the connection is idle."""
        super().on_response_complete()
        if self._is_whole and self.cycle.response_complete:
            self._waits_since = self.loop.time()

    def pause_writing(self) -> None:
        """The client does not take its answer as fast as that is made."""
        super().pause_writing()
        self._is_stuck_since = self.loop.time()

    def resume_writing(self) -> None:
        """It has taken what was there."""
        super().resume_writing()
        self._is_stuck_since = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._watch.cancel()
        super().connection_lost(exc)

    def _watch_again(self) -> None:
        self._watch = self.loop.call_later(min(REQUEST_SECONDS, SEND_SECONDS) / 15, self._look)

    def _look(self) -> None:
        now = self.loop.time()
        self._watch_again()
        if self.transport.is_closing() and self._is_stuck_since is None:
            self._is_stuck_since = now  # closed, but for what nobody has taken yet
        if self._is_stuck_since is not None and now - self._is_stuck_since > SEND_SECONDS:
            self.transport.abort()
        elif self.flow.read_paused:
            self._waits_since = now if self._waits_since is not None else None  # it is us who do not read on
        elif self._waits_since is not None and now - self._waits_since > REQUEST_SECONDS:
            self._waits_since = None
            if self._is_whole:
                self.transport.close()
            else:
                self._refuse(ProblemError(408, "the request did not come in time"))

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """What is no HTTP is answered with a problem document, too."""
        self._refuse(ProblemError(400, "this is no HTTP request, or one with too many headers"))

    def _refuse(self, problem: ProblemError) -> None:
        """Answer a request that is not whole, if no answer has begun or is still to come; and close the connection."""
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
