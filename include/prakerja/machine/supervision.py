"""The machine's processes under supervisord: their commands, start, stop and state.

supervisord restarts a process that dies. A subreaper runs between it and each process, so that no descendant is left
(`machine/subreaper.py`).
"""

from __future__ import annotations

import configparser
import contextlib
import hashlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil

from prakerja import atomic_files
from prakerja.errors import NotReadyError, PrakerjaError
from prakerja.machine import environment, subreaper
from prakerja.machine.environment import HOST, Ports
from prakerja.settings import PROJECT, Settings

BIN = Path(sys.executable).parent
#: The time to stop of a process before its subreaper kills it, of a subreaper before supervisord kills it, and of
#: supervisord, which stops the database last, before its own subreaper kills it.
PROCESS_SECONDS, SUBREAPER_SECONDS, SUPERVISOR_SECONDS = 20, 40, 80
SLOW_SECONDS = 5.0  # a stop that takes longer reports what it waits for


def program(name: str) -> list[str]:
    """Return the command of a program of this environment: its script, or its module if no script is installed."""
    script = BIN / name
    return [str(script)] if script.exists() else [sys.executable, "-P", "-m", name]


def commands(ports: Ports, *, has_own_server: bool) -> dict[str, list[str]]:
    """Return the command of each process, by name."""
    prakerja, airflow, home = program("prakerja"), program("airflow"), Settings.from_environment().home
    by_name = {
        "api-server": [*airflow, "api-server"],
        "scheduler": [*airflow, "scheduler", "--skip-serve-logs"],  # the logs are on this machine
        "dag-processor": [*airflow, "dag-processor"],
        "triggerer": [*airflow, "triggerer", "--skip-serve-logs"],
        "sandbox": [*prakerja, "sandbox", "--port", str(ports.sandbox), "--smtp-port", str(ports.smtp)],
        "receipts": [*prakerja, "receipts", "--port", str(ports.receipts)],
        "blacklist": [*prakerja, "serve", "--port", str(ports.blacklist)],
    }
    for name in environment.workers():
        by_name[name] = [*airflow, "celery", "worker", "--celery-hostname", name, "--pid", str(home / f"{name}.pid"),
                         "--skip-serve-logs", "--without-mingle", "--without-gossip"]  # fmt: skip
    return {"postgres": [*prakerja, "db", "serve"], **by_name} if has_own_server else by_name


@dataclass(frozen=True)
class Process:
    """The state of a process, as the supervisor reports it."""

    name: str
    state: str
    pid: int
    since: datetime | None
    memory: int  # bytes of the process and its descendants, shared pages counted once
    message: str


