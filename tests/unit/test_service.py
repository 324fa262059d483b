"""The service over real HTTP: what it answers, to whom, within which bounds, and what it keeps of a question."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from prakerja import serving, warehouse
from prakerja.blacklist import publishing, signing, sources
from prakerja.blacklist.client import Client
from prakerja.blacklist.keyring import file_name
from prakerja.blacklist.service import access, app, bounds, files, running
from prakerja.blacklist.service.bounds import PromptProtocol
from prakerja.blacklist.service.copy import Copies
from prakerja.blacklist.service.lookups import Lookups
from prakerja.blacklist.service.problems import ProblemError
from prakerja.blacklist.service.ranges import Ranges
from prakerja.blacklist.snapshot import Subjects
from prakerja.cohorts.overview import cohort_table
from prakerja.errors import PrakerjaError
from prakerja.settings import WIB
from tests.repository import Repository, signing_key
from tests.unit.test_blacklist import listed, revoke  # noqa: F401 - a fixture

NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = NOW.astimezone(WIB).date()


def nik(number: int) -> str:
    return f"{3100000000000000 + number}"


class Api:
    """A running service, and consumers of it by what they may do."""

    def __init__(self, url: str, service: app.Service, folder: Path) -> None:
        self.url, self.service, self.folder = url, service, folder
        self.tokens = {scope: access.create(scope, [scope], 10**6, None, created_by="Siti") for scope in access.SCOPES}
        service.refresh_keys()

    def ask(self, method: str, path: str, scope: str | None = None, **how: Any) -> httpx.Response:
        headers = {**how.pop("headers", {}), **({"authorization": f"Bearer {self.tokens[scope]}"} if scope else {})}
        return httpx.request(method, self.url + path, headers=headers, timeout=20, **how)

    def check(self, *niks: str, scope: str | None = "check") -> httpx.Response:
        return self.ask("POST", "/v1/blacklist/check", scope, json={"niks": list(niks)})


@contextlib.contextmanager
def served(home: Path) -> Iterator[Api]:
    service = running.configured(None, None)
    with serving.in_thread(app.application(service), http=PromptProtocol) as url:
        yield Api(url, service, home)


@pytest.fixture
def own_home(home: Path, session_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The service's folder is the test's own."""
    monkeypatch.setattr(running.Settings, "make_home", lambda _: home)
    return home


@pytest.fixture
def api(listed: Path, own_home: Path) -> Iterator[Api]:  # noqa: F811
    """A service over one version of five people, of today."""
    publishing.publish("first", NOW, TODAY)
    with served(own_home) as running_api:
        await_version(running_api, 1)
        yield running_api


def await_version(api: Api, version: int) -> None:
    for _ in range(200):
        if api.service.copies._copy and api.service.copies.current().version >= version:
            return
        time.sleep(0.05)
    raise AssertionError(api.service.copies.problem)


