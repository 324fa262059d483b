"""A contract is a number and a row: all that is published by it follows from them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from prakerja.blacklist.publisher import contracts_in_force, json_schemas
from prakerja.blacklist.publisher.storage import folder_under_key
from prakerja.blacklist.publisher.version_files import arrow_types
from prakerja_blacklist.format.contract import (
    CONTRACTS,
    FIRST_CONTRACT,
    Contract,
    UnknownContractError,
    earlier_list_folder,
    find_contract,
    parse_manifest,
)
from prakerja_blacklist.format.documents import DoesNotFitError, column_names
from prakerja_blacklist.format.snapshot import LINE_BYTES_MAX, Lines, NotCanonicalError, parse_delta
from prakerja_blacklist.reader.object_storage import ObjectFolder
from prakerja_blacklist.reader.sources import Folder
from tests.support.later_contract import LATER
from tests.support.simulated_publisher import change_of, line_of

ALL = [*CONTRACTS.values(), LATER]
ROW = line_of("8" * 64)
LATER_ROW = ROW[:-1] + b",2021-03-15\n"


def test_this_release_knows_the_first_contract_alone_which_is_as_it_was() -> None:
    assert [*CONTRACTS] == ["prakerja.blacklist/1"]
    assert FIRST_CONTRACT.folder == "blacklist"
    assert FIRST_CONTRACT.header == b"subject,cohort,reason,effective_at,decision_id\n"
    assert FIRST_CONTRACT.delta_header == b"op,subject,cohort,reason,effective_at,decision_id\n"


def test_a_column_that_a_row_adds_is_the_last_of_all_that_is_published() -> None:
    assert (LATER.name, LATER.folder) == ("prakerja.blacklist/2", "blacklist-format-2")
    assert LATER.header == FIRST_CONTRACT.header[:-1] + b",revoked_on\n"
    assert LATER.delta_header == FIRST_CONTRACT.delta_header[:-1] + b",revoked_on\n"
    assert column_names(LATER.delta_row)[-1] == [*arrow_types(LATER.row)][-1] == "revoked_on"


@pytest.mark.parametrize("contract", ALL, ids=lambda contract: contract.name)
def test_no_line_of_a_contract_is_longer_than_readers_read(contract: Contract) -> None:
    parser = getattr(re, "_parser")  # noqa: B009 - it alone knows how long a match can be
    for lines in (contract.lines, contract.delta_lines):
        assert parser.parse(lines.pattern).getwidth()[1] <= LINE_BYTES_MAX
    assert max(len(contract.header), len(contract.delta_header)) <= LINE_BYTES_MAX


@pytest.mark.parametrize(("contract", "own", "other"), [(FIRST_CONTRACT, ROW, LATER_ROW), (LATER, LATER_ROW, ROW)])
def test_a_list_or_delta_by_another_contract_is_not_canonical(contract: Contract, own: bytes, other: bytes) -> None:
    (otherwise,) = {FIRST_CONTRACT, LATER} - {contract}
    for header, row, fits in (
        (contract.header, own, True), (contract.header, other, False), (otherwise.header, other, False),
    ):  # fmt: skip
        lines = Lines(contract)
        if fits:
            assert lines.read_chunk(header + row) == bytes.fromhex("8" * 64)
        else:
            with pytest.raises(NotCanonicalError):
                lines.read_chunk(header + row)
    assert [change.line for change in parse_delta(contract.delta_header + change_of("ADD", own), contract)] == [own]
    for delta in (contract.delta_header + change_of("ADD", other), otherwise.delta_header + change_of("ADD", other)):
        with pytest.raises(NotCanonicalError):
            parse_delta(delta, contract)


def test_a_manifest_is_of_the_contract_that_it_states(monkeypatch: pytest.MonkeyPatch) -> None:
    first, later = (
        json.dumps(json_schemas.MANIFEST_EXAMPLE | {"contract": contract.name}).encode()
        for contract in (FIRST_CONTRACT, LATER)
    )
    assert parse_manifest(first, "it").contract == FIRST_CONTRACT.name
    with pytest.raises(UnknownContractError, match=r"^it is of the contract prakerja\.blacklist/2, and this release"):
        parse_manifest(later, "it")
    monkeypatch.setitem(CONTRACTS, LATER.name, LATER)
    assert type(parse_manifest(later, "it")) is LATER.manifest
    assert find_contract(parse_manifest(later, "it").contract) is LATER
    for broken in (b"{}", b"[]", b"1", b"", b"[" * 100_000):
        with pytest.raises(DoesNotFitError):
            parse_manifest(broken, "it")


def test_a_contract_s_schemas_are_of_its_own_documents() -> None:
    schemas = json_schemas.build_schemas(LATER)
    assert {*schemas} == {f"format-2/{name}.json" for name in ("manifest", "snapshot_row", "delta_row")}
    assert schemas["format-2/manifest.json"]["properties"]["contract"]["const"] == LATER.name
    for row in ("snapshot_row", "delta_row"):
        assert schemas[f"format-2/{row}.json"]["properties"]["revoked_on"] == {
            "description": "the day on which the person was revoked", "pattern": r"^\d{4}-\d\d-\d\d$",
            "title": "Revoked On", "type": "string",
        }  # fmt: skip


def test_a_later_contract_has_its_own_lists_under_earlier_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONTRACTS, LATER.name, LATER)
    assert earlier_list_folder("0a" * 8) == earlier_list_folder("0a" * 8, "a copy") == f"blacklist-{'0a' * 8}"
    assert earlier_list_folder("0a" * 8, LATER.folder) == f"blacklist-format-2-{'0a' * 8}"


@pytest.mark.parametrize("source", [Folder(Path("/list")), ObjectFolder(UPath("memory://list"))])
@pytest.mark.parametrize("contract", ALL, ids=lambda contract: contract.name)
def test_a_list_under_an_earlier_key_is_read_where_it_is_published(
    source: Any, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONTRACTS, LATER.name, LATER)
    root = source.root / contract.folder
    earlier = type(source)(root).under_key("0a" * 8).root
    assert str(earlier) == str(folder_under_key(UPath(root), "0a" * 8))
    assert earlier.name == f"{contract.folder}-{'0a' * 8}"


def test_with_one_contract_its_state_is_told_without_a_warehouse(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise AssertionError("the warehouse was asked")

    monkeypatch.setattr(contracts_in_force.ContractsInForce, "load", load)
    assert contracts_in_force.describe_contracts() == []
