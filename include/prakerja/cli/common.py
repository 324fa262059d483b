"""What the commands share: output, and the arguments that several of them take."""

from __future__ import annotations

import codecs
import contextlib
import io
import sys
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prakerja.errors import PrakerjaError
from prakerja.escaping import one_line, printable

if TYPE_CHECKING:
    from prakerja.people import Right


def read_card(given: str) -> str:
    """Return the given card, or for `-` the card on standard input: other users can see a process's arguments.

    On a terminal it is prompted for and not echoed. Otherwise it is the first line; the rest is left to the command.
    """
    if given != "-":
        return given
    if sys.stdin.isatty():
        return str(typer.prompt("card number or NIK", hide_input=True, err=True)).strip()
    line = sys.stdin.readline().strip()
    if not line:
        raise typer.BadParameter("standard input is empty: its first line must be a card number or a NIK")
    return line


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Card = Annotated[
    str,
    typer.Argument(
        metavar="CARD|-",
        callback=read_card,
        help="A card number or a NIK; - reads it from standard input, where other users cannot see it.",
    ),
]
Because = Annotated[
    str, typer.Option(help="The reason. It is kept for good and shown to others: leave out cards, NIKs and phones.")
]
Name = Annotated[
    str, typer.Option("--as", metavar="ID", help="The person who is responsible: an id from the list of people.")
]
On = Annotated[
    datetime | None,
    typer.Option("--on", formats=["%Y-%m-%d"], help="The first day (WIB) of its effect; default today."),
]
SignWith = Annotated[
    Path | None,
    typer.Option(
        metavar="KEY", help="Sign the approval with this SSH key, or with the agent's key of this public key."
    ),
]


class PrintableStream(io.TextIOWrapper):
    """Standard output or error with control characters escaped, except line breaks.

    Names of folders, reasons and errors come from outside, and any command may print one. Output with styles is written
    to `unescaped`, with its texts escaped (`console`).
    """

    def __init__(self, stream: Any) -> None:
        encoding = "utf-8" if codecs.lookup(stream.encoding).name == "ascii" else stream.encoding  # as click does
        super().__init__(stream.buffer, encoding, "backslashreplace", line_buffering=True)
        self.unescaped = stream

    def write(self, text: str) -> int:
        return super().write(printable(text))

    def close(self) -> None:
        """Leave the stream beneath open: others may hold it."""
        self.flush()


@contextlib.contextmanager
def printable_streams() -> Iterator[None]:
    """Replace standard output and error by streams that escape control characters."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (PrintableStream(stream) for stream in before)
    try:
        yield
    finally:
        with contextlib.suppress(BrokenPipeError, ValueError):
            sys.stdout.flush()
        sys.stdout, sys.stderr = before


class ListByDefault(typer.core.TyperGroup):
    """A group whose default command is `list`: `prakerja holds 12`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_named = bool(args) and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if is_named else ["list", *args])


def today() -> date:
    """Return the WIB day."""
    from prakerja.settings import wib_today

    return wib_today()


def reason_and_person(because: str, name: str, right: Right) -> tuple[str, str]:
    """Return the reason without surrounding blanks, and the id of the responsible person.

    Raise `PrakerjaError` if one of them contains a person's number, if the person's login is another one, or if they do
    not have the right.
    """
    from prakerja.feeds.overview import NUMBER_OF_SOMEBODY

    if not because.strip() or not name.strip():
        raise typer.BadParameter("give a reason and a person: --because and --as")
    for text in (because, name):
        if NUMBER_OF_SOMEBODY.search(text):
            raise PrakerjaError("--because and --as are shown to others: leave out cards, NIKs and phone numbers")
    return because.strip(), identify(name, right)


def identify(name: str, right: Right) -> str:
    """Return the id of the person that `--as` names.

    Raise `PrakerjaError` if their login is not the one of this process, or if they do not have the right.
    """
    from prakerja.people import load_people

    return load_people().find_by_os_login(name, right).id


def identify_signer(name: str) -> str:
    """Return the id of a person who approves by a signature, which identifies them: their login does not count."""
    from prakerja.people import load_people

    return load_people().find(name, "approve").id


def console(*, stderr: bool = False, width: int | None = None) -> Any:
    """Return Rich's console over standard output or error, which prints a text as it is, in one line.

    It interprets neither markup nor emoji. A styled text is a `rich.text.Text` that contains nothing from outside.
    """
    from rich.console import Console

    class PlainConsole(Console):
        def render_str(self, text: str, **options: Any) -> Any:
            return super().render_str(one_line(text), **options | {"markup": False, "emoji": False})

    stream = sys.stderr if stderr else sys.stdout
    return PlainConsole(file=getattr(stream, "unescaped", stream), width=width, markup=False, emoji=False)


def print_table(table: Any) -> None:
    """Print a table to standard output, as wide as the terminal."""
    # A pipe has no width: without one, Rich would fold the table to eighty columns.
    sys.stdout.flush()
    console(width=None if sys.stdout.isatty() else 200).print(table)


def lines_of_stdin() -> Iterable[str]:
    """Return the lines of standard input that are not empty."""
    return [line.strip() for line in sys.stdin if line.strip()]


def numbers(text: str) -> list[int]:
    """Return the cohort numbers of a list such as `12,13`."""
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a list of cohorts: give numbers, e.g. 12,13", param_hint="--cohorts"
        ) from None


def say(line: str) -> None:
    """Print a message of one line to standard error."""
    typer.echo(one_line(line), err=True)


def say_progress(line: str) -> None:
    """Print a message to standard error if it is a terminal."""
    if sys.stderr.isatty():
        say(line)
