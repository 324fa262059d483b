"""A reader's folder that others may write to, that others have made, or that holds what a thief has laid there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.contract import POINTER
from prakerja_blacklist.format.keyring import UntrustedError, file_name
from prakerja_blacklist.reader.kept_list import STATE
from prakerja_blacklist.reader.sync import Client
from prakerja_blacklist.reader.verification import RefusedListError
from tests.support.simulated_publisher import Repository, manifest_of, signature_of
from tests.support.simulated_reader import FIRST, SECOND, STRANGER, Reader, subjects_of


def let_another_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file be another user's."""
    if os.geteuid() == 0:
        os.lchown(path, 65534, 65534)
    else:
        real = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: real + 1)


def held_by(reader: Reader) -> list[Callable[[], Any]]:
    """What a reader does with what its folder holds."""
    return [reader.client.trusted, reader.client.open_list, reader.sync]


def edit_state(reader: Reader, **fields: Any) -> None:
    path = reader.folder / STATE
    path.write_text(json.dumps(json.loads(path.read_bytes()) | fields))


def plant(reader: Reader, thief: Repository, **fields: Any) -> None:
    """Lay a thief's list into a reader's folder, as the thief's own reader would hold it."""
    shutil.rmtree(reader.folder, ignore_errors=True)
    Reader(reader.folder, thief, pins=[STRANGER]).sync()
    edit_state(reader, pins=[FIRST.public.key_id], **fields)


# -- whose folder it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", STATE])
def test_what_another_user_has_made_is_not_trusted(reader: Reader, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    let_another_own(reader.folder / name, monkeypatch)
    for act in held_by(reader):
        with pytest.raises(PrakerjaError, match="belongs to another user"):
            act()


def test_subjects_that_another_user_has_made_answer_nobody(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted = reader.client.trusted()
    let_another_own(reader.folder / trusted.folder / "subjects.bin", monkeypatch)
    with pytest.raises(PrakerjaError, match="belongs to another user"):
        reader.client.open_list()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o722, 0o1777, 0o707])
def test_a_folder_that_others_may_write_to_is_not_trusted(reader: Reader, mode: int) -> None:
    reader.folder.chmod(mode)
    for act in held_by(reader):
        with pytest.raises(PrakerjaError, match=r"others may write .* \(mode"):
            act()
    reader.folder.chmod(0o755)
    assert reader.sync().how == "unchanged"


def test_a_newcomer_takes_no_folder_that_others_may_write_to(newcomer: Reader) -> None:
    newcomer.folder.mkdir(parents=True)
    newcomer.folder.chmod(0o777)
    with pytest.raises(PrakerjaError, match="others may write"):
        newcomer.sync()
    assert list(newcomer.folder.iterdir()) == []


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_a_state_that_others_may_write_is_not_trusted_where_they_can_reach_it(reader: Reader, mode: int) -> None:
    (reader.folder / STATE).chmod(mode)
    assert reader.sync().how == "unchanged", "nobody else can enter the folder"
    reader.folder.chmod(0o711)
    (reader.folder / STATE).chmod(mode)
    for act in held_by(reader):
        with pytest.raises(PrakerjaError, match=r"others may write .*trusted\.json"):
            act()


