"""The SQL statements: one a file, with their grain, and every one used."""

from __future__ import annotations

import re
from typing import get_args

from prakerja import schema, warehouse
from tests.support import written_as


def test_statements_are_one_a_file_and_say_their_grain() -> None:
    files = [path for path in warehouse.SQL.rglob("*.sql") if not {"migrations", "definitions"} & set(path.parts)]
    assert len(files) > 30
    for path in files:
        text = path.read_text()
        assert text.startswith("-- Grain: "), path
        assert ";" not in "\n".join(line for line in text.splitlines() if not line.startswith("--")), path
        assert "now()" not in text, path


def test_each_statement_that_writes_names_its_duty() -> None:
    """A whole run fails, too, where one was never executed as that duty (`tests/conftest.py`)."""
    for name in written_as.writing_statements():
        assert written_as.duties_of(name) <= {*get_args(warehouse.DatabaseRole), "owner"}, name


def test_every_statement_is_used() -> None:
    code = "".join(path.read_text() for path in (warehouse.SQL.parent / "prakerja").rglob("*.py"))
    for path in warehouse.SQL.rglob("*.sql"):
        if not {"migrations", "definitions"} & set(path.parts):
            assert f'"{path.parent.name}/{path.stem}"' in code, path


def test_every_definition_is_one_object_named_as_its_file() -> None:
    found = {path.stem: path.read_text() for path in schema.DEFINITIONS.glob("*/*.sql")}
    assert len(found) == len([*schema.DEFINITIONS.glob("*/*.sql")]), "two of a name"
    for name, text in found.items():
        assert text.startswith("--") or name.endswith("_trigger"), f"{name} does not say what it is"
        made = {made for _, made in re.findall(r"create or replace (function|view|trigger) (\w+)", text)}
        assert made == {name.removesuffix("_trigger")}, name


def test_definitions_come_after_what_they_need() -> None:
    names = [each.name for each in schema.load_definitions()]
    assert names.index("wib_midnight") < names.index("is_in_window") < names.index("evidence_of")
    assert names.index("evidence_of") < names.index("standing_of")
    assert names.index("note_fact") < names.index("note_fact_trigger")


def test_the_window_is_stated_once() -> None:
    texts = [*schema.SQL.glob("*/*.sql"), *schema.DEFINITIONS.glob("*/*.sql")]
    assert [path.name for path in texts if re.search(r">=?\s*wib_midnight\([\w.]*announced_on", path.read_text())] == [
        "is_in_window.sql"
    ]
