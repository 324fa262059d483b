"""Airflow for tests: the project's own settings, metadata in the tests' embedded PostgreSQL, the real DagBag."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from prakerja import airflow_home
from prakerja.settings import PROJECT
from tests.support.approval_requests import Airflow
from tests.support.tried_run import PublishedList, Tried


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


@pytest.fixture
def nothing_told(recorded_dags: dict[str, Any]) -> None:
    """No asset event of other tests is there."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        session.query(AssetEvent).delete()


@pytest.fixture
def published(home: Path, monkeypatch: pytest.MonkeyPatch) -> PublishedList:
    """A list that tasks publish into by number alone."""
    from prakerja import tasks

    found = PublishedList()
    monkeypatch.setattr(tasks.reader, "published_version", lambda: found.version)
    monkeypatch.setattr(tasks.reader, "measure_list", dict)
    monkeypatch.setattr(tasks.summaries, "summarize_cohort", lambda *_: "told")
    monkeypatch.setattr(tasks.monitor, "refresh_monitor", lambda *_: None)
    return found


@pytest.fixture
def listener() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """A server that takes whatever is posted to it: its port, and what it got."""
    got: list[dict[str, Any]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append({"path": self.path, **json.loads(self.rfile.read(int(self.headers["content-length"])))})
            self.send_response(307 if self.path == "/elsewhere" else 200)
            self.send_header("location", "/stolen")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, got
    server.shutdown()
    server.server_close()


@pytest.fixture
def connections(dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Airflow's connections by id, as an operator edits them."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    found: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in found:
            raise AirflowNotFoundException(name)
        return Connection(conn_id=name, **found[name])

    monkeypatch.setattr(Connection, "get", get)
    return found
