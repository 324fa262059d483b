"""The layout of the tests: short files in their folders, fixtures in conftest.py, unit tests without a process."""

from __future__ import annotations

import ast
import multiprocessing
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy

TESTS = Path(__file__).parents[1]
LINES_MAX = 600
FOLDERS = {"unit", "integration", "faults", "e2e", "benchmarks", "containers", "support"}

FILES = {str(path.relative_to(TESTS)): path for path in TESTS.rglob("*") if path.suffix in (".py", ".c")}
MODULES = {name: ast.parse(path.read_text()) for name, path in FILES.items() if path.suffix == ".py"}


def fixtures_of(module: ast.Module) -> list[str]:
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [
        function.name
        for function in functions
        if any(ast.unparse(each).partition("(")[0] == "pytest.fixture" for each in function.decorator_list)
    ]


def test_no_file_is_long() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in FILES.items()}
    assert {name: length for name, length in lengths.items() if length > LINES_MAX} == {}


def test_fixtures_are_in_conftest_files_only() -> None:
    found = {name: fixtures_of(module) for name, module in MODULES.items() if Path(name).name != "conftest.py"}
    assert {name: fixtures for name, fixtures in found.items() if fixtures} == {}


def test_every_file_says_its_topic() -> None:
    silent = [name for name, module in MODULES.items() if module.body and not ast.get_docstring(module)]
    assert silent == []


def test_every_file_is_in_a_folder_of_its_kind() -> None:
    assert {name for name in FILES if "/" not in name} == {"__init__.py", "conftest.py"}
    assert {path.name for path in TESTS.iterdir() if path.is_dir() and path.name != "__pycache__"} == FOLDERS
    kinds = {name: Path(name).name.startswith("test_") for name in FILES if name.startswith("support/")}
    assert not any(kinds.values()), "tests/support holds no tests"


def run_in_a_thread(action: Callable[[], Any]) -> None:
    """Raise what the action raises in a thread of its own."""
    raised: list[BaseException] = []

    def act() -> None:
        try:
            action()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=act)
    thread.start()
    thread.join()
    for error in raised:
        raise error


def connect_to_unix_socket() -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("/nowhere")


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "subprocess": (lambda: subprocess.run(["true"], check=True), r"starts a process \(subprocess.Popen\)"),
    "in a thread": (lambda: run_in_a_thread(lambda: subprocess.run(["true"], check=True)), "starts a process"),
    "posix_spawn": (lambda: os.posix_spawn("/bin/true", ["true"], {}), r"starts a process \(os.posix_spawn\)"),
    "spawn": (lambda: multiprocessing.get_context("spawn").Process(target=int).start(), r"\(multiprocessing\)"),
    "fork": (lambda: multiprocessing.get_context("fork").Process(target=int).start(), r"starts a process \(os.fork\)"),
    "psycopg": (lambda: psycopg.connect("host=127.0.0.1 port=1"), "opens a connection to a database"),
    "SQLAlchemy": (
        lambda: sqlalchemy.create_engine("postgresql+psycopg://127.0.0.1:1/x").connect(),
        "opens a connection to a database",
    ),
    "a UNIX socket": (connect_to_unix_socket, "connects to '/nowhere'"),
    "another machine": (lambda: socket.create_connection(("192.0.2.1", 9), timeout=0.1), r"connects to \('192.0.2.1'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_unit_test_that_needs_a_process_or_a_database_fails(guard: Any, name: str) -> None:
    act, reason = REFUSED[name]
    with pytest.raises(pytest.fail.Exception, match=reason):
        act()
    assert len(guard.refused) == 1
    guard.refused.clear()
