"""The programme of 2020 and 2021 at a hundredth of its size, in homes in which dates move and people are corrected."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from prakerja.settings import INCLUDE, WIB
from prakerja.simulation import writers
from prakerja.simulation.writers import Row
from tests.e2e.conftest import Instance
from tests.support.landing_zone import deliver

KNOWN = yaml.safe_load((INCLUDE / "cohorts.yaml").read_text())["cohorts"]


@dataclass
class World:
    """All cohorts' landing zone, and by cohort what comes of it while no date moves."""

    landing: Path
    truths: dict[int, dict[str, Any]]


@dataclass
class Programme(Instance):
    """A home over a landing zone of its own, whose calendar learns of extensions as they are announced."""

    world: World = field(kw_only=True)
    extensions: dict[int, dict[str, Any]] = field(default_factory=dict)

    def extend(self, cohort: int, announced_on: date, deadline_on: date) -> None:
        """Announce another deadline, as an operator does: in the calendar."""
        self.extensions[cohort] = {"announced_on": announced_on, "deadline_on": deadline_on, "because": "floods"}
        self.write_calendar([entry["cohort"] for entry in yaml.safe_load(self.calendar.read_text())["cohorts"]])

    def write_calendar(self, cohorts: Sequence[int]) -> None:
        entries = [
            entry | ({"extensions": [self.extensions[entry["cohort"]]]} if entry["cohort"] in self.extensions else {})
            for entry in KNOWN
            if entry["cohort"] in cohorts
        ]
        self.calendar.write_text(yaml.safe_dump({"cohorts": entries}))

    def overdue(self, cohort: int) -> list[str]:
        """The cards of those who do not buy while no date moves."""
        return sorted(self.world.truths[cohort]["cards"]["overdue"])

    def buy(self, cards: Sequence[str], day: date) -> None:
        """Let these cards buy on a day, on Tokopedia: more rows of a delivery that nobody has taken in yet."""
        folder = self.landing / "feeds" / "tokopedia" / f"{day}" / "r1"
        manifest = json.loads((folder / "manifest.json").read_text())
        at, (file,) = datetime.combine(day, time(12), WIB), manifest["files"]
        bought = [Row(f"late-{card}", "PAID", at, card, amount=5000) for card in cards]
        header, _, rows = writers.write("tokopedia", bought).partition(b"\n")
        data = (folder / file["name"]).read_bytes()
        assert data.startswith(header)
        deliver(
            self.landing, "tokopedia", f"{day}", bought, data=data + rows, generated_at=manifest["generated_at"],
            file={"rows": file["rows"] + len(cards), "amount_idr": file["amount_idr"] + 5000 * len(cards)},
        )  # fmt: skip

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Act as of a day of the past: the commands record what is done today."""
        with mock.patch.dict(os.environ, self.environment, clear=True):
            yield


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    out = tmp_path_factory.mktemp("programme")
    maker = Instance(out / "maker", out, INCLUDE / "cohorts.yaml")
    cohorts = ",".join(str(entry["cohort"]) for entry in KNOWN)
    done = maker.run("simulate", "--cohorts", cohorts, "--scale", "0.01", "--seed", "7", "--out", f"{out}")
    assert done.returncode == 0, done.stderr
    foreseen = json.loads((out / "expected.json").read_text())
    return World(out / "landing", {truth["cohort"]: truth for truth in foreseen["cohorts"]})


@pytest.fixture
def programme(tmp_path: Path, world: World) -> Programme:
    shutil.copytree(world.landing, tmp_path / "landing")
    made = Programme(tmp_path / "home", tmp_path / "landing", tmp_path / "calendar.yaml", world=world)
    made.write_calendar([entry["cohort"] for entry in KNOWN])
    assert made.run("db", "upgrade").returncode == 0
    return made
