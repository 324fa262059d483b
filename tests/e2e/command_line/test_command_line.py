"""The command line: bad input is one clear line, wrong usage is 2, nothing is half-written, and it answers at once."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.conftest import Instance


def one_line(done: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """What was said, which must be one line, besides the one that names the warehouse."""
    assert done.returncode == code, (done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.strip() and "replaying" not in line]
    lines = [line for line in lines if not line.startswith("warehouse: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def with_settings(instance: Instance, **settings: str) -> Instance:
    return replace(instance, more=settings)


REPLAY = ("replay", "--from", "2021-03-05", "--to", "2021-03-06")


def test_a_fresh_home_answers(fresh: Instance) -> None:
    in_a_process = fresh.run("cohorts", "--json")
    assert {row["status"] for row in json.loads(in_a_process.stdout)} == {"no_roster"}
    in_this_process = fresh.ask("cohorts", "--json")
    assert (in_this_process.stdout, in_this_process.stderr) == (in_a_process.stdout, in_a_process.stderr)
    assert json.loads(fresh.ask("feeds", "--json").stdout) == []
    assert "no list is published" in one_line(fresh.ask("blacklist", "verify"))
    assert "no list is published" in one_line(fresh.ask("blacklist", "check", given="1\n"))
    unknown = json.loads(fresh.ask("explain", "1234567890123456", "--json").stdout)
    assert (unknown["cohort"], unknown["state"]) == (None, "unknown")


def test_a_landing_zone_that_is_not_there(fresh: Instance) -> None:
    bent = replace(fresh, landing=fresh.home / "nowhere")
    assert "does not exist: set PRAKERJA_LANDING" in one_line(bent.ask(*REPLAY))
    foreign = with_settings(fresh, PRAKERJA_LANDING="foo://bucket/landing")
    assert "cannot be reached" in one_line(foreign.ask(*REPLAY))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cohorts: [", "is not YAML at line"),
        ("cohorts: []", "has no list `cohorts`"),
    ],
)
def test_a_calendar_that_is_wrong(fresh: Instance, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "calendar.yaml").write_text(text)
    bent = replace(fresh, calendar=tmp_path / "calendar.yaml")
    for command in (["cohorts"], list(REPLAY)):
        line = one_line(bent.ask(*command))
        assert said in line
        assert str(tmp_path / "calendar.yaml") in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cohorts:\n- {cohort: twelve}", 'entry 1: `cohort` is "twelve", not a number'),
        ("cohorts:\n- {cohort: 12, announced_on: 2021-03-05}", "`deadline_on` is not there, not a date"),
        ("cohorts:\n- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-05}", "not after announced_on"),
        (
            "cohorts:\n" + "- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-04-03}\n" * 2,
            "both have `cohort` 12",
        ),
    ],
)
def test_an_entry_of_the_calendar_that_is_wrong(fresh: Instance, tmp_path: Path, text: str, said: str) -> None:
    """It is reported; the readable entries continue."""
    (tmp_path / "calendar.yaml").write_text(text)
    line = one_line(replace(fresh, calendar=tmp_path / "calendar.yaml").ask("cohorts"))
    assert said in line
    assert str(tmp_path / "calendar.yaml") in line


def test_a_calendar_that_is_not_there(fresh: Instance, tmp_path: Path) -> None:
    bent = replace(fresh, calendar=tmp_path / "none.yaml")
    assert "set PRAKERJA_CALENDAR" in one_line(bent.ask("cohorts"))


def test_a_calendar_that_contradicts_a_roster(contradicted: subprocess.CompletedProcess[str]) -> None:
    assert contradicted.returncode == 1
    assert "roster of gelombang-12: calendar_mismatch: the calendar says deadline_on 2021-04-03" in contradicted.stderr


def test_a_database_that_cannot_be_reached(fresh: Instance) -> None:
    for url in ("postgresql://nobody:hush@127.0.0.1:9/none", "postgresql://nobody@/none?host=/nowhere"):
        bent = with_settings(fresh, PRAKERJA_DATABASE_URL=url)
        for command in (["cohorts"], ["db", "upgrade"], list(REPLAY)):
            line = one_line(bent.ask(*command))
            assert "cannot be reached" in line
            assert "hush" not in line
    for url in ("postgresql://u:hush@h:notaport/x", "nonsense"):
        assert "not a postgresql:// URL" in one_line(with_settings(fresh, PRAKERJA_DATABASE_URL=url).ask("cohorts"))
    assert "not a postgresql:// URL" in one_line(
        with_settings(fresh, PRAKERJA_DATABASE_URL="mysql://x/y").ask("cohorts")
    )


def test_a_wrong_key(contradicted: subprocess.CompletedProcess[str]) -> None:
    assert contradicted.returncode == 1
    assert "PRAKERJA_SUBJECT_KEY is not base64" in contradicted.stderr


def test_an_unknown_cohort(fresh: Instance, tmp_path: Path) -> None:
    assert "cohort 99 is not in the calendar" in one_line(fresh.ask(*REPLAY, "--cohorts", "99"))
    out = tmp_path / "world"
    assert "cohort 99 is not in the calendar" in one_line(fresh.ask("simulate", "--cohorts", "99", "--out", str(out)))
    assert not out.exists()


def test_another_world_is_not_written_over(fresh: Instance, replayed_world: Path) -> None:
    before = (replayed_world / "expected.json").read_bytes()
    assert "holds another world" in one_line(fresh.ask("simulate", "--cohorts", "12", "--out", str(replayed_world)))
    assert (replayed_world / "expected.json").read_bytes() == before


@pytest.mark.parametrize(
    "usage",
    [
        ["nothing"],
        ["replay"],
        ["replay", "--from", "yesterday", "--to", "2021-03-06"],
        ["replay", "--from", "2021-03-06", "--to", "2021-03-05"],
        ["replay", "--from", "0001-01-01", "--to", "2021-03-05"],
        ["replay", "--from", "2021-03-05", "--to", "9999-12-31"],
        [*REPLAY, "--cohorts", "twelve"],
        ["simulate", "--scale", "0", "--out", "x"],
        ["explain"],
        ["cohorts", "--xml"],
    ],
)
def test_wrong_usage_is_two(fresh: Instance, usage: list[str]) -> None:
    done = fresh.ask(*usage)
    assert done.returncode == 2
    assert done.stderr


def test_an_invalid_card_or_nik_is_reported_and_the_rest_is_answered(fresh: Instance) -> None:
    done = fresh.ask("explain", "123", "1234567890123456", "--json")
    assert [json.loads(line)["state"] for line in done.stdout.splitlines()] == ["unknown", "unknown"]
    assert "not a card number (sixteen digits) at position 1" in one_line(done)


@pytest.mark.parametrize("command", [["--help"], ["cohorts"]])
def test_what_should_answer_at_once_imports_nothing_heavy(fresh: Instance, command: list[str]) -> None:
    code = (
        "import sys\n"
        f"sys.argv = ['prakerja', *{command!r}]\n"
        "from prakerja import cli\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'pandas', 'pyarrow', 'airflow', 'great_expectations', 'fastapi', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'heavy: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=fresh.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_world_comes_out_the_same_twice_and_another_seed_gives_another(fresh: Instance, tmp_path: Path) -> None:
    def made(name: str, seed: str) -> dict[str, bytes]:
        out = tmp_path / name
        assert (
            fresh.ask(
                "simulate", "--cohorts", "12", "--scale", "0.005", "--seed", seed, "--nasty", "--out", str(out)
            ).returncode
            == 0
        )
        return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    first = made("first", "1")
    assert made("second", "1") == first
    assert made("third", "2") != first
