#!/usr/bin/env python3
"""The kit's protocol for `prakerja blacklist sync`, `status` and `check`.

python run.py -- python readers/prakerja.py prakerja
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

#: Runs a command with an environment and standard input; returns its exit code and standard output.
Run = Callable[["list[str]", "dict[str, str]", str], "tuple[int, str]"]


def run_command(command: list[str], environment: dict[str, str], given: str) -> tuple[int, str]:
    done = subprocess.run(command, env=environment, input=given, stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout


def answer(arguments: list[str], niks: str, run: Run = run_command) -> tuple[int, str]:
    """Answer as the protocol asks. Return the exit code and what is printed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("subcommand", choices=["sync", "check"])
    for option in ("--source", "--folder", "--pin", "--now"):
        parser.add_argument(option)
    parser.add_argument("--subject-key", action="append", default=[])
    parser.add_argument("command", nargs="+")
    given = parser.parse_args(arguments)
    keys = [Path(each).read_text().strip() for each in given.subject_key]
    environment = {
        **os.environ,
        "PRAKERJA_HOME": f"{given.folder}-home",
        "PRAKERJA_SUBJECT_KEY": keys[0],
        "PRAKERJA_SUBJECT_KEY_PREVIOUS": ",".join(keys[1:]),
    }
    blacklist = [*given.command, "blacklist"]
    if given.subcommand == "sync":
        options = ["--from", given.source, "--pin", given.pin, "--at", given.now]
        return run([*blacklist, "sync", given.folder, *options], environment, "")
    code, listed = run([*blacklist, "check", "--in", given.folder], environment, niks)
    if code != 0:
        return code, ""
    # `status` and `check` go by the clock of the machine, for which the list has expired long ago.
    _, printed = run([*blacklist, "status", "--in", given.folder, "--json"], environment, "")
    state = json.loads(printed)
    return 0, json.dumps(
        {
            "version": state["version"],
            "is_expired": given.now >= state["expires_at"].replace("+00:00", "Z"),
            "listed": [line == "listed" for line in listed.splitlines()],
        }
    )


if __name__ == "__main__":
    split = next(place for place, each in enumerate(sys.argv) if each in ("sync", "check"))
    code, printed = answer(
        [*sys.argv[split:], "--", *sys.argv[1:split]], sys.stdin.read() if sys.argv[split] == "check" else ""
    )
    print(printed)
    sys.exit(code)
