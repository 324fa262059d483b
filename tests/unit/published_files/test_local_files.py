"""Files of a published folder on this machine: whole or not at all, never over another, and through no link."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prakerja.blacklist.publisher import local_files
from prakerja.blacklist.publisher.local_files import LinkError, OtherFileError, create, replace, set_aside
from prakerja_blacklist.reader.sources import NotThereError

NAME = "blacklist/v000001/manifest.json"


def names_in(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()}


def test_a_file_is_created_with_its_folders_and_nothing_else(tmp_path: Path) -> None:
    assert create(tmp_path / "new" / "place", NAME, b"data") is True
    assert (tmp_path / "new" / "place" / NAME).read_bytes() == b"data"
    assert names_in(tmp_path) == {f"new/place/{NAME}"}
    assert (tmp_path / "new" / "place" / NAME).stat().st_nlink == 1


def test_the_same_bytes_are_left_as_they_are(root: Path) -> None:
    create(root, NAME, b"data")
    before = (root / NAME).stat()
    assert create(root, NAME, b"data") is False
    assert (root / NAME).stat() == before


@pytest.mark.parametrize("other", [b"", b"dat", b"datb", b"data and more"])
def test_another_file_is_never_written_over(root: Path, other: bytes) -> None:
    (root / NAME).write_bytes(other)
    with pytest.raises(OtherFileError, match="prakerja blacklist restore"):
        create(root, NAME, b"data")
    assert (root / NAME).read_bytes() == other
    assert names_in(root) == {NAME}


def test_a_file_that_another_publisher_writes_meanwhile_is_not_written_over(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = local_files.put_in_place

    def meanwhile(place: Path, name: str, *opened: Any, **how: Any) -> None:
        (place / name).write_bytes(b"another's")
        real(place, name, *opened, **how)

    monkeypatch.setattr(local_files, "put_in_place", meanwhile)
    with pytest.raises(OtherFileError):
        create(root, NAME, b"data")
    assert (root / NAME).read_bytes() == b"another's"
    assert names_in(root) == {NAME}


#: What may lie in the place of a file.
INSTEAD: dict[str, Callable[[Path, Path], Any]] = {
    "a link": lambda path, foreign: path.symlink_to(foreign),
    "a link to the same bytes": lambda path, foreign: (foreign.write_bytes(b"data"), path.symlink_to(foreign)),
    "a link to nothing": lambda path, foreign: path.symlink_to(foreign.with_name("nothing")),
    "a folder": lambda path, _: path.mkdir(),
    "a pipe": lambda path, _: os.mkfifo(path),
}


@pytest.mark.parametrize("instead", INSTEAD)
def test_what_is_no_file_is_neither_written_through_nor_over(root: Path, foreign: Path, instead: str) -> None:
    INSTEAD[instead](root / NAME, foreign)
    before, kept = os.lstat(root / NAME), foreign.read_bytes()
    with pytest.raises(OtherFileError):
        create(root, NAME, b"data")
    with pytest.raises((OtherFileError, NotThereError)):
        list(local_files.chunks(root, NAME, 100))
    assert (os.lstat(root / NAME), foreign.read_bytes()) == (before, kept)
    assert not foreign.with_name("nothing").exists()
    assert set_aside(root, NAME, "displaced/now") == NAME
    assert create(root, NAME, b"data") is True
    assert foreign.read_bytes() == kept


@pytest.mark.parametrize("folder", ["blacklist", "blacklist/v000001"])
@pytest.mark.parametrize("act", [create, replace])
def test_no_link_is_followed_to_a_folder(root: Path, foreign: Path, folder: str, act: Any) -> None:
    (root / "blacklist" / "v000001").rmdir()
    if folder == "blacklist":
        (root / "blacklist").rmdir()
        (foreign.parent / "v000001").mkdir()
    (root / folder).symlink_to(foreign.parent)
    before = names_in(foreign.parent)
    with pytest.raises(LinkError, match=f"{folder} is a link or no folder"):
        act(root, NAME, b"data")
    assert names_in(foreign.parent) == before
    assert set_aside(root, NAME, "displaced/now") == folder
    assert (root / "displaced" / "now" / folder).is_symlink()
    act(root, NAME, b"data")
    assert (root / NAME).read_bytes() == b"data"
    assert names_in(foreign.parent) == before


def test_a_link_that_is_laid_while_a_folder_is_open_leads_nowhere(
    root: Path, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening the folder and naming the file, the folder is exchanged for a link."""
    real = local_files.put_in_place

    def meanwhile(place: Path, name: str, *opened: Any, **how: Any) -> None:
        (root / "blacklist" / "v000001").rename(root / "moved")
        (root / "blacklist" / "v000001").symlink_to(foreign.parent)
        real(place, name, *opened, **how)

    monkeypatch.setattr(local_files, "put_in_place", meanwhile)
    create(root, NAME, b"data")
    assert names_in(foreign.parent) == {"kept"}
    assert (root / "moved" / "manifest.json").read_bytes() == b"data"


