"""Airflow's settings for this project: its folders, and its metadata in the embedded PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from prakerja import warehouse
from prakerja.settings import PROJECT, Settings

#: The pool of the tasks that publish the list, with one slot. If it is missing, Airflow starts none of them.
PUBLISHING = "publishing"
METADATA = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def configure() -> None:
    """Set Airflow's environment variables for this process, unless they are set. Call it before `import airflow`."""
    settings = Settings.from_environment()
    home = settings.make_home() / "airflow"
    defaults = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Asia/Jakarta",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "SCARF_ANALYTICS": "false",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
    }
    if has_embedded_metadata():
        os.environ[METADATA] = warehouse.url("airflow", "psycopg2").render_as_string(hide_password=False)
    if not {"OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE_DISABLED"} & set(os.environ):
        defaults |= {
            "OPENLINEAGE__TRANSPORT__TYPE": "file",
            "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH": str(settings.home / "logs" / "lineage.jsonl"),
            "OPENLINEAGE__TRANSPORT__APPEND": "true",
        }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    home.mkdir(mode=0o700, exist_ok=True)


def has_embedded_metadata() -> bool:
    """Whether Airflow's metadata are in the embedded server: unless a variable of Airflow's says where they are."""
    return not any(f"{METADATA}{suffix}" in os.environ for suffix in ("", "_CMD", "_SECRET"))


def upgrade_metadata() -> None:
    """Create or migrate Airflow's metadata database, with the pool that the DAGs need. Safe to repeat."""
    from airflow.utils import db
    from airflow.utils.session import create_session

    with create_session() as session:
        is_current = _is_current(session)
    if not is_current:  # Airflow's own check costs seconds of imports
        with _without_the_api():
            db.initdb()
    with create_session() as session:
        _make_pool(session)


def _make_pool(session: Any) -> None:
    from airflow.models.pool import Pool

    if Pool.get_pool(PUBLISHING, session=session) is None:
        session.add(Pool(pool=PUBLISHING, slots=1, description="One at a time publishes", include_deferred=False))


@contextlib.contextmanager
def _without_the_api() -> Iterator[None]:
    """Keep Airflow from importing its API only to ask the auth manager for its tables: the simple one has none."""
    from airflow.configuration import conf

    name = "airflow.api_fastapi.app"
    is_needed = "SimpleAuthManager" not in conf.get("core", "auth_manager")
    if is_needed or name in sys.modules:
        yield
        return
    modules: dict[str, Any] = sys.modules
    modules[name] = None  # the import fails, which Airflow tolerates while it migrates
    try:
        yield
    finally:
        del modules[name]


def _is_current(session: object) -> bool:
    from airflow.utils.db import _get_alembic_config
    from alembic.script import ScriptDirectory
    from sqlalchemy import text
    from sqlalchemy.orm import Session

    assert isinstance(session, Session)  # noqa: S101 - for the type checker
    if session.scalar(text("select to_regclass('alembic_version')")) is None:
        return False
    revision = session.scalar(text("select version_num from alembic_version"))
    return bool(revision == ScriptDirectory.from_config(_get_alembic_config()).get_current_head())
