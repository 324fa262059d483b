"""A home where nothing has been done yet; and a replayed day on which whatever can contradict its settings does."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Instance


@pytest.fixture(scope="module")
def fresh(instances: Any) -> Instance:
    """A home where nothing has been done yet."""
    instance: Instance = instances(is_empty=True)
    return instance


@pytest.fixture(scope="module")
def contradicted(instances: Any, tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A day replayed, approved in advance, with a calendar of another deadline than the roster's, and with no key."""
    calendar: Path = tmp_path_factory.mktemp("contradicted") / "calendar.yaml"
    calendar.write_text("cohorts:\n- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-04-03}\n")
    instance: Instance = replace(instances(), calendar=calendar, more={"PRAKERJA_SUBJECT_KEY": "no key!"})
    return instance.run("replay", "--from", "2021-03-06", "--to", "2021-03-06", "--approve-as", "Siti")
