"""The screenshots of the README: the monitor as it was on 6 April 2021, in a real Airflow, by a real browser.

`make screenshots`; needs chromium and a C compiler (the machine's clock is set back).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from prakerja.settings import INCLUDE, PROJECT, WIB
from tests.e2e.conftest import Instance
from tests.support import machine_faults
from tests.support.browser import Visitor, chromium
from tests.support.running_machine import Machine, running

TODAY = datetime(2021, 4, 6, 9, 30, tzinfo=WIB)
COHORTS = "9,10,11,12,13"
TO = PROJECT / "docs" / "screenshots"


def main() -> None:
    """Simulate, run, decide what was due by then, and look."""
    with tempfile.TemporaryDirectory(prefix="prakerja-screenshots-") as folder:
        world = Path(folder) / "world"
        maker = Instance(Path(folder) / "maker", world, INCLUDE / "cohorts.yaml")
        done = maker.run("simulate", "--cohorts", COHORTS, "--scale", "0.01", "--seed", "7", "--out", str(world))
        assert done.returncode == 0, done.stderr
        for delivery in (world / "landing").glob("feeds/*/*"):
            if delivery.name >= f"{TODAY:%Y-%m-%d}":
                shutil.rmtree(delivery)
        clock = machine_faults.Clock(TODAY)
        instance = Instance(Path(folder) / "home", world / "landing", world / "calendar.yaml")
        with running(instance, **clock.environment) as machine:
            _play(machine)
            _look(machine)
        clock.close()


def _play(machine: Machine) -> None:
    machine.await_health()
    machine.unpause("platform_feeds")
    machine.await_runs("platform_feeds", 1, 600)
    machine.unpause("cohort_deadline", "blacklist_readers")
    deadlines = [f"gelombang-{number}__deadline__" for number in (9, 10, 11)]  # the twelfth waits, to be seen

    def ids() -> list[str]:
        return [
            run["dag_run_id"]
            for run in machine.runs("cohort_deadline")
            if run["dag_run_id"].startswith(tuple(deadlines))
        ]

    machine.until(lambda: len(ids()) == len(deadlines), "the runs", 300)
    for run_id in ids():
        machine.answer(run_id, "Approve", "admin")
        machine.await_run("cohort_deadline", run_id, 600)


def _look(machine: Machine) -> None:
    TO.mkdir(exist_ok=True)
    with chromium() as browser:
        for theme, pages in {"light": {"overview": "", "feeds": "/feeds"}, "dark": {"cohort": "/cohorts/13"}}.items():
            visitor = Visitor(browser, machine, "admin", color_scheme=theme, viewport={"width": 1280, "height": 800})
            visitor.page.clock.set_fixed_time(TODAY)
            for name, path in pages.items():
                frame = visitor.open_in_airflow(path)
                frame.locator("figure .chart svg").first.wait_for()
                visitor.page.wait_for_timeout(2000)
                visitor.page.screenshot(path=TO / f"{name}.png")
                print(TO / f"{name}.png", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
