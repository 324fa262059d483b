"""Every command of the command line, over a server with passwords, by the login of its user and by another one."""

from __future__ import annotations

import subprocess

import pytest
import typer

from prakerja import cli
from tests.e2e.own_server.conftest import Used
from tests.support.command_uses import ELSEWHERE, USES, Use
from tests.support.own_server import OwnServer, only_line

Made = tuple[OwnServer, dict[str, subprocess.CompletedProcess[str]]]


def commands_of(app: typer.Typer, prefix: str = "") -> set[str]:
    """Return the commands of an application and its groups; a group that answers by itself is one."""
    found = {
        f"{prefix}{command.name or getattr(command.callback, '__name__', '')}" for command in app.registered_commands
    }
    for group in app.registered_groups:
        assert group.typer_instance is not None
        found |= commands_of(group.typer_instance, f"{prefix}{group.name} ")
        callback = group.typer_instance.registered_callback
        if callback and callback.invoke_without_command:
            found.add(f"{prefix}{group.name}")
    return found


def test_every_command_is_used() -> None:
    """A new command needs a use in tests/support/command_uses.py."""
    assert commands_of(cli.app) == {use.command for use in USES} | ELSEWHERE
    assert len({use.id for use in USES}) == len(USES)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("simulate", "340 recipients"),
        ("db upgrade", "the warehouse is at revision"),
        ("replay", "published: version 1 of the blacklist, 14 entries"),
    ],
)
def test_the_world_is_made_by_the_logins_of_its_users(made: Made, command: str, says: str) -> None:
    assert says in made[1][command].stdout, made[1][command].stderr


@pytest.mark.parametrize("use", USES, ids=lambda use: use.id)
def test_a_command_works_with_the_login_of_its_user(used: dict[str, Used], use: Use) -> None:
    done = used[use.id].done
    assert done.returncode == use.code, done.stdout + done.stderr
    assert use.says in done.stdout + done.stderr


@pytest.mark.parametrize("use", [use for use in USES if use.refused], ids=lambda use: use.id)
def test_another_login_gets_one_line_and_changes_nothing(used: dict[str, Used], use: Use) -> None:
    told = used[use.id]
    assert told.refused is not None
    line = only_line(told.refused)
    assert f"{use.refused} may not" in line
    assert "use the login of" in line or "use a login with this duty" in line or "verify as" in line
    assert not told.is_changed
