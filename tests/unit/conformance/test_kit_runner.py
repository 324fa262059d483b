"""The kit's runner sees what a reader does wrong, and reports it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.conformance.readers import KIT_FOLDER, RUN, CommandLineReader

KIT = RUN.Kit.load()


class Scripted(RUN.Reader):  # type: ignore[misc]
    """A reader that answers as a function says."""

    def __init__(self, answer: Callable[[str], tuple[int, str]]) -> None:
        super().__init__([])
        self.answer = answer

    def run(self, arguments: list[str], _given: str = "") -> Any:
        code, printed = self.answer(arguments[0])
        return RUN.Result(code, printed, "a reason")


def answer_as_json(**members: Any) -> str:
    return json.dumps({"version": 1, "is_expired": False, "listed": [*[True] * 20, *[False] * 20]} | members)


#: What a reader says to `sync` and to `check`, in a case where it must accept version 1; and what is said of it.
WRONG: dict[str, tuple[tuple[int, str], tuple[int, str], str]] = {
    "refuses": ((1, ""), (1, ""), r"was refused, and must be accepted \(it says: a reason\)"),
    "breaks": ((-11, ""), (1, ""), "sync ended with -11, and must with 0 or 1"),
    "does not know sync": ((2, ""), (1, ""), "sync ended with 2"),
    "does not know check": ((0, ""), (2, ""), "check ended with 2"),
    "does not answer": ((0, ""), (1, ""), "check does not answer, and must by version 1"),
    "prints text": ((0, ""), (0, "listed"), "prints no JSON object"),
    "prints a list": ((0, ""), (0, "[]"), "prints no JSON object"),
    "leaves a member out": ((0, ""), (0, '{"version": 1, "listed": []}'), "prints no JSON object"),
    "names another version": ((0, ""), (0, answer_as_json(version=2)), "answers by version 2, and must by 1"),
    "says that it has expired": ((0, ""), (0, answer_as_json(is_expired=True)), "is_expired: True, and must say False"),
    "lists nobody": ((0, ""), (0, answer_as_json(listed=[False] * 40)), "is wrong about 0000000000000001, 00"),
    "lists one more": ((0, ""), (0, answer_as_json(listed=[True] * 21 + [False] * 19)), "about 0000000000000021$"),
    "leaves one out": ((0, ""), (0, answer_as_json(listed=[True] * 20 + [False] * 19)), "how many were asked about"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_reader_does_wrong_is_said(wrong: str, tmp_path: Path) -> None:
    sync, check, said = WRONG[wrong]
    reader = Scripted(lambda subcommand: sync if subcommand == "sync" else check)
    with pytest.raises(RUN.FailedError, match=f"step 1: .*{said}"):
        RUN.run_case(KIT, KIT.cases["following/first-sync"], reader, tmp_path)


def test_a_reader_that_accepts_whatever_is_published_is_found_out(tmp_path: Path) -> None:
    reader = Scripted(lambda subcommand: (0, "" if subcommand == "sync" else answer_as_json()))
    RUN.run_case(KIT, KIT.cases["following/first-sync"], reader, tmp_path)
    with pytest.raises(RUN.FailedError, match="step 2: the list was accepted, and must be refused"):
        RUN.run_case(KIT, KIT.cases["signatures/by-a-stranger"], reader, tmp_path)


def test_a_list_that_must_answer_nobody_is_found_out(tmp_path: Path) -> None:
    """`keyrings/revoked` refuses at its second step, and the list that is held may not be used."""
    turns = iter([0, 1])
    reader = Scripted(lambda subcommand: (next(turns), "") if subcommand == "sync" else (0, answer_as_json()))
    with pytest.raises(RUN.FailedError, match="step 2: check answers by version 1, and must answer nobody"):
        RUN.run_case(KIT, KIT.cases["keyrings/revoked"], reader, tmp_path)


def test_what_fails_unexpectedly_and_what_passes_unexpectedly_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["expiry/frozen", "mixed/another-hash", "answers/reinstated"]
    assert RUN.report(KIT, names, {}, set()) == 0
    assert RUN.report(KIT, names, {"expiry/frozen": "step 1"}, {"expiry/frozen"}) == 0
    assert "all              2 of 3, 1 expected to fail" in capsys.readouterr().out
    assert RUN.report(KIT, names, {"expiry/frozen": "step 1: no"}, {"mixed/another-hash"}) == 1
    printed = capsys.readouterr().out
    assert f"FAILED expiry/frozen: step 1: no\n       {KIT.cases['expiry/frozen']['title']}" in printed
    assert "PASSED mixed/another-hash, which is expected to fail" in printed


def test_expected_failures_must_be_cases(tmp_path: Path) -> None:
    (tmp_path / "expected.txt").write_text("expiry/frozen # why\n\n# a comment\nexpiry/thawed\n")
    with pytest.raises(SystemExit, match=r"expected\.txt names cases that the kit does not have: expiry/thawed"):
        RUN.read_expected_failures(tmp_path / "expected.txt", list(KIT.cases))


@pytest.mark.parametrize("arguments", [[], ["--only", "nothing/*", "--", "reader"], ["--", "./no-reader"]])
def test_wrong_usage_ends_with_two(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        RUN.main()
    assert ended.value.code == 2


def test_the_cases_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "--list", "--only", "expiry/*"])
    assert RUN.main() == 0
    assert f"expiry/frozen: {KIT.cases['expiry/frozen']['title']}\n" in capsys.readouterr().out


def test_the_command_lines_adapter_says_why_a_list_is_refused(tmp_path: Path) -> None:
    case = json.loads(json.dumps(KIT.cases["signatures/by-a-stranger"]))
    case["steps"][1]["sync"] = "accepted"
    with pytest.raises(RUN.FailedError, match=r"it says: .*the manifest's signature is wrong"):
        RUN.run_case(KIT, case, CommandLineReader(), tmp_path)


def test_the_runner_needs_the_standard_library_alone() -> None:
    for script in [KIT_FOLDER / "run.py", *(KIT_FOLDER / "readers").glob("*.py")]:
        imported = {
            line.split()[1].partition(".")[0]
            for line in script.read_text().splitlines()
            if line.startswith(("import ", "from "))
        }
        assert imported <= {*sys.stdlib_module_names}, script
