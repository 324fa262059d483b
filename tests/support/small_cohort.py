"""Gelombang 12 with fifty recipients, of whom two have not bought; and what tests ask of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from prakerja import calendar, warehouse
from prakerja.calendar import Cohort, find_cohort
from prakerja.cohorts import standing
from prakerja.feeds import intake
from prakerja.platforms import platforms
from prakerja.revocations import approval, decision, holds, late_evidence, reinstatement, revocation
from prakerja.settings import WIB, Settings
from prakerja.simulation.writers import Row
from tests.support.landing_zone import deliver, deliver_nothing

DECIDED_ON = date(2021, 3, 15)
PEOPLE = 50


def card(number: int) -> str:
    return f"{10**15 + number}"


def bought(number: int, **bent: Any) -> Row:
    noon = datetime(2021, 3, 8, 12, tzinfo=WIB)
    values = {"transaction_id": f"id-{number}", "event": "PAID", "occurred_at": noon, "card": card(number)}
    return Row(**(values | {"amount": 5000} | bent))


def deliver_damaged(home: Path, number: int = 1) -> None:
    """Deliver a day in which one person's row is damaged, and those who had bought buy again."""
    nine = datetime(2021, 3, 9, 9, tzinfo=WIB)
    again = [bought(n, transaction_id=f"again-{n}", occurred_at=nine) for n in range(3, PEOPLE + 1)]
    damaged = bought(number, transaction_id="damaged", card=f"'{card(number)}", occurred_at=nine)
    deliver(home / "landing", "tokopedia", "2021-03-09", [*again, damaged], revision=2)
    assert intake.take_in("tokopedia", DECIDED_ON).rejected == []


def extend(home: Path, announced_on: str, deadline_on: str = "2021-03-20") -> Cohort:
    """The calendar with an extension of gelombang 12; gives the cohort."""
    (home / "calendar.yaml").write_text(
        "cohorts:\n- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-13, note: short, extensions: ["
        f"{{announced_on: {announced_on}, deadline_on: {deadline_on}, because: flood}}]}}\n"
    )
    calendar._read.cache_clear()
    return find_cohort(12)


def empty_days(
    first: str,
    last: str,
    *,
    arrives_on: Callable[[date], date] = lambda day: day + timedelta(days=1),
    without: Collection[tuple[str, str]] = (),
) -> None:
    """Every platform has delivered a day without transactions for each, without the time that judging them takes."""
    landing, start = Path(Settings.from_environment().landing), date.fromisoformat(first)
    days = [start + timedelta(days=number) for number in range((date.fromisoformat(last) - start).days + 1)]
    rows = [
        (platform, day, arrives_on(day), deliver_nothing(landing, platform, day.isoformat()))
        for platform in platforms()
        for day in days
        if (platform, day.isoformat()) not in without
    ]
    with warehouse.transaction("ingest") as connection:
        connection.exec_driver_sql(
            "insert into deliveries (platform, business_date, revision, fingerprint, status, arrived_on, sha256, rows)"
            " select platform, day, 1, '', 'accepted', arrived_on, sha256, 0"
            " from unnest(%s::text[], %s::date[], %s::date[], %s::text[]) as d (platform, day, arrived_on, sha256)",
            tuple(map(list, zip(*rows, strict=True))),
        )


def daily(as_of: date) -> None:
    """What the daily intake does after taking in."""
    standing.refresh_standings(as_of)
    late_evidence.record_late_evidence(as_of)
    holds.apply_resolved_holds(as_of)
    reinstatement.reinstate(as_of)


def restate(home: Path, rows: list[Row], as_of: date = DECIDED_ON + timedelta(days=1), revision: int = 2) -> None:
    at = f"{as_of}T01:00:00+07:00"
    deliver(home / "landing", "tokopedia", "2021-03-08", rows, revision=revision, generated_at=at)
    assert intake.take_in("tokopedia", as_of).rejected == []
    late_evidence.record_late_evidence(as_of)


def revoked() -> list[int]:
    with warehouse.transaction(as_owner=True) as connection:
        return list(connection.exec_driver_sql("select recipient_id from revocations order by 1").scalars())


def findings() -> list[tuple[int, str]]:
    with warehouse.transaction(as_owner=True) as connection:
        return [
            tuple(row) for row in connection.exec_driver_sql("select recipient_id, kind from late_findings order by 1")
        ]


def approve(made: decision.Decision, person: str = "siti", on: date = DECIDED_ON) -> list[str]:
    """Propose the revocations as they stand on a day, and let a person approve them; return who has."""
    with warehouse.transaction("decide") as connection:
        batch = approval.propose(connection, made, "revocation", on, revocation.PROPOSER)
        if batch is not None:
            approval.approve(connection, batch, person, on)
    return revocation.require_approval(made, on)


def reinstate(as_of: date, person: str = "siti") -> int:
    """Propose the reinstatements as they stand on a day, let a person approve them, and carry them out."""
    with warehouse.transaction("decide") as connection:
        for made in late_evidence.decided_before(connection, as_of):
            batch = approval.propose(connection, made, "reinstatement", as_of, reinstatement.PROPOSER)
            if batch is not None:
                approval.approve(connection, batch, person, as_of)
    return reinstatement.reinstate(as_of)


def carry_out(cohort: Cohort) -> decision.Decision:
    made = decision.decide(cohort, DECIDED_ON)
    approve(made)
    revocation.revoke(cohort, made, DECIDED_ON)
    return made


AT = datetime(2021, 3, 15, tzinfo=UTC)
