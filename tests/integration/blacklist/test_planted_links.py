"""Links that somebody has laid into the published folder: nothing is written, truncated or removed behind them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from prakerja.cli import app
from prakerja.errors import PrakerjaError
from tests.support.published_list import tree
from tests.support.publisher import NEXT, published, verified, versions


def restore() -> str:
    told = CliRunner().invoke(app, ["blacklist", "restore"])
    assert told.exit_code == 0, told.output
    return told.output


def test_files_by_the_names_of_half_written_ones_are_not_written_through(later: Path, foreign: Path) -> None:
    (later / "v000002").mkdir()
    for name in ("snapshot.csv.gz", "snapshot.parquet", "delta.csv.gz", "manifest.json", "manifest.json.sig"):
        (later / "v000002" / f".{name}.{os.getpid()}.tmp").symlink_to(foreign / "kept")
    (later / f".latest.json.{os.getpid()}.tmp").symlink_to(foreign / "kept")
    before = tree(foreign)
    assert published("second", NEXT) == 2
    assert tree(foreign) == before
    assert verified(later) == [1, 2]


@pytest.mark.parametrize(
    "name", ["blacklist/v000002", "audit/v000002.json", "blacklist/v000002/manifest.json", "audit"]
)
def test_a_link_in_the_place_of_a_file_or_folder_stops_publishing_and_is_moved_aside(
    later: Path, foreign: Path, name: str
) -> None:
    path = later.parent / name
    if name == "audit":
        path.rename(later.parent / "moved")
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(foreign / "kept" if "." in name else foreign)
    before = tree(foreign)
    with pytest.raises(PrakerjaError, match=r"is a link|is not what this warehouse has published"):
        published("second", NEXT)
    assert tree(foreign) == before
    assert "moved into displaced/" in restore()
    assert published("second", NEXT) == 2
    assert tree(foreign) == before
    assert verified(later) == [1, 2]
    assert [number for number, _ in versions()] == [1, 2]


def test_a_linked_list_under_an_earlier_key_is_not_cleared(later: Path, foreign: Path) -> None:
    (later.parent / "blacklist-0123456789abcdef").symlink_to(foreign)
    before = tree(foreign)
    assert published("second", NEXT) == 2
    assert tree(foreign) == before


def test_a_linked_page_of_statistics_is_not_written_through(later: Path, foreign: Path) -> None:
    from prakerja.blacklist.publisher.storage import parse_place, replace

    (later.parent / "statistics").symlink_to(foreign)
    before = tree(foreign)
    with pytest.raises(PrakerjaError, match="statistics is a link"):
        replace(parse_place(str(later.parent)), "statistics/index.html", b"page")
    assert tree(foreign) == before
