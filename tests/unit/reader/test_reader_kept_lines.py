"""The lines that a reader keeps: those of an earlier version and what has changed since, or all of them anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from prakerja_blacklist.reader.kept_lines import CHANGES, LINES
from tests.support.simulated_publisher import DELTA_HEADER, Repository, flipped, list_of
from tests.support.simulated_reader import Reader, always, bend_own, clean_tree, subjects_of, tree


def own_file(reader: Reader, name: str) -> Path:
    return reader.folder / reader.client.trusted().folder / name


def test_deltas_follow_one_another_without_the_lines_being_written_anew(reader: Reader, repository: Repository) -> None:
    written = own_file(reader, LINES).stat().st_ino
    for added, withdrawn in (([301], [7]), ([302, 7], [301]), ([301], [302, 8]), ([], [])):
        repository.publish(added, withdrawn)
        assert reader.sync().how == "delta"
        assert own_file(reader, LINES).stat().st_ino == written
        assert reader.held()[LINES] == list_of(repository.listed())
        assert reader.subjects() == subjects_of(repository)
    # The header; 301 was added, 8 withdrawn, 7 withdrawn and added again. 302 was added and withdrawn, and is gone.
    assert own_file(reader, CHANGES).read_bytes().count(b"\n") == 5
    assert tree(reader) == clean_tree(reader)


@pytest.mark.parametrize(("kept_max", "is_anew"), [(0, True), (1, True), (2, False)])
def test_the_lines_are_written_anew_once_too_many_have_changed(
    reader: Reader, repository: Repository, kept_max: int, is_anew: bool
) -> None:
    reader.client.changes_kept_max = kept_max
    repository.publish([301], [7])
    assert reader.sync().how == "delta"
    assert own_file(reader, CHANGES).exists() != is_anew
    assert (own_file(reader, LINES).read_bytes() == list_of(repository.listed())) == is_anew
    assert reader.held()[LINES] == list_of(repository.listed())


def test_the_lines_are_written_anew_where_no_link_can_be_made(
    reader: Reader, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    repository.publish([301], [7])
    assert reader.sync().how == "delta"
    assert own_file(reader, LINES).read_bytes() == list_of(repository.listed())


BENT: dict[str, Callable[[bytes], bytes | None]] = {
    "bent": flipped,
    "cut off": lambda data: data[:-9],
    "empty": always(b""),
    "other changes": always(DELTA_HEADER),
    "gone": always(None),
}


@pytest.mark.parametrize("bent", BENT)
@pytest.mark.parametrize("name", [CHANGES, LINES])
def test_what_is_kept_is_not_believed(reader: Reader, repository: Repository, name: str, bent: str) -> None:
    repository.publish([301], [7])
    assert reader.sync().how == "delta"
    bend_own(reader, name, BENT[bent])
    repository.publish([302], [8])
    assert reader.sync().how == "full"
    assert reader.subjects() == subjects_of(repository)
    assert tree(reader) == clean_tree(reader)
    repository.publish([303], [9])
    assert reader.sync().how == "delta"
