"""`prakerja up`, `down`, `status`, `logs`, `backup`, `restore`: the whole system on one machine."""

from __future__ import annotations

import contextlib
import itertools
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prakerja.cli.common import AsJson, console, print_table, say
from prakerja.errors import NotReadyError, PrakerjaError

if TYPE_CHECKING:
    from prakerja.warehouse import DatabaseRole

HEALTHY_SECONDS = 300.0
#: What the processes do in the warehouse.
DUTIES: tuple[DatabaseRole, ...] = (
    "ingest", "decide", "recheck", "remind", "receive", "publish", "serve", "show", "read",
)  # fmt: skip
COLOUR = re.compile(r"\x1b\[[\d;]*m")
CHECK_SECONDS = 5  # between two health checks


def up() -> None:
    """Start the whole system on this machine, and supervise it until Ctrl-C stops it."""
    from prakerja import airflow_home, schema, warehouse
    from prakerja.machine import environment, health, supervision
    from prakerja.settings import Settings

    started = time.monotonic()
    ports = environment.Ports.from_environment()
    if supervision.is_running():
        raise PrakerjaError("the system is already running: `make status` shows it, `make down` stops it")
    ports.require_free()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell's `&` has it ignore SIGINT
        signal.signal(number, _interrupt)
    try:
        with console(stderr=True).status("preparing the warehouse") as spinner:
            has_own_server = Settings.from_environment().database_url is None or airflow_home.has_embedded_metadata()
            schema.upgrade_or_require()
            warehouse.require_duties(*DUTIES)
            environment.configure(ports)
            spinner.update("preparing Airflow's metadata")
            with _redirect_output(supervision.logs() / "migration.log"):
                airflow_home.upgrade_metadata()
        with supervision.supervised(ports, has_own_server=has_own_server, report=say) as supervisor:
            _await_health(ports, supervisor, started)
            print_table(_table(ports, supervision.processes(), health.check(ports)))
            _print_logins(ports)
            _watch(ports, supervisor)
    except KeyboardInterrupt:
        say("everything is stopped")


def down() -> None:
    """Stop the system that runs in this home."""
    from prakerja.machine import supervision

    supervision.stop(say)
    say("everything is stopped")


def status(as_json: AsJson = False) -> None:
    """Show the state of each process. Exit with 1 if one is not well."""
    import json

    from prakerja.machine import environment, health, supervision
    from prakerja.people import unlisted

    ports = environment.Ports.from_environment()
    processes, is_well = supervision.processes(), health.check(ports)
    if as_json:
        rows = [
            {"process": process.name, "state": process.state, "pid": process.pid,
             "is_well": bool(is_well.get(process.name)), "since": process.since and process.since.isoformat(),
             "memory_bytes": process.memory}
            for process in processes
        ]  # fmt: skip
        typer.echo(json.dumps(rows, indent=2))
    else:
        print_table(_table(ports, processes, is_well))
        warning = unlisted()
        if warning:
            say(warning)
    if not all(is_well.get(process.name, False) for process in processes):
        raise typer.Exit(1)


def logs(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[PROCESS]...", help="The processes to show; default all.")
    ] = None,
    follow: Annotated[bool, typer.Option(help="Print new lines as they are written, until Ctrl-C.")] = True,
    lines: Annotated[int, typer.Option(min=0, help="The number of earlier lines of each process.")] = 20,
) -> None:
    """Print the processes' logs, and follow them."""
    from prakerja.machine import supervision

    files = {path.stem: path for path in sorted(supervision.logs().glob("*.log"))}
    if not files:
        raise NotReadyError(f"{supervision.logs()} has no logs: `make up` writes them")
    for name in names or []:
        if name not in files:
            raise PrakerjaError(f"process {name!r} has no log: give one of {', '.join(files)}")
    chosen = [str(files[name]) for name in names or files]
    command = ["tail", f"--lines={lines}", *(["-F"] if follow else []), *chosen]
    # Logs contain names from outside: they are escaped like any other output, and lose their colours.
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace") as tail:  # noqa: S603
        try:
            for line in tail.stdout or ():
                typer.echo(COLOUR.sub("", line), nl=False)
        except KeyboardInterrupt:
            pass
        finally:
            tail.terminate()


