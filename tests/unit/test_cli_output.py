"""The output of the command line: text without control characters from outside, and help for everything."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.table import Table
from rich.text import Text

from prakerja import cli
from prakerja.cli import common
from prakerja.escaping import OneLineFormatter

NASTY = "\x1b[31m[red]x[/red]\x9b2J\u202e:smile:\x07"
SHOWN = r"\x1b[31m[red]x[/red]\x9b2J\u202e:smile:\x07"


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """Return what standard output and error write from here on, as to a terminal of many colours."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "utf-8", write_through=True))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(written, "utf-8", write_through=True))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    return written


def test_a_table_shows_names_as_they_are_and_styles_our_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    table = Table(NASTY, title=NASTY, caption=NASTY)
    table.add_row(NASTY)
    table.add_row(Text("rejected", style="red"))
    with common.printable_streams():
        common.print_table(table)
    written = terminal.getvalue().decode()
    plain = re.sub(r"\x1b\[[\d;]*m", "", written)
    assert plain.count(SHOWN) == 4
    assert "\x1b[31mrejected" in written
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", plain)


def test_every_printed_line_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    with common.printable_streams():
        typer.echo(f"{NASTY}\nnext")
        print(NASTY)  # noqa: T201 - whoever does
        common.say(f"{NASTY}\nrejected tokopedia")
        handler = logging.StreamHandler()
        handler.setFormatter(OneLineFormatter("%(message)s"))
        handler.emit(logging.makeLogRecord({"msg": "%s", "args": (f"{NASTY}\nrejected tokopedia",)}))
    without_colour = SHOWN.removeprefix(r"\x1b[31m")  # click takes colours out where there is no terminal
    lines = [without_colour, "next", SHOWN, rf"{SHOWN}\nrejected tokopedia", rf"{SHOWN}\nrejected tokopedia"]
    assert terminal.getvalue().decode().splitlines() == lines


def test_streams_are_given_back_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    before = sys.stdout, sys.stderr
    with pytest.raises(KeyboardInterrupt), common.printable_streams():
        raise KeyboardInterrupt
    assert (sys.stdout, sys.stderr) == before
    print("still open")  # noqa: T201 - that is the question
    assert terminal.getvalue() == b"still open\n"


def test_every_error_of_the_command_line_is_lines_of_text(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)

    def fails(**_: object) -> None:
        raise cli.PrakerjaError(f"{NASTY}\nsecond")

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit):
        cli.main()
    assert terminal.getvalue().decode().splitlines() == [SHOWN, "second"]


def test_every_command_uses_the_shared_console() -> None:
    folder = Path(common.__file__).parent
    users = [
        path.name for path in folder.glob("*.py") if re.search(r"rich\.console|rich import print", path.read_text())
    ]
    assert users == ["common.py"]


def commands(command: Any, name: str = "prakerja") -> Iterator[tuple[str, Any]]:
    """Yield each command and group below this one, with its full name."""
    yield name, command
    for child, below in getattr(command, "commands", {}).items():
        yield from commands(below, f"{name} {child}")


def test_every_command_argument_and_option_has_a_help_text() -> None:
    undocumented = [
        f"{name} {parameter.name}"
        for name, command in commands(typer.main.get_command(cli.app))
        for parameter in command.params
        if not parameter.help
    ]
    undocumented += [name for name, command in commands(typer.main.get_command(cli.app)) if not command.help]
    assert undocumented == []
