"""The command line of readers and witnesses: `prakerja-blacklist`.

Only the module of the command that is called is imported.
"""

from __future__ import annotations

import importlib
import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.terminal import say

COMMANDS = ("witness", "witness-key")


def main() -> None:
    """Run the command line. An error is one line on standard error, never a traceback."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code. Wrong usage ends the process with 2."""
    parser = ArgumentParser(prog="prakerja-blacklist", allow_abbrev=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in arguments[:1] if {*arguments[:1]} & {*COMMANDS} else COMMANDS:
        command = importlib.import_module(f"prakerja_blacklist.commands.{name.replace('-', '_')}")
        added = commands.add_parser(name, help=command.HELP, description=command.HELP, allow_abbrev=False)
        command.add_arguments(added)
        added.set_defaults(run=command.run)
    asked = parser.parse_args(arguments)
    try:
        return int(asked.run(asked))
    except PrakerjaError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 1


if __name__ == "__main__":
    main()
