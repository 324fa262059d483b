"""The documents say what is true: commands exist, files are there, decisions that the code cites are written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.cli
from typer.testing import CliRunner

from prakerja import cli, platforms
from prakerja.programme import programme
from prakerja.reminders import answer_tables
from prakerja.settings import PROJECT

README = (PROJECT / "README.md").read_text()
FAULTS = (PROJECT / "docs" / "faults.md").read_text()


def test_the_reference_of_the_command_line_is_generated(tmp_path: Path) -> None:
    """`make docs` writes it."""
    written = tmp_path / "cli.md"
    command = ["prakerja.cli", "utils", "docs", "--name", "prakerja", "--output", str(written)]
    result = CliRunner().invoke(typer.cli.app, command)
    assert result.exit_code == 0, result.output
    assert (PROJECT / "docs" / "cli.md").read_text(encoding="utf-8") == written.read_text(encoding="utf-8")


def test_every_command_and_option_says_what_it_does() -> None:
    undescribed = [
        f"{path} {parameter.name}"
        for path, command in commands(typer.main.get_command(cli.app))
        for parameter in [command, *command.params]
        if not getattr(parameter, "help", None)
    ]
    assert undescribed == []


def commands(group: Any, path: str = "prakerja") -> Iterator[tuple[str, Any]]:
    """Yield every command as one types it, and the groups."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, f"{path} {name}")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z]+)", README))))
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:.*## ", (PROJECT / "Makefile").read_text(), re.MULTILINE)


def test_places_in_the_readme_are_there() -> None:
    table = README[README.index("## Where things are") :]
    for place in re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE):
        for path in re.findall(r"`([^`]+)`", place):
            assert (PROJECT / path).exists(), path


def test_decisions_that_the_code_cites_are_written_down() -> None:
    written = {path.name[:4] for path in (PROJECT / "docs" / "adr").glob("*.md")}
    for path in (PROJECT / "include").rglob("*.py"):
        for number in re.findall(r"docs/adr/(\d{4})", path.read_text()):
            assert number in written, path


def test_every_platform_file_is_read_and_every_rule_has_its_place() -> None:
    assert len(platforms.platforms()) == 7
    assert [platform.is_active_on(platform.active_from) for platform in platforms.platforms().values()] == [True] * 7
    assert programme().settlement_days == 1


@pytest.mark.parametrize("cited", sorted(set(re.findall(r"`(tests/[^`]+\.(?:py|c)[^`]*)`", FAULTS))))
def test_what_the_faults_cite_is_there(cited: str) -> None:
    path, _, name = cited.partition("::")
    assert f"def {name}(" in (PROJECT / path).read_text() if name else (PROJECT / path).exists()


def test_the_tables_of_answers_are_those_that_count() -> None:
    assert (PROJECT / "docs" / "answers.md").read_text(encoding="utf-8").endswith(f"\n\n{answer_tables.page()}\n")
