"""An installation whose warehouse is on a server with passwords and duties, used by each person with their login."""

from __future__ import annotations

import base64
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from prakerja.machine import supervision
from tests.e2e.conftest import Instance
from tests.support import forked_commands
from tests.support.postgres_and_redis import Postgres

CONTACT_KEY = base64.b64encode(b"from the vault of the tests").decode()
OTHERS = ("PRAKERJA_", "AIRFLOW", "OPENLINEAGE", "OTEL", "PG")


@dataclass
class OwnServer:
    """A home with its landing zone, and the server of its warehouse. Airflow's metadata are in the home."""

    server: Postgres
    folder: Path
    more: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def landing(self) -> Path:
        return self.folder / "world" / "landing"

    def environment(self, login: str | None, url: str | None = None) -> dict[str, str]:
        """Return the environment of somebody with a login, or with a URL of the warehouse, or with neither."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)} | {
            "PRAKERJA_HOME": str(self.home),
            "PRAKERJA_LANDING": str(self.landing),
            "PRAKERJA_CALENDAR": str(self.folder / "calendar.yaml"),
            "PRAKERJA_CONTACT_KEY": CONTACT_KEY,
            "COLUMNS": "200",
        }
        given = url or (login and self.server.url(login, "warehouse"))
        return own | ({"PRAKERJA_DATABASE_URL": given} if given else {}) | self.more

    def run(
        self, login: str | None, *arguments: str, given: str = "", url: str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in a process of its own."""
        done = forked_commands.run([*arguments], self.environment(login, url) | more, given)
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def metadata(self, home: Path) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect to Airflow's database in the embedded server of a home."""
        return Instance(home, self.landing, self.folder / "calendar.yaml").database("airflow")

    def start(self, login: str | None, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Start a command that runs until it is stopped."""
        return subprocess.Popen(
            [*supervision.program("prakerja"), *arguments], env=self.environment(login) | more, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line by which a command was refused."""
    assert (done.returncode, done.stdout) == (1, ""), (done.stdout, done.stderr)
    (line,) = messages(done.stderr)
    return line


def messages(told: str) -> list[str]:
    """Return the lines of standard error, but for what is replayed and which warehouse it is."""
    return [line for line in told.splitlines() if line.strip() and not line.startswith(("replaying", "warehouse: "))]
