"""The SQL statements: one a file, with their grain, and every one used."""

from __future__ import annotations

from prakerja import warehouse


def test_statements_are_one_a_file_and_say_their_grain() -> None:
    files = [path for path in warehouse.SQL.rglob("*.sql") if "migrations" not in path.parts]
    assert len(files) > 30
    for path in files:
        text = path.read_text()
        assert text.startswith("-- Grain: "), path
        assert ";" not in "\n".join(line for line in text.splitlines() if not line.startswith("--")), path
        assert "now()" not in text, path


def test_every_statement_is_used() -> None:
    code = "".join(path.read_text() for path in (warehouse.SQL.parent / "prakerja").rglob("*.py"))
    for path in warehouse.SQL.rglob("*.sql"):
        if "migrations" not in path.parts:
            assert f'"{path.parent.name}/{path.stem}"' in code, path
