"""The machine's processes under supervisord: what they are, starting them, and what becomes of them.

supervisord restarts what dies. Each process has a keeper between (see there), so that nothing is left behind.
"""

from __future__ import annotations

import configparser
import contextlib
import hashlib
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

from prakerja.errors import NotReadyError, PrakerjaError
from prakerja.machine import environment, subreaper
from prakerja.machine.environment import HOST, Ports
from prakerja.settings import PROJECT, Settings

BIN = Path(sys.executable).parent
#: A process has so long to stop before its keeper kills it; a keeper, before supervisord kills it; and supervisord,
#: which stops the database last, before its own keeper kills it.
PROCESS_SECONDS, KEEPER_SECONDS, SUPERVISOR_SECONDS = 20, 40, 80
SLOW_SECONDS = 5.0  # a stop that takes longer says what it waits for


def program(name: str) -> list[str]:
    """Return the command of a program of this environment: its script, or its module where no script was installed."""
    script = BIN / name
    return [str(script)] if script.exists() else [sys.executable, "-P", "-m", name]


def commands(ports: Ports, *, has_own_server: bool) -> dict[str, list[str]]:
    """The processes by name, each with its command."""
    prakerja, airflow, home = program("prakerja"), program("airflow"), Settings.from_environment().home
    found = {
        "api-server": [*airflow, "api-server"],
        "scheduler": [*airflow, "scheduler", "--skip-serve-logs"],  # the logs are on this machine
        "dag-processor": [*airflow, "dag-processor"],
        "triggerer": [*airflow, "triggerer", "--skip-serve-logs"],
        "sandbox": [*prakerja, "sandbox", "--port", str(ports.sandbox), "--smtp-port", str(ports.smtp)],
        "receipts": [*prakerja, "receipts", "--port", str(ports.receipts)],
        "blacklist": [*prakerja, "serve", "--port", str(ports.blacklist)],
    }
    for name in environment.workers():
        found[name] = [*airflow, "celery", "worker", "--celery-hostname", name, "--pid", str(home / f"{name}.pid"),
                       "--skip-serve-logs", "--without-mingle", "--without-gossip"]  # fmt: skip
    return {"postgres": [*prakerja, "db", "serve"], **found} if has_own_server else found


@dataclass(frozen=True)
class Process:
    """One process as the supervisor sees it."""

    name: str
    state: str
    pid: int
    since: datetime | None
    memory: int  # bytes of it and its children, each page once
    told: str


@contextlib.contextmanager
def supervised(ports: Ports, *, has_own_server: bool, tell: Callable[[str], None]) -> Iterator[subprocess.Popen[bytes]]:
    """supervisord with all processes, until left: then all of them are stopped.

    `tell` is given a line for a stop that is slow. Raises `PrakerjaError` where something does not stop.
    """
    path = _write_configuration(commands(ports, has_own_server=has_own_server), has_own_server=has_own_server)
    withheld = environment.withheld()
    # A keeper for the supervisor, too: when we are killed, it stops, and its processes with it.
    command = _kept([str(BIN / "supervisord"), "--nodaemon", "--configuration", str(path)], SUPERVISOR_SECONDS)
    supervisor = subprocess.Popen(  # noqa: S603 - our own
        command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name not in withheld},
        start_new_session=True,  # a terminal's Ctrl-C is ours to pass on
    )  # fmt: skip
    try:
        yield supervisor
    finally:
        running = _running()
        supervisor.send_signal(signal.SIGTERM)
        try:
            _await_end(lambda: supervisor.poll() is not None, running, tell)
        finally:
            _kill(supervisor)
            _socket().unlink(missing_ok=True)


def processes(*, with_memory: bool = True) -> list[Process]:
    """What the supervisor of this home runs. Raises `NotReadyError` where nothing runs."""
    return [
        Process(
            name=each["name"],
            state=each["statename"],
            pid=each["pid"],
            since=datetime.fromtimestamp(each["start"], UTC) if each["pid"] else None,
            memory=_memory(each["pid"], is_server=each["name"] == "postgres") if with_memory else 0,
            told=each["spawnerr"] or ("" if each["pid"] else each["description"]),
        )
        for each in _call("getAllProcessInfo")
    ]


def stop(tell: Callable[[str], None]) -> None:
    """Stop all that runs in this home, and wait for it. Raises `NotReadyError`, `PrakerjaError`.

    `tell` is given a line when the stop begins, and others where it is slow.
    """
    pid, running = _call("getPID"), _running()
    _call("shutdown")
    tell("stopping")
    _await_end(lambda: not psutil.pid_exists(pid), running, tell)


def _running() -> dict[str, list[psutil.Process]]:
    """Each process that the supervisor runs by name, with its keeper first and all that it has started."""
    found: dict[str, list[psutil.Process]] = {}
    with contextlib.suppress(NotReadyError):
        for each in processes(with_memory=False):
            with contextlib.suppress(psutil.Error):
                above = [psutil.Process(pid) for pid in (each.pid, each.name == "postgres" and _postmaster()) if pid]
                found[each.name] = [*above, *(below for one in above for below in one.children(recursive=True))]
    return found


