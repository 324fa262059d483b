"""`prakerja` run in this process: half a second and more goes into the start of a process for each command."""

from __future__ import annotations

import contextlib
import contextvars
import io
import logging
import os
import subprocess
from collections.abc import Mapping
from unittest import mock

import pytest

from prakerja import cli


def run_here(*arguments: str, environment: Mapping[str, str], given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command as a process of its own would, and return its exit code and what it said.

    What a command that replays or serves leaves behind in a process, others must not find: such a command is started.
    """
    stdin = io.TextIOWrapper(io.BytesIO(given.encode()), "utf-8")
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    handlers = logging.root.handlers
    with (
        mock.patch.dict(os.environ, environment, clear=True), mock.patch("sys.stdin", stdin),
        mock.patch("sys.argv", ["prakerja", *arguments]), mock.patch.object(logging.root, "handlers", []),
        contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended,
    ):  # fmt: skip
        contextvars.copy_context().run(cli.main)
    assert logging.root.handlers is handlers
    said, told = (each.buffer.getvalue().decode() for each in (out, err))  # type: ignore[attr-defined]
    assert "Traceback" not in said + told
    return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), said, told)
