"""The service's bounds: slow clients, large requests, many connections."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from prakerja import serving
from prakerja.blacklist.service import app, background, list_routes, places, running
from prakerja.serving import protocol
from prakerja_blacklist.format.contract import PublishedFile
from tests.support.running_service import PATIENCE, Api, nik, problem


def raw(api: Api, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Return what comes back for bytes that are sent one after another, until the service closes the connection."""
    with connected(api) as connection:
        for piece in pieces:
            with contextlib.suppress(OSError):
                connection.sendall(piece)
            time.sleep(pause)
        return rest_of(connection)


def rest_of(connection: socket.socket) -> bytes:
    """Return what comes until the service closes the connection; to be kept open is an error, however slow all is."""
    answer = b""
    try:
        while chunk := connection.recv(65536):
            answer += chunk
    except ConnectionError:  # closed with bytes of ours unread
        pass
    return answer


def test_who_sends_slowly_is_let_go(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.4)
    assert raw(api) == b""
    head = b"POST /v1/blacklist/check HTTP/1.1\r\nhost: x\r\n"
    assert b" 408 " in raw(api, *(head[each : each + 1] for each in range(9)), pause=0.1)
    token = api.tokens["check"].encode()
    body = head + b"content-length: 29\r\nauthorization: Bearer " + token + b"\r\n\r\n"
    assert b'"status":408' in raw(api, body, b'{"niks":', pause=0.1)
    assert api.check(nik(1)).status_code == 200


def test_what_is_no_http_is_a_problem(api: Api) -> None:
    answer = raw(api, b"\x16\x03\x01\x02\x00 what is this\r\n\r\n")
    assert b" 400 " in answer
    assert b"application/problem+json" in answer


def connected(api: Api) -> socket.socket:
    host, port = api.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def is_let_go(connection: socket.socket) -> bool:
    """Whether the server has nothing more to do with a connection whose answers nobody reads: writing fails."""
    for _ in range(int(10 * PATIENCE)):
        try:
            connection.send(b"\r\n")  # which is nothing, between requests
        except (ConnectionResetError, BrokenPipeError):
            return True
        time.sleep(0.1)
    return False


def test_who_does_not_take_a_long_answer_is_let_go(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "SEND_SECONDS", 0.3)
    monkeypatch.setattr(list_routes, "find_file", lambda *_: PublishedFile(
        name="snapshot.csv.gz", bytes=10**8, sha256="0" * 64, rows=1))  # fmt: skip
    monkeypatch.setattr(api.service.files, "chunks", lambda *_: iter([bytes(10**6)] * 100))
    with connected(api) as connection:
        token = api.tokens["list"]
        connection.sendall(
            b"GET /v1/blacklist/versions/1/snapshot.csv.gz HTTP/1.1\r\nhost: x\r\n"
            + f"authorization: Bearer {token}\r\n\r\n".encode()
        )
        assert is_let_go(connection)


