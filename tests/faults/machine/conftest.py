"""A running machine in the night in which the feeds of 14 March 2021 are due, and the faults that it meets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import conftest as e2e
from tests.e2e.conftest import Instance
from tests.support import machine_faults
from tests.support.faulty_night import DAY, NIGHT
from tests.support.running_machine import Machine, processes_of, running

calendar_file, plain_world = e2e.calendar_file, e2e.plain_world


@pytest.fixture(scope="module")
def plain(plain_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world's landing zone as it was that night, and the deliveries that arrive later."""
    landing = tmp_path_factory.mktemp("zone") / "landing"
    shutil.copytree(plain_world / "landing", landing)
    for delivery in landing.glob("feeds/*/*"):
        if delivery.name >= DAY:
            if delivery.name == DAY:
                shutil.move(delivery, landing.with_name("later") / delivery.parent.name / DAY)
            else:
                shutil.rmtree(delivery)
    return landing


@pytest.fixture(scope="module")
def clock() -> Iterator[machine_faults.Clock]:
    made = machine_faults.Clock(NIGHT)
    yield made
    made.close()


@pytest.fixture(scope="module")
def disk() -> Iterator[machine_faults.Disk]:
    made = machine_faults.Disk()
    yield made
    made.close()


@pytest.fixture(scope="module")
def machine(
    tmp_path_factory: pytest.TempPathFactory, plain_world: Path, plain: Path, clock: machine_faults.Clock,
    disk: machine_faults.Disk,
) -> Iterator[Machine]:  # fmt: skip
    instance = Instance(tmp_path_factory.mktemp("faults") / "home", plain, plain_world / "calendar.yaml")
    with running(instance, **machine_faults.environment(clock, disk)) as started:
        yield started
    assert processes_of(instance) == [], "something is left behind"
