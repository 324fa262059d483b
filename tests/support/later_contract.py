"""A contract after the first one, with a column more, as a later release would have it. It exists in tests alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated

import pytest

from prakerja.programme import programme
from prakerja_blacklist.format import contract
from prakerja_blacklist.format.contract import Contract, Day, SnapshotRow
from prakerja_blacklist.format.documents import Description

VARIABLE = "TESTS_LATER_CONTRACT"  # tells a publisher in a process of its own


@dataclass(frozen=True, slots=True)
class LaterRow(SnapshotRow):
    """One listed person. The list is sorted by `subject`."""

    revoked_on: Annotated[Day, Description("the day on which the person was revoked")]


LATER = Contract(2, LaterRow)


def publish_by_it(patch: pytest.MonkeyPatch) -> None:
    """Let this release know the contract, and the programme publish by it."""
    patch.setitem(contract.CONTRACTS, LATER.name, LATER)
    patch.setattr(programme().blacklist, "further_contracts", [LATER.name])
    patch.setenv(VARIABLE, "1")


def publish_by_it_if_told() -> None:
    """Do so in a process that was started by one that does."""
    if VARIABLE in os.environ:
        publish_by_it(pytest.MonkeyPatch())