def _await_end(has_ended: Callable[[], bool], running: dict[str, list[psutil.Process]], tell: Any) -> None:
    """Wait for the supervisor's end; say what is slow to stop. Raises `PrakerjaError` where something does not stop."""
    began, speak_after = time.monotonic(), SLOW_SECONDS
    while not has_ended():
        waited = time.monotonic() - began
        if waited > SUPERVISOR_SECONDS + subreaper.GRACE_SECONDS + SLOW_SECONDS:
            raise PrakerjaError(f"not stopped after {waited:.0f} s: {_still(running)}; see {logs()}")
        if waited > speak_after:
            tell(f"still running after {waited:.0f} s: {_still(running)}")
            speak_after = 4 * waited
        time.sleep(0.1)


def _still(running: dict[str, list[psutil.Process]]) -> str:
    """The names of those processes that run still, each with the process to look at: not its keeper."""
    found = []
    for name, all_of_it in running.items():
        alive = [each.pid for each in all_of_it if _is_alive(each)]
        if alive:
            is_kept = name != "postgres" and alive[0] == all_of_it[0].pid and len(alive) > 1
            found.append(f"{name} (process {alive[1 if is_kept else 0]})")
    return ", ".join(found) or "the supervisor"


def _kill(supervisor: subprocess.Popen[bytes]) -> None:
    """Kill a supervisor that has not stopped, and all below it: nobody would be left to stop these."""
    if supervisor.poll() is None:
        below = psutil.Process(supervisor.pid).children(recursive=True)
        for each in below:
            with contextlib.suppress(psutil.Error):
                each.kill()
        supervisor.kill()
        supervisor.wait()
        psutil.wait_procs(below, timeout=SLOW_SECONDS)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def restart(name: str) -> None:
    """Stop a process, and start it again. Raises `NotReadyError` where nothing runs."""
    with contextlib.suppress(NotReadyError):  # it may have given up, and not run at all
        _call("stopProcess", f"prakerja:{name}")
    _call("startProcess", f"prakerja:{name}")


def is_running() -> bool:
    """Whether a supervisor of this home runs."""
    try:
        _call("getPID")
    except NotReadyError:
        return False
    return True


def logs() -> Path:
    """The folder of the processes' logs."""
    return Settings.from_environment().home / "logs" / "machine"


def _write_configuration(of: dict[str, list[str]], *, has_own_server: bool) -> Path:
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
        configuration["supervisord"]["user"] = "root"  # as we are told: a container, or a machine of one's own
    configuration["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    for name, command in of.items():
        kept = command if name == "postgres" else _kept(command, PROCESS_SECONDS)
        configuration[f"program:{name}"] = {
            "command": " ".join(part.replace("%", "%%") for part in kept),
            "directory": str(PROJECT),
            "environment": _quoted(environment.database_environment(name, has_own_server=has_own_server)),
            "autorestart": "true",
            "startsecs": "10",  # longer than Airflow needs to fail at its start
            "startretries": "10",
            "stopwaitsecs": str(KEEPER_SECONDS),
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": str(logs() / f"{name}.log"),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": "5",
        }
    together = [name for name in of if name != "postgres"]
    configuration["group:prakerja"] = {"programs": ",".join(together), "priority": "2"}  # stopped at once
    if "postgres" in of:
        configuration["program:postgres"]["priority"] = "1"  # started first, stopped last
    path = home / "supervisord.conf"
    path.unlink(missing_ok=True)  # one of an earlier version may be read by others
    # It has passwords: no command line has one, and no process another's.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        configuration.write(file)
    return path


def _quoted(variables: dict[str, str]) -> str:
    """Return variables as supervisord reads them: in quotes, which none of them has, and each percent sign twice."""
    return ",".join(f'{name}="{value}"'.replace("%", "%%") for name, value in variables.items())


def _kept(command: list[str], seconds: int) -> list[str]:
    return [sys.executable, subreaper.__file__, str(seconds), *command]


def _socket() -> Path:
    # Not in the home: a socket's path has 107 characters at most.
    home = hashlib.sha256(str(Settings.from_environment().home).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"prakerja-{os.geteuid()}-{home}.sock"


def _call(method: str, *given: Any) -> Any:
    from supervisor.xmlrpc import SupervisorTransport

    proxy = xmlrpc.client.ServerProxy(f"http://{HOST}", SupervisorTransport(serverurl=f"unix://{_socket()}"))
    try:
        return getattr(proxy.supervisor, method)(*given)
    except (OSError, HTTPException, xmlrpc.client.ProtocolError, xmlrpc.client.Fault):  # the last: it is stopping
        raise NotReadyError(f"nothing runs in {Settings.from_environment().home}: `make up` starts it") from None


def _memory(pid: int, *, is_server: bool) -> int:
    """What a process and those below it hold, shared pages told by halves: proportionally."""
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