def test_who_does_not_take_many_short_answers_is_let_go_and_keeps_nobody_waiting(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a key they take no place, and they leave no error in the log."""
    logger = logging.getLogger("uvicorn.error")  # it does not pass on what it logs
    monkeypatch.setattr(logger, "handlers", [caplog.handler])
    monkeypatch.setattr(protocol, "SEND_SECONDS", 2.0)
    monkeypatch.setattr(protocol, "AHEAD_MAX", 400)
    monkeypatch.setattr(places, "REQUESTS_AT_ONCE", 3)
    with contextlib.ExitStack() as held:
        greedy = [held.enter_context(connected(api)) for _ in range(9)]
        for connection in greedy:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 400)
        for path in ("/healthz", "/v1/statistics"):
            assert api.ask("GET", path).status_code == 200
        assert api.check(nik(1)).status_code == 200
        assert all(map(is_let_go, greedy))
        assert api.check(nik(1)).status_code == 200
    assert caplog.text == ""


def test_a_connection_that_asks_nothing_more_is_closed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.5)
    with connected(api) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b" 200 " in connection.recv(65536)
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"\r\n")  # it ends the server's own patience with idle connections
        rest_of(connection)


def test_a_connection_whose_answer_came_before_its_body_is_closed_as_well(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.5)
    with connected(api) as connection:
        connection.sendall(b"POST /v1/blacklist/check HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n")
        assert b" 401 " in connection.recv(65536)
        connection.sendall(b"0123456789")
        rest_of(connection)


def test_nothing_is_written_into_the_middle_of_an_earlier_answer(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.4)
    monkeypatch.setattr(list_routes, "find_file", lambda *_: PublishedFile(
        name="snapshot.csv.gz", bytes=40, sha256="0" * 64, rows=1))  # fmt: skip

    def slowly(*_: Any) -> Iterator[bytes]:
        for _ in range(4):
            yield b"A" * 10
            time.sleep(0.5)

    monkeypatch.setattr(api.service.files, "chunks", slowly)
    ask = f"host: x\r\nauthorization: Bearer {api.tokens['list']}\r\n\r\n".encode()
    answer = raw(api, b"GET /v1/blacklist/versions/1/snapshot.csv.gz HTTP/1.1\r\n" + ask, b"GET /heal", pause=0.1)
    body = answer.partition(b"\r\n\r\n")[2]
    assert set(body) <= {ord("A")}, answer


def test_a_second_request_that_comes_slowly_is_told_so_as_the_first_is(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.5)
    answer = raw(api, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", b"GET /heal")
    assert b" 200 " in answer
    assert b'"status":408' in answer


def test_heads_are_bounded(api: Api) -> None:
    begin = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"
    assert b'"status":413' in raw(api, begin + b"a: " + b"x" * 3_000_000)
    assert b'"status":400' in raw(api, begin + b"a:\r\n" * 200 + b"\r\n")
    trailers = b"transfer-encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 200 + b"\r\n"
    assert b'"status":400' in raw(api, begin + trailers)
    assert b" 200 " in raw(api, begin + b"a: b\r\n" * 50 + b"connection: close\r\n\r\n")


@pytest.mark.usefixtures("patient")
def test_where_there_are_too_many_connections_who_waits_longest_makes_room(narrow_api: Api) -> None:
    with contextlib.ExitStack() as held:
        idle = []
        for _ in range(4):
            idle.append(held.enter_context(connected(narrow_api)))
            time.sleep(0.1)
        assert narrow_api.check(nik(1)).status_code == 200
        assert is_let_go(idle[0])


@pytest.mark.usefixtures("patient")
def test_who_has_most_connections_makes_room_and_not_who_has_one(narrow_api: Api) -> None:
    """A consumer's idle connection, older than all of a crowd's: it is counted to its key, the crowd to its address."""
    authorization = f"authorization: Bearer {narrow_api.tokens['list']}\r\n\r\n".encode()
    ask = b"GET /v1/blacklist/latest HTTP/1.1\r\nhost: x\r\n" + authorization
    with contextlib.ExitStack() as held:
        consumer = held.enter_context(connected(narrow_api))
        consumer.sendall(ask)
        assert b" 200 " in consumer.recv(65536)
        crowd = []
        for _ in range(12):
            crowd.append(held.enter_context(connected(narrow_api)))
            crowd[-1].sendall(b"GET /healthz HTTP/1.1\r\n")
            time.sleep(0.02)
        assert all(map(is_let_go, crowd[:9]))
        consumer.sendall(ask)
        assert b" 200 " in consumer.recv(65536)


@pytest.mark.usefixtures("patient")
def test_requests_that_are_not_whole_are_held_up_to_a_bound(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HELD_BYTES_MAX", 1_000_000)
    with contextlib.ExitStack() as held:
        large = [held.enter_context(connected(api)) for _ in range(10)]
        for connection in large:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + b"a: " + b"x" * 200_000)
            time.sleep(0.05)
        assert all(map(is_let_go, large[:5]))
        assert api.check(nik(1)).status_code == 200


def test_a_request_for_another_protocol_is_told_so_rather_than_read_without_its_body(api: Api) -> None:
    head = (
        f"POST /v1/blacklist/check HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {api.tokens['check']}\r\n"
        "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
        "content-length: 31\r\n\r\n"
    ).encode()
    assert b"ask without Upgrade" in raw(api, head + b'{"niks":["3100000000000001"]}  ')
    websocket = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"
    with connected(api) as connection:
        connection.sendall(websocket)
        assert b" 200 " in connection.recv(65536)


def test_a_head_is_a_get_without_its_body(api: Api) -> None:
    file = "/v1/blacklist/versions/1/snapshot.parquet"
    for path, scope in (("/healthz", None), ("/v1/blacklist/latest", "list"), (file, "list")):
        head, got = api.ask("HEAD", path, scope), api.ask("GET", path, scope)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(got.content))


def test_a_path_is_not_repeated_in_a_redirection(api: Api) -> None:
    response = api.ask("GET", f"/v1/blacklist/range/{nik(1)}/", "range")
    problem(response, 404)
    assert nik(1) not in response.text + str(response.headers)


def test_more_requests_at_once_than_there_are_places_are_told_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "REQUESTS_AT_ONCE", 0)
    assert "at once" in problem(api.check(nik(1)), 503)
    assert "at once" in problem(api.ask("GET", "/v1/blacklist/latest", "list"), 503)
    assert api.ask("GET", "/healthz").status_code == 200


def test_bodies_that_never_come_take_the_places_of_their_own_key_alone(api: Api) -> None:
    head = (
        f"POST /v1/blacklist/check HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {api.tokens['check']}\r\n"
        "content-length: 29\r\n\r\n"
    ).encode()
    with contextlib.ExitStack() as held:
        slow = [held.enter_context(connected(api)) for _ in range(places.REQUESTS_OF_ONE_KEY)]
        for connection in slow:
            connection.sendall(head)
        await_places(api, places.REQUESTS_OF_ONE_KEY)
        assert "with this key" in problem(api.check(nik(1)), 429)
        assert api.service.places.taken == 0
        for path, scope in (("/v1/blacklist/range/0a1b2", "range"), ("/v1/blacklist/latest", "list")):
            assert api.ask("GET", path, scope).status_code == 200
        slow[0].sendall(b'{"niks":["3100000000000001"]}')
        assert b'"listed":[true]' in slow[0].recv(65536)
    await_places(api, 0)
    assert api.check(nik(1)).status_code == 200


def await_places(api: Api, taken: int) -> None:
    """Wait until the key for checks holds so many places."""
    consumer = api.service.access.identify(f"Bearer {api.tokens['check']}")
    for _ in range(int(20 * PATIENCE)):
        if consumer.places.taken == taken:
            return
        time.sleep(0.05)
    raise AssertionError(f"{consumer.places.taken} places are taken, and not {taken}")


def test_a_place_is_given_back_however_a_request_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.check(nik(1))
    api.check("no nik")
    api.ask("POST", "/v1/blacklist/check", "check", content=b" " * 70_000)
    api.ask("GET", "/v1/blacklist/latest", "check")
    api.ask("HEAD", "/v1/blacklist/versions/1/snapshot.parquet", "list")
    api.ask("GET", "/v1/blacklist/versions/1/snapshot.parquet", "list")
    with monkeypatch.context() as patch:
        patch.setattr(list_routes, "find_file", lambda *_: 1 // 0)
        assert api.ask("GET", "/v1/blacklist/versions/1/snapshot.parquet", "list").status_code == 500
    assert api.service.places.taken == 0
    await_places(api, 0)


def test_a_warehouse_that_hangs_keeps_no_service_from_ending(
    listed: Path,
    own_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "END_SECONDS", 0.3)
    service, is_over, answered = running.build_service(None, None), threading.Event(), threading.Event()

    def hang() -> None:
        is_over.wait(PATIENCE)
        answered.set()

    monkeypatch.setattr(service.lookups, "load", hang)
    with serving.in_thread(app.build_application(service)) as url:
        assert httpx.get(f"{url}/healthz").status_code == 200
    assert not answered.is_set(), "it has waited for the warehouse"
    is_over.set()
