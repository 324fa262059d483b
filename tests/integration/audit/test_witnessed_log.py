"""The audit log against what witnesses of the list saw: a log that was rewritten with new anchors is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prakerja.blacklist.publisher import audit
from prakerja.blacklist.publisher.witnessed_log import LogWitness
from prakerja.cli import app
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.chain import chain_name
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.format.signatures import SigningKey
from tests.support.audit_log import anchors_of_the_log, as_owner, forget_after, rewrite_log, sign_anchor
from tests.support.simulated_publisher import signing_key
from tests.support.witnesses import serving

KEY = signing_key("auditor")


def auditor(place: object, key: SigningKey | None = KEY) -> LogWitness:
    return LogWitness("auditor", str(place), key and key.public)


def problems(*witnesses: LogWitness) -> list[str]:
    return audit.verify(witnesses=witnesses).problems


def rewrite_with_anchors() -> None:
    """Write another log, and anchors of it that the list's own key signs."""

    def edit(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows[2]["actor"] = "somebody else"
        return rows

    rewrite_log(edit)
    for anchor in anchors_of_the_log():
        sign_anchor(anchor)


def test_a_log_that_witnesses_saw_agrees(statements: Path) -> None:
    found = audit.verify(witnesses=[auditor(statements)])
    assert (found.problems, found.unproved, found.witnessed) == ([], [], 2)


def test_a_rewritten_log_with_new_anchors_is_found_by_what_a_witness_saw(statements: Path) -> None:
    rewrite_with_anchors()
    assert problems() == []
    found = problems(auditor(statements))
    assert len(found) == 2
    assert all("auditor saw position" in line and "which the log lacks" in line for line in found)


def test_new_chain_files_beside_a_rewritten_log_are_found_too(statements: Path, told: Path) -> None:
    rewrite_with_anchors()
    anchors = {each["version"]: each for each in anchors_of_the_log()}
    for version in (1, 2):
        path = told.parent / "blacklist" / chain_name(version)
        head = {"position": anchors[version]["position"], "hash": anchors[version]["hash"]}
        data = canonical_json(json.loads(path.read_bytes()) | {"audit": head})
        path.write_bytes(data)
        as_owner(
            f"update published_documents set content = '\\x{data.hex()}' where name = 'blacklist/{chain_name(version)}'"
        )
    assert problems() == []
    found = problems(auditor(statements))
    assert "auditor saw another v000001 than this warehouse has published" in found
    assert any("which the log lacks" in line for line in found)


def test_a_warehouse_that_is_older_than_what_was_seen_is_found(statements: Path) -> None:
    forget_after(1)
    found = problems(auditor(statements))
    assert any("auditor saw version 2, which this warehouse does not have" in line for line in found)


def test_a_version_at_another_position_than_was_seen_is_found(statements: Path) -> None:
    as_owner("update blacklist_versions set entry = (select entry from audit_log where position = 1) where version = 1")
    assert any("auditor saw version 1 at position" in line for line in problems(auditor(statements)))


def test_statements_that_are_none_are_told(statements: Path) -> None:
    (statements / "v000001.json").write_bytes(b"{}")
    (statements / "v000002.json").write_bytes(b" " * 100_000)
    found = problems(auditor(statements))
    assert [line.partition(": ")[0] for line in found] == [
        f"the statement v00000{version}.json of auditor" for version in (1, 2)
    ]
    assert all("ask who runs it" in line for line in found)


def test_a_statement_of_another_version_or_key_is_told(statements: Path) -> None:
    (statements / "v000001.json").write_bytes((statements / "v000002.json").read_bytes())
    assert any("is of version 2" in line for line in problems(auditor(statements)))
    assert all("is signed by the key" in line for line in problems(auditor(statements, signing_key("other"))))


def test_a_witness_that_has_signed_nothing_or_is_away_is_an_error(statements: Path, tmp_path: Path) -> None:
    with pytest.raises(PrakerjaError, match="auditor has signed nothing"):
        problems(auditor(tmp_path / "nowhere"))
    with pytest.raises(PrakerjaError, match="does not answer"):
        problems(auditor("http://127.0.0.1:1"))


def test_the_command_takes_witnesses_over_http_and_says_what_is_not_proved(statements: Path, tmp_path: Path) -> None:
    (tmp_path / "auditor.pem").write_bytes(KEY.public.pem)
    with serving(statements) as url:
        told = CliRunner().invoke(app, ["audit", "verify", "--witness", f"auditor={tmp_path / 'auditor.pem'}@{url}"])
        assert (told.exit_code, "witnesses agree up to version 2" in told.output) == (0, True)
        assert "not proved" not in told.output
        told = CliRunner().invoke(app, ["audit", "verify", "--strict", "--witness", url])
        assert told.exit_code == 1
        assert "whose statements lie in" in told.output
        rewrite_with_anchors()
        told = CliRunner().invoke(app, ["audit", "verify", "--witness", url])
        assert told.exit_code == 1
        assert "which the log lacks" in told.output
