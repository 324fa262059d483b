"""What the commands share: how they speak, and the arguments that several of them take."""

from __future__ import annotations

import codecs
import contextlib
import io
import sys
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prakerja.errors import PrakerjaError
from prakerja.escaping import one_line, printable

if TYPE_CHECKING:
    from prakerja.people import Right


def read_card(given: str) -> str:
    """Return the card that is given, or for `-` the one on standard input, since others see a process's arguments.

    A terminal asks for it and does not show it. Elsewhere it is the first line; what follows is left to the command.
    """
    if given != "-":
        return given
    if sys.stdin.isatty():
        return str(typer.prompt("card number or NIK", hide_input=True, err=True)).strip()
    line = sys.stdin.readline().strip()
    if not line:
        raise typer.BadParameter("standard input is empty: its first line is the card number, or the NIK")
    return line


AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
Card = Annotated[
    str,
    typer.Argument(
        metavar="CARD|-",
        callback=read_card,
        help="A card number, or a NIK, which is not echoed; - reads it from standard input: others see arguments.",
    ),
]
Because = Annotated[str, typer.Option(help="Why: it is kept, and told to whoever asks. No numbers of people in it.")]
Name = Annotated[str, typer.Option("--as", metavar="ID", help="Who answers for it: a person's id.")]
On = Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="From which day (WIB); default today.")]


class PrintableStream(io.TextIOWrapper):
    """Standard output or error, on which nothing but a line break is for the terminal to obey.

    Names of folders, reasons and errors come from outside, and any command may print one. What styles its own output
    writes to `unescaped`, as `console` does, and escapes the texts.
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
    """Let standard output and error write text alone."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (PrintableStream(stream) for stream in before)
    try:
        yield
    finally:
        with contextlib.suppress(BrokenPipeError, ValueError):
            sys.stdout.flush()
        sys.stdout, sys.stderr = before


class ListByDefault(typer.core.TyperGroup):
    """A group whose command `list` is meant where none is named: `prakerja holds 12`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_named = bool(args) and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if is_named else ["list", *args])


def today() -> date:
    """Return the WIB day."""
    from prakerja.settings import wib_today

    return wib_today()


def answered(because: str, name: str, right: Right) -> tuple[str, str]:
    """Return the reason for something that is kept for good, and the id of the person who answers for it.

    Raises `PrakerjaError` where one names a number of somebody, or the person is not who they say or may not do this.
    """
    from prakerja.feeds.overview import NUMBER_OF_SOMEBODY

    if not because.strip() or not name.strip():
        raise typer.BadParameter("say why, and who you are: --because and --as")
    for text in (because, name):
        if NUMBER_OF_SOMEBODY.search(text):
            raise PrakerjaError("--because and --as are read by many: leave cards, NIKs and phone numbers out")
    return because.strip(), identify(name, right)


def identify(name: str, right: Right) -> str:
    """Return the id of the person whom `--as` names and who has this right. Raises `PrakerjaError`."""
    from prakerja.people import load_people

    return load_people().find_by_os_login(name, right).id


def console(*, stderr: bool = False, width: int | None = None) -> Any:
    """Return Rich's console over standard output or error. A text is text: no markup, no emoji, one line.

    What is to be styled is a `rich.text.Text` of our own words.
    """
    from rich.console import Console

    class PlainConsole(Console):
        def render_str(self, text: str, **given: Any) -> Any:
            return super().render_str(one_line(text), **given | {"markup": False, "emoji": False})

    stream = sys.stderr if stderr else sys.stdout
    return PlainConsole(file=getattr(stream, "unescaped", stream), width=width, markup=False, emoji=False)


def print_table(table: Any) -> None:
    """A table on standard output, as wide as its reader's page."""
    # A pipe has no width: a table that is read by another program is not folded to eighty columns.
    sys.stdout.flush()
    console(width=None if sys.stdout.isatty() else 200).print(table)


def lines_of_stdin() -> Iterable[str]:
    """What stands on standard input, a line each, without the empty ones."""
    return [line.strip() for line in sys.stdin if line.strip()]


def numbers(text: str) -> list[int]:
    """The cohorts of `12,13`."""
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of cohorts: give 12,13", param_hint="--cohorts") from None


def say(line: str) -> None:
    """A message of one line, on standard error."""
    typer.echo(one_line(line), err=True)


def say_progress(line: str) -> None:
    """A message for somebody who watches."""
    if sys.stderr.isatty():
        say(line)
