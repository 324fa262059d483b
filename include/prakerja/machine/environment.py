"""What the processes on one machine are told by their environment: ports, addresses, users, keys."""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from prakerja import airflow_home, warehouse
from prakerja.errors import PrakerjaError
from prakerja.sandbox.addresses import Addresses
from prakerja.settings import Settings, new_random_key

#: Who may log in, each with a role of Airflow's simple auth manager: all, running things, looking.
USERS = {"admin": "admin", "operator": "op", "viewer": "viewer"}
HOST = "127.0.0.1"
OPERATORS = "operators@sandbox.invalid"  # whom alerts go to, in the sandbox's inbox
WAREHOUSE, METADATA = "PRAKERJA_DATABASE_URL", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
#: Which login of the embedded warehouse a process has; others have none. Tasks are the scheduler's children, or run in
#: Celery's workers.
LOGINS = {
    "api-server": "warehouse_monitor",
    "receipts": "warehouse_receipts",
    "blacklist": "warehouse_service",
}
TASKS_LOGIN = "warehouse_worker"
#: The processes of Airflow that use its metadata. Workers do not: they speak to the API server.
WITH_METADATA = ("api-server", "scheduler", "dag-processor", "triggerer")


@dataclass(frozen=True)
class Ports:
    """Ports in a row, on this machine alone."""

    airflow: int
    sandbox: int
    smtp: int
    receipts: int
    blacklist: int

    @classmethod
    def configured(cls) -> Ports:
        """From `PRAKERJA_PORT`, the first of them. Raises `PrakerjaError`."""
        first, count = Settings.from_environment().port, len(cls.__dataclass_fields__)
        if not 1024 <= first <= 65536 - count:
            raise PrakerjaError(f"PRAKERJA_PORT is no port: give the first of {count} free ports in a row, as 8080")
        return cls(*range(first, first + count))

    def require_free(self) -> None:
        """Raises `PrakerjaError` where somebody listens on one of them."""
        for name, port in vars(self).items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError as error:
                    raise PrakerjaError(
                        f"port {port} ({name}) cannot be listened on ({error.strerror}): set PRAKERJA_PORT to the "
                        f"first of {len(vars(self))} free ports in a row"
                    ) from None


def configure(ports: Ports) -> None:
    """Set the environment of this process, and so of its children; what is set already stays.

    Where the databases are is told to each process apart, with a login of its own (`database_environment`).
    """
    airflow_home.configure()
    if not os.environ.get("PRAKERJA_CONTACT_KEY"):  # all processes have this home
        Settings.from_environment().generated_once("contact_key.b64", new_random_key)
    url = f"http://{HOST}:{ports.airflow}"
    defaults = {
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(2 * (os.cpu_count() or 1)),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": _generated("airflow_fernet_key.txt"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in USERS.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_passwords_file()),
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(2 * (os.cpu_count() or 1)),
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(ports.airflow),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__WORKER_TIMEOUT": "10",  # so long it waits for open requests when it is stopped
        "AIRFLOW__API__SECRET_KEY": _generated("airflow_api_secret.txt"),
        "AIRFLOW__API_AUTH__JWT_SECRET": _generated("airflow_jwt_secret.txt"),
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        # A task outlives an API server or a database that is started again meanwhile.
        "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "15",
        "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MIN": "2",
        "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "10",
        # What a scheduler that died has left is taken up by the next in a minute, not in five.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        "PRAKERJA_PEOPLE": str(_people_file()),
        # Messages go to the sandbox, which delivers to nobody, until real providers are configured.
        **Addresses.from_ports(HOST, ports.sandbox, ports.smtp).variables,
        "PRAKERJA_RECEIPTS_URL": f"http://{HOST}:{ports.receipts}",
    }
    alerts = {"disable_ssl": True, "disable_tls": True, "to": OPERATORS, "from_email": "airflow@sandbox.invalid"}
    defaults["AIRFLOW_CONN_PRAKERJA_ALERTS"] = json.dumps(
        {"conn_type": "smtp", "host": HOST, "port": ports.smtp, "extra": alerts}
    )
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def database_environment(process: str, *, has_own_server: bool) -> dict[str, str]:
    """Return what a process is told of the embedded server's databases: URLs, with the login that it has.

    Told where the warehouse is, no process starts the server by itself: the supervisor does. A process that has no
    business there is told a URL without a login, which the server refuses.
    """
    if process == "postgres":
        return {}
    found = {}
    if has_own_server:
        tasks = workers() or ["scheduler"]
        login = TASKS_LOGIN if process in tasks else LOGINS.get(process, "")
        found[WAREHOUSE] = warehouse.url(login=login).set(drivername="postgresql").render_as_string(hide_password=False)
    if process in WITH_METADATA:
        found |= {name: os.environ[name] for name in withheld()}
    return found


def withheld() -> set[str]:
    """Return the variables of this process that only some of its children are told."""
    given = os.environ.get(METADATA)
    if given is None or given != warehouse.url("airflow", "psycopg2").render_as_string(hide_password=False):
        return set()
    return {METADATA}


def workers() -> list[str]:
    """The names of the workers that run beside the rest, where the executor is Celery's: `PRAKERJA_WORKERS` of them."""
    if os.environ.get("AIRFLOW__CORE__EXECUTOR", "LocalExecutor") != "CeleryExecutor":
        return []
    return [f"worker-{number}" for number in range(1, Settings.from_environment().workers + 1)]


def hanging_seconds() -> float:
    """So long a process may be unwell before it is started again: four times as long as Airflow takes to say so."""
    return 4 * float(os.environ.get("AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD", "30"))


def logins() -> dict[str, str]:
    """The users that can log in, with their passwords; empty where others are configured."""
    path = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    try:
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {user: found[user] for user in USERS if user in found}


def _people_file() -> Path:
    """The home's list of people, written once: the three users, and who starts the system as the first of them."""
    from prakerja.people import RIGHTS, load_people, os_login

    path = Settings.from_environment().home / "people.yaml"
    if Settings.from_environment().people is None:
        load_people()  # refuses the settings of before, which a new list would override
        rights = ", ".join(RIGHTS)
        people = (
            f'{{id: admin, name: Administrator, logins: {{os: ["{os_login()}"], airflow: [admin]}}, may: [{rights}]}}',
            "{id: operator, name: Operator, logins: {airflow: [operator]}, may: [propose, approve, override]}",
            "{id: viewer, name: Viewer, logins: {airflow: [viewer]}, may: []}",
        )
        head = "# Who may do what in this home, and whose logins are whose: `prakerja up` writes it, change it.\n"
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        aside.write_text(head + "people:\n" + "".join(f"- {each}\n" for each in people), encoding="utf-8")
        aside.replace(path)
    load_people()
    return Settings.from_environment().people or path


def _generated(name: str) -> str:
    # URL-safe, as Fernet wants it.
    return Settings.from_environment().generated_once(name, new_random_key).decode().strip().translate(_URL_SAFE)


def _passwords_file() -> Path:
    settings, name = Settings.from_environment(), "airflow_passwords.json"
    passwords = {user: secrets.token_urlsafe(9) for user in USERS}
    settings.generated_once(name, lambda: json.dumps(passwords).encode())
    return settings.home / "keys" / name


_URL_SAFE = str.maketrans("+/", "-_")
