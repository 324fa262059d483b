"""What every test stands on: a home of its own, the real embedded PostgreSQL, and worlds in the contract."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest

# Settings of whoever runs the tests must not reach them.
for _name in [name for name in os.environ if name.startswith(("PRAKERJA_", "AIRFLOW", "OPENLINEAGE", "OTEL"))]:
    del os.environ[_name]
# What the tests start must find the package where it is not installed, as pytest's `pythonpath` lets themselves.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).parents[1] / "include"), *filter(None, [os.environ.get("PYTHONPATH")])]
)

from prakerja import calendar, embedded_postgres, schema, settings, warehouse  # noqa: E402
from prakerja.warehouse import statements  # noqa: E402
from tests.support import written_as  # noqa: E402

# Nobody pulls a plug: what this process writes may stay in memory. Tests of when it is flushed put their own in place.
os.fsync = lambda _: None

#: What shares something costly is run by one worker, the longest first: the tests of the running system, those of the
#: replayed world. Every other file is a group of its own. By the beginnings of their paths.
GROUPS = {
    "tests/e2e/machine/": "the running system",
    "tests/e2e/test_replay.py": "the replayed world",
    "tests/e2e/service/": "the replayed world",
    "tests/e2e/own_server/": "a server of one's own",
}

#: How many examples a property is tried with: `make soak` takes the second profile. What is costly takes a part of it.
for _profile, _examples in {"ordinary": 100, "soak": 1_500}.items():
    hypothesis.settings.register_profile(
        _profile, max_examples=_examples, deadline=None, database=None, print_blob=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
hypothesis.settings.load_profile("ordinary")

CALENDAR = """
cohorts:
- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-13, recipients: 60000, note: short for tests}
- {cohort: 13, announced_on: 2021-03-08, deadline_on: 2021-03-16, recipients: 60000, note: short for tests}
"""


def group_of(nodeid: str) -> str:
    """Return the name of the group that a test is run with, by one worker."""
    return next((group for path, group in GROUPS.items() if nodeid.startswith(path)), nodeid.partition("::")[0])


def pytest_configure(config: pytest.Config) -> None:
    """Write down, for all workers in one file, as which role each statement that writes is executed."""
    if not hasattr(config, "workerinput"):
        os.environ["WRITTEN_AS"] = tempfile.mkstemp(prefix="written-as-")[1]
    warehouse.execute = statements.execute = written_as.Recorder(Path(os.environ["WRITTEN_AS"]))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a whole run in which a statement that writes was never executed as its duty."""
    if hasattr(session.config, "workerinput"):
        return
    file = Path(os.environ["WRITTEN_AS"])
    is_whole = {"tests", "tests/integration"} & {arg.rstrip("/") for arg in session.config.args}
    options = session.config.option
    if is_whole and not (options.keyword or options.collectonly or options.maxfail) and exitstatus == 0:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        for line in (lines := written_as.missing(file)):
            reporter.write_line(f"ERROR {line}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED if lines else exitstatus
    file.unlink()


def pytest_collection_finish() -> None:
    """What the imports have made lives as long as the tests: no search for garbage goes through it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the groups that take longest first."""
    order = [*dict.fromkeys(GROUPS.values())]
    items.sort(key=lambda item: order.index(group) if (group := group_of(item.nodeid)) in order else len(order))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Hand out groups, in their order. xdist's own `loadgroup` reads what pytest 9 does not write any more."""
    from xdist.scheduler import LoadScopeScheduling

    class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False
    return GroupScheduling(config, log)


@pytest.fixture(scope="session")
def prepared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose warehouse is made, and whose server is stopped: copied, it is ready at once. One for all workers."""
    return prepared(tmp_path_factory, "prepared", schema.upgrade)


@pytest.fixture(scope="session")
def session_home(prepared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One embedded PostgreSQL for all tests of this process."""
    home = copy_home(prepared_home, tmp_path_factory.mktemp("home") / "home")
    os.environ["PRAKERJA_HOME"] = str(home)
    warehouse.url()  # starts it
    yield home
    os.environ["PRAKERJA_HOME"] = str(home)
    warehouse.stop_embedded_server()


def prepared(factory: pytest.TempPathFactory, name: str, make: Callable[[], object], *, of: Path | None = None) -> Path:
    """Return the home that the first worker to ask makes, from nothing or a copy of another, and all of them copy."""
    run = factory.getbasetemp()
    run = run.parent if "PYTEST_XDIST_WORKER" in os.environ else run
    home, is_ready = run / name, run / f"{name}.ready"
    with (run / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_ready.exists():
            if of is not None:
                copy_home(of, home)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("PRAKERJA_HOME", str(home))
                with as_superuser() as server:
                    for setting in ("fsync", "full_page_writes", "synchronous_commit"):  # nobody pulls a plug
                        server.execute(f"alter system set {setting} = off")
                    server.execute("select pg_reload_conf()")
                    # What the owner does in tests and nowhere else: empty the warehouse, and end others' sessions.
                    server.execute("grant set on parameter session_replication_role to warehouse")
                    server.execute("grant pg_signal_backend to warehouse")
                make()
                warehouse.stop_embedded_server()
            is_ready.touch()
    return home


def copy_home(prepared: Path, home: Path) -> Path:
    """Copy the databases of a prepared home into a new one. Its files may be another user's: the server's."""
    home.mkdir(mode=0o700, parents=True)
    subprocess.run(["cp", "--archive", str(prepared / "postgres"), str(home)], check=True)
    (home / "keys").mkdir(mode=0o700)
    for password in (prepared / "keys").glob("database_*.txt"):
        shutil.copy2(password, home / "keys")
    return home


def as_superuser(home: Path | None = None, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
    """Connect to the running server of a home, by default of the configured one, as nobody else may.

    A database's own time limit for statements does not bind it: it is what takes that limit back.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PRAKERJA_DATABASE_URL", raising=False)
        if home is not None:
            patch.setenv("PRAKERJA_HOME", str(home))
        url = warehouse.url(database, login=embedded_postgres.SUPERUSER).set(drivername="postgresql")
    without_limit = "-c statement_timeout=0"
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True, options=without_limit)


def empty() -> None:
    """Empty the warehouse, but for what its schema brings: only what has rows, and numbers that were drawn."""
    with warehouse.transaction(as_owner=True) as connection:
        filled = connection.exec_driver_sql(_filled_tables()).scalar_one()
        if filled:  # by deletes: to truncate a table, others that refer to it must be truncated along with it
            connection.exec_driver_sql("set local session_replication_role = replica")
            connection.exec_driver_sql("; ".join(f"delete from {table}" for table in filled))
        connection.exec_driver_sql(
            "select setval(format('%%I.%%I', schemaname, sequencename), start_value, false) from pg_sequences"
            " where schemaname = 'public' and last_value is not null"
        )


@cache
def _filled_tables() -> str:
    """Return the query for the names of the tables that have rows."""
    with warehouse.transaction(as_owner=True) as connection:
        tables = connection.exec_driver_sql(
            "select tablename from pg_tables where schemaname = 'public'"
            " and tablename not in ('alembic_version', 'transitions', 'message_transitions', 'audited')"
            " and tablename not in ('approval_rule', 'audit_baseline', 'warehouse_identity')"
        ).scalars()
        has_rows = (f"case when exists (select from {table}) then '{table}' end" for table in tables)
        return f"select array_remove(array[{', '.join(has_rows)}], null)"


@pytest.fixture
def empty_warehouse() -> Callable[[], None]:
    """For tests that begin anew many times."""
    return empty


@pytest.fixture
def home(session_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty warehouse, an empty landing zone, the short calendar; gives the test's own folder."""
    return begin(session_home, tmp_path, monkeypatch)


def begin(session_home: Path, folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """What `home` is, in a folder; for fixtures that several tests share."""
    patch.setenv("PRAKERJA_HOME", str(session_home))
    patch.setenv("PRAKERJA_LANDING", str(folder / "landing"))
    patch.setenv("PRAKERJA_PUBLISH", str(folder / "publish"))
    patch.setenv("PRAKERJA_CALENDAR", str(folder / "calendar.yaml"))
    (folder / "landing").mkdir()
    (folder / "calendar.yaml").write_text(CALENDAR)
    calendar._read.cache_clear()
    empty()
    return folder


@pytest.fixture
def connection(home: Path) -> Iterator[warehouse.Connection]:
    """A connection to the empty warehouse, as its owner; what the test does is committed at its end."""
    with warehouse.transaction(as_owner=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def wib() -> object:
    return settings.WIB


def day(text: str) -> date:
    """A date."""
    return date.fromisoformat(text)
