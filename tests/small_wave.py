"""Gelombang 12 with fifty recipients, of whom two have not bought; and what tests ask of it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja import warehouse
from prakerja.calendar import Cohort, cohort
from prakerja.cohorts.roster import take_in_rosters
from prakerja.feeds import intake
from prakerja.platforms import platforms
from prakerja.revocations import decision, late_truth, revocation
from prakerja.settings import WIB
from prakerja.simulation.writers import Row
from tests.landing_zone import deliver, deliver_roster, roster_line

DECIDED_ON = date(2021, 3, 15)
PEOPLE = 50


def card(number: int) -> str:
    return f"{10**15 + number}"


def bought(number: int, **bent: Any) -> Row:
    noon = datetime(2021, 3, 8, 12, tzinfo=WIB)
    values = {"transaction_id": f"id-{number}", "event": "PAID", "occurred_at": noon, "card": card(number)}
    return Row(**(values | {"amount": 5000} | bent))


@pytest.fixture
def wave(home: Path) -> Cohort:
    """Gelombang 12 with fifty recipients; all but the first two have bought; every feed of the window is in."""
    landing = home / "landing"
    deliver_roster(landing, 12, [roster_line(n) for n in range(1, PEOPLE + 1)], "2021-03-05", "2021-03-13")
    take_in_rosters(DECIDED_ON)
    deliver(landing, "tokopedia", "2021-03-08", [bought(n) for n in range(3, PEOPLE + 1)])
    assert intake.take_in("tokopedia", DECIDED_ON).rejected == []
    # Empty days everywhere else, without the time that judging them takes.
    with warehouse.transaction("ingest") as connection:
        connection.exec_driver_sql(
            "insert into deliveries (platform, business_date, revision, fingerprint, status, arrived_on, sha256, rows)"
            " select platform, day, 1, '', 'accepted', day, 'empty', 0"
            " from unnest(cast(%s as text[])) as platform,"
            " generate_series(date '2021-03-05', '2021-03-14', '1 day') as day"
            " where (platform, day) <> ('tokopedia', '2021-03-08')",
            (list(platforms()),),
        )
    return cohort(12)


def restate(home: Path, rows: list[Row], clock: date = DECIDED_ON + timedelta(days=1), revision: int = 2) -> None:
    at = f"{clock}T01:00:00+07:00"
    deliver(home / "landing", "tokopedia", "2021-03-08", rows, revision=revision, generated_at=at)
    assert intake.take_in("tokopedia", clock).rejected == []
    late_truth.notice_late_truth(clock)


def revoked() -> list[int]:
    with warehouse.transaction(as_owner=True) as connection:
        return list(connection.exec_driver_sql("select recipient_id from revocations order by 1").scalars())


def findings() -> list[tuple[int, str]]:
    with warehouse.transaction(as_owner=True) as connection:
        return [
            tuple(row) for row in connection.exec_driver_sql("select recipient_id, kind from late_findings order by 1")
        ]


def carry_out(wave: Cohort) -> decision.Decision:
    made = decision.decide(wave, DECIDED_ON)
    revocation.require_approval(made, "Siti", DECIDED_ON, in_advance=True)
    revocation.revoke(wave, made, DECIDED_ON)
    return made
