"""Pointers, manifests and keyrings that do not fit the contract are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from prakerja_blacklist.format.contract import POINTER
from prakerja_blacklist.format.documents import DoesNotFitError, canonical_json
from prakerja_blacklist.format.keyring import file_name
from tests.support.simulated_publisher import Repository, manifest_of
from tests.support.simulated_reader import Reader

NO_DOCUMENTS = {
    "nothing": b"",
    "no JSON": b"no JSON",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1",
    "an empty one": b"{}",
    "not closed": b'{"version": 2',
    "deep": b"[" * 100_000,
    "deep in a member": b'{"version":' + b'{"a":' * 50_000,
    "no UTF-8": b'{"version": "\xff"}',
    "UTF-16": '{"version": 2}'.encode("utf-16"),
    "a lone surrogate": b'{"version": "\\ud800"}',
    "a long number": b'{"version": ' + b"9" * 5000 + b"}",
    "HTML": b"<html>please log in</html>",
}


@pytest.mark.parametrize("document", NO_DOCUMENTS)
@pytest.mark.parametrize("name", [POINTER, manifest_of(2), file_name(1), file_name(2)])
def test_what_is_no_document_is_refused(newcomer: Reader, repository: Repository, name: str, document: str) -> None:
    repository.publish([301])
    if name == manifest_of(2):
        repository.sign(NO_DOCUMENTS[document], 2)
        repository.point(2)
    else:
        repository.put(name, NO_DOCUMENTS[document])
    with newcomer.refusing(DoesNotFitError):
        newcomer.sync()


POINTERS: dict[str, dict[str, Any]] = {
    "a member more": {"more": 1},
    "a version as text": {"version": "2"},
    "a version as a float": {"version": 2.0},
    "version 0": {"version": 0, "manifest": "v000000/manifest.json"},
    "a negative version": {"version": -2, "manifest": "v-00002/manifest.json"},
    "a path upwards": {"manifest": "../v000002/manifest.json"},
    "a URL": {"manifest": "https://else.example/v000002/manifest.json"},
    "a line break": {"manifest": "v000002/manifest.json\n"},
    "an upper-case hash": {"sha256": "A" * 64},
    "no hash": {"sha256": None},
}


@pytest.mark.parametrize("bent", POINTERS)
def test_a_pointer_that_does_not_fit_is_refused(anyone: Reader, repository: Repository, bent: str) -> None:
    repository.put(POINTER, canonical_json(json.loads(repository.data(POINTER)) | POINTERS[bent]))
    with anyone.refusing(DoesNotFitError):
        anyone.sync()


MANIFESTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "a member more": lambda _: {"more": 1},
    "another contract": lambda _: {"contract": "prakerja.blacklist/2"},
    "a day that is none": lambda _: {"created_at": "2021-99-99T00:00:00Z"},
    "a year that is none": lambda _: {"created_at": "0000-01-01T00:00:00Z"},
    "an expiry that is none": lambda _: {"expires_at": "2021-13-01T00:00:00Z"},
    "other digits": lambda _: {"expires_at": "٢٠٢١-٠٣-٢٠T٠٠:٠٠:٠٠Z"},
    "another zone": lambda _: {"expires_at": "2021-03-30T00:00:00+07:00"},
    "a negative count": lambda m: {"counts": m["counts"] | {"entries": -1}},
    "a file twice": lambda m: {"files": [m["files"][0]] * 3},
    "a file less": lambda m: {"files": m["files"][:2]},
    "a file more": lambda m: {"files": [*m["files"], m["files"][0]]},
    "a file elsewhere": lambda m: {"files": [{**m["files"][0], "name": "../snapshot.csv.gz"}, *m["files"][1:]]},
    "a file of endless size": lambda m: {"files": [{**m["files"][0], "bytes": 2**63}, *m["files"][1:]]},
    "no key": lambda _: {"key_id": ""},
}


@pytest.mark.parametrize("bent", MANIFESTS)
def test_a_manifest_that_does_not_fit_is_refused_though_signed(
    anyone: Reader, repository: Repository, bent: str
) -> None:
    manifest = json.loads(repository.data(manifest_of(2)))
    repository.restate(2, **MANIFESTS[bent](manifest))
    with anyone.refusing(DoesNotFitError):
        anyone.sync()
