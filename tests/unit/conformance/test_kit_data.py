"""The kit's data is what its generator writes, and its page is true."""

from __future__ import annotations

import fnmatch
import re

import pytest

from prakerja.settings import PROJECT
from tests.support.conformance.kit import CASES
from tests.support.conformance.readers import NOT_DOCUMENTED, RUN
from tests.support.conformance.writing import KIT, build_files, packs_alike

PAGE = (KIT / "README.md").read_text(encoding="utf-8")
TABLE = PAGE[PAGE.index("## What was taken from tuf-conformance") :]
LOADED = RUN.Kit.load()


def test_the_data_is_what_the_generator_writes() -> None:
    """`make kit` writes it."""
    if not packs_alike():
        pytest.skip("this machine's zlib compresses otherwise than the one by which the kit was made")
    folder = KIT / "data"
    kept = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    written = build_files()
    assert sorted(kept) == sorted(written)
    assert [name for name, data in written.items() if kept[name] != data] == []


def test_the_data_has_the_cases_of_the_generator() -> None:
    assert {name: case["title"] for name, case in LOADED.cases.items()} == {
        name: case.title for name, case in CASES.items()
    }


def test_the_page_names_cases_that_exist() -> None:
    topics = {name.partition("/")[0] for name in LOADED.cases}
    named = {each for each in re.findall(r"`([a-z-]+/[a-z0-9*-]+)`", PAGE) if each.partition("/")[0] in topics}
    assert len(named) > 30
    assert [each for each in sorted(named) if not fnmatch.filter(LOADED.cases, each)] == []


def test_the_page_tells_of_every_case_of_tuf_conformance_that_was_followed() -> None:
    followed = {like for case in LOADED.cases.values() for like in case.get("like", [])}
    told = set(re.findall(r"`(test_[a-z_0-9]+)`", TABLE))
    assert followed <= told
    assert len(told) == 53


@pytest.mark.parametrize("page", ["docs/example-readers.md", "conformance/README.md"])
def test_pages_count_right(page: str) -> None:
    text = " ".join((PROJECT / page).read_text(encoding="utf-8").split())
    assert f"{len(LOADED.cases)} cases" in text
    assert f"pass {len(LOADED.cases) - len(NOT_DOCUMENTED)}" in text
