"""The readers of this project pass the conformance kit, and a reader that leaves out a check does not."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest

from tests.support.conformance.readers import (
    NOT_DOCUMENTED,
    RUN,
    CommandLineReader,
    DocumentedReader,
    call_python,
)
from tests.support.documented_reader import JAVASCRIPT, PYTHON

KIT = RUN.Kit.load()
#: To be killed, a reader needs a process of its own.
CASES = [name for name, case in KIT.cases.items() if not any(step.get("is_killed") for step in case["steps"])]

#: By a check of the documented reader: the cases by which its absence shows.
FOUND_BY = {
    '"{name} is too large"': "documents/*-too-large",
    '"{name} is not what the manifest says"': "contents/size-*",
    '"{name} is no list, or opens to more than its rows"': "contents/*",
    '"latest.json points elsewhere"': "mixed/another-manifest-named",
    '"latest.json points at another manifest"': "mixed/another-hash",
    '"the manifest is of another contract"': "documents/manifest-another-contract",
    '"another version"': "mixed/*-version",
    '"the list is of the future"': "expiry/from-the-future",
    '"the list has expired at': "expiry/frozen",
    '"rollback: an older version than the trusted one"': "rollback/own-list-expired",
    '"two lists of one version"': "rollback/two-of-one-version",
    '"the next list is older than the trusted one"': "rollback/next-is-older",
    '"a row does not fit the contract"': "contents/crlf",
    '"the list is not the one that result_sha256 names"': "contents/result",
    '"the list does not have as many rows as the manifest says"': "contents/entries",
}
#: What stands for something else in the documented reader, and the case by which it shows.
MUTANTS = {
    "signatures are not verified": (
        "key.verify(base64.b64decode(read(f\"{folder}/manifest.json.sig\", 1_000)), data)",
        "read(f\"{folder}/manifest.json.sig\", 1_000)",
        "signatures/*",
    ),
    "the list is not sorted": (
        "sorted(lines.items())", "lines.items()", "contents/not-sorted",
    ),
    "a withdrawal is ignored": ("lines.pop(line[:64], None)", "pass", "answers/reinstated"),
    "the delta is taken whatever version is held": (
        'trusted["version"] == version - 1', 'trusted["version"] < version', "following/several-versions",
    ),
    "the list is kept though it is refused": (
        "    manifest, trusted = json.loads(data)",
        "    state.unlink(missing_ok=True)\n    manifest, trusted = json.loads(data)",
        "rollback/*",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_command_line_passes(name: str, tmp_path: Path) -> None:
    RUN.run_case(KIT, KIT.cases[name], CommandLineReader(), tmp_path)


@pytest.mark.parametrize("name", CASES)
def test_the_documented_reader_passes_what_it_claims_and_nothing_else(name: str, tmp_path: Path) -> None:
    if name not in NOT_DOCUMENTED:
        RUN.run_case(KIT, KIT.cases[name], DocumentedReader(call_python(PYTHON)), tmp_path)
        return
    with pytest.raises(RUN.FailedError):
        RUN.run_case(KIT, KIT.cases[name], DocumentedReader(call_python(PYTHON)), tmp_path)


def find_failures(source: str, pattern: str, folder: Path) -> list[str]:
    """Return the cases of a pattern that a changed reader does not pass, of those that it should."""
    names = [name for name in fnmatch.filter(CASES, pattern) if name not in NOT_DOCUMENTED]
    failures = []
    for number, name in enumerate(names):
        (folder / str(number)).mkdir()
        try:
            RUN.run_case(KIT, KIT.cases[name], DocumentedReader(call_python(source)), folder / str(number))
        except RUN.FailedError:
            failures.append(name)
    return failures


CHECKS = [line for line in PYTHON.splitlines(keepends=True) if line.lstrip().startswith("require(")]


@pytest.mark.parametrize("check", CHECKS, ids=[line.strip()[8:40] for line in CHECKS])
def test_a_reader_without_one_of_the_checks_does_not_pass(check: str, tmp_path: Path) -> None:
    indent = check[: -len(check.lstrip())]
    [pattern] = [pattern for said, pattern in FOUND_BY.items() if said in check]
    assert find_failures(PYTHON.replace(check, f"{indent}pass\n"), pattern, tmp_path)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_reader_that_errs_does_not_pass(mutant: str, tmp_path: Path) -> None:
    right, wrong, pattern = MUTANTS[mutant]
    assert PYTHON.count(right) == 1
    assert find_failures(PYTHON.replace(right, wrong), pattern, tmp_path)


def test_the_two_documented_readers_make_the_same_checks() -> None:
    """Each reason that one says, the other says."""
    shared = [said.strip('"').replace("{name}", "${name}") for said in FOUND_BY if "opens to" not in said]
    assert [said for said in shared if said not in JAVASCRIPT] == []
