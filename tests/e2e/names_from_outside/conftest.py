"""A few days of a landing zone whose folders have nasty names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.conftest import Instance
from tests.support.landing_zone import deliver, deliver_roster, roster_line
from tests.support.nasty_names import plant


@pytest.fixture(scope="module")
def shown(
    instances: Callable[..., Instance], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Instance, dict[str, str]]:
    """Three days of a cohort, with a delivery of each name on the second; all that was written about it, by where."""
    landing = tmp_path_factory.mktemp("nasty") / "landing"
    calendar = landing.parent / "calendar.yaml"
    calendar.write_text("cohorts:\n- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-08, note: short}\n")
    deliver_roster(landing, 12, [roster_line(n) for n in range(1, 6)], "2021-03-05", "2021-03-08")
    plant(landing, "2021-03-05")
    deliver(landing, "tokopedia", "2021-03-05", [])
    instance = instances(landing)
    instance.calendar = calendar
    done = instance.run("replay", "--from", "2021-03-05", "--to", "2021-03-07")
    found = {"replay": done.stdout + done.stderr}
    for command in (["feeds"], ["cohorts"], ["feeds", "quarantine"]):
        answer = instance.run(*command)
        found[" ".join(command)] = answer.stdout + answer.stderr
    for path in (instance.home / "logs").rglob("*.log"):
        found[f"log {path.name}"] = path.read_text(encoding="utf-8")
    with instance.database("airflow") as connection:
        notes = connection.execute("select content from dag_run_note").fetchall()
    found["notes"] = "\n".join(note for (note,) in notes)
    return instance, found
