"""The reader of the documentation, as it stands there: the contract is enough to read the list."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from prakerja.blacklist import publishing, signing
from prakerja.blacklist.service import app
from prakerja.settings import PROJECT
from tests.unit.test_blacklist import AT, DAY, flip, listed, reinstate, revoke  # noqa: F401 - a fixture

PAGE = (PROJECT / "docs" / "reading-the-list.md").read_text()
READER = PAGE[PAGE.index("```python") + len("```python\n") : PAGE.rindex("```")]


class Reader:
    def __init__(self, folder: Path, published: Path) -> None:
        self.folder, self.published = folder, published
        folder.mkdir()
        (folder / "reader.py").write_text(READER)
        (folder / "key.pem").write_bytes(signing.signing_key().public.pem)

    def run(self, now: str = "2021-03-17T00:00:00+00:00") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "reader.py", str(self.published), "key.pem", "state.json", now],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def subjects(self) -> set[str]:
        return {line[:64] for line in json.loads((self.folder / "state.json").read_text())["lines"]}


@pytest.fixture
def reader(listed: Path, home: Path) -> Reader:  # noqa: F811
    publishing.publish("first", AT, DAY)
    return Reader(home / "reader", listed)


def test_it_reads_the_list_and_its_next_version(reader: Reader) -> None:
    assert reader.run().stdout == "version 1: 5 listed\n"
    revoke([6, 7])
    reinstate(2)
    publishing.publish("second", AT, DAY + timedelta(days=1))
    (reader.published / "v000002" / "snapshot.csv.gz").rename(reader.folder / "kept")
    assert reader.run().stdout == "version 2: 6 listed\n", "the delta is enough"
    key = signing.subject_key()
    assert reader.subjects() == {key.subject(f"{3100000000000000 + number}") for number in (1, 3, 4, 5, 6, 7)}
    assert reader.run().stdout == "version 2: 6 listed\n"
    (reader.folder / "state.json").unlink()
    (reader.folder / "kept").rename(reader.published / "v000002" / "snapshot.csv.gz")
    assert reader.run().stdout == "version 2: 6 listed\n", "the whole list, too"


def test_it_refuses_what_is_bent_old_or_another_ones(reader: Reader) -> None:
    reader.run()
    revoke([6])
    publishing.publish("second", AT, DAY + timedelta(days=1))
    first = b'{"version":1,"manifest":"v000001/manifest.json","sha256":"%b"}'
    newest = (reader.published / "latest.json").read_bytes()
    flip(reader.published / "v000002" / "delta.csv.gz")
    assert "not what the manifest says" in reader.run().stderr
    flip(reader.published / "v000002" / "delta.csv.gz")
    assert "has expired" in reader.run("2021-04-01T00:00:00+00:00").stderr
    assert len(reader.subjects()) == 5, "what was refused has changed nothing"
    assert reader.run().returncode == 0
    digest = hashlib.sha256((reader.published / "v000001" / "manifest.json").read_bytes()).hexdigest()
    (reader.published / "latest.json").write_bytes(first % digest.encode())
    assert "rollback" in reader.run().stderr
    (reader.published / "latest.json").write_bytes(newest)
    flip(reader.published / "v000002" / "manifest.json")
    assert "wrong signature" in reader.run().stderr
    assert reader.run().returncode == 1


def test_the_openapi_in_the_docs_is_the_services() -> None:
    described = json.loads((PROJECT / "docs" / "openapi.json").read_text())
    assert described == app.described()
