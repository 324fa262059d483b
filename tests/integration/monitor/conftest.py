"""Gelombang 12 after its deadline, and who looks at it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from prakerja.blacklist.service import running
from prakerja.blacklist.service.state import Service
from prakerja.calendar import Cohort
from prakerja.monitor import app, figures
from tests.support.monitor_viewer import NOW, Client, Runs
from tests.support.small_cohort import carry_out


@pytest.fixture
def shown(cohort: Cohort) -> Cohort:
    """Gelombang 12 after its deadline: two of fifty are revoked."""
    carry_out(cohort)
    figures.refresh(NOW)
    return cohort


@pytest.fixture
def client(shown: Cohort) -> Client:
    def looking(*, rows: bool = False, people: bool = False) -> TestClient:
        outer = FastAPI()
        outer.mount("/prakerja", app.application(lambda: app.Viewer("siti", rows, people), Runs()))
        return TestClient(outer, base_url="http://airflow/prakerja", follow_redirects=False)

    return looking


@pytest.fixture
def service(home: Path) -> Service:
    """A service of the published list, which knows nothing yet."""
    return running.build_service(None, None)
