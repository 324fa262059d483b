"""Names that a platform chooses: a landing zone full of nasty ones, through everything that shows them."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.conftest import Instance
from tests.support.nasty_names import NAMES

Shown = tuple[Instance, dict[str, str]]
#: What a terminal obeys: controls but line breaks, and characters that turn or hide others.
OBEYED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def test_every_name_is_rejected_and_given_exactly_to_programs(shown: Shown) -> None:
    instance, _ = shown
    rows = json.loads(instance.run("feeds", "--json").stdout)
    rejected = {row["platform"]: row["reason"] for row in rows if row["status"] == "rejected"}
    assert rejected == dict.fromkeys(NAMES.values(), "platform_unknown")
    assert [row["platform"] for row in rows if row["status"] == "accepted"] == ["tokopedia"]


def test_no_control_character_is_printed_and_no_name_starts_a_line(shown: Shown) -> None:
    _, found = shown
    assert {"replay", "feeds", "cohorts", "notes"} < set(found)
    for where, text in found.items():
        assert not OBEYED.search(text), where
        owned = [line for line in text.split("\n") if line.startswith("rejected tokopedia")]
        assert owned == [], where
    # All there, as they are called.
    assert "rejected [red]owned[red] 2021-03-05 r1: platform_unknown" in found["feeds"]
    assert r"rejected \x1b]0;owned\x07\x1b[31mred\x1b[2J 2021-03-05 r1" in found["feeds"]
    assert r"feeds/\udcff\udcfe-no-text is not in feeds/ or rosters/" in found["replay"]


def test_a_note_reads_the_names_as_text(shown: Shown) -> None:
    _, found = shown
    (note,) = [line for line in found["notes"].split("\n") if "rejected:" in line]
    assert "!\\[x\\](www\\.evil.example) \\*\\*owned\\*\\*" in note
    assert not re.search(r"(?<!\\)[\[<`*]", note)


def test_pages_and_downloads_read_the_names_as_text(shown: Shown) -> None:
    instance, _ = shown
    fetch = (
        "import sys, json; from fastapi import FastAPI; from fastapi.testclient import TestClient\n"
        "from prakerja.monitor import app; from tests.support.monitor_viewer import Runs\n"
        "outer = FastAPI(); outer.mount('/prakerja', app.application(lambda: app.Viewer('siti', True, True), Runs()))\n"
        "client = TestClient(outer, base_url='http://airflow/prakerja')\n"
        "print(json.dumps({path: client.get(path).text for path in sys.argv[1:]}))"
    )
    paths = ["/", "/feeds", "/feeds?csv=feeds", "/cohorts/12", "/feeds/%3Cimg%20src=x%3E/2021-03-05"]
    done = subprocess.run(
        [sys.executable, "-c", fetch, *paths], env=instance.environment, capture_output=True, text=True,
        check=True, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    pages = json.loads(done.stdout)
    cells = [cell for row in csv.reader(io.StringIO(pages.pop("/feeds?csv=feeds"))) for cell in row]
    assert not [
        cell for cell in cells if re.match(r"\s*[=+\-@|%\uff1d]|[\t\r\n]", cell) and not re.fullmatch(r"-?[\d.]+", cell)
    ]
    assert "'" + NAMES["a spreadsheet"] in cells
    for path, page in pages.items():
        assert "<img" not in page, path
        assert page.count("<script>alert") == 0, path
        for script in re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL):
            assert "<" not in script
            json.loads(script)
    assert "&lt;img src=x onerror=alert(1)&gt;" in pages["/feeds"]
    assert 'href="/prakerja/feeds/x%3Fy%3D1%23z%26%252e../2021-03-05"' in pages["/feeds"]
    assert 'href="/prakerja/feeds/%22%3E%3Cscript%3Ealert%281%29%3C%21--/2021-03-05"' in pages["/"]
