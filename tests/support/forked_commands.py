"""Commands of `prakerja`, each in a process of its own, forked from one that has imported it already.

The imports take a second, the command itself a tenth.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PATIENCE = 600.0
IMPORTED = [
    "prakerja.cli",
    "prakerja.schema",
    "prakerja.monitor.report",
    "rich.table",
    "sqlalchemy.dialects.postgresql.psycopg",
]


def run(arguments: list[str], environment: dict[str, str], given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command with this environment and no other, and return what it said."""
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(IMPORTED)
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("in", "out", "err")]
        streams[0].write_text(given)
        process = forking.Process(target=_act, args=(arguments, environment, [str(path) for path in streams]))
        process.start()
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            raise AssertionError(f"not over in {PATIENCE:.0f} s: {arguments}")
        said, told = (path.read_text() if path.exists() else "" for path in streams[1:])
    return subprocess.CompletedProcess(arguments, process.exitcode, said, told)


def _act(arguments: list[str], environment: dict[str, str], streams: list[str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(streams):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(os.fdopen(number, mode, closefd=False), "utf-8", write_through=True)
        for number, mode in enumerate(("rb", "wb", "wb"))
    )
    sys.argv = ["prakerja", *arguments]
    from prakerja import cli

    cli.main()
