"""The service as a reader's source: slow, broken, too large, packed, or not there."""

from __future__ import annotations

import contextlib
import gzip
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.contract import POINTER
from prakerja_blacklist.reader.http_source import HttpSource
from prakerja_blacklist.reader.sources import NotThereError, TooLargeError, UnreachableError, read
from tests.support.simulated_publisher import Repository
from tests.support.simulated_reader import Reader


@contextlib.contextmanager
def answering(*pieces: bytes, pause: float = 0.0) -> Iterator[HttpSource]:
    """A server that answers whatever it is asked with these bytes, and pauses between them."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(65536)
                        for piece in pieces:
                            connection.sendall(piece)
                            time.sleep(pause)

        threading.Thread(target=serve, daemon=True).start()
        yield HttpSource(f"http://127.0.0.1:{listening.getsockname()[1]}", "id.secret")


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_source_that_plays_for_time_is_given_up(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setattr(HttpSource, "SECONDS_AT_LEAST", 0.5)
    begin = OK + b"x: " if where == "head" else OK + b"content-length: 1000\r\n\r\n"
    with answering(begin, *[b"x"] * 6000, pause=0.1) as source, pytest.raises(UnreachableError, match="too slowly"):
        read(source, POINTER, 1000)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (OK + b"content-length: 5000\r\n\r\n" + b"x" * 5000, TooLargeError),
        (OK + b"transfer-encoding: chunked\r\n\r\n" + b"ff\r\n" + b"x" * 255 + b"\r\n" * 1, UnreachableError),
        (OK + b"content-length: 500\r\n\r\n" + b"x" * 100, UnreachableError),
        (OK + b"x: " + b"x" * 100_000 + b"\r\n\r\n", UnreachableError),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n", UnreachableError),
        (b"HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\n", UnreachableError),
        (b"HTTP/1.1 404 no\r\ncontent-length: 0\r\n\r\n", NotThereError),
        (b"this is no HTTP\r\n\r\n", UnreachableError),
        (b"", UnreachableError),
    ],
    ids=["too large", "chunks that break off", "short", "a long header", "elsewhere", "defect", "gone", "no HTTP", ""],
)
def test_what_a_service_may_answer_is_an_error_of_ours(answer: bytes, error: type[Exception]) -> None:
    with answering(answer) as source, pytest.raises(error):
        read(source, POINTER, 1000)


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip"])
def test_what_is_packed_is_not_unpacked_before_it_is_measured(encoding: str) -> None:
    packed = gzip.compress(gzip.compress(bytes(200_000_000), 9), 9)
    head = f"content-encoding: {encoding}\r\ncontent-length: {len(packed)}\r\n\r\n".encode()
    with answering(OK + head + packed) as source:
        assert read(source, POINTER, 10_000) == packed


@pytest.mark.parametrize("url", ["http://[::1", "http://a..b", "http://", "http://127.0.0.1:99999"])
def test_a_url_that_is_none_is_one_line(url: str) -> None:
    with pytest.raises(PrakerjaError):
        read(HttpSource(url, "id.secret"), POINTER, 1000)


def test_a_pipe_is_no_file_of_a_list(reader: Reader, repository: Repository) -> None:
    repository.drop(POINTER)
    os.mkfifo(repository.root / POINTER)
    with reader.refusing(NotThereError):
        reader.sync()
