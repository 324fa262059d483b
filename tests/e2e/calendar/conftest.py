"""Running systems over a calendar of these days, with what is amiss in it, and over one of a single reminder day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from prakerja.cli import common
from prakerja.platforms import platforms
from prakerja.settings import WIB
from prakerja.simulation.writers import Row
from tests.e2e.conftest import Instance
from tests.support import machine_faults
from tests.support.landing_zone import deliver, deliver_roster, roster_line
from tests.support.running_machine import Machine, running

ANNOUNCED_ON, H7, DEADLINE_ON = date(2021, 3, 10), date(2021, 4, 1), date(2021, 4, 8)


@pytest.fixture(scope="module")
def days_ahead(tmp_path_factory: pytest.TempPathFactory) -> Instance:
    """Gelombang 12 was due yesterday, without one delivery; 13 has no roster, and its extension is announced in two
    days; 14 has a deadline that no calendar has."""
    folder, today = tmp_path_factory.mktemp("days"), common.today()
    announced_on, deadline_on = today - timedelta(days=4), today - timedelta(days=3)
    calendar = folder / "calendar.yaml"
    calendar.write_text(
        f"cohorts:\n- {{cohort: 12, announced_on: {announced_on}, deadline_on: {deadline_on}, note: short}}\n"
        f"- {{cohort: 13, announced_on: {today - timedelta(days=20)}, deadline_on: {today + timedelta(days=6)}, "
        f"note: short, extensions: [{{announced_on: {today + timedelta(days=2)}, "
        f"deadline_on: {today + timedelta(days=20)}, because: flood}}]}}\n"
        f"- {{cohort: 14, announced_on: {today}, deadline_on: 2021-02-30}}\n"
    )
    landing = folder / "landing"
    deliver_roster(landing, 12, [roster_line(1)], f"{announced_on}", f"{deadline_on}")
    bought = Row("id-1", "PAID", datetime.combine(announced_on, datetime.min.time(), WIB), f"{10**15 + 1}", amount=5000)
    for number in range(4):
        day = announced_on + timedelta(days=number)
        for platform in platforms():
            if (platform, day) != ("sisnaker", deadline_on):
                deliver(landing, platform, f"{day}", [bought] if (platform, number) == ("tokopedia", 0) else [])
    return Instance(folder / "home", landing, calendar)


@pytest.fixture(scope="module")
def machine(days_ahead: Instance) -> Iterator[Machine]:
    with running(days_ahead) as started:
        yield started


@pytest.fixture
def clock() -> Iterator[machine_faults.Clock]:
    """The clock of a reminder day, a quarter past the hour of its run."""
    made = machine_faults.Clock(datetime(H7.year, H7.month, H7.day, 9, 15, tzinfo=WIB))
    yield made
    made.close()


@pytest.fixture
def reminder_day(tmp_path: Path, clock: machine_faults.Clock) -> Iterator[Machine]:
    """Gelombang 12 seven days before its deadline, without a roster."""
    (tmp_path / "landing").mkdir()
    calendar = tmp_path / "calendar.yaml"
    calendar.write_text(f"cohorts:\n- {{cohort: 12, announced_on: {ANNOUNCED_ON}, deadline_on: {DEADLINE_ON}}}\n")
    instance = Instance(tmp_path / "home", tmp_path / "landing", calendar)
    with running(instance, **machine_faults.environment(clock)) as started:
        yield started
