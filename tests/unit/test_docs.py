"""The documents say what is true: commands exist, files are there, decisions that the code cites are written down."""

from __future__ import annotations

import re

import pytest
import typer

from prakerja import cli, platforms
from prakerja.programme import programme
from prakerja.reminders import answer_tables
from prakerja.settings import PROJECT

README = (PROJECT / "README.md").read_text()
FAULTS = (PROJECT / "docs" / "faults.md").read_text()
COMMANDS = sorted(set(re.findall(r"^\| `prakerja ([a-z -]+?)(?: [A-Z\[-].*)?`", README, re.MULTILINE)))


def commands() -> set[str]:
    """Every command of the command line, as one types it."""
    group = typer.main.get_command(cli.app)
    found = set()
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {f"{name} {sub}" for sub in inner} if inner else {name}
        found |= {name} if getattr(command, "invoke_without_command", False) else set()
    return found


def test_every_command_is_in_the_readme_and_every_one_there_exists() -> None:
    assert set(COMMANDS) == commands() - {"db stop"}
    assert "`db stop`" in README


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z]+)", README))))
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:.*## ", (PROJECT / "Makefile").read_text(), re.MULTILINE)


def test_places_in_the_readme_are_there() -> None:
    table = README[README.index("## Where things are") :]
    for place in re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE):
        for path in re.findall(r"`([^`]+)`", place):
            assert (PROJECT / path).exists(), path


def test_settings_in_the_readme_are_the_ones_that_are_read() -> None:
    code = "".join(path.read_text() for path in (PROJECT / "include" / "prakerja").rglob("*.py"))
    read = set(re.findall(r"_(?:env|names)\(\"(PRAKERJA_[A-Z_]+)\"\)", code))
    rules = programme().reminders
    read |= {f"PRAKERJA_{gateway.upper()}_URL" for gateway in rules.list_gateways()}
    for gateway in rules.list_gateways("http"):
        read |= {f"PRAKERJA_{gateway.upper()}_PROVIDER", f"PRAKERJA_{gateway.upper()}_FROM"}
    assert read == set(re.findall(r"`(PRAKERJA_[A-Z_]+)`", README))


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
