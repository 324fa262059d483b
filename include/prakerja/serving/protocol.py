"""Limits on what a client may cost: bytes, seconds, connections. A client that is slow or large delays no other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from prakerja.serving.problems import MEDIA_TYPE, ProblemError

REQUEST_SECONDS = 15.0  # for a request, from its first byte to its last; and for an idle connection
SEND_SECONDS = 30.0  # for each part of an answer that the client reads
HEADERS_MAX = 100
AHEAD_MAX = 8  # requests that a client may send before the first one is answered: each is kept until it is its turn
#: Bytes of all requests that are not whole. Each connection may have `COUNTED_BYTES` that are not counted.
HELD_BYTES_MAX = 32 << 20
COUNTED_BYTES = 1 << 16
HAS_BODY = (b"content-length", b"transfer-encoding")


@dataclass(frozen=True)
class Bounds:
    """What an application allows a client: `request_bytes` of head, body and trailers, and `files` at once.

    `files` counts the connection itself, and what is open for its answer.
    """

    request_bytes: int = 256 * 1024
    files: int = 1


@dataclass
class Peer:
    """Whom a connection is counted to: its address or, once it has shown one, the name of its key."""

    name: str


def recognize_peer(request: Request, name: str) -> None:
    """Count a request's connection to the holder of a key from now on."""
    peer = request.scope.get("state", {}).get("peer")
    if peer is not None:  # served by this protocol
        peer.name = name


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP with limits. uvicorn itself waits without end for a request, for its head, and for a slow client.

    Each connection checks now and then whether it is kept waiting: a timer for each request would cost more than most
    of a lookup does.
    """

    peer: Peer
    _waits_since: float | None  # for a request to begin, or to be whole
    _is_stuck_since: float | None = None  # with an answer that the client does not read
    _is_in_head, _is_whole, _is_aborted = False, True, False
    _bytes = 0  # of the request, without the piece in which it began
    _held = 0  # of the request if it is not whole, with that piece
    _answering: Any = None  # the cycle that answers: `cycle` is that of the newest request

    def __init__(self, *, connections_at_once: int, bounds: Bounds, **settings: Any) -> None:
        super().__init__(**settings)
        self._connections_at_once, self._bounds = connections_at_once, bounds

    def connection_made(self, transport: Any) -> None:
        """Accept a connection. If there are too many, abort one that keeps the server waiting."""
        super().connection_made(transport)
        self.peer = Peer(self.client[0] if self.client else "")
        self._waits_since = self.loop.time()
        self._watch_again()
        if len(self.connections) > self._connections_at_once:
            open_ones = [each for each in list[Any](self.connections) if not each._is_aborted]
            if len(open_ones) > self._connections_at_once:
                _abort_one(open_ones)

    def waiting_since(self) -> float | None:
        """Return since when the client keeps the server waiting, to begin or end a request or to take its answer."""
        if self._is_stuck_since is None and self._waits_since is None and self.transport.is_closing():
            return self.loop.time()  # the client has not taken all that was written
        return self._waits_since if self._is_stuck_since is None else self._is_stuck_since

    def data_received(self, data: bytes) -> None:
        """Bound the bytes of a request. The piece in which it began is bounded already, and may end another one."""
        if not self._is_whole:
            self._bytes += len(data)
            if self._bytes > self._bounds.request_bytes:
                self._refuse(ProblemError(413, f"a request has at most {self._bounds.request_bytes:,} bytes"))
        if not self.transport.is_closing():
            super().data_received(data)
        before, self._held = self._held, 0 if self._is_whole else self._held + len(data)
        if self._held // COUNTED_BYTES > before // COUNTED_BYTES:
            _bound_held_bytes(self.connections)

    def on_message_begin(self) -> None:
        """Note that a request has begun. Bound those that wait for an earlier one."""
        if len(self.pipeline) >= AHEAD_MAX:
            raise ValueError("more requests than may be sent ahead")  # the parser makes a 400 of it
        super().on_message_begin()
        self.scope["state"]["peer"] = self.peer
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

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def pause_writing(self) -> None:
        """Note since when the client does not read its answer."""
        super().pause_writing()
        self._is_stuck_since = self.loop.time()

    def resume_writing(self) -> None:
        """Note that the client has read what was there."""
        super().resume_writing()
        self._is_stuck_since = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching the connection, and answering."""
        self._watch.cancel()
        self._stop_answering()
        super().connection_lost(exc)

    def abort(self) -> None:
        """Close the connection at once, and leave what was not sent."""
        self._is_aborted, self._held = True, 0
        self._stop_answering()
        self.transport.abort()

    def _stop_answering(self) -> None:
        # uvicorn does so for the newest request only. One before it would go on, and log an error as it writes.
        if self._answering is not None:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def _watch_again(self) -> None:
        self._watch = self.loop.call_later(min(REQUEST_SECONDS, SEND_SECONDS) / 15, self._check_time)

    def _check_time(self) -> None:
        now = self.loop.time()
        self._watch_again()
        if self.transport.is_closing() and self._is_stuck_since is None:
            self._is_stuck_since = now  # closed, but for bytes that the client has not read yet
        if self._is_stuck_since is not None and now - self._is_stuck_since > SEND_SECONDS:
            self.abort()
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


def _bound_held_bytes(connections: Any) -> None:
    while sum(each._held for each in connections) > HELD_BYTES_MAX:
        _abort_one([each for each in connections if each._held])


def _abort_one(connections: list[Any]) -> None:
    """Abort, of the peer that has most of some connections, the one that has kept the server waiting longest.

    So whoever holds many connections loses their own, and nobody else's.
    """
    counts = Counter(each.peer.name for each in connections)
    most = max(counts.values())
    crowd = [each for each in connections if counts[each.peer.name] == most]
    waiting = [each for each in crowd if each.waiting_since() is not None]
    min(waiting or crowd[:1], key=lambda each: each.waiting_since() or 0.0).abort()
