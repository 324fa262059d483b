"""What the service answers to checks and ranges, and how its OpenAPI describes it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from prakerja.blacklist.publisher import configured_keys
from prakerja.blacklist.service import running
from prakerja.errors import PrakerjaError
from tests.support.running_service import Api, nik, problem

# -- lookups -----------------------------------------------------------------------------------------------------------


def test_a_check_answers_in_order_with_version_and_data(asked_api: Api) -> None:
    response = asked_api.check(nik(6), nik(1), nik(1), nik(5), nik(9))
    assert response.status_code == 200
    answer = response.json()
    assert answer["listed"] == [False, True, True, True, False]
    assert (answer["version"], answer["data_as_of"], answer["is_expired"]) == (1, {}, False)


def test_a_thousand_are_answered_and_one_more_is_not(asked_api: Api) -> None:
    thousand = [nik(number) for number in range(1, 1001)]
    assert asked_api.check(*thousand).json()["listed"] == [True] * 5 + [False] * 995
    assert "niks" in problem(asked_api.check(*thousand, nik(1)), 422)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no", b"[]", b"{}", b'{"niks":[]}', b'{"niks":"3100000000000001"}', b'{"niks":[3100000000000001]}',
        b'{"niks":["310000000000000"]}', b'{"niks":["31000000000000012"]}', b'{"niks":["3100000000000001\\n"]}',
        b'{"niks":["310000000000000\xd9\xa1"]}', b'{"niks":["3100000000000001"],"more":1}',
        b'{"niks":["3171000000000009"],"3100000000000001":1}',
        b'{"niks":["3171000000000009"],"niks":["3100000000000001"]}',
        b'{"niks":["3100000000000001"],"\\u006eiks":["3100000000000001"]}',
        b'{"niks":{"a":1},"niks":["3100000000000001"]}',
        b"[" * 60_000, b'{"niks":["3100000000000001"]',
    ],
)  # fmt: skip
def test_what_is_no_question_is_a_problem_that_repeats_nothing(asked_api: Api, body: bytes) -> None:
    response = asked_api.ask("POST", "/v1/blacklist/check", "check", content=body)
    problem(response, 422)
    assert "31000000" not in response.text


def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(asked_api: Api) -> None:
    assert "65,536" in problem(asked_api.ask("POST", "/v1/blacklist/check", "check", content=b" " * 70_000), 413)
    chunks = (b" " * 10_000 for _ in range(10))
    assert "65,536" in problem(asked_api.ask("POST", "/v1/blacklist/check", "check", content=chunks), 413)


def test_a_range_has_a_constant_size_and_holds_who_is_listed(asked_api: Api) -> None:
    subjects = {configured_keys.load_subject_key().subject(nik(number)) for number in range(1, 6)}
    for subject in subjects:
        answer = asked_api.ask("GET", f"/v1/blacklist/range/{subject[:5]}", "range").json()
        assert subject[5:] in answer["suffixes"]
        assert answer["suffixes"] == sorted(set(answer["suffixes"]))
    sizes = {
        len(asked_api.ask("GET", f"/v1/blacklist/range/{prefix}", "range").content)
        for prefix in ("00000", "fffff", "0a1b2", *(subject[:5] for subject in subjects))
    }
    assert len(sizes) == 1
    assert (answer["smallest_range"], answer["largest_range"]) == (0, 1)


def test_a_range_says_the_same_twice_and_its_filling_is_nobody(asked_api: Api) -> None:
    once, twice = (asked_api.ask("GET", "/v1/blacklist/range/0a1b2", "range").json() for _ in range(2))
    assert once == twice
    listed_ = set(asked_api.service.lists.current().listed.subjects)
    assert not {bytes.fromhex("0a1b2" + suffix) for suffix in once["suffixes"]} & listed_


def test_the_padding_is_of_a_key_that_readers_do_not_have(
    asked_api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services with the same key fill up alike; the key of the subjects is refused."""
    shared = base64.b64encode(b"of these services alone").decode()
    monkeypatch.setenv("PRAKERJA_PADDING_KEY", shared)
    answers = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setattr(running.Settings, "make_home", lambda _, folder=folder: folder)
        service = running.build_service(None, None)
        service.lists.refresh()
        ranges = service.lists.current().ranges
        assert ranges is not None
        answers.append(ranges.answer("0a1b2"))
    assert answers[0] == answers[1]
    told = asked_api.ask("GET", "/v1/blacklist/range/0a1b2", "range").json()["suffixes"]
    assert len(told) == len(answers[0][0])
    assert not set(told) & set(answers[0][0]), "of another key"
    monkeypatch.setenv("PRAKERJA_PADDING_KEY", base64.b64encode(configured_keys.load_subject_key().key).decode())
    with pytest.raises(PrakerjaError, match="PRAKERJA_PADDING_KEY is a key of the subjects"):
        running.build_service(None, None)


@pytest.mark.parametrize("prefix", ["", "0a1b", "0a1b2c", "0A1B2", "0a1bg", "../.."])
def test_what_is_no_prefix_is_a_problem(asked_api: Api, prefix: str) -> None:
    assert asked_api.ask("GET", f"/v1/blacklist/range/{prefix}", "range").status_code == 404


# -- the contract as OpenAPI -------------------------------------------------------------------------------------------


def test_every_operation_is_described_with_an_example_and_its_problems(asked_api: Api) -> None:
    described = asked_api.ask("GET", "/openapi.json").json()
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
        assert problem(asked_api.ask("DELETE", path), 404 if path == "/v1/nothing" else 405)
    question = paths["/v1/blacklist/check"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert question["example"] == {"niks": ["3171000000000001"]}
