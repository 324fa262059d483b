"""The warehouse's schema: tables by migrations (Alembic), functions, views and triggers by their definitions."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from prakerja import warehouse
from prakerja.errors import NotReadyError
from prakerja.people import load_people
from prakerja.programme import programme
from prakerja.settings import Settings
from prakerja.warehouse import SQL, Connection, transaction

if TYPE_CHECKING:
    from alembic.config import Config

log = logging.getLogger(__name__)

MIGRATIONS = SQL / "migrations"
#: The revisions since the baseline, and those before it, by which an older home comes to the baseline (until 0.3).
VERSIONS, HISTORY = MIGRATIONS / "versions", MIGRATIONS / "history"
DEFINITIONS = SQL / "definitions"
BASELINE = "0016"


@dataclass(frozen=True)
class Definition:
    """The current text of a function, view or trigger: the SQL that creates or replaces it."""

    name: str
    kind: str
    text: str

    @classmethod
    def from_file(cls, path: Path) -> Definition:
        """Load `definitions/<area>/<name>.sql`. A trigger's file is named `<name>_trigger.sql`."""
        text = path.read_text(encoding="utf-8")
        created = re.search(r"^create or replace (function|view) (\w+)", text, re.MULTILINE)
        return cls(path.stem, "trigger" if path.stem.endswith("_trigger") or not created else created[1], text)

    @property
    def comment(self) -> str:
        """The comment in the database on what this text created: it identifies the text."""
        return f"prakerja definition {hashlib.sha256(self.text.encode()).hexdigest()[:16]}"


def load_definitions(folder: Path = DEFINITIONS) -> list[Definition]:
    """Return the definitions, each after those that it refers to."""
    by_name = {path.stem: Definition.from_file(path) for path in sorted(folder.glob("*/*.sql"))}
    words = {
        name: set(re.findall(r"\w+", re.sub(r"--.*", "", definition.text))) for name, definition in by_name.items()
    }
    references = {name: sorted((words[name] & set(by_name)) - {name}) for name in by_name}
    return [by_name[name] for name in TopologicalSorter(references).static_order()]


def upgrade() -> str:
    """Create or migrate the tables, apply every definition again, and return the warehouse's revision. Safe to repeat.

    One transaction does all of it or nothing. Of two upgrades at once, the second waits for the first.
    """
    from alembic import command

    versions = _config(VERSIONS)
    with transaction(as_owner=True) as connection:
        _await_others(connection)
        versions.attributes["connection"] = connection
        _leave_history(connection, versions)
        definitions = load_definitions()
        is_migrating = _revision(connection) != newest_revision()
        _drop_outdated(connection, [] if is_migrating else definitions)
        command.upgrade(versions, "head")
        for definition in definitions:
            _driver(connection).execute(definition.text)
            if definition.kind != "trigger":
                connection.exec_driver_sql(f"comment on {definition.kind} {definition.name} is '{definition.comment}'")
        _grant_privileges(connection)
        rule = programme().approvals.model_dump(include={"one_approver_up_to", "approvers", "approvers_above"})
        must_be_signed = load_people().must_sign
        warehouse.execute(connection, "revocations/upsert_approval_rule", **rule, must_be_signed=must_be_signed)
    return newest_revision()


def upgrade_or_require() -> None:
    """Upgrade the warehouse as its owner, whose passwords an embedded home has. For other logins, require the schema.

    An upgrade also applies what `program.yaml` and the list of people say about approvals.
    """
    if Settings.from_environment().database_url is None or _may_upgrade():
        upgrade()
    else:
        require_schema()


def require_schema() -> None:
    """Upgrade an embedded warehouse to this version's schema, after checking that `program.yaml` is valid.

    Raise `NotReadyError` if a server of your own is at another revision, `PrakerjaError` if `program.yaml` is invalid.
    """
    programme()
    current = revision()
    if current == newest_revision():
        return
    if Settings.from_environment().database_url is None:
        upgrade()
        return
    raise NotReadyError(
        f"the warehouse is at revision {current}, this version needs {newest_revision()}: run `prakerja db upgrade`"
    )


