"""The environment variables of the processes on one machine: ports, addresses, users, keys."""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from prakerja import airflow_home, atomic_files, warehouse
from prakerja.errors import PrakerjaError
from prakerja.keys import KeyStore, new_random_key
from prakerja.sandbox.addresses import Addresses
from prakerja.settings import PORTS_IN_A_ROW, Settings

#: The users of Airflow's simple auth manager, each with a role: may do everything, may run DAGs, may only look.
USERS = {"admin": "admin", "operator": "op", "viewer": "viewer"}
HOST = "127.0.0.1"
OPERATORS = "operators@sandbox.invalid"  # the recipient of alerts, in the sandbox's inbox
WAREHOUSE = "PRAKERJA_DATABASE_URL"
#: The login of the embedded warehouse of each process; other processes have none. Tasks are children of the scheduler,
#: or of Celery's workers.
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
    """Consecutive ports, on this machine only."""

    airflow: int
    sandbox: int
    smtp: int
    receipts: int
    blacklist: int

    @classmethod
    def from_environment(cls) -> Ports:
        """Return the ports that begin with `PRAKERJA_PORT`."""
        first = Settings.from_environment().port
        return cls(*range(first, first + PORTS_IN_A_ROW))

    def require_free(self) -> None:
        """Raise `PrakerjaError` if one of them is in use."""
        for name, port in vars(self).items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError as error:
                    raise PrakerjaError(
                        f"cannot listen on port {port} ({name}) ({error.strerror}): set PRAKERJA_PORT to the first of "
                        f"{len(vars(self))} consecutive free ports"
                    ) from None


def configure(ports: Ports) -> None:
    """Set environment variables of this process, and so of its children, unless they are set.

    The databases' URLs are not among them: each process has its own, with its own login (`database_environment`).
    """
    Settings.from_environment().require_valid()
    airflow_home.configure()
    keys = KeyStore.from_environment()
    if not keys.settings.contact_key:  # all processes share this home
        keys.load_or_generate("contact_key.b64", new_random_key)
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
        "AIRFLOW__API__WORKER_TIMEOUT": "10",  # the longest wait for open requests at a stop
        "AIRFLOW__API__SECRET_KEY": _generated("airflow_api_secret.txt"),
        "AIRFLOW__API_AUTH__JWT_SECRET": _generated("airflow_jwt_secret.txt"),
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
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


def database_environment(process: str) -> dict[str, str]:
    """Return the URLs of the databases that a process uses: of the embedded warehouse with the process's own login.

    A process that has a URL does not start the server itself: the supervisor does. A process that may not use the
    warehouse gets a URL without a login, which the server refuses.
    """
    if process == "postgres":
        return {}
    variables = {}
    if Settings.from_environment().database_url is None:
        tasks = workers() or ["scheduler"]
        login = TASKS_LOGIN if process in tasks else LOGINS.get(process, "")
        url = warehouse.url(login=login).set(drivername="postgresql")
        variables[WAREHOUSE] = url.render_as_string(hide_password=False)
    if process in WITH_METADATA:
        variables |= {name: os.environ[name] for name in withheld()}
    return variables


def withheld() -> set[str]:
    """Return the variables of this process that only some of its children get."""
    return {airflow_home.METADATA} & os.environ.keys()


def workers() -> list[str]:
    """Return the names of the Celery workers, `PRAKERJA_WORKERS` of them; none with another executor."""
    if os.environ.get("AIRFLOW__CORE__EXECUTOR", "LocalExecutor") != "CeleryExecutor":
        return []
    return [f"worker-{number}" for number in range(1, Settings.from_environment().workers + 1)]


def hanging_seconds() -> float:
    """Return how long a process that was well may be unwell before it is restarted: four times Airflow's threshold."""
    return 4 * float(os.environ.get("AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD", "30"))


def logins() -> dict[str, str]:
    """Return the passwords of `USERS`, by user; empty if other users are configured."""
    path = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    try:
        passwords: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {user: passwords[user] for user in USERS if user in passwords}


def _people_file() -> Path:
    """Return the home's list of people, and write it if none is configured.

    It has the three users; the first of them is also the operating-system user who starts the system.
    """
    from prakerja.people import RIGHTS, load_people, os_login

    path = Settings.from_environment().home / "people.yaml"
    if Settings.from_environment().people is None:
        load_people()  # refuses the settings of earlier versions, which a new list would override
        rights = ", ".join(RIGHTS)
        people = (
            f'{{id: admin, name: Administrator, logins: {{os: ["{os_login()}"], airflow: [admin]}}, may: [{rights}]}}',
            "{id: operator, name: Operator, logins: {airflow: [operator]}, may: [propose, approve, override]}",
            "{id: viewer, name: Viewer, logins: {airflow: [viewer]}, may: []}",
        )
        head = "# The people of this home, with logins and rights. Written by `prakerja up`; change it as you need.\n"
        listed = head + "people:\n" + "".join(f"- {each}\n" for each in people)
        atomic_files.create(path, listed.encode())
    load_people()
    return Settings.from_environment().people or path


def _generated(name: str) -> str:
    # Fernet needs the URL-safe alphabet.
    return KeyStore.from_environment().load_or_generate(name, new_random_key).decode().strip().translate(_URL_SAFE)


def _passwords_file() -> Path:
    keys, name = KeyStore.from_environment(), "airflow_passwords.json"
    passwords = {user: secrets.token_urlsafe(9) for user in USERS}
    keys.load_or_generate(name, lambda: json.dumps(passwords).encode())
    return keys.folder / name


_URL_SAFE = str.maketrans("+/", "-_")
