"""Gelombang 12 with somebody held."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from prakerja import schema, warehouse
from prakerja.calendar import Cohort
from prakerja.cohorts import people
from prakerja.revocations import decision
from tests.support.small_cohort import DECIDED_ON, card


@pytest.fixture
def held(wave: Cohort, home: Path) -> decision.Decision:
    """Number 1 is suspended at the deadline, and held by a decision that nobody has carried out."""
    people.suspend(card(1), date(2021, 3, 9), is_permanent=False, because="fraud inquiry", suspended_by="ani")
    return decision.decide(wave, DECIDED_ON)


@pytest.fixture
def two_approvers(wave: Cohort) -> Iterator[None]:
    """A rule by which a batch of two people needs two approvers."""
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("update approval_rule set one_approver_up_to = 1")
    yield
    schema.upgrade()