@contextlib.contextmanager
def supervised(
    ports: Ports, *, has_own_server: bool, report: Callable[[str], None]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run supervisord with all processes, and stop them at the end.

    `report` gets a line about a stop that is slow. Raise `PrakerjaError` if a process does not stop.
    """
    path = _write_configuration(commands(ports, has_own_server=has_own_server))
    withheld = environment.withheld()
    # The supervisor has a subreaper, too: if this process is killed, the supervisor and its processes stop.
    command = _with_subreaper(
        [str(BIN / "supervisord"), "--nodaemon", "--configuration", str(path)], SUPERVISOR_SECONDS
    )
    supervisor = subprocess.Popen(  # noqa: S603 - our own
        command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name not in withheld},
        start_new_session=True,  # Ctrl-C in a terminal reaches this process only, which stops the others
    )  # fmt: skip
    try:
        yield supervisor
    finally:
        running = _running()
        supervisor.send_signal(signal.SIGTERM)
        try:
            _await_end(lambda: supervisor.poll() is not None, running, report)
        finally:
            _kill(supervisor)
            _socket().unlink(missing_ok=True)


def processes(*, with_memory: bool = True) -> list[Process]:
    """Return the processes of this home's supervisor. Raise `NotReadyError` if none is running."""
    return [
        Process(
            name=each["name"],
            state=each["statename"],
            pid=each["pid"],
            since=datetime.fromtimestamp(each["start"], UTC) if each["pid"] else None,
            memory=_memory(each["pid"], is_server=each["name"] == "postgres") if with_memory else 0,
            message=each["spawnerr"] or ("" if each["pid"] else each["description"]),
        )
        for each in _call("getAllProcessInfo")
    ]


def stop(report: Callable[[str], None]) -> None:
    """Stop the supervisor of this home with its processes, and wait until they have ended.

    `report` gets a line when the stop begins, and more if it is slow. Raise `NotReadyError` if no supervisor is
    running, `PrakerjaError` if a process does not stop.
    """
    pid, running = _call("getPID"), _running()
    _call("shutdown")
    report("stopping")
    _await_end(lambda: not psutil.pid_exists(pid), running, report)


def _running() -> dict[str, list[psutil.Process]]:
    """Return the running processes by name: of each the subreaper first, then all its descendants."""
    by_name: dict[str, list[psutil.Process]] = {}
    with contextlib.suppress(NotReadyError):
        for process in processes(with_memory=False):
            with contextlib.suppress(psutil.Error):
                pids = (process.pid, process.name == "postgres" and _postmaster())
                roots = [psutil.Process(pid) for pid in pids if pid]
                descendants = [below for root in roots for below in root.children(recursive=True)]
                by_name[process.name] = [*roots, *descendants]
    return by_name


def _await_end(has_ended: Callable[[], bool], running: dict[str, list[psutil.Process]], report: Any) -> None:
    """Wait for the supervisor's end; report what is slow to stop. Raise `PrakerjaError` if a process does not stop."""
    began, report_after = time.monotonic(), SLOW_SECONDS
    while not has_ended():
        waited = time.monotonic() - began
        if waited > SUPERVISOR_SECONDS + subreaper.GRACE_SECONDS + SLOW_SECONDS:
            raise PrakerjaError(f"not stopped after {waited:.0f} s: {_name_living(running)}; see {logs()}")
        if waited > report_after:
            report(f"still running after {waited:.0f} s: {_name_living(running)}")
            report_after = 4 * waited
        time.sleep(0.1)


def _name_living(running: dict[str, list[psutil.Process]]) -> str:
    """Name those that are still alive, each with the id of the process itself rather than of its subreaper."""
    names = []
    for name, family in running.items():
        alive = [process.pid for process in family if _is_alive(process)]
        if alive:
            has_subreaper = name != "postgres" and alive[0] == family[0].pid and len(alive) > 1
            names.append(f"{name} (process {alive[1 if has_subreaper else 0]})")
    return ", ".join(names) or "the supervisor"


def _kill(supervisor: subprocess.Popen[bytes]) -> None:
    """Kill a supervisor that has not stopped, and all its descendants: nothing else would stop them."""
    if supervisor.poll() is None:
        below = psutil.Process(supervisor.pid).children(recursive=True)
        for process in below:
            with contextlib.suppress(psutil.Error):
                process.kill()
        supervisor.kill()
        supervisor.wait()
        psutil.wait_procs(below, timeout=SLOW_SECONDS)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def restart(name: str) -> None:
    """Stop a process, and start it again. Raise `NotReadyError` if no supervisor is running."""
    with contextlib.suppress(NotReadyError):  # the process may not be running: supervisord gives up after ten starts
        _call("stopProcess", f"prakerja:{name}")
    _call("startProcess", f"prakerja:{name}")


def is_running() -> bool:
    """Whether a supervisor of this home is running."""
    try:
        _call("getPID")
    except NotReadyError:
        return False
    return True


def logs() -> Path:
    """Return the folder of the processes' logs."""
    return Settings.from_environment().home / "logs" / "machine"


def _write_configuration(commands: dict[str, list[str]]) -> Path:
    home = Settings.from_environment().make_home()
    logs().mkdir(mode=0o700, parents=True, exist_ok=True)
    configuration = configparser.RawConfigParser()
    configuration["unix_http_server"] = {"file": str(_socket()), "chmod": "0700"}
    configuration["supervisord"] = {
        "logfile": str(logs() / "supervisord.log"),
        "pidfile": str(home / "supervisord.pid"),
        "childlogdir": str(logs()),
        "umask": "077",
        "identifier": "prakerja",
    }
    if os.geteuid() == 0:
        configuration["supervisord"]["user"] = "root"  # without it, supervisord warns that it runs as root
    configuration["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    for name, command in commands.items():
        arguments = command if name == "postgres" else _with_subreaper(command, PROCESS_SECONDS)
        configuration[f"program:{name}"] = {
            "command": " ".join(part.replace("%", "%%") for part in arguments),
            "directory": str(PROJECT),
            "environment": _quoted(environment.database_environment(name)),
            "autorestart": "true",
            "startsecs": "10",  # longer than a failing start of Airflow takes
            "startretries": "10",
            "stopwaitsecs": str(SUBREAPER_SECONDS),
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": str(logs() / f"{name}.log"),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": "5",
        }
    group = [name for name in commands if name != "postgres"]
    configuration["group:prakerja"] = {"programs": ",".join(group), "priority": "2"}  # stopped all at once
    if "postgres" in commands:
        configuration["program:postgres"]["priority"] = "1"  # started first, stopped last
    path = home / "supervisord.conf"
    text = io.StringIO()
    configuration.write(text)
    # It contains passwords, so that no command line does and each process gets only its own.
    with atomic_files.open_replacement(path, mode=0o600) as file:
        file.write(text.getvalue().encode())
    return path


def _quoted(urls: dict[str, str]) -> str:
    """Return variables in supervisord's syntax: in quotes, which a URL can encode, and with percent signs doubled."""
    quoted = {name: url.replace('"', "%22").replace("%", "%%") for name, url in urls.items()}
    return ",".join(f'{name}="{url}"' for name, url in quoted.items())


def _with_subreaper(command: list[str], seconds: int) -> list[str]:
    return [sys.executable, subreaper.__file__, str(seconds), *command]


def _socket() -> Path:
    # Not in the home: the path of a socket may have at most 107 characters.
    home = hashlib.sha256(str(Settings.from_environment().home).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"prakerja-{os.geteuid()}-{home}.sock"


def _call(method: str, *arguments: Any) -> Any:
    from supervisor.xmlrpc import SupervisorTransport

    proxy = xmlrpc.client.ServerProxy(f"http://{HOST}", SupervisorTransport(serverurl=f"unix://{_socket()}"))
    try:
        return getattr(proxy.supervisor, method)(*arguments)
    except (OSError, HTTPException, xmlrpc.client.ProtocolError, xmlrpc.client.Fault):  # Fault: it is stopping
        raise NotReadyError(f"nothing runs in {Settings.from_environment().home}: `make up` starts it") from None


def _memory(pid: int, *, is_server: bool) -> int:
    """Return the proportional set size of a process and its descendants in bytes."""
    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(_postmaster() or pid if is_server else pid)
        for each in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += each.memory_full_info().pss
    return total


def _postmaster() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((Settings.from_environment().home / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    return None
