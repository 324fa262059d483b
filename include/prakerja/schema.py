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
    """A function, view or trigger as it is now: the SQL that makes or replaces it."""

    name: str
    kind: str
    text: str

    @classmethod
    def from_file(cls, path: Path) -> Definition:
        """Read one of `definitions/<area>/<name>.sql`; a trigger's file is named `<name>_trigger.sql`."""
        text = path.read_text(encoding="utf-8")
        found = re.search(r"^create or replace (function|view) (\w+)", text, re.MULTILINE)
        return cls(path.stem, "trigger" if path.stem.endswith("_trigger") or not found else found[1], text)

    @property
    def comment(self) -> str:
        """The comment on what was made by this text."""
        return f"prakerja definition {hashlib.sha256(self.text.encode()).hexdigest()[:16]}"


def load_definitions(folder: Path = DEFINITIONS) -> list[Definition]:
    """Return the definitions, each after those that it names."""
    found = {path.stem: Definition.from_file(path) for path in sorted(folder.glob("*/*.sql"))}
    words = {name: set(re.findall(r"\w+", re.sub(r"--.*", "", each.text))) for name, each in found.items()}
    needs = {name: sorted((words[name] & set(found)) - {name}) for name in found}
    return [found[name] for name in TopologicalSorter(needs).static_order()]


def upgrade() -> str:
    """Create or migrate the tables, apply every definition again, and return the warehouse's revision. Safe to repeat.

    All of it or nothing: one transaction. Two upgrades at once wait for each other.
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
        for each in definitions:
            _driver(connection).execute(each.text)
            if each.kind != "trigger":
                connection.exec_driver_sql(f"comment on {each.kind} {each.name} is '{each.comment}'")
        _grant_duties(connection)
        rule = programme().approvals.model_dump(include={"one_approver_up_to", "approvers", "approvers_above"})
        must_be_signed = load_people().must_sign
        warehouse.execute(connection, "revocations/upsert_approval_rule", **rule, must_be_signed=must_be_signed)
    return newest_revision()


def require_schema() -> None:
    """Bring an embedded warehouse up to this version's schema, once the programme's rules are known to fit.

    Raises `NotReadyError` where a server of yours is behind, `PrakerjaError` where `program.yaml` does not fit.
    """
    programme()
    found = revision()
    if found == newest_revision():
        return
    if Settings.from_environment().database_url is None:
        upgrade()
        return
    raise NotReadyError(f"the warehouse is at revision {found}, this is {newest_revision()}: run `prakerja db upgrade`")


def revision() -> str:
    """Return the warehouse's revision, `none` where it has no schema, `unknown` where this login may not read it."""
    with transaction(None) as connection:
        return _revision(connection)


def newest_revision() -> str:
    """Return the revision that this version's upgrade leads to."""
    return max(_revisions(VERSIONS))


def _revision(connection: Connection) -> str:
    may_read = connection.scalar(sa.text("select has_any_column_privilege(to_regclass('alembic_version'), 'select')"))
    if not may_read:  # null where there is none; a duty's role may be let near nothing of an older warehouse
        return "none" if may_read is None else "unknown"
    return str(connection.scalar(sa.text("select version_num from alembic_version")) or "none")


def _await_others(connection: Connection) -> None:
    """Keep other upgrades out until the transaction ends. Those that only read revisions are not held up.

    Alembic's own table is locked, made here as Alembic makes it. Two that make it at once: the second waits, and fails
    inside its savepoint once the first has committed.
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
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(revisions))
    return config


def _leave_history(connection: Connection, versions: Config) -> None:
    """Bring a warehouse of before the baseline to it, by the migrations of its time."""
    from alembic import command

    if _revision(connection) not in _revisions(HISTORY):
        return
    history = _config(HISTORY)
    history.attributes["connection"] = connection
    command.upgrade(history, "head")
    _driver(connection).execute((HISTORY / "to_baseline.sql").read_text(encoding="utf-8"))
    command.stamp(versions, BASELINE, purge=True)


def _drop_outdated(connection: Connection, definitions: list[Definition]) -> None:
    """Drop what was made by another text than today's, of all or of these `definitions`: a migration meets none.

    What is unchanged keeps its place, so that an upgrade without a change disturbs nobody.
    """
    still_true = json.dumps({each.name: each.comment for each in definitions if each.kind != "trigger"})
    connection.execute(sa.text("select set_config('prakerja.definitions', :it, true)"), {"it": still_true})
    _driver(connection).execute((MIGRATIONS / "drop_outdated.sql").read_text(encoding="utf-8"))


def _grant_duties(connection: Connection) -> None:
    """Make the duties' roles and say what each may, at every upgrade: roles are the server's, whatever was restored."""
    import psycopg

    try:
        with connection.begin_nested():
            _driver(connection).execute((DEFINITIONS / "duties.sql").read_text(encoding="utf-8"))
    except psycopg.errors.InsufficientPrivilege:
        log.warning(
            "the roles of the duties cannot be made by this login: everything works as the owner of the schema, until "
            "one who may create roles runs `prakerja db upgrade` (docs/adr/0018)"
        )


def _driver(connection: Connection) -> Any:
    """The driver's own connection, which takes a text as it is: percent signs, colons, several statements."""
    return connection.connection.driver_connection