def test_what_a_reader_writes_is_its_own_whatever_the_umask(newcomer: Reader) -> None:
    before = os.umask(0)
    try:
        newcomer.sync()
    finally:
        os.umask(before)
    for path in [newcomer.folder, *newcomer.folder.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


# -- links in it -------------------------------------------------------------------------------------------------------


def test_a_linked_lock_is_refused_and_what_it_leads_to_keeps_its_contents(reader: Reader, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_text("kept")
    (reader.folder / ".lock").unlink()
    (reader.folder / ".lock").symlink_to(foreign)
    with pytest.raises(PrakerjaError, match=r"\.lock is a link"):
        reader.sync()
    assert foreign.read_text() == "kept"


def test_a_linked_state_is_refused(reader: Reader, tmp_path: Path) -> None:
    (reader.folder / STATE).rename(tmp_path / "elsewhere")
    (reader.folder / STATE).symlink_to(tmp_path / "elsewhere")
    for act in held_by(reader):
        with pytest.raises(PrakerjaError, match=r"trusted\.json is a link"):
            act()


def test_links_by_the_names_of_what_a_reader_leaves_lead_to_nothing(
    reader: Reader, repository: Repository, tmp_path: Path
) -> None:
    """By those that a process of this number would use, and that a killed one may have left."""
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "kept").write_text("kept")
    names = [f".{os.getpid()}.new", f".trusted.json.{os.getpid()}", f"v000002-{0:016x}", f".{0:016x}.new"]
    for name in names:
        (reader.folder / name).symlink_to(foreign if "json" not in name else foreign / "kept")
    repository.publish([301], [7])
    assert reader.sync().how == "delta"
    assert (foreign / "kept").read_text() == "kept"
    assert not [name for name in names if (reader.folder / name).is_symlink()]
    assert reader.subjects() == subjects_of(repository)


# -- what is held follows from the pin ---------------------------------------------------------------------------------


def test_a_list_that_a_thief_has_laid_there_is_not_taken_for_the_pinned_publishers(
    reader: Reader, thief: Repository
) -> None:
    plant(reader, thief)
    assert Client(reader.folder).open_list(), "it is whole, and says that the pinned key was given"
    before = (reader.folder / STATE).read_bytes()
    for act in held_by(reader):
        with pytest.raises(RefusedListError, match="unproved"):
            act()
    assert (reader.folder / STATE).read_bytes() == before, "a person finds out first"
    shutil.rmtree(reader.folder)
    assert reader.sync().how == "full"


def test_a_thief_in_the_source_too_is_not_taken_for_the_pinned_publisher(reader: Reader, thief: Repository) -> None:
    plant(reader, thief)
    thief.publish([5000])
    reader.turn_to(thief)
    with pytest.raises(RefusedListError, match="unproved"):
        reader.sync()
    shutil.rmtree(reader.folder)
    with pytest.raises(UntrustedError):
        reader.sync()


def test_a_pinned_key_without_keyrings_gives_no_other_key_a_part(tmp_path: Path) -> None:
    """A state may name any keys as pinned: where there are no keyrings, only those that are pinned now count."""
    repository = Repository(tmp_path / "published", has_keyrings=False)
    repository.publish(range(1, 10))
    reader = Reader(tmp_path / "reader", repository)
    reader.sync()
    keys = json.loads((reader.folder / STATE).read_bytes())["keys"]
    stranger = {
        "signing_key_id": STRANGER.public.key_id,
        "public_key": STRANGER.public.pem.decode(),
        "last_version": None,
    }
    edit_state(reader, keys=[*keys, stranger])
    repository.signer = STRANGER
    repository.publish([400])
    with pytest.raises(UntrustedError, match="not trusted here"):
        reader.sync()


CHANGED: dict[str, Any] = {
    "version": 999, "manifest_sha256": "0" * 64, "result_sha256": "0" * 64, "entries": 1, "key_id": "0" * 16,
    "signing_key_id": SECOND.public.key_id, "created_at": "2031-01-01T00:00:00Z", "expires_at": "2031-01-01T00:00:00Z",
    "data_as_of": {"tokopedia": "2031-01-01"}, "keyring": 2, "manifest": "{}", "signature": "AAAA", "keyrings": [],
    "revoked": [{"signing_key_id": "0" * 16, "revoked_at": "2021-03-14T00:00:00Z"}],
    "keys": [
        {"signing_key_id": each.public.key_id, "public_key": each.public.pem.decode(), "last_version": None}
        for each in (FIRST, STRANGER)
    ],
}  # fmt: skip


@pytest.mark.parametrize("field", CHANGED)
def test_a_state_that_says_anything_else_than_was_signed_is_not_trusted(reader: Reader, field: str) -> None:
    edit_state(reader, **{field: CHANGED[field]})
    for act in held_by(reader):
        with pytest.raises(RefusedListError, match="unproved"):
            act()


# -- a state of a reader that kept no proofs ---------------------------------------------------------------------------


def forget_proofs(reader: Reader) -> None:
    path = reader.folder / STATE
    state = json.loads(path.read_bytes())
    for name in ("manifest", "signature", "keyrings"):
        del state[name]
    path.write_text(json.dumps(state))


def test_a_state_of_an_earlier_reader_is_proved_by_what_is_published(reader: Reader, repository: Repository) -> None:
    repository.announce(SECOND)
    repository.rotate()
    repository.publish([301], [7])
    reader.sync()
    forget_proofs(reader)
    with pytest.raises(RefusedListError, match="unproved"):
        reader.client.open_list()
    assert reader.sync().how == "unchanged"
    assert reader.subjects() == subjects_of(repository)


def test_a_state_of_an_earlier_reader_still_withstands_a_rollback(reader: Reader, repository: Repository) -> None:
    first = repository.data(POINTER)
    repository.publish([301], [7])
    reader.sync()
    forget_proofs(reader)
    repository.put(POINTER, first)
    with pytest.raises(RefusedListError, match="rollback"):
        reader.sync()


@pytest.mark.parametrize("name", [manifest_of(1), signature_of(1), file_name(1)])
def test_a_state_of_an_earlier_reader_whose_proofs_are_withheld_is_not_trusted(
    reader: Reader, repository: Repository, name: str
) -> None:
    forget_proofs(reader)
    repository.publish([301], [7])
    repository.drop(name)
    with pytest.raises((RefusedListError, UntrustedError)):
        reader.sync()
    assert json.loads((reader.folder / STATE).read_bytes())["version"] == 1


def test_a_state_of_a_thiefs_earlier_reader_is_not_trusted(reader: Reader, thief: Repository) -> None:
    plant(reader, thief)
    forget_proofs(reader)
    for act in held_by(reader):
        with pytest.raises(RefusedListError, match="unproved"):
            act()
