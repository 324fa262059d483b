"""The list as the service passes it on: files, pointer, freshness, a version that takes another's place."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from prakerja.blacklist.publisher import configured_keys, publishing
from prakerja.blacklist.service import files, list_routes
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.format.roots import endorsement_name, root_name
from prakerja_blacklist.reader import http_source
from prakerja_blacklist.reader.sync import Client
from prakerja_blacklist.reader.witnesses import GivenWitnesses, Witness
from prakerja_blacklist.witness.following import Follower
from tests.support.published_list import flip, revoke
from tests.support.root_keys import endorse, put_root
from tests.support.running_service import NOW, TODAY, Api, await_version, nik, problem, served
from tests.support.simulated_publisher import signing_key
from tests.support.witnesses import serving

SIGNED = ("manifest.json", "chain.json")

# -- the list ----------------------------------------------------------------------------------------------------------


def test_the_pointer_and_every_file_are_the_published_bytes(api: Api, listed: Path) -> None:
    assert api.ask("GET", "/v1/blacklist/latest", "list").content == (listed / "latest.json").read_bytes()
    for name in list_routes.FILES:
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
    api.service.lists.refresh()
    assert api.ask("GET", "/v1/blacklist/latest", "list", headers=known).json()["version"] == 2


@pytest.mark.parametrize("name", list_routes.FILES)
@pytest.mark.parametrize("bent", ["bent", "short", "empty"])
def test_what_is_not_what_was_signed_is_not_passed_on(api: Api, listed: Path, name: str, bent: str) -> None:
    path = listed / "v000001" / name
    right = path.read_bytes()
    path.write_bytes(
        {"bent": right[:20] + bytes([right[20] ^ 1]) + right[21:], "short": right[:-9], "empty": b""}[bent]
    )
    response = api.ask("GET", f"/v1/blacklist/versions/1/{name}", "list")
    problem(response, 404 if name.startswith(SIGNED) and response.status_code == 404 else 503)
    assert "immutable" not in response.headers.get("cache-control", "")
    path.write_bytes(right)
    assert api.ask("GET", f"/v1/blacklist/versions/1/{name}", "list").content == right
    path.write_bytes(b"")  # data that was verified is answered from our own copy
    again = api.ask("GET", f"/v1/blacklist/versions/1/{name}", "list")
    assert again.content == right if not name.startswith(SIGNED) else again.status_code in (404, 503)


@pytest.mark.parametrize("which", ["keyring-000001.json", "pem"])
def test_a_key_that_was_changed_is_not_passed_on(api: Api, listed: Path, which: str) -> None:
    path = next(path for path in (listed / "keys").iterdir() if path.name.endswith(which))
    flip(path)
    assert api.ask("GET", f"/v1/blacklist/keys/{path.name}", "list").status_code in (404, 503)


def test_a_chain_file_of_another_list_is_not_passed_on_though_signed(api: Api, listed: Path) -> None:
    path, key = listed / "v000001" / "chain.json", configured_keys.load_signing_key()
    right = {each: each.read_bytes() for each in (path, path.with_name("chain.json.sig"))}
    other = canonical_json(json.loads(right[path]) | {"manifest_sha256": "0a" * 32})
    path.write_bytes(other)
    path.with_name("chain.json.sig").write_bytes(key.sign(other))
    for each in right:
        problem(api.ask("GET", f"/v1/blacklist/versions/1/{each.name}", "list"), 503)
    for each, data in right.items():
        each.write_bytes(data)
    assert api.ask("GET", "/v1/blacklist/versions/1/chain.json", "list").content == right[path]


def test_roots_and_endorsements_are_passed_on_if_they_are_rightly_signed(api: Api, listed: Path) -> None:
    here: Any = SimpleNamespace(
        root=listed,
        at=NOW,
        data=lambda name: (listed / name).read_bytes(),
        put=lambda name, data: (listed / name).write_bytes(data),
    )
    for number, keys in ((1, (0, 1, 2)), (2, (0, 1, 3))):
        put_root(here, number, keys)
        endorse(here, number)
    names = [root_name(1), root_name(2), endorsement_name(1, 1), endorsement_name(1, 2)]
    for name in names:
        told = api.ask("GET", f"/v1/blacklist/{name}", "list")
        assert (told.content, told.headers["content-type"]) == (here.data(name), "application/json")
    put_root(here, 2, by=(0,))
    endorse(here, 1, by=(0,))
    for name in names[1:]:
        told = api.ask("GET", f"/v1/blacklist/{name}", "list")
        assert told.status_code == 404
        assert "immutable" not in told.headers.get("cache-control", "")
    (listed / root_name(1)).write_bytes(b"{}")
    assert api.ask("GET", f"/v1/blacklist/{root_name(1)}", "list").status_code == 503
    for name in ("root-1.json", "root-000003.json", "keyring-000001.root-000003.json", "root-000001.json.new"):
        assert api.ask("GET", f"/v1/blacklist/keys/{name}", "list").status_code == 404


def test_files_that_were_asked_for_last_stay_up_to_a_bound(
    api: Api, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [name for name in list_routes.FILES if not name.startswith(SIGNED)]
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
    problem(response, 400 if path == "latest?key_id=no" else 404)


@pytest.mark.parametrize(
    "version", ["+1", "01", "1.0", "1_0", " 1", "1 ", "-1", "%31", "\u0661", "\uff11", "1e0", "0x1"]
)
def test_a_version_has_one_spelling(api: Api, version: str) -> None:
    path = "/v1/blacklist/versions/{}/manifest.json"
    assert api.ask("GET", path.format("1"), "list").status_code == 200
    for method in ("GET", "HEAD"):
        assert api.ask(method, path.format(quote(version)), "list").status_code == 404


@pytest.mark.parametrize("query", ["key_id=", "key_id=NO", "key_id=0123456789ABCDEF", "key_id={id}&key_id={id}"])
def test_a_key_id_has_one_spelling_and_is_given_once(api: Api, query: str) -> None:
    key_id = configured_keys.load_subject_key().key_id
    for path in ("/v1/blacklist/latest", "/v1/blacklist/versions/1/manifest.json"):
        assert api.ask("GET", f"{path}?key_id={key_id}", "list").status_code == 200
        problem(api.ask("GET", f"{path}?{query.format(id=key_id)}", "list"), 400)


def test_a_witness_follows_the_service_and_a_reader_waits_for_it(api: Api, home: Path) -> None:
    pins, key = [configured_keys.load_signing_key().public], signing_key("auditor")
    source = http_source.HttpSource(api.url, api.tokens["list"])
    witness = Follower(home / "own", pins, key, home / "out")
    with serving(home / "out") as url:
        asked = GivenWitnesses([Witness("auditor", key.public.pem.decode(), url)])
        reader = Client(home / "reader", pins, [configured_keys.load_subject_key()], witnesses=asked)
        with pytest.raises(PrakerjaError, match="auditor has not signed it yet"):
            reader.sync(source)
        assert witness.follow(source).signed == ["v000001.json"]
        assert reader.sync(source).trusted.witnessed == [key.public.key_id]
    revoke([6])
    publishing.publish("second", NOW, TODAY)
    await_version(api, 2)
    assert witness.follow(source).signed == ["v000002.json"]


def test_a_reader_syncs_from_the_service(api: Api, home: Path) -> None:
    reader = Client(home / "reader", [configured_keys.load_signing_key().public], [configured_keys.load_subject_key()])
    source = http_source.HttpSource(api.url, api.tokens["list"])
    assert reader.sync(source).how == "full"
    assert reader.sync(source).how == "unchanged"
    revoke([6])
    publishing.publish("second", NOW, TODAY)
    api.service.lists.refresh()
    assert reader.sync(source).how == "delta"
    assert reader.open_list().is_listed(configured_keys.load_subject_key().digest(nik(6)))
    with pytest.raises(PrakerjaError, match="does not let this API key"):
        reader.sync(http_source.HttpSource(api.url, "no.key"))
    with pytest.raises(PrakerjaError, match="does not answer"):
        reader.sync(http_source.HttpSource("http://127.0.0.1:9", api.tokens["list"]))


# -- freshness ---------------------------------------------------------------------------------------------------------


def test_it_is_ready_with_a_list_and_not_without_nor_when_it_has_expired(own_home: Path, listed: Path) -> None:
    with served(own_home) as api:
        assert api.ask("GET", "/healthz").json() == {"status": "ok"}
        for path in ("/healthz", "/readyz"):
            head = api.ask("HEAD", path)
            assert (head.status_code, head.content) == (api.ask("GET", path).status_code, b"")
        assert "no verified list" in problem(api.ask("GET", "/readyz"), 503)
        assert "no verified list" in problem(api.check(nik(1)), 503)
        publishing.publish("old", NOW - timedelta(days=8), TODAY)
        api.service.lists.refresh()
        expired = api.ask("GET", "/readyz")
        assert "version 1 has expired" in problem(expired, 503)
        assert expired.json()["is_ready"] is False
        assert api.check(nik(1)).json()["is_expired"] is True
        publishing.publish("new", NOW, TODAY)
        api.service.lists.refresh()
        ready = api.ask("GET", "/readyz")
        assert ready.status_code == 200
        answer = ready.json()
        assert (answer["version"], answer["is_stale"], answer["is_expired"]) == (2, False, False)
        assert answer["next_version_by"] > answer["created_at"]


def test_a_list_that_is_refused_leaves_the_one_before_in_service(api: Api, listed: Path) -> None:
    revoke([6])
    publishing.publish("second", NOW, TODAY)
    snapshot = listed / "v000002" / "manifest.json"
    snapshot.write_bytes(snapshot.read_bytes().replace(b"6", b"7", 1))
    api.service.lists.refresh()
    assert api.service.lists.problem
    assert api.check(nik(1)).json()["version"] == 1


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
        api.service.lists.refresh()
        await_version(api, number)
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert {1, 5} <= seen
