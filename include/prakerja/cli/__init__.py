"""The command line: `prakerja`. Results go to standard output, progress and messages to standard error.

Exit codes: 0 success; 1 the answer is no, or something was refused, rejected or left undecided; 2 wrong usage.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from prakerja import __version__
from prakerja.acting import WarehouseLine, acting, warehouse_line
from prakerja.cli import (
    appeals,
    approvals,
    audit,
    blacklist,
    correct,
    db,
    feeds,
    holds,
    machine,
    people,
    recheck,
    reminders,
    report,
    service,
    settings,
    show,
    simulate,
)
from prakerja.cli.common import printable_streams, say
from prakerja.errors import PrakerjaError
from prakerja.escaping import OneLineFormatter
from prakerja.settings import Settings

app = typer.Typer(
    name="prakerja",
    help="Take in the purchases of Kartu Prakerja, send reminders, revoke, and publish the blacklist.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"prakerja {__version__}")
        raise typer.Exit


@app.callback()
def _prepare(
    context: typer.Context,
    programme: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", exists=True, file_okay=False,
            help="The folder of another programme's rules (PRAKERJA_PROGRAMME).",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback prints it
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:  # fmt: skip
    if programme is not None:  # processes that the command starts must read the same rules
        os.environ[Settings.programme.name] = str(programme.absolute())
    if not Settings.from_environment().is_self_contained:
        # Several users of one group share the volumes, and a command by `docker compose exec` has no entrypoint.
        os.umask(0o007)
    from prakerja.people import os_login

    user = os_login() if Settings.from_environment().people else f"{os_login()}, without a list of people"
    acting.set(f"{user}: prakerja {context.invoked_subcommand}")


for command in (
    simulate.simulate,
    simulate.replay,
    simulate.sandbox,
    machine.up,
    machine.down,
    machine.status,
    machine.logs,
    machine.backup,
    machine.restore,
    reminders.receipts,
    service.serve,
    show.cohorts,
    show.explain,
    report.report,
    approvals.approve,
    approvals.override,
    recheck.recheck,
    settings.settings,
    people.withdraw,
    correct.correct,
):
    app.command()(command)
for name, group in (
    ("db", db.app),
    ("feeds", feeds.app),
    ("holds", holds.app),
    ("freeze", approvals.freeze),
    ("suspend", people.suspend),
    ("appeal", appeals.app),
    ("reminders", reminders.app),
    ("audit", audit.app),
    ("blacklist", blacklist.app),
    ("keys", service.keys),
):
    app.add_typer(group, name=name)


def _show_whole_summaries(of: typer.Typer) -> None:
    """Give each command its docstring's first line as its summary: Click cuts what it derives itself off."""
    for command in of.registered_commands:
        command.short_help = inspect.getdoc(command.callback or command).partition("\n")[0]  # type: ignore[union-attr]
    for group in of.registered_groups:
        if group.typer_instance:
            group.short_help = group.typer_instance.info.help
            _show_whole_summaries(group.typer_instance)


_show_whole_summaries(app)


def main() -> None:
    """Run the command line. An error is one line on standard error, never a traceback."""
    with printable_streams():
        _run()


def _run() -> None:
    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(OneLineFormatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[to_stderr])
    warehouse_line.set(WarehouseLine(say))  # said when a command opens or changes the warehouse
    try:
        app(standalone_mode=True)
    except PrakerjaError as error:
        for line in str(error).split("\n"):
            say(line)
        sys.exit(1)
    except BrokenPipeError:
        getattr(sys.stderr, "unescaped", sys.stderr).close()  # the reader of the output has closed it
        sys.exit(1)
    except Exception as error:  # a defect: its place is recorded, without its text
        path = _record_defect(error)
        say(f"internal error ({type(error).__name__}): this is a defect; {path} has the place where it happened")
        sys.exit(1)


def _record_defect(error: Exception) -> Path:
    """Append the place of an unexpected error to the log of defects, and return the log's path.

    Only files and lines are recorded: the error's text may quote personal data.
    """
    path = Settings.from_environment().make_home() / "logs" / "defects.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}\n")
    return path
