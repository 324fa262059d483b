"""The published files' schemas: those that are shipped are those that are enforced."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prakerja.blacklist.format import contract


@pytest.mark.parametrize("name", sorted(contract.PUBLISHED))
def test_the_schemas_that_are_shipped_are_those_that_are_enforced(name: str) -> None:
    shipped = json.loads((contract.SCHEMAS / f"{name}.json").read_text())
    assert shipped == contract.schema(name)
    assert len(list(contract.SCHEMAS.glob("*.json"))) == len(contract.PUBLISHED)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("subject", ["3100000000000001"]), ("subject", ["a" * 63 + "\n"]), ("reason", ["OTHER"]), ("cohort", ["12"]),
        ("cohort", [0]), ("effective_at", ["2021-03-13"]), ("decision_id", ["gelombang-12-x"]), ("reason", [None]),
    ],
)  # fmt: skip
def test_a_column_is_held_against_its_schema(name: str, values: list[Any]) -> None:
    with pytest.raises(contract.DoesNotFitError, match=name) as refused:
        contract.require_column(contract.SnapshotRow, name, values)
    assert "3100000000000001" not in str(refused.value)