def test_the_root_itself_may_be_reached_by_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "by link").symlink_to(root)
    assert create(tmp_path / "by link", NAME, b"data")
    assert (root / NAME).read_bytes() == b"data"


def test_names_that_a_process_of_this_number_would_use_lead_to_nothing(root: Path, foreign: Path) -> None:
    planted = root / "blacklist" / "v000001" / f".manifest.json.{os.getpid()}.tmp"
    planted.symlink_to(foreign)
    create(root, NAME, b"data")
    replace(root, NAME, b"other data")
    assert foreign.read_text() == "kept"
    assert (root / NAME).read_bytes() == b"other data"


def test_a_link_in_the_pointers_place_is_replaced_and_not_followed(root: Path, foreign: Path) -> None:
    (root / NAME).symlink_to(foreign)
    replace(root, NAME, b"data")
    assert foreign.read_text() == "kept"
    assert not (root / NAME).is_symlink()


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_a_file_system_without_hard_links_writes_over_nothing_either(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def link(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)
    assert create(root, NAME, b"data") is True
    assert create(root, NAME, b"data") is False
    with pytest.raises(OtherFileError):
        create(root, NAME, b"other")
    assert (root / NAME).read_bytes() == b"data"
    assert names_in(root) == {NAME}


def test_leftovers_are_removed_and_nothing_behind_a_link_is(root: Path, foreign: Path) -> None:
    leftovers = [f"blacklist/v000001/.manifest.json.{0:016x}.tmp", "blacklist/.latest.json.4711.tmp"]
    for name in leftovers:
        (root / name).write_text("half")
    others = ["blacklist/.hidden", "blacklist/v000001/.x.tmp", "blacklist/v000001/manifest.json.1.tmp"]
    for name in others:
        (root / name).write_text("kept")
    (foreign.parent / ".mine.1.tmp").write_text("kept")
    (root / "blacklist" / "linked").symlink_to(foreign.parent)
    (root / "blacklist" / ".link.1.tmp").symlink_to(foreign)
    (root / "blacklist-0123456789abcdef").symlink_to(foreign.parent)
    for folder in ("blacklist", "blacklist-0123456789abcdef", "not there"):
        local_files.remove_leftovers(root, folder)
    assert names_in(root) == {*others, "blacklist/linked", "blacklist-0123456789abcdef"}
    assert names_in(foreign.parent) == {"kept", ".mine.1.tmp"}


def test_what_was_moved_aside_is_moved_and_nothing_else(root: Path) -> None:
    (root / NAME).write_text("other")
    (root / "blacklist" / "latest.json").write_text("kept")
    assert set_aside(root, NAME, "displaced/now") == NAME
    assert set_aside(root, NAME, "displaced/now") is None
    assert set_aside(root, "nowhere/at/all", "displaced/now") is None
    assert names_in(root) == {f"displaced/now/{NAME}", "blacklist/latest.json"}
