"""Readers for the kit's runner without a process for each of their commands, since most time goes into starts."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import importlib.util
import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
import typer.main

from prakerja import cli
from tests.support.conformance.writing import KIT as KIT_FOLDER

#: Building the command line takes ten times as long as a sync: it is built once.
BUILD_COMMAND = functools.cache(typer.main.get_command)


def load_script(path: Path) -> ModuleType:
    """Return a script of the kit as a module."""
    spec = importlib.util.spec_from_file_location(f"conformance_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


RUN, COMMAND_LINE, DOCUMENTED = map(
    load_script, (KIT_FOLDER / "run.py", *sorted((KIT_FOLDER / "readers").glob("*.py"), reverse=True))
)
#: The cases that the documented readers do not pass.
NOT_DOCUMENTED = RUN.read_expected_failures(KIT_FOLDER / "readers" / "documented.txt", list(RUN.Kit.load().cases))


class CommandLineReader(RUN.Reader):  # type: ignore[misc]
    """`prakerja blacklist`, in this process."""

    def __init__(self) -> None:
        super().__init__(["prakerja"])

    def run(self, arguments: list[str], given: str = "") -> Any:
        said: list[str] = []

        def call(command: list[str], environment: dict[str, str], given: str) -> tuple[int, str]:
            code, out, err = run_in_this_process(command, environment, given)
            said.append(err)
            return code, out

        code, printed = COMMAND_LINE.answer([*arguments, "--", *self.command], given, call)
        return RUN.Result(code, printed, "".join(said))


class DocumentedReader(RUN.Reader):  # type: ignore[misc]
    """A reader of the documentation. `call` calls it with arguments, and returns its exit code and what it has said."""

    def __init__(self, call: Callable[[list[str]], tuple[int, str]]) -> None:
        super().__init__([])
        self.call = call

    def run(self, arguments: list[str], given: str = "") -> Any:
        said: list[str] = []

        def call(command: list[str]) -> int:
            code, line = self.call(command)
            said.append(line)
            return code

        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = DOCUMENTED.answer(arguments, [], given, call)
        return RUN.Result(code, out.getvalue(), "\n".join(said))


def run_in_this_process(command: list[str], environment: dict[str, str], given: str) -> tuple[int, str, str]:
    """Run a command of `prakerja`. Return its exit code, standard output and standard error."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        mock.patch.dict("os.environ", environment, clear=True),
        mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(given.encode()), "utf-8")),
        mock.patch("sys.argv", command),
        mock.patch.object(logging.root, "handlers", []),
        mock.patch("typer.main.get_command", BUILD_COMMAND),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        contextvars.copy_context().run(cli.main)
    printed, said = (each.buffer.getvalue().decode() for each in (out, err))  # type: ignore[attr-defined]
    return int(ended.value.code or 0), printed, said


def call_python(source: str) -> Callable[[list[str]], tuple[int, str]]:
    """Return a function that calls a reader in Python, in this process."""
    code = compile(source, "reader.py", "exec")

    def call(arguments: list[str]) -> tuple[int, str]:
        with mock.patch("sys.argv", ["reader.py", *arguments]), contextlib.redirect_stdout(io.StringIO()) as out:
            try:
                exec(code, {"__name__": "__main__"})  # noqa: S102 - the documentation's own
            except SystemExit as refusal:
                return 1, str(refusal.code)
        return 0, out.getvalue()

    return call


def call_javascript(process: subprocess.Popen[str]) -> Callable[[list[str]], tuple[int, str]]:
    """Return a function that calls a reader in JavaScript, by a process of `driver.mjs`."""

    def call(arguments: list[str]) -> tuple[int, str]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(arguments) + "\n")
        process.stdin.flush()
        code, said = json.loads(process.stdout.readline())
        return code, said

    return call
