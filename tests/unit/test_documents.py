"""The documents lead where they say: links, files, rules and messages that they name are there."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from prakerja.settings import PROJECT

DOCS = PROJECT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
RUNBOOKS = sorted((DOCS / "runbooks").glob("*.md"))
RECORDS = sorted((DOCS / "adr").glob("*.md"))
RULE = re.compile(r"\bR[1-9][0-9]?\b")
#: Columns of runbooks' tables whose cells quote what the program prints.
QUOTING = {"message", "the warehouse refuses the connection", "`/readyz` says"}
#: Parts of a message that the program fills in.
FILLED_IN = re.compile(
    r"\.\.\.|`|\d[\d,:.-]*|gelombang-|\bprakerja approve\b|v0+\d+|\.json\b|\blatest\b"
    r"|\b(?:one person|people revoked by it|reinstatement of|revocations of|siti|pintaria|scheduler)\b"
    r"|\b(?:cohort_deadline|batch_approval|warehouse_reader|publish_blacklist|psql)\b"
)


def name_of(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def anchor_of(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors_in(page: Path) -> set[str]:
    return {anchor_of(heading) for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)}


@functools.cache
def printed_text() -> str:
    """Return all code as one line, with adjacent literals joined and placeholders blank."""
    paths = [path for folder in ("include", "dags", "plugins") for path in (PROJECT / folder).rglob("*")]
    text = " ".join(path.read_text() for path in paths if path.suffix in {".py", ".sql", ".html"})
    text = re.sub(r'"\s*\n\s*f?"', "", text)
    return re.sub(r"\s+", " ", re.sub(r"\{[^{}]*\}", "\0", text))


def quoted_messages(page: Path) -> Iterator[str]:
    """Yield the messages in the page's tables."""
    header: list[str] | None = None
    for line in page.read_text().splitlines():
        if not line.startswith("|"):
            header = None
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if header is None:
            header = cells
            continue
        for title, cell in zip(header, cells, strict=False):
            if title in QUOTING:
                yield from (a or b for a, b in re.findall(r"``(.+?)``|`([^`]+)`", cell))


def is_printed(message: str) -> bool:
    """Whether the code has three words of the message in a row, or the longest part of one without so many."""
    parts = [part.strip(' :,;()"').split() for part in FILLED_IN.split(message)]
    size = min(3, max(map(len, parts)))
    runs = {" ".join(words[start : start + size]) for words in parts for start in range(len(words) - size + 1)}
    return any(run in printed_text() for run in runs)


@pytest.mark.parametrize("page", [*PAGES, PROJECT / "README.md", PROJECT / "CONTRIBUTING.md"], ids=name_of)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors_in(file), target


def test_the_index_lists_every_document() -> None:
    index = (DOCS / "README.md").read_text()
    for path in [*PAGES, DOCS / "openapi.json"]:
        if path.name != "README.md":
            assert f"({path.relative_to(DOCS)})" in index, path


@pytest.mark.parametrize("record", RECORDS, ids=name_of)
def test_each_decision_has_a_status_with_a_date_and_its_drivers(record: Path) -> None:
    text = " ".join(record.read_text().split())
    assert re.search(r"\*\*Status\.\*\* (Accepted|Superseded by \S+), \d{4}-\d\d-\d\d\.", text)
    for part in ("**Drivers.**", "**Decision.**"):
        assert part in text


def test_rules_that_are_cited_are_defined() -> None:
    defined = set(re.findall(r"^\| (R\d+) \|", (DOCS / "domain.md").read_text(), re.MULTILINE))
    folders = [PROJECT / name for name in ("include", "dags", "plugins", "docs")]
    for path in (path for folder in folders for path in folder.rglob("*")):
        if path.suffix in {".py", ".sql", ".yaml", ".md"}:
            assert set(RULE.findall(path.read_text())) <= defined, path


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_product_files_that_are_named_are_there(page: Path) -> None:
    for path in re.findall(r"`((?:include|dags|plugins|tests)/[\w./-]+)`", page.read_text()):
        assert (PROJECT / path).exists(), path


@pytest.mark.parametrize("page", RUNBOOKS, ids=name_of)
def test_messages_that_runbooks_quote_are_printed(page: Path) -> None:
    assert [message for message in quoted_messages(page) if not is_printed(message)] == []