def revision() -> str:
    """Return the warehouse's revision: `none` if it has no schema, `unknown` if this login may not read it."""
    with transaction(None) as connection:
        return _revision(connection)


def newest_revision() -> str:
    """Return the revision to which this version upgrades."""
    return max(_revisions(VERSIONS))


def _may_upgrade() -> bool:
    """Whether this login owns the schema. If there is none yet, only an attempt says whether it may create it."""
    is_owner = "select pg_has_role(session_user, relowner, 'usage') from pg_class"
    with transaction(None) as connection:
        return connection.scalar(sa.text(f"{is_owner} where oid = to_regclass('alembic_version')")) is not False


def _revision(connection: Connection) -> str:
    may_read = connection.scalar(sa.text("select has_any_column_privilege(to_regclass('alembic_version'), 'select')"))
    if not may_read:  # null if the table does not exist; in an older warehouse a role may have no privilege on it
        return "none" if may_read is None else "unknown"
    return str(connection.scalar(sa.text("select version_num from alembic_version")) or "none")


def _await_others(connection: Connection) -> None:
    """Wait for other upgrades, and keep them out until the transaction ends. Reading the revision stays possible.

    The lock is on Alembic's own table, created here as Alembic creates it. If two upgrades create it at once, the
    second waits, and fails inside its savepoint when the first commits.
    """
    with contextlib.suppress(sa.exc.IntegrityError, sa.exc.ProgrammingError), connection.begin_nested():
        connection.exec_driver_sql(
            "create table if not exists alembic_version"
            " (version_num varchar(32) not null, constraint alembic_version_pkc primary key (version_num))"
        )
    connection.exec_driver_sql("lock table alembic_version in exclusive mode")


def _revisions(folder: Path) -> set[str]:
    return {path.name.partition("_")[0] for path in folder.glob("[0-9]*.py")}


def _config(revisions: Path) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("path_separator", "newline")
    for name, path in (("script_location", MIGRATIONS), ("version_locations", revisions)):
        config.set_main_option(name, str(path).replace("%", "%%"))  # it interpolates
    return config


def _leave_history(connection: Connection, versions: Config) -> None:
    """Bring a warehouse that is older than the baseline to the baseline, by the migrations of its time."""
    from alembic import command

    if _revision(connection) not in _revisions(HISTORY):
        return
    history = _config(HISTORY)
    history.attributes["connection"] = connection
    command.upgrade(history, "head")
    _driver(connection).execute((HISTORY / "to_baseline.sql").read_text(encoding="utf-8"))
    command.stamp(versions, BASELINE, purge=True)


def _drop_outdated(connection: Connection, definitions: list[Definition]) -> None:
    """Drop every definition that is not among `definitions` with the same text, so that migrations meet none of them.

    Unchanged ones stay, so that an upgrade without a change blocks nobody.
    """
    unchanged = json.dumps({each.name: each.comment for each in definitions if each.kind != "trigger"})
    connection.execute(sa.text("select set_config('prakerja.definitions', :unchanged, true)"), {"unchanged": unchanged})
    _driver(connection).execute((MIGRATIONS / "drop_outdated.sql").read_text(encoding="utf-8"))


def _grant_privileges(connection: Connection) -> None:
    """Create the roles and grant their privileges, at every upgrade: roles belong to the server, not to a backup."""
    import psycopg

    try:
        with connection.begin_nested():
            _driver(connection).execute((DEFINITIONS / "duties.sql").read_text(encoding="utf-8"))
    except psycopg.errors.InsufficientPrivilege:
        log.warning(
            "this login may not create the database roles: everything works as the owner of the schema until a login "
            "that may create roles runs `prakerja db upgrade` (docs/adr/0018)"
        )


def _driver(connection: Connection) -> Any:
    """Return the driver's own connection, which takes a text as it is: percent signs, colons, several statements."""
    return connection.connection.driver_connection