@contextlib.contextmanager
def _redirect_output(path: Path) -> Iterator[None]:
    """Append this process's output to a log: Airflow prints each step of its migration."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        yield


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new folder to write.")],
    with_keys: Annotated[
        bool, typer.Option(help="Include the home's keys. Keep such a backup as you keep keys.")
    ] = False,
) -> None:
    """Back up the warehouse, and Airflow's metadata if it is embedded, while the system runs."""
    from prakerja import schema
    from prakerja.machine import backup as backups

    schema.require_schema()
    written = backups.back_up(folder, with_keys=with_keys)
    typer.echo(
        f"{folder}: {len(written.files):,} files, {written.size:,} bytes, of {written.at}, revision {written.revision}"
    )
    if not with_keys:
        say("the backup has no keys: keep those apart (--with-keys includes them)")


def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `prakerja backup` has written.")],
) -> None:
    """Restore a backup into an empty home, and verify the audit log and the published list against it."""
    from prakerja.blacklist.publisher import audit
    from prakerja.machine import backup as backups

    restored = backups.restore(folder)
    typer.echo(f"restored the state of {restored.at}")
    report = audit.verify()
    for problem in report.problems:
        say(problem)
    typer.echo(
        f"verified {report.entries:,} entries of the audit log and {report.rows:,} facts, and compared them with "
        f"{report.anchors:,} anchors and {report.lists:,} published lists"
    )
    if report.problems:
        raise typer.Exit(1)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _await_health(ports: Any, supervisor: Any, started: float) -> None:
    from prakerja.machine import health

    with console(stderr=True).status("starting the processes") as spinner:
        while unwell := ", ".join(name for name, well in health.check(ports).items() if not well):
            _require_supervisor(supervisor)
            if time.monotonic() > started + HEALTHY_SECONDS:
                raise PrakerjaError(f"not healthy after {HEALTHY_SECONDS:.0f} s: {unwell}; see `make logs`")
            spinner.update(f"waiting for {unwell}")
            time.sleep(0.5)
    say(f"healthy after {time.monotonic() - started:.0f} s")


def _watch(ports: Any, supervisor: Any) -> None:
    """Until the supervisor ends, report each process that changes its state, and restart each one that hangs."""
    from prakerja.machine import environment, health, supervision

    before: dict[str, supervision.Process] = {}
    detector = health.HangDetector(environment.hanging_seconds(), HEALTHY_SECONDS)
    for second in itertools.count():
        _require_supervisor(supervisor)
        try:
            now = {each.name: each for each in supervision.processes(with_memory=False)}
        except NotReadyError:  # the supervisor is about to end
            now = before
        for name, process in now.items():
            known = before.get(name, process)
            if (process.pid, process.state) != (known.pid, known.state):
                say(f"{datetime.now(UTC):%H:%M:%S}Z {name}: {process.state.lower()} {process.message}".rstrip())
        before = now
        if second % CHECK_SECONDS == 0:
            pids = {name: process.pid for name, process in now.items()}
            for name in detector.observe(health.check(ports), pids, time.monotonic()):
                say(f"{datetime.now(UTC):%H:%M:%S}Z {name}: hangs, restarting it")
                with contextlib.suppress(NotReadyError):
                    supervision.restart(name)
        time.sleep(1)


def _require_supervisor(supervisor: Any) -> None:
    code = supervisor.poll()
    if code == 0:
        raise KeyboardInterrupt  # somebody has called `make down`
    if code is not None:
        from prakerja.machine import supervision

        raise PrakerjaError(f"the supervisor has ended ({code}): see {supervision.logs() / 'supervisord.log'}")


def _table(ports: Any, processes: list[Any], is_well: dict[str, bool | None]) -> Any:
    from rich.table import Table

    from prakerja.machine import health

    addresses = health.addresses(ports)
    table = Table("process", "state", "well", "since (UTC)", "memory", "address")
    total = 0
    for process in processes:
        total += process.memory
        table.add_row(
            process.name, process.state.lower(), "yes" if is_well.get(process.name, False) else "no",
            f"{process.since:%H:%M:%S}" if process.since else "", f"{process.memory >> 20:,} MB",
            addresses.get(process.name, ""),
        )  # fmt: skip
    table.add_row("total", "", "", "", f"{total >> 20:,} MB", "")
    return table


def _print_logins(ports: Any) -> None:
    from prakerja.machine import environment

    url = f"http://{environment.HOST}:{ports.airflow}"
    typer.echo(f"Airflow: {url}")
    for user, password in environment.logins().items():
        typer.echo(f"  {user:<9} {password}")
    say("Ctrl-C stops everything; `make status` and `make logs` work from another terminal")
