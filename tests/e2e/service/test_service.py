"""`prakerja serve` over a replayed world, as its consumers use it; and all that it says, searched for people."""

from __future__ import annotations

import gzip
import socket
from typing import Any

import pytest

from tests.e2e.conftest import Instance


def test_the_service_the_command_and_a_reader_answer_alike(asked: dict[str, Any]) -> None:
    instance, people = asked["instance"], asked["people"]
    given = "\n".join(person["nik"] for person in people)
    by_command = instance.ask("blacklist", "check", given=given).stdout.splitlines()
    assert asked["synced"].returncode == 0, asked["synced"].stderr
    by_reader = instance.ask("blacklist", "check", "--in", str(asked["reader"]), given=given).stdout.splitlines()
    listed = [answer == "listed" for answer in by_command]
    assert by_command == by_reader
    assert asked["answers"] == listed
    assert 0 < sum(listed) < len(listed)
    shown = instance.ask("keys", "list").stdout
    assert f"{len(people) + 1:,}" in shown, "everybody, and a range"
    assert "expired" in instance.ask("blacklist", "status", "--in", str(asked["reader"])).stdout


@pytest.mark.parametrize("kind", ["card_number", "nik", "phone", "email", "full_name"])
def test_nothing_personal_is_published_answered_logged_or_kept(asked: dict[str, Any], kind: str) -> None:
    """Every published byte, every answer, every line of the service, everything that it and the reader keep."""
    from pyarrow import parquet

    instance = asked["instance"]
    secrets = {person[kind] for person in asked["people"]} - {""}
    searched = {f"answer {number}": text.decode("latin-1") for number, text in enumerate(asked["texts"])}
    searched["what the service said"] = "".join(asked["said"])
    searched["what the sync said"] = asked["synced"].stdout + asked["synced"].stderr
    for folder in (instance.home / "publish", instance.home / "service", instance.home / "logs", asked["reader"]):
        for path in folder.rglob("*"):
            if path.suffix == ".gz":
                searched[str(path)] = gzip.decompress(path.read_bytes()).decode("latin-1")
            elif path.suffix == ".parquet":
                searched[str(path)] = str(parquet.read_table(path).to_pylist())
            elif path.is_file():
                searched[str(path)] = path.read_bytes().decode("latin-1")
    with instance.database("warehouse") as connection:
        for table in ("lookups", "api_keys", "rotations", "publication_approvals", "blacklist_versions", "audit_log"):
            searched[table] = str(connection.execute(f"select * from {table}").fetchall())
    assert len(searched) > 40
    assert "check" in searched["lookups"]
    for where, text in searched.items():
        assert not [secret for secret in secrets if secret in text], where


def test_a_taken_port_and_a_missing_key_are_one_line(replayed: tuple[Instance, Any]) -> None:
    instance, _ = replayed
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = instance.run("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "cannot listen on" in done.stderr
    done = instance.ask("serve", "--pin", "/nowhere.pem")
    assert (done.returncode, done.stderr.count("\n")) == (1, 2)
    assert done.stderr.startswith("warehouse: ")
    done = instance.ask("blacklist", "sync", "/tmp/nowhere", "--from", "http://127.0.0.1:9")  # noqa: S108
    assert "PRAKERJA_API_KEY" in done.stderr
    done = instance.ask("keys", "revoke", "nothing", "--because", "x", "--as", "Siti")
    assert "there is no key nothing" in done.stderr
