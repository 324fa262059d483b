"""The conformance kit as somebody outside runs it, and the documented reader in JavaScript."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prakerja.machine import supervision
from tests.support.conformance.readers import KIT_FOLDER, NOT_DOCUMENTED, RUN, DocumentedReader
from tests.support.documented_reader import PYTHON

KIT = RUN.Kit.load()
CASES = [name for name, case in KIT.cases.items() if not any(step.get("is_killed") for step in case["steps"])]
WRAPPER = [sys.executable, str(KIT_FOLDER / "readers" / "documented.py")]
EXPECTED = ["--expect-failures", str(KIT_FOLDER / "readers" / "documented.txt")]
OWN = [sys.executable, str(KIT_FOLDER / "readers" / "prakerja.py"), *supervision.program("prakerja")]


def run(*arguments: str, reader: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(KIT_FOLDER / "run.py"), *arguments, "--", *reader],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", CASES)
def test_the_reader_in_javascript_passes_what_it_claims_and_nothing_else(
    javascript: DocumentedReader, name: str, tmp_path: Path
) -> None:
    if name not in NOT_DOCUMENTED:
        RUN.run_case(KIT, KIT.cases[name], javascript, tmp_path)
        return
    with pytest.raises(RUN.FailedError):
        RUN.run_case(KIT, KIT.cases[name], javascript, tmp_path)


@pytest.mark.parametrize(
    ("command", "some"),
    [("python", "documents/pointer-too-large"), ("javascript", "interruption/killed")],
    indirect=["command"],
)
def test_the_documented_readers_pass_as_commands_over_http(command: list[str], some: str) -> None:
    chosen = [f"--only={name}" for name in (some, "answers/reinstated", "interruption/no-list", "keyrings/revoked")]
    done = run("--http", *chosen, *EXPECTED, reader=[*WRAPPER, *command])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.splitlines()[-1] == "all              3 of 4, 1 expected to fail"


def test_the_command_line_passes_as_a_command() -> None:
    done = run("--only=following/first-sync", "--only=signatures/first-sync", reader=OWN)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "all              2 of 2, 0 expected to fail")


def test_a_list_that_is_exchanged_piece_by_piece_is_found_out(tmp_path: Path) -> None:
    """The reader writes half of its state where the list before was, and pauses."""
    right = '    with state.with_suffix(".new").open("w") as aside:'
    assert PYTHON.count(right) == 1
    (tmp_path / "reader.py").write_text(
        PYTHON.replace(
            right, f'    state.write_text(json.dumps(trusted)[:999])\n    __import__("time").sleep(1)\n{right}'
        )
    )
    done = run("--only=interruption/killed", reader=[*WRAPPER, sys.executable, str(tmp_path / "reader.py")])
    assert done.returncode == 1
    assert "FAILED interruption/killed: step 2: killed in its sync: " in done.stdout


def test_a_reader_that_hangs_is_given_up(tmp_path: Path) -> None:
    done = run(
        "--timeout=0.5", "--only=following/first-sync", reader=[sys.executable, "-c", "import time; time.sleep(600)"]
    )
    assert "FAILED following/first-sync: step 1: sync took longer than 0.5 seconds" in done.stdout


@pytest.mark.soak
@pytest.mark.parametrize(
    ("command", "source"), [("python", "--jobs=2"), ("javascript", "--http")], indirect=["command"]
)
def test_the_documented_readers_pass_all_that_they_claim_as_commands(command: list[str], source: str) -> None:
    done = run(source, *EXPECTED, reader=[*WRAPPER, *command])
    assert done.returncode == 0, done.stdout


@pytest.mark.soak
def test_the_command_line_passes_all_as_a_command() -> None:
    done = run(reader=OWN)
    assert done.returncode == 0, done.stdout
