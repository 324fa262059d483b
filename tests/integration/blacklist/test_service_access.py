"""Who may ask the service: keys, scopes, rates."""

from __future__ import annotations

import socket
import tracemalloc
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from prakerja import warehouse
from prakerja.blacklist.service import access
from prakerja.errors import PrakerjaError
from prakerja.serving.problems import ProblemError
from tests.support.running_service import PATIENCE, TLS, TODAY, Api, nik, problem

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
    consumer = api.service.access.identify(f"Bearer {api.tokens['check']}")
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
    spending = api.service.access.identify(header)
    api.service.refresh_keys()
    access.consume_quota(spending, 5)
    with pytest.raises(ProblemError) as refused:
        access.consume_quota(api.service.access.identify(header), 1)
    assert 240 <= int(refused.value.headers["retry-after"]) <= 301


def test_who_costs_more_than_the_burst_is_told_to_come_back_when_that_is_taken(api: Api) -> None:
    api.tokens["check"] = access.create("slow", ["check"], 600, None, created_by="Siti")
    api.service.refresh_keys()
    assert api.check(*[nik(1)] * 100).status_code == 200
    assert int(api.check(*[nik(1)] * 1000).headers["retry-after"]) <= 11


def test_before_keys_are_loaded_nobody_is_told_that_theirs_is_none(own_home: Path, listed: Path) -> None:
    answer = access.Access()
    with pytest.raises(ProblemError, match="not loaded yet"):
        answer.identify("Bearer a.b")


def test_a_service_that_starts_while_the_warehouse_is_away_knows_the_keys_that_it_knew(
    listed: Path,
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
    assert started.identify(f"Bearer {token}").key.scopes == {"check"}


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


def test_a_key_that_is_written_in_many_ways_takes_no_memory(api: Api) -> None:
    """With the warehouse away too, when keys are not loaded again, and where the scope is another."""
    identify = api.service.access.identify
    tracemalloc.start()
    try:
        for spaces in range(2_000):
            header = f"{'BEARER' if spaces % 2 else 'bearer'} {' ' * spaces}{api.tokens['range']}{' ' * 5_000}"
            assert identify(header).key.scopes == {"range"}
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 500_000


def test_two_headers_with_keys_are_none(api: Api) -> None:
    """A proxy might have judged by the other."""
    keys = [("authorization", f"Bearer {api.tokens[scope]}") for scope in ("list", "check")]
    for given, status in ((keys[:1], 200), (keys, 401), (keys[::-1], 401), ([keys[0]] * 2, 401)):
        assert httpx.get(f"{api.url}/v1/blacklist/latest", headers=given, verify=TLS).status_code == status


REFUSED = {
    "a question that is none": ("POST", "/v1/blacklist/check", "check", 422),
    "a key that occurs twice": ("POST", "/v1/blacklist/check", "check", 422),
    "another scope": ("GET", "/v1/blacklist/latest", "check", 403),
    "no range": ("GET", "/v1/blacklist/range/0a1b", "range", 404),
    "no version": ("GET", "/v1/blacklist/versions/01/manifest.json", "list", 404),
    "no file": ("GET", "/v1/blacklist/versions/1/nothing", "list", 404),
    "no key file": ("GET", "/v1/blacklist/keys/nothing", "list", 404),
    "no key id": ("GET", "/v1/blacklist/latest?key_id=no", "list", 400),
}
BODIES = {"a question that is none": b"{}", "a key that occurs twice": b'{"niks":[],"niks":["3100000000000001"]}'}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_counts_as_one(api: Api, what: str) -> None:
    """Otherwise a key could ask without end. Without a key it is not looked at."""
    method, path, scope, status = REFUSED[what]
    problem(api.ask(method, path, content=BODIES.get(what)), 401)
    api.tokens[scope] = access.create("slow", [scope], 60, None, created_by="Siti")
    api.service.refresh_keys()
    for _ in range(10):
        problem(api.ask(method, path, scope, content=BODIES.get(what)), status)
    problem(api.ask(method, path, scope, content=BODIES.get(what)), 429)


def test_a_body_that_breaks_off_counts_as_one(api: Api) -> None:
    api.tokens["check"] = access.create("slow", ["check"], 6, None, created_by="Siti")
    api.service.refresh_keys()
    head = f"POST /v1/blacklist/check HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {api.tokens['check']}\r\n"
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(f"{head}content-length: 29\r\nexpect: 100-continue\r\n\r\n".encode())
        assert b" 100 " in connection.recv(65536)
    problem(api.check(nik(1)), 429)


def test_a_question_that_is_too_large_for_the_rate_costs_nothing(api: Api) -> None:
    """Who asks again for ever in vain keeps the rate for what it allows."""
    api.tokens["check"] = access.create("slow", ["check"], 60, None, created_by="Siti")
    api.service.refresh_keys()
    assert api.check(nik(1)).status_code == 200
    for _ in range(10):
        problem(api.check(*[nik(1)] * 10), 429)
    assert api.check(*[nik(1)] * 9).status_code == 200
