"""The published files' schemas: those that are shipped are those that are enforced."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prakerja.blacklist.publisher import json_schemas
from prakerja.blacklist.publisher.freshness import programme_schedule
from prakerja_blacklist.format import contract, documents
from prakerja_blacklist.format.chain import CHAIN_DOCUMENTS
from prakerja_blacklist.reader.freshness import DAILY


def test_the_schemas_that_are_shipped_are_those_that_are_enforced() -> None:
    shipped = {
        str(path.relative_to(contract.SCHEMAS)): json.loads(path.read_text())
        for path in contract.SCHEMAS.rglob("*.json")
    }
    built: dict[str, Any] = {}
    for each in contract.CONTRACTS.values():
        built |= json_schemas.build_schemas(each)
    assert shipped == built


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("subject", ["3100000000000001"]), ("subject", ["a" * 63 + "\n"]), ("reason", ["OTHER"]), ("cohort", ["12"]),
        ("cohort", [0]), ("effective_at", ["2021-03-13"]), ("decision_id", ["gelombang-12-x"]), ("reason", [None]),
    ],
)  # fmt: skip
def test_a_column_is_held_against_its_schema(name: str, values: list[Any]) -> None:
    with pytest.raises(documents.DoesNotFitError, match=name) as refused:
        documents.require_column(contract.SnapshotRow, name, values)
    assert "3100000000000001" not in str(refused.value)


# -- the documents and the models of their schemas ---------------------------------------------------------------------

OTHERS = st.sampled_from(
    [None, True, 0, 1, -1, 2**40, 1.0, "", "x", "0a" * 32, "0a" * 8, "0a" * 8 + "\n", "2021-03-09T00:00:00Z", [], {}]
)
KINDS = contract.COMMON_DOCUMENTS | CHAIN_DOCUMENTS | contract.FIRST_CONTRACT.own_documents
DOCUMENTS: dict[str, dict[str, Any]] = {
    "latest": json_schemas.EXAMPLES[contract.Latest],
    "manifest": json_schemas.MANIFEST_EXAMPLE,
    "keyring": {
        "contract": "prakerja.keyring/1",
        "number": 2,
        "created_at": "2021-03-09T00:00:00Z",
        "keys": [{"signing_key_id": "0a" * 8, "public_key": "PEM", "last_version": None}],
        "revoked": [{"signing_key_id": "0b" * 8, "revoked_at": "2021-03-09T00:00:00Z"}],
    },
    "signed_keyring": {"keyring": "AAAA", "signatures": {"0a" * 8: "AAAA"}},
    "chain": json_schemas.CHAIN_EXAMPLE,
    "witness_statement": {
        "contract": "prakerja.witness/1",
        "first_chain_sha256": "0a" * 32,
        "version": 17,
        "key_id": "0b" * 8,
        "chain_sha256": "0c" * 32,
        "seen_at": "2021-03-09T00:00:00Z",
        "witness_key_id": "0d" * 8,
    },
    "signed_witness_conflict": {"conflict": "AAAA", "signature": "AAAA"},
}


def bent(document: Any, draw: st.DataObject) -> Any:
    """Return a document with another value, a member less, or a member more in one place."""
    if not isinstance(document, dict | list) or not document or draw.draw(st.integers(0, 4)) == 0:
        return draw.draw(OTHERS)
    copied = copy.deepcopy(document)
    place = draw.draw(st.sampled_from(sorted(copied) if isinstance(copied, dict) else range(len(copied))))
    match draw.draw(st.sampled_from(["inside", "less", "more"])):
        case "inside":
            copied[place] = bent(copied[place], draw)
        case "less":
            del copied[place]
        case "more" if isinstance(copied, dict):
            copied["more"] = draw.draw(OTHERS)
        case _:
            copied.append(draw.draw(OTHERS))
    return copied


@given(name=st.sampled_from(sorted(DOCUMENTS)), draw=st.data())
def test_a_document_and_the_model_of_its_schema_accept_the_same(name: str, draw: st.DataObject) -> None:
    document = json.dumps(bent(DOCUMENTS[name], draw)).encode()
    kind = KINDS[name]
    try:
        expected = json_schemas.model_of(kind).model_validate_json(document, strict=True).model_dump()
    except ValidationError as error:
        rules = {f"{'/'.join(map(str, each['loc'])) or 'the document'} does not fit its schema ({each['type']})"
                 for each in error.errors()}  # fmt: skip
        with pytest.raises(documents.DoesNotFitError) as refused:
            documents.parse_document(kind, document, "it")
        assert str(refused.value).removeprefix("it: ") in rules
    else:
        assert dataclasses.asdict(documents.parse_document(kind, document, "it")) == expected


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_member_that_stands_twice_is_refused(name: str) -> None:
    text = json.dumps(DOCUMENTS[name])
    documents.parse_document(KINDS[name], text.encode(), "it")
    for member, value in DOCUMENTS[name].items():
        twice = f"{text[:-1]}, {json.dumps(member)}: {json.dumps(value)}}}"
        with pytest.raises(documents.DoesNotFitError, match="duplicate_member"):
            documents.parse_document(KINDS[name], twice.encode(), "it")


def test_what_is_constructed_is_checked_too() -> None:
    latest = json_schemas.EXAMPLES[contract.Latest]
    assert contract.Latest(**latest).version == 17
    for member, value in {"version": 0, "manifest": "../manifest.json", "sha256": "A" * 64}.items():
        with pytest.raises(documents.DoesNotFitError, match=member):
            contract.Latest(**latest | {member: value})


def test_a_reader_elsewhere_expects_versions_as_the_programme_does() -> None:
    assert programme_schedule() == DAILY