def problem(response: httpx.Response, status: int) -> str:
    """The problem's detail, if it is one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert {"type", "title", "status", "detail"} <= set(document)
    assert document["status"] == status
    return str(document["detail"])


# -- lookups -----------------------------------------------------------------------------------------------------------


def test_a_check_answers_in_order_with_version_and_data(api: Api) -> None:
    response = api.check(nik(6), nik(1), nik(1), nik(5), nik(9))
    assert response.status_code == 200
    answer = response.json()
    assert answer["listed"] == [False, True, True, True, False]
    assert (answer["version"], answer["data_as_of"], answer["is_expired"]) == (1, {}, False)


def test_a_thousand_are_answered_and_one_more_is_not(api: Api) -> None:
    thousand = [nik(number) for number in range(1, 1001)]
    assert api.check(*thousand).json()["listed"] == [True] * 5 + [False] * 995
    assert "niks" in problem(api.check(*thousand, nik(1)), 422)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no", b"[]", b"{}", b'{"niks":[]}', b'{"niks":"3100000000000001"}', b'{"niks":[3100000000000001]}',
        b'{"niks":["310000000000000"]}', b'{"niks":["31000000000000012"]}', b'{"niks":["3100000000000001\\n"]}',
        b'{"niks":["310000000000000\xd9\xa1"]}', b'{"niks":["3100000000000001"],"more":1}',
        b'{"niks":["3171000000000009"],"3100000000000001":1}',
        b"[" * 60_000, b'{"niks":["3100000000000001"]',
    ],
)  # fmt: skip
def test_what_is_no_question_is_a_problem_that_repeats_nothing(api: Api, body: bytes) -> None:
    response = api.ask("POST", "/v1/blacklist/check", "check", content=body)
    problem(response, 422)
    assert "31000000" not in response.text


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(api: Api) -> None:
    assert "65,536" in problem(api.ask("POST", "/v1/blacklist/check", "check", content=b" " * 70_000), 413)
    chunks = (b" " * 10_000 for _ in range(10))
    assert "65,536" in problem(api.ask("POST", "/v1/blacklist/check", "check", content=chunks), 413)


def test_a_range_has_a_constant_size_and_holds_who_is_listed(api: Api) -> None:
    subjects = {signing.subject_key().subject(nik(number)) for number in range(1, 6)}
    for subject in subjects:
        answer = api.ask("GET", f"/v1/blacklist/range/{subject[:5]}", "range").json()
        assert subject[5:] in answer["suffixes"]
        assert answer["suffixes"] == sorted(set(answer["suffixes"]))
    sizes = {
        len(api.ask("GET", f"/v1/blacklist/range/{prefix}", "range").content)
        for prefix in ("00000", "fffff", "0a1b2", *(subject[:5] for subject in subjects))
    }
    assert len(sizes) == 1
    assert (answer["smallest_range"], answer["largest_range"]) == (0, 1)


def test_a_range_says_the_same_twice_and_its_filling_is_nobody(api: Api) -> None:
    once, twice = (api.ask("GET", "/v1/blacklist/range/0a1b2", "range").json() for _ in range(2))
    assert once == twice
    listed_ = set(api.service.copies.current().listed.subjects)
    assert not {bytes.fromhex("0a1b2" + suffix) for suffix in once["suffixes"]} & listed_


@pytest.mark.parametrize("prefix", ["", "0a1b", "0a1b2c", "0A1B2", "0a1bg", "../.."])
def test_what_is_no_prefix_is_a_problem(api: Api, prefix: str) -> None:
    assert api.ask("GET", f"/v1/blacklist/range/{prefix}", "range").status_code in (404, 422)


def test_ranges_are_as_wide_as_the_fullest_needs() -> None:
    subjects = sorted(bytes.fromhex(f"00000{number:059x}") for number in range(40))
    ranges = Ranges(Subjects(b"".join([*subjects, b"\xff" * 32])), b"key")
    assert (ranges.smallest, ranges.largest, ranges.suffixes) == (0, 40, 64)
    suffixes, found = ranges.answer("00000")
    assert (len(suffixes), found) == (64, 40)
    assert {subject.hex()[5:] for subject in subjects} <= set(suffixes)
    assert ranges.answer("fffff")[1] == 1
    fewer = Ranges(Subjects(b"".join(subjects[:-1])), b"key")
    assert len(set(suffixes) - set(fewer.answer("00000")[0])) == 1, "of who comes, and of nobody else, is anything new"
    assert ranges.answer("00001")[1] == 0
    assert Ranges(Subjects(b""), b"key").answer("00000")[1] == 0


# -- the list ----------------------------------------------------------------------------------------------------------


def test_the_pointer_and_every_file_are_the_published_bytes(api: Api, listed: Path) -> None:  # noqa: F811
    assert api.ask("GET", "/v1/blacklist/latest", "list").content == (listed / "latest.json").read_bytes()
    for name in app.FILES:
        response = api.ask("GET", f"/v1/blacklist/versions/1/{name}", "list")
        assert response.content == (listed / "v000001" / name).read_bytes()
        assert "immutable" in response.headers["cache-control"]
        known = {"if-none-match": response.headers["etag"]}
        again = api.ask("GET", f"/v1/blacklist/versions/1/{name}", "list", headers=known)
        assert (again.status_code, again.content) == (304, b"")
    for path in (listed / "keys").iterdir():
        assert api.ask("GET", f"/v1/blacklist/keys/{path.name}", "list").content == path.read_bytes()


def test_a_known_pointer_is_not_sent_again_until_it_is_another(api: Api) -> None:
    first = api.ask("GET", "/v1/blacklist/latest", "list")
    known = {"if-none-match": f'"other", W/{first.headers["etag"]}'}
    assert api.ask("GET", "/v1/blacklist/latest", "list", headers=known).status_code == 304
    revoke([6])
    publishing.publish("second", NOW, TODAY)
    api.service.copies.refresh()
    assert api.ask("GET", "/v1/blacklist/latest", "list", headers=known).json()["version"] == 2


@pytest.mark.parametrize("name", app.FILES)
@pytest.mark.parametrize("bent", ["bent", "short", "empty"])
def test_what_is_not_what_was_signed_is_not_passed_on(api: Api, listed: Path, name: str, bent: str) -> None:  # noqa: F811
    path = listed / "v000001" / name
    right = path.read_bytes()
    path.write_bytes(
        {"bent": right[:20] + bytes([right[20] ^ 1]) + right[21:], "short": right[:-9], "empty": b""}[bent]
    )
    response = api.ask("GET", f"/v1/blacklist/versions/1/{name}", "list")
    problem(response, 404 if name.startswith("manifest.json") and response.status_code == 404 else 503)
    assert "immutable" not in response.headers.get("cache-control", "")
    path.write_bytes(right)
    assert api.ask("GET", f"/v1/blacklist/versions/1/{name}", "list").content == right
    path.write_bytes(b"")  # data that was verified is answered from our own copy
    again = api.ask("GET", f"/v1/blacklist/versions/1/{name}", "list")
    assert again.content == right if not name.startswith("manifest.json") else again.status_code in (404, 503)


def test_keyrings_from_before_the_pinned_key_lead_others_to_it(tmp_path: Path) -> None:
    first, second = (signing_key(name) for name in ("first", "second"))
    repository = Repository(tmp_path / "published")
    repository.publish([1])
    repository.announce(second)
    repository.rotate()
    repository.publish([2])
    repository.revoke(first)
    copies = Copies(
        Client(tmp_path / "list", [second.public], repository.subject_keys, takes_expired=True),
        lambda: repository.source,
    )
    copies.refresh()
    service = app.Service(copies, None, list, None)  # type: ignore[arg-type]
    last = copies.trust.number
    for number in range(1, last + 1):
        name = file_name(number).removeprefix("keys/")
        assert app._key_file(service, repository.source, name) == repository.data(file_name(number))
    with pytest.raises(PrakerjaError):
        app._key_file(service, repository.source, file_name(last + 1).removeprefix("keys/"))
    repository.flip(file_name(last))
    with pytest.raises(PrakerjaError):
        app._key_file(service, repository.source, file_name(last).removeprefix("keys/"))


@pytest.mark.parametrize("which", ["keyring-000001.json", "pem"])
def test_a_key_that_was_changed_is_not_passed_on(api: Api, listed: Path, which: str) -> None:  # noqa: F811
    path = next(path for path in (listed / "keys").iterdir() if path.name.endswith(which))
    path.write_bytes(path.read_bytes().replace(b"A", b"B", 3))
    assert api.ask("GET", f"/v1/blacklist/keys/{path.name}", "list").status_code in (404, 503)


def test_files_that_were_asked_for_last_stay_up_to_a_bound(
    api: Api, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [name for name in app.FILES if not name.startswith("manifest.json")]
    sizes = {name: len(api.ask("GET", f"/v1/blacklist/versions/1/{name}", "list").content) for name in names}
    kept = home / "service" / "files"
    assert len(list(kept.iterdir())) == 3
    monkeypatch.setattr(files, "KEPT_BYTES_MAX", max(sizes.values()))
    for path in kept.iterdir():
        path.unlink()
    for name in names:
        assert len(api.ask("GET", f"/v1/blacklist/versions/1/{name}", "list").content) == sizes[name]
        assert sum(path.stat().st_size for path in kept.iterdir()) <= max(sizes.values())


@pytest.mark.parametrize(
    "path",
    [
        "versions/2/manifest.json", "versions/0/manifest.json", "versions/1/other", "versions/x/manifest.json",
        "versions/1/..%2f..%2fkeys", "versions/999999999999/manifest.json", "keys/keyring-000009.json",
        "keys/..%2flatest.json", "keys/signing_key.pem", "versions/1/manifest.json?key_id=0123456789abcdef",
        "latest?key_id=0123456789abcdef", "latest?key_id=no",
    ],
)  # fmt: skip
def test_what_is_not_published_is_not_there(api: Api, path: str) -> None:
    response = api.ask("GET", f"/v1/blacklist/{path}", "list")
    assert response.status_code in (404, 422)
    problem(response, response.status_code)


def test_a_reader_syncs_from_the_service(api: Api, home: Path) -> None:
    reader = Client(home / "reader", [signing.signing_key().public], [signing.subject_key()])
    source = sources.Service(api.url, api.tokens["list"])
    assert reader.sync(source).how == "full"
    assert reader.sync(source).how == "unchanged"
    revoke([6])
    publishing.publish("second", NOW, TODAY)
    api.service.copies.refresh()
    assert reader.sync(source).how == "delta"
    assert reader.opened().is_listed(signing.subject_key().digest(nik(6)))
    with pytest.raises(PrakerjaError, match="does not let this API key"):
        reader.sync(sources.Service(api.url, "no.key"))
    with pytest.raises(PrakerjaError, match="does not answer"):
        reader.sync(sources.Service("http://127.0.0.1:9", api.tokens["list"]))


# -- who may ask -------------------------------------------------------------------------------------------------------

OPERATIONS = {
    "check": ("POST", "/v1/blacklist/check"),
    "range": ("GET", "/v1/blacklist/range/0a1b2"),
    "list": ("GET", "/v1/blacklist/latest"),
}


@pytest.mark.parametrize("scope", access.SCOPES)
def test_each_operation_asks_for_its_own_scope(api: Api, scope: str) -> None:
    for needed, (method, path) in OPERATIONS.items():
        response = api.ask(method, path, scope, json={"niks": [nik(1)]} if method == "POST" else None)
        if needed == scope:
            assert response.status_code == 200
        else:
            assert needed in problem(response, 403)


def test_no_key_a_wrong_one_and_a_revoked_one_are_refused(api: Api) -> None:
    assert api.check(nik(1), scope=None).headers["www-authenticate"] == "Bearer"
    key = api.tokens["check"]
    for wrong in (key[:-1], f"{key}x", key.partition(".")[0], f"{key.partition('.')[0]}.", "a.b", "."):
        api.tokens["check"] = wrong
        problem(api.check(nik(1)), 401)
    api.tokens["check"] = key
    assert api.check(nik(1)).status_code == 200
    access.revoke(key.partition(".")[0], because="leaked", revoked_by="Siti")
    api.service.refresh_keys()
    problem(api.check(nik(1)), 401)
    with pytest.raises(PrakerjaError, match="is revoked already"):
        access.revoke(key.partition(".")[0], because="leaked", revoked_by="Siti")


def test_a_key_ends_with_its_last_day(api: Api) -> None:
    api.tokens["check"] = access.create("until", ["check"], 100, TODAY, created_by="Siti")
    api.service.refresh_keys()
    assert api.check(nik(1)).status_code == 200
    consumer = api.service.access.known(f"Bearer {api.tokens['check']}", "check")
    consumer.key = consumer.key.model_copy(update={"expires_on": TODAY - timedelta(days=1)})
    assert "has expired" in problem(api.check(nik(1)), 401)


def test_a_rate_counts_what_is_asked_about_and_says_when_to_come_back(api: Api) -> None:
    api.tokens["check"] = access.create("slow", ["check"], 60, None, created_by="Siti")
    api.service.refresh_keys()
    assert api.check(*[nik(1)] * 9).status_code == 200
    refused = api.check(nik(1), nik(2))
    problem(refused, 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 3
    api.service.refresh_keys()
    problem(api.check(nik(1), nik(2)), 429)
    assert api.ask("GET", "/v1/blacklist/latest", "list").status_code == 200, "another consumer has a rate of its own"


def test_what_a_request_spends_counts_though_the_keys_were_loaded_meanwhile(api: Api) -> None:
    token = access.create("slow", ["check"], 1, None, created_by="Siti")
    api.service.refresh_keys()
    header = f"Bearer {token}"
    spending = api.service.access.known(header, "check")
    api.service.refresh_keys()
    access.spend(spending, 5)
    with pytest.raises(ProblemError) as refused:
        access.spend(api.service.access.known(header, "check"), 1)
    assert 240 <= int(refused.value.headers["retry-after"]) <= 301


def test_who_costs_more_than_the_burst_is_told_to_come_back_when_that_is_taken(api: Api) -> None:
    api.tokens["check"] = access.create("slow", ["check"], 600, None, created_by="Siti")
    api.service.refresh_keys()
    assert api.check(*[nik(1)] * 100).status_code == 200
    assert int(api.check(*[nik(1)] * 1000).headers["retry-after"]) <= 11


def test_before_keys_are_loaded_nobody_is_told_that_theirs_is_none(own_home: Path, listed: Path) -> None:  # noqa: F811
    answer = access.Access()
    with pytest.raises(ProblemError, match="not loaded yet"):
        answer.known("Bearer a.b", "check")


def test_a_service_that_starts_while_the_warehouse_is_away_knows_the_keys_that_it_knew(
    listed: Path,  # noqa: F811
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = access.create("registration", ["check"], 60, None, created_by="Siti")
    kept = home / "keys.json"
    access.Access(kept).refresh()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert token.partition(".")[2] not in kept.read_text()
    monkeypatch.setattr(warehouse, "transaction", lambda *_: (_ for _ in ()).throw(warehouse.UnavailableError("away")))
    started = access.Access(kept)
    with pytest.raises(warehouse.UnavailableError):
        started.refresh()
    assert started.known(f"Bearer {token}", "check").key.scopes == {"check"}


def test_a_key_that_has_expired_says_so_and_none_is_made_that_has(api: Api) -> None:
    with pytest.raises(PrakerjaError, match="has expired"):
        access.create("late", ["check"], 1, TODAY - timedelta(days=1), created_by="Siti")


def test_keys_are_kept_as_hashes(api: Api) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        rows = str(connection.exec_driver_sql("select * from api_keys").fetchall())
    for token in api.tokens.values():
        assert token.partition(".")[0] in rows
        assert token.partition(".")[2] not in rows
    with pytest.raises(PrakerjaError, match="scopes out of"):
        access.create("x", ["all"], 1, None, created_by="Siti")


# -- bounds ------------------------------------------------------------------------------------------------------------


def raw(api: Api, *pieces: bytes, pause: float = 0.0) -> bytes:
    """What comes back for bytes that are sent one after another, until the connection is closed."""
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        answer = b""
        for piece in pieces:
            with contextlib.suppress(OSError):
                connection.sendall(piece)
            time.sleep(pause)
        with contextlib.suppress(OSError):
            while chunk := connection.recv(65536):
                answer += chunk
        return answer


def test_who_sends_slowly_is_let_go(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "REQUEST_SECONDS", 0.4)
    begun = time.monotonic()
    assert raw(api) == b""
    head = b"POST /v1/blacklist/check HTTP/1.1\r\nhost: x\r\n"
    assert b" 408 " in raw(api, *(head[each : each + 1] for each in range(9)), pause=0.1)
    token = api.tokens["check"].encode()
    body = head + b"content-length: 29\r\nauthorization: Bearer " + token + b"\r\n\r\n"
    assert b'"status":408' in raw(api, body, b'{"niks":', pause=0.1)
    assert time.monotonic() - begun < 5
    assert api.check(nik(1)).status_code == 200


def test_what_is_no_http_is_a_problem(api: Api) -> None:
    answer = raw(api, b"\x16\x03\x01\x02\x00 what is this\r\n\r\n")
    assert b" 400 " in answer
    assert b"application/problem+json" in answer


def connected(api: Api) -> socket.socket:
    host, port = api.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def is_let_go(connection: socket.socket) -> bool:
    """Whether the server has nothing more to do with a connection whose answers nobody reads: writing fails."""
    for _ in range(100):
        try:
            connection.send(b"\r\n")  # which is nothing, between requests
        except (ConnectionResetError, BrokenPipeError):
            return True
        time.sleep(0.1)
    return False


def test_who_does_not_take_a_long_answer_is_let_go(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "SEND_SECONDS", 0.3)
    monkeypatch.setattr(app, "_named", lambda *_: app.PublishedFile(
        name="snapshot.csv.gz", bytes=10**8, sha256="0" * 64, rows=1))  # fmt: skip
    monkeypatch.setattr(api.service.files, "chunks", lambda *_: iter([bytes(10**6)] * 100))
    with connected(api) as connection:
        token = api.tokens["list"]
        connection.sendall(
            b"GET /v1/blacklist/versions/1/snapshot.csv.gz HTTP/1.1\r\nhost: x\r\n"
            + f"authorization: Bearer {token}\r\n\r\n".encode()
        )
        assert is_let_go(connection)


def test_who_does_not_take_many_short_answers_is_let_go_and_the_service_says_that_it_lives(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "SEND_SECONDS", 2.0)
    monkeypatch.setattr(bounds, "REQUESTS_AT_ONCE", 3)
    with contextlib.ExitStack() as held:
        greedy = [held.enter_context(connected(api)) for _ in range(3)]
        for connection in greedy:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 400)
        for _ in range(50):
            if api.ask("GET", "/v1/statistics").status_code == 503:
                break
            time.sleep(0.02)
        else:
            raise AssertionError("the places were never taken")
        assert api.ask("GET", "/healthz").status_code == 200
        assert all(map(is_let_go, greedy))
        assert api.check(nik(1)).status_code == 200


def test_a_connection_that_asks_nothing_more_is_closed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "REQUEST_SECONDS", 0.5)
    with connected(api) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        time.sleep(0.1)
        connection.sendall(b"\r\n")  # it ends the server's own patience with idle connections
        begun = time.monotonic()
        while connection.recv(65536):
            pass
        assert time.monotonic() - begun < 3


def test_a_connection_whose_answer_came_before_its_body_is_closed_as_well(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "REQUEST_SECONDS", 0.5)
    with connected(api) as connection:
        connection.sendall(b"POST /v1/blacklist/check HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n")
        assert b" 401 " in connection.recv(65536)
        connection.sendall(b"0123456789")
        begun = time.monotonic()
        while connection.recv(65536):
            pass
        assert time.monotonic() - begun < 3


def test_nothing_is_written_into_the_middle_of_an_earlier_answer(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "REQUEST_SECONDS", 0.4)
    monkeypatch.setattr(app, "_named", lambda *_: app.PublishedFile(
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
    monkeypatch.setattr(bounds, "REQUEST_SECONDS", 0.5)
    answer = raw(api, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", b"GET /heal", pause=0.2)
    assert b" 200 " in answer
    assert b'"status":408' in answer


def test_heads_are_bounded(api: Api) -> None:
    begin = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"
    assert b'"status":413' in raw(api, begin + b"a: " + b"x" * 3_000_000)
    assert b'"status":400' in raw(api, begin + b"a:\r\n" * 200 + b"\r\n")
    trailers = b"transfer-encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 200 + b"\r\n"
    assert b'"status":400' in raw(api, begin + trailers)
    assert b" 200 " in raw(api, begin + b"a: b\r\n" * 50 + b"connection: close\r\n\r\n")


def test_where_there_are_too_many_connections_who_waits_longest_makes_room(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "CONNECTIONS_AT_ONCE", 3)
    with contextlib.ExitStack() as held:
        idle = []
        for _ in range(3):
            idle.append(held.enter_context(connected(api)))
            time.sleep(0.1)
        assert api.check(nik(1)).status_code == 200
        assert is_let_go(idle[0])


def test_a_request_for_another_protocol_is_told_so_rather_than_read_without_its_body(api: Api) -> None:
    head = (
        f"POST /v1/blacklist/check HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {api.tokens['check']}\r\n"
        "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
        "content-length: 31\r\n\r\n"
    ).encode()
    assert b"ask without Upgrade" in raw(api, head + b'{"niks":["3100000000000001"]}  ')
    websocket = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"
    assert b" 200 " in raw(api, websocket, b"", pause=0.5)


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
    monkeypatch.setattr(bounds, "REQUESTS_AT_ONCE", 0)
    assert "at once" in problem(api.check(nik(1)), 503)


def test_a_warehouse_that_hangs_keeps_no_service_from_ending(
    listed: Path,  # noqa: F811
    own_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app, "END_SECONDS", 0.3)
    service, is_over = running.configured(None, None), threading.Event()
    monkeypatch.setattr(service.lookups, "load", is_over.wait)
    begun = time.monotonic()
    with serving.in_thread(app.application(service), http=PromptProtocol) as url:
        assert httpx.get(f"{url}/healthz").status_code == 200
    assert time.monotonic() - begun < 5
    is_over.set()


# -- freshness ---------------------------------------------------------------------------------------------------------


def test_it_is_ready_with_a_list_and_not_without_nor_when_it_has_expired(own_home: Path, listed: Path) -> None:  # noqa: F811
    with served(own_home) as api:
        assert api.ask("GET", "/healthz").json() == {"status": "ok"}
        assert "no verified list" in problem(api.ask("GET", "/readyz"), 503)
        assert "no verified list" in problem(api.check(nik(1)), 503)
        publishing.publish("old", NOW - timedelta(days=8), TODAY)
        api.service.copies.refresh()
        expired = api.ask("GET", "/readyz")
        assert "version 1 has expired" in problem(expired, 503)
        assert expired.json()["is_ready"] is False
        assert api.check(nik(1)).json()["is_expired"] is True
        publishing.publish("new", NOW, TODAY)
        api.service.copies.refresh()
        ready = api.ask("GET", "/readyz")
        assert ready.status_code == 200
        answer = ready.json()
        assert (answer["version"], answer["is_stale"], answer["is_expired"]) == (2, False, False)
        assert answer["next_version_by"] > answer["created_at"]


def test_a_list_that_is_refused_leaves_the_one_before_in_service(api: Api, listed: Path) -> None:  # noqa: F811
    revoke([6])
    publishing.publish("second", NOW, TODAY)
    snapshot = listed / "v000002" / "manifest.json"
    snapshot.write_bytes(snapshot.read_bytes().replace(b"6", b"7", 1))
    api.service.copies.refresh()
    assert api.service.copies.problem
    assert api.check(nik(1)).json()["version"] == 1


def test_nobody_is_answered_by_a_list_whose_signer_was_revoked_since(tmp_path: Path) -> None:
    first, second = (signing_key(name) for name in ("first", "second"))
    repository = Repository(tmp_path / "published")
    repository.publish([1, 2])
    reader = Client(tmp_path / "list", [first.public], repository.subject_keys, takes_expired=True)
    copies = Copies(reader, lambda: repository.source)
    copies.refresh()
    assert copies.current().version == 1
    repository.announce(second)
    repository.rotate()
    repository.revoke(first)
    copies.refresh()
    assert "revoked" in copies.problem
    with pytest.raises(ProblemError, match="no verified list"):
        copies.current()
    repository.publish([3])
    copies.refresh()
    assert copies.current().version == 2


def test_statistics_need_no_key_and_tell_no_person(api: Api) -> None:
    answer = api.ask("GET", "/v1/statistics")
    assert answer.status_code == 200
    names = ("cohort", "selected", "purchased", "held", "revoked", "reinstated")
    told = [{name: row[name] for name in names} for row in cohort_table() if row["cohort"] == 12]
    assert answer.json()["cohorts"] == told
    assert told[0]["revoked"] == 5


def test_no_request_is_dropped_while_versions_are_exchanged(api: Api) -> None:
    stop, seen, wrong = threading.Event(), set(), []

    def ask() -> None:
        with httpx.Client(headers={"authorization": f"Bearer {api.tokens['check']}"}) as session:
            while not stop.is_set():
                response = session.post(f"{api.url}/v1/blacklist/check", json={"niks": [nik(1), nik(6)]})
                answer = response.json()
                seen.add(answer.get("version"))
                # Version 1 does not list the sixth, every later one does: never a mixture.
                if response.status_code != 200 or answer["listed"] != [True, answer["version"] > 1]:
                    wrong.append(answer)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    revoke([6])
    for number in range(2, 6):
        publishing.publish(f"version {number}", NOW, TODAY)
        api.service.copies.refresh()
        await_version(api, number)
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert {1, 5} <= seen


# -- what is kept of a question ----------------------------------------------------------------------------------------


def lookups() -> list[tuple[Any, ...]]:
    with warehouse.transaction(as_owner=True) as connection:
        found = connection.exec_driver_sql(
            "select api_key_id, operation, asked, listed, version from lookups order by looked_up_at, line"
        )
        return [tuple(row) for row in found]


def test_lookups_are_told_by_key_and_number_and_never_by_person(
    api: Api, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.check(nik(1), nik(2), nik(7))
    api.ask("GET", "/v1/blacklist/range/0a1b2", "range")
    api.check("no nik at all")
    api.service.lookups.load()
    ids = {scope: token.partition(".")[0] for scope, token in api.tokens.items()}
    assert lookups() == [(ids["check"], "check", 3, 2, 1), (ids["range"], "range", 1, 0, 1)]
    row = next(row for row in access.list_keys() if row["api_key_id"] == ids["check"])
    assert (row["lookups"], row["asked"]) == (1, 3)
    kept = b"".join(path.read_bytes() for path in (home / "service").rglob("*") if path.is_file())
    kept += caplog.text.encode()
    assert not re.search(rb"310000000000000\d", kept)
    assert signing.subject_key().subject(nik(1)).encode() not in b"".join(
        path.read_bytes() for path in (home / "service" / "lookups").iterdir()
    )


def test_a_lost_warehouse_loses_no_lookup(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Lookups(home / "lookups")
    spool.note("key", "check", 1, 0, 1)
    with monkeypatch.context() as away:
        away.setattr(warehouse, "transaction", lambda *_: (_ for _ in ()).throw(warehouse.UnavailableError("away")))
        with pytest.raises(warehouse.UnavailableError):
            spool.load()
    spool.note("key", "check", 2, 0, 1)
    spool.load()
    spool.load()
    assert [row[2] for row in lookups()] == [1, 2]


def test_a_full_spool_is_followed_by_another(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prakerja.blacklist.service.lookups.SPOOL_BYTES", 100)
    spool = Lookups(home / "lookups")
    for number in range(10):
        spool.note("key", "check", number, 0, 1)
        spool.load()
    spool.close()
    assert [row[2] for row in lookups()] == list(range(10))
    assert list((home / "lookups").iterdir()) == []


DIES = """
import os, signal, sys
from pathlib import Path
from prakerja.blacklist.service.copy import Copies
from prakerja.blacklist.service.lookups import Lookups
from prakerja.blacklist.service.problems import ProblemError
spool = Lookups(Path(sys.argv[1]))
for number in range(5):
    spool.note("key", "check", number, 0, 1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_services_lookups_are_loaded_by_the_next_and_a_living_ones_are_left_alone(home: Path) -> None:
    folder = home / "lookups"
    killed = subprocess.run([sys.executable, "-c", DIES, str(folder)], env=os.environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    living, other = Lookups(folder), Lookups(folder)
    living.note("key", "check", 7, 0, 1)
    other.load()
    assert [row[2] for row in lookups()] == [0, 1, 2, 3, 4]
    living.load()
    assert [row[2] for row in lookups()] == [0, 1, 2, 3, 4, 7]


def test_a_spool_that_is_none_is_put_aside_and_stops_no_other(home: Path) -> None:
    folder = home / "lookups"
    folder.mkdir()
    (folder / "0.spool").write_bytes(b"garbage line\n")
    (folder / "1.spool").write_bytes(b"1616122800.000 key check 3 0 1\n")
    spool = Lookups(folder)
    spool.note("key", "check", 5, 0, 1)
    spool.load()
    assert sorted(row[2] for row in lookups()) == [3, 5]
    assert [path.name for path in folder.glob("*.refused")] == ["0.refused"]


def test_what_a_warehouse_without_its_tables_refuses_is_kept_for_later(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home / "lookups"
    folder.mkdir()
    (folder / "1.spool").write_bytes(b"1616122800.000 key check 3 0 1\n")
    spool = Lookups(folder)
    with monkeypatch.context() as patch:
        refused = warehouse.RefusedError("the warehouse refused a statement (UndefinedTable)")
        patch.setattr(warehouse, "transaction", lambda *_: (_ for _ in ()).throw(refused))
        with pytest.raises(warehouse.RefusedError):
            spool.load()
    assert (folder / "1.spool").exists()
    spool.load()
    assert [row[2] for row in lookups()] == [3]


def test_a_spool_is_nobodys_to_load_before_its_service_holds_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home / "lookups"
    other = Lookups(folder)
    allocate = os.posix_fallocate

    def meanwhile(*given: Any) -> None:
        allocate(*given)
        other.load()

    monkeypatch.setattr(os, "posix_fallocate", meanwhile)
    late = Lookups(folder)
    late.note("key", "check", 5, 0, 1)
    late.load()
    assert [row[2] for row in lookups()] == [5]


def test_a_line_that_was_torn_is_no_lookup_and_those_before_it_are(home: Path) -> None:
    folder = home / "lookups"
    folder.mkdir()
    line = b"1616122800.000 key check 3 0 1\n"
    for name, torn in (("a", line[:9]), ("b", line[:9] + b"\0" * 9 + line[18:])):
        (folder / f"{name}.spool").write_bytes((line + torn).ljust(4096, b"\0"))
    Lookups(folder).load()
    assert [row[2] for row in lookups()] == [3, 3]


def test_a_service_without_room_for_its_lookups_says_so_and_leaves_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(PrakerjaError, match=r"lookups cannot be written \(No space left on device\)"):
        Lookups(home / "lookups")
    assert list((home / "lookups").iterdir()) == []


def test_who_cannot_be_accounted_for_is_not_answered(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(api.service.lookups, "note", full)
    assert "accounted" in problem(api.check(nik(1)), 503)


# -- the contract as OpenAPI -------------------------------------------------------------------------------------------


def test_schemathesis_finds_that_it_does_what_its_openapi_says(api: Api, tmp_path: Path) -> None:
    """All phases over all operations, with a key that may do everything; and, by its own check, without one."""
    token = access.create("all", list(access.SCOPES), 10**9, None, created_by="Siti")
    api.service.refresh_keys()
    ran = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", f"{api.url}/openapi.json",
            "--header", f"Authorization: Bearer {token}", "--max-examples", "20", "--checks", "all",
            "--generation-database", "none", "--no-color",
        ],
        capture_output=True, text=True, cwd=tmp_path, check=False, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-6000:]
    assert re.search(r"Operations:\s+8 selected / 8 total", ran.stdout), ran.stdout[-3000:]


def test_every_operation_is_described_with_an_example_and_its_problems(api: Api) -> None:
    described = api.ask("GET", "/openapi.json").json()
    paths = described["paths"]
    assert set(paths) == {
        "/healthz", "/readyz", "/v1/statistics", "/v1/blacklist/latest", "/v1/blacklist/keys/{name}",
        "/v1/blacklist/versions/{version}/{file}", "/v1/blacklist/check", "/v1/blacklist/range/{prefix}",
    }  # fmt: skip
    for path, operations in paths.items():
        for operation in operations.values():
            assert operation["description"]
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert response["content"]["application/problem+json"]["example"]["status"] == int(status)
                if status in ("401", "429", "503", "405"):
                    assert response["headers"], (path, status)
            if "304" in operation["responses"]:
                for status in ("200", "304"):
                    assert {"etag", "cache-control"} <= set(operation["responses"][status]["headers"])
            for kind, content in operation["responses"]["200"]["content"].items():
                schema = content.get("schema", {})
                named = described["components"]["schemas"].get(schema.get("$ref", "").rsplit("/", 1)[-1], {})
                assert "example" in content or named.get("example"), (path, kind)
            for parameter in operation.get("parameters", []):
                has_one = {"example", "examples"} & {*parameter, *parameter["schema"]}
                assert has_one, (path, parameter["name"])
            assert "405" in operation["responses"]
            assert ("401" in operation["responses"]) == ("security" in operation) == ("blacklist" in path)
    for path in ("/v1/blacklist/check", "/healthz", "/v1/nothing"):
        assert problem(api.ask("DELETE", path), 404 if path == "/v1/nothing" else 405)
    question = paths["/v1/blacklist/check"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert question["example"] == {"niks": ["3171000000000001"]}
