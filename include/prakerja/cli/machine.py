"""`prakerja up`, `down`, `status`, `logs`: the whole system on one machine."""

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
from typing import Annotated, Any

import typer

from prakerja.cli.common import AsJson, console, print_table, say
from prakerja.errors import NotReadyError, PrakerjaError

HEALTHY_SECONDS = 300.0
COLOUR = re.compile(r"\x1b\[[\d;]*m")
LOOKS_EVERY = 5  # seconds between two looks at whether everything is well


def up() -> None:
    """Start the whole system on this machine, and stay with it. Ctrl-C stops it."""
    from prakerja import airflow_home, schema
    from prakerja.machine import environment, health, supervision
    from prakerja.settings import Settings

    started = time.monotonic()
    ports = environment.Ports.configured()
    if supervision.is_running():
        raise PrakerjaError("it runs already: `make status` tells how it is, `make down` stops it")
    ports.require_free()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the first is ignored where it was begun by `&`
        signal.signal(number, _interrupt)
    try:
        with console(stderr=True).status("making the warehouse") as shown:
            has_own_server = Settings.from_environment().database_url is None
            schema.upgrade()
            environment.configure(ports)
            shown.update("making Airflow's metadata")
            with _written_to(supervision.logs() / "migration.log"):
                airflow_home.upgrade_metadata()
        with supervision.supervised(ports, has_own_server=has_own_server, tell=say) as supervisor:
            _await_health(ports, supervisor, started)
            print_table(_table(ports, supervision.processes(), health.asked(ports)))
            _say_where(ports)
            _watch(ports, supervisor)
    except KeyboardInterrupt:
        say("everything is stopped")


def down() -> None:
    """Stop the system that runs in this home."""
    from prakerja.machine import supervision

    supervision.stop(say)
    say("everything is stopped")


def status(as_json: AsJson = False) -> None:
    """How each process of the system is; the exit code is 1 where one is not well."""
    import json

    from prakerja.machine import environment, health, supervision
    from prakerja.people import unlisted

    ports = environment.Ports.configured()
    processes, is_well = supervision.processes(), health.asked(ports)
    if as_json:
        found = [
            {"process": each.name, "state": each.state, "pid": each.pid, "is_well": bool(is_well.get(each.name)),
             "since": each.since and each.since.isoformat(), "memory_bytes": each.memory}
            for each in processes
        ]  # fmt: skip
        typer.echo(json.dumps(found, indent=2))
    else:
        print_table(_table(ports, processes, is_well))
        if told := unlisted():
            say(told)
    if not all(is_well.get(each.name, False) for each in processes):
        raise typer.Exit(1)


def logs(
    names: Annotated[list[str] | None, typer.Argument(metavar="[PROCESS]...", help="Only of these processes.")] = None,
    follow: Annotated[bool, typer.Option(help="Go on with what comes.")] = True,
    lines: Annotated[int, typer.Option(min=0, help="How many lines of what was.")] = 20,
) -> None:
    """The processes' logs, as they are written. Ctrl-C ends it."""
    from prakerja.machine import supervision

    files = {path.stem: path for path in sorted(supervision.logs().glob("*.log"))}
    if not files:
        raise NotReadyError(f"there are no logs in {supervision.logs()}: `make up` writes them")
    for name in names or []:
        if name not in files:
            raise PrakerjaError(f"there is no log of {name}: there are {', '.join(files)}")
    chosen = [str(files[name]) for name in names or files]
    command = ["tail", f"--lines={lines}", *(["-F"] if follow else []), *chosen]
    # What processes log has names from outside: it is written as any other output is, and without colours.
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace") as tail:  # noqa: S603
        try:
            for line in tail.stdout or ():
                typer.echo(COLOUR.sub("", line), nl=False)
        except KeyboardInterrupt:
            pass
        finally:
            tail.terminate()


@contextlib.contextmanager
def _written_to(path: Path) -> Iterator[None]:
    """Let what Airflow says of its migration go into a log."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        yield


def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for it.")],
    with_keys: Annotated[bool, typer.Option(help="Take the home's keys along: then keep it as you keep keys.")] = False,
) -> None:
    """Back up the warehouse, and Airflow's metadata where they are embedded, while everything goes on."""
    from prakerja import schema
    from prakerja.machine import backup as backups

    schema.require_schema()
    made = backups.back_up(folder, with_keys=with_keys)
    typer.echo(f"{folder}: {len(made.files):,} files, {made.size:,} bytes, of {made.at}, revision {made.revision}")
    if not with_keys:
        say("without the keys: keep those apart (--with-keys takes them along)")


def restore(folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `prakerja backup` has written.")]) -> None:
    """Restore a backup into an empty home, then verify the audit log and the published list against it."""
    from prakerja.blacklist.publisher import audit
    from prakerja.machine import backup as backups

    made = backups.restore(folder)
    typer.echo(f"restored the state of {made.at}")
    found = audit.verify()
    for problem in found.problems:
        say(problem)
    typer.echo(
        f"{found.entries:,} entries of the audit log and {found.rows:,} facts verified, {found.anchors:,} anchors and "
        f"{found.lists:,} published lists held against them"
    )
    if found.problems:
        raise typer.Exit(1)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def _await_health(ports: Any, supervisor: Any, started: float) -> None:
    from prakerja.machine import health

    with console(stderr=True).status("starting the processes") as shown:
        while not all((is_well := health.asked(ports)).values()):
            _require_supervisor(supervisor)
            if time.monotonic() > started + HEALTHY_SECONDS:
                ill = ", ".join(name for name, well in is_well.items() if not well)
                raise PrakerjaError(f"not healthy after {HEALTHY_SECONDS:.0f} s: {ill}; see `make logs`")
            waited = ", ".join(name for name, well in is_well.items() if not well)
            shown.update(f"waiting for {waited}")
            time.sleep(0.5)
    say(f"healthy after {time.monotonic() - started:.0f} s")


def _watch(ports: Any, supervisor: Any) -> None:
    """Stay until the supervisor ends; say what dies and is started again, and start again what hangs."""
    from prakerja.machine import environment, health, supervision

    before: dict[str, supervision.Process] = {}
    hanging = health.Hanging(environment.hanging_seconds())
    for look in itertools.count():
        _require_supervisor(supervisor)
        try:
            now = {each.name: each for each in supervision.processes(with_memory=False)}
        except NotReadyError:  # it is about to end
            now = before
        for name, process in now.items():
            known = before.get(name, process)
            if (process.pid, process.state) != (known.pid, known.state):
                say(f"{datetime.now(UTC):%H:%M:%S}Z {name}: {process.state.lower()} {process.told}".rstrip())
        before = now
        if look % LOOKS_EVERY == 0:
            for name in hanging.among(health.asked(ports), time.monotonic()):
                say(f"{datetime.now(UTC):%H:%M:%S}Z {name}: it hangs, and is started again")
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
    for each in processes:
        total += each.memory
        table.add_row(
            each.name, each.state.lower(), "yes" if is_well.get(each.name, False) else "no",
            f"{each.since:%H:%M:%S}" if each.since else "", f"{each.memory >> 20:,} MB", addresses.get(each.name, ""),
        )  # fmt: skip
    table.add_row("together", "", "", "", f"{total >> 20:,} MB", "")
    return table


def _say_where(ports: Any) -> None:
    from prakerja.machine import environment

    url = f"http://{environment.HOST}:{ports.airflow}"
    typer.echo(f"Airflow: {url}")
    for user, password in environment.logins().items():
        typer.echo(f"  {user:<9} {password}")
    say("Ctrl-C stops everything; `make status` and `make logs` look at it from elsewhere")
