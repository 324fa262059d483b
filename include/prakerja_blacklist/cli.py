"""The command line of readers and witnesses: `prakerja-blacklist`.

Results go to standard output, messages to standard error. Exit codes: 0 success; 1 the
answer is no, or something was refused; 2 wrong usage.

Only the module of the command that is called is imported: a start is a good part of the time that an answer takes.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from prakerja_blacklist import __version__
from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.terminal import one_line, say

COMMANDS = ("sync", "check", "status", "witness", "witness-key", "sign")
#: A card number or a NIK that was given as an argument. Errors are kept in logs.
NUMBER_OF_SOMEBODY = re.compile(r"\d{13,}")


def main() -> None:
    """Run the command line. An error is one line on standard error, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # a platform's name may be any text
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code. Wrong usage ends the process with 2."""
    try:
        asked = _build_parser(arguments).parse_args(arguments)
        code = int(asked.run(asked))
        sys.stdout.flush()
    except PrakerjaError as error:
        for line in str(error).split("\n"):
            say(line)
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of the output has closed it
        return 1
    except Exception as error:  # its text may quote a NIK, its place does not
        say(f"internal error ({type(error).__name__} at {_place_of(error)}): this is a defect; report this line")
        return 1
    return code


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        say(f"{self.prog}: {NUMBER_OF_SOMEBODY.sub('...', one_line(message))}")
        sys.exit(2)


def _build_parser(arguments: Sequence[str]) -> ArgumentParser:
    parser = _Parser(
        prog="prakerja-blacklist",
        description="Sync the published blacklist, check NIKs against it, or follow it as a witness.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"prakerja-blacklist {__version__}")
    commands = parser.add_subparsers(prog=parser.prog, metavar="COMMAND", required=True)
    for name in arguments[:1] if {*arguments[:1]} & {*COMMANDS} else COMMANDS:
        command = importlib.import_module(f"prakerja_blacklist.commands.{name.replace('-', '_')}")
        added = commands.add_parser(name, help=command.HELP, description=command.HELP, allow_abbrev=False)
        command.add_arguments(added)
        added.set_defaults(run=command.run)
    return parser


def _place_of(error: Exception) -> str:
    """Return the file and the line where an unexpected error happened."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "an unknown place"
