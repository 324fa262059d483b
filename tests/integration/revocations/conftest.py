"""Gelombang 12 with somebody held, and with facts in the log."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from prakerja.blacklist import anchors, audit, publishing
from prakerja.calendar import Cohort
from prakerja.cohorts import people
from prakerja.revocations import appeals, decision
from prakerja.settings import acting
from tests.support.small_cohort import AT, DECIDED_ON, card, carry_out


@pytest.fixture
def held(wave: Cohort, home: Path) -> decision.Decision:
    """Number 1 is suspended at the deadline, and held by a decision that nobody has carried out."""
    people.suspend(card(1), date(2021, 3, 9), is_permanent=False, because="fraud inquiry", suspended_by="Ani")
    return decision.decide(wave, DECIDED_ON)


@pytest.fixture
def told(wave: Cohort) -> Path:
    """Two revoked, two versions published, one appeal; gives nothing that is wrong."""
    acting.set("gelombang-12__deadline revoke")
    carry_out(wave)
    publishing.publish("first", AT, DECIDED_ON)
    appeals.open_appeal(card(1), "Saya sudah membeli.", opened_by="Ani", on=DECIDED_ON)
    publishing.publish("second", AT, DECIDED_ON)
    assert audit.verify().problems == []
    return anchors.folder()
