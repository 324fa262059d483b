"""Airflow for tests: the project's own settings, metadata in the tests' embedded PostgreSQL, the real DagBag."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prakerja import airflow_home
from prakerja.settings import PROJECT
from tests.support.approval_requests import Airflow
from tests.support.tried_run import Tried


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


@pytest.fixture(scope="session")
def recorded_dags(dags: dict[str, Any]) -> dict[str, Any]:
    """The DAGs, recorded in Airflow's metadata as its processor does, so that they can have runs."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.utils.session import create_session

    manager = DagBundlesManager()
    with create_session() as session:
        manager.sync_bundles_to_db(session=session)
    (bundle,) = manager.get_all_dag_bundles()
    bundle.initialize()
    bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
    sync_bag_to_db(bag, bundle.name, bundle.version)
    return dict(bag.dags)


@pytest.fixture
def tried(recorded_dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Tried]]:
    from airflow.configuration import conf
    from airflow.utils.session import create_session

    real = conf.get
    monkeypatch.setattr(
        conf, "get", lambda section, key, **k: "a secret" if key == "secret_key" else real(section, key, **k)
    )
    with create_session() as session:
        yield lambda dag_id="cohort_deadline", run_id="gelombang-12__deadline__2021-03-13": Tried(
            recorded_dags[dag_id], session, run_id
        )
