"""Airflow for tests: the project's own settings, metadata in the tests' embedded PostgreSQL, the real DagBag."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from prakerja import airflow_home
from prakerja.settings import PROJECT
from tests.support.approval_requests import Airflow


@pytest.fixture(scope="session")
def dags(session_home: Path) -> dict[str, Any]:
    """The DAGs by id, parsed with the project's calendar."""
    os.environ["PRAKERJA_HOME"] = str(session_home)
    os.environ.pop("PRAKERJA_CALENDAR", None)
    airflow_home.configure()
    import airflow.settings

    airflow.settings.initialize()
    airflow_home.upgrade_metadata()
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(PROJECT / "dags"))
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture
def airflow(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Airflow:
    """The approval operator, and what it meets."""
    return Airflow(monkeypatch)
