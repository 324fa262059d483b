"""PostgreSQL, PgBouncer and Redis as servers of their own, over TCP and with passwords, as a larger system has them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from prakerja import warehouse
from prakerja.settings import PROJECT

#: With each character that a URL, a shell or a file of settings takes for its own.
PASSWORD = "100% a secret: of/tests@home?"
BROKER_PASSWORD = "a-secret-of-tests"
DATABASES = PROJECT / "docker" / "postgres" / "10-databases.sh"
#: Debian's is not among the programs of ordinary users.
PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
LOGINS = warehouse.SQL / "definitions" / "logins.sql"


@dataclass
class Postgres:
    """A server with the databases and the logins that `docker-compose.yaml` makes."""

    folder: Path
    port: int
    clock: dict[str, str]
    programs: Path
    process: subprocess.Popen[bytes] | None = None

    def url(self, user: str, database: str, driver: str = "psycopg") -> str:
        return f"postgresql+{driver}://{user}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"

    def connect(self, user: str = "postgres", database: str = "warehouse") -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=user, password=PASSWORD, dbname=database, autocommit=True
        )

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self.programs / "postgres", "-D", self.folder / "data", "-h", "127.0.0.1",
             "-p", str(self.port), "-k", self.folder, "-c", "max_connections=300"],
            stdout=subprocess.DEVNULL, stderr=(self.folder / "log").open("ab"), env=os.environ | self.clock,
            **_as_server(),
        )  # fmt: skip
        _await(lambda: self.connect(database="postgres").close(), psycopg.OperationalError)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: by default without waiting for its clients; by SIGKILL it crashes."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)


def earlier_programs() -> Path:
    """Return the folder of the programs of PostgreSQL 16, which the embedded server's wheel has, too."""
    return warehouse.program_of_server("postgres").parents[2] / "pginstall" / "bin"


@contextlib.contextmanager
def postgres(clock: Mapping[str, str], programs: Path | None = None) -> Iterator[Postgres]:
    """An empty server, until left, with the environment of a clock; of another version with its programs."""
    programs = programs or warehouse.program_of_server("postgres").parent
    with tempfile.TemporaryDirectory(prefix="prakerja-postgres-") as given:
        folder = Path(given)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        for name in ("airflow", "warehouse", "worker", "operator", "service", "receipts", "monitor", "reader"):
            shutil.copy(secret, folder / f"{name}_db_password")
        if os.geteuid() == 0:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, "pgserver")
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "scram-sha-256",
             "--pwfile", secret, "-E", "UTF8", "--no-sync"],
            check=True, capture_output=True, **_as_server(),
        )  # fmt: skip
        server = Postgres(folder, _free_port(), dict(clock), programs)
        server.start()
        try:
            path = f"{warehouse.program_of_server('psql').parent}:{os.environ['PATH']}"
            subprocess.run(
                ["sh", DATABASES], check=True, capture_output=True,
                env={"PATH": path, "SECRETS_DIR": given, "LOGINS": str(LOGINS), "POSTGRES_USER": "postgres",
                     "PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGPASSWORD": PASSWORD},
            )  # fmt: skip
            yield server
        finally:
            server.stop(signal.SIGQUIT)


@contextlib.contextmanager
def pgbouncer(server: Postgres, pool_mode: str, certificate: Path | None = None) -> Iterator[int]:
    """The port of a connection pooler before a server, until left; with TLS if there is a certificate with its key."""
    port, logins = _free_port(), ("warehouse", *(f"warehouse_{each}" for each in ("operator", "worker", "reader")))
    settings = {
        "listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "pool_mode": pool_mode,
        "auth_type": "scram-sha-256",
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="prakerja-pgbouncer-") as given:
        folder = Path(given)
        (folder / "users").write_text("".join(f'"{login}" "{PASSWORD}"\n' for login in logins))
        settings["auth_file"] = folder / "users"
        if certificate is not None:
            settings["client_tls_sslmode"] = "require"
            for kind, path in (("cert", certificate), ("key", certificate.with_suffix(".key"))):
                settings[f"client_tls_{kind}_file"] = shutil.copy(path, folder)
        lines = [f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\n"]
        lines += [f"{name} = {value}\n" for name, value in settings.items()]
        (folder / "settings").write_text("".join(lines))
        if os.geteuid() == 0:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, "pgserver")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([str(PGBOUNCER), folder / "settings"], stdout=log, stderr=log, **_as_server())
        try:
            _await(lambda: socket.create_connection(("127.0.0.1", port)).close(), OSError)
            yield port
        finally:
            process.terminate()  # it does not wait for its clients
            process.wait(30)


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The URL of an empty server, until left."""
    port = _free_port()
    said = f"port {port}\nbind 127.0.0.1\ndir {folder}\nappendonly yes\nrequirepass {BROKER_PASSWORD}\n"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["redis-server", "-"], stdin=subprocess.PIPE, stdout=log, stderr=log)
    assert process.stdin
    process.stdin.write(said.encode())
    process.stdin.close()
    try:
        _await(lambda: socket.create_connection(("127.0.0.1", port)).close(), OSError)
        yield f"redis://:{BROKER_PASSWORD}@127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(30)


def _as_server() -> dict[str, Any]:
    """PostgreSQL does not run as root."""
    return {"user": "pgserver", "group": "pgserver", "extra_groups": []} if os.geteuid() == 0 else {}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _await(works: Any, until_not: type[Exception]) -> None:
    patience = time.monotonic() + 60
    while True:
        try:
            works()
            return
        except until_not:
            assert time.monotonic() < patience
            time.sleep(0.05)
