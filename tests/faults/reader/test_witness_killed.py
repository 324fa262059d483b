"""A witness that is killed at any step, and witnesses at once: no two chain files of one version are ever signed."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import shutil
from pathlib import Path

from prakerja_blacklist.errors import PrakerjaError
from tests.support.killed_child import killed_at
from tests.support.simulated_publisher import Repository
from tests.support.witnesses import Desk


def copy_of(desk: Desk, folder: Path) -> Desk:
    """The same witness, as it is by now."""
    other = Desk(desk.name, folder / "own", folder / "out", desk.key)
    shutil.copytree(desk.folder, other.folder)
    shutil.copytree(desk.out, other.out)
    return other


def test_a_witness_that_is_killed_anywhere_is_finished_by_the_next_one(
    chained: Repository, desk: Desk, tmp_path: Path
) -> None:
    desk.follow(chained)
    for person in (301, 302):
        chained.publish([person])
    for step in itertools.count(1):
        killed = copy_of(desk, tmp_path / f"step {step}")
        was_killed = killed_at(step, lambda: killed.follow(chained))  # noqa: B023 - it is called here
        before = {name: (killed.out / name).read_bytes() for name in killed.published() if name.startswith("v")}
        killed.follow(chained)
        assert killed.published() == ["v000001.json", "v000002.json", "v000003.json"], f"killed at step {step}"
        assert {name: (killed.out / name).read_bytes() for name in before} == before
        for name in killed.published():
            assert killed.statement(name)["version"] == int(name[1:7])
        assert sorted(path.name for path in (killed.folder / "seen").iterdir()) == killed.published()
        if not was_killed:
            break
    assert step > 20


def test_a_witness_that_was_killed_signs_no_other_history_of_what_it_had_signed(
    chained: Repository, desk: Desk, tmp_path: Path
) -> None:
    desk.follow(chained)
    other = chained.fork(tmp_path / "other")
    chained.publish([301])
    other.publish([302])
    refusals = 0
    for step in itertools.count(1):
        killed = copy_of(desk, tmp_path / f"step {step}")
        was_killed = killed_at(step, lambda: killed.follow(chained))  # noqa: B023 - it is called here
        seen = {path.name: path.read_bytes() for path in (killed.folder / "seen").glob("v*")}
        for history in (other, chained):
            with contextlib.suppress(PrakerjaError):
                killed.follow(history)
        after = {path.name: path.read_bytes() for path in (killed.folder / "seen").glob("v*")}
        assert {name: data for name, data in after.items() if name in seen} == seen
        assert {name: (killed.out / name).read_bytes() for name in killed.published() if name.startswith("v")} == after
        refusals += "v000002.json" in seen
        if not was_killed:
            break
    assert refusals > 1


def test_a_witness_that_is_killed_while_it_records_a_conflict_has_recorded_it_in_the_end(
    chained: Repository, desk: Desk, tmp_path: Path
) -> None:
    other = chained.fork(tmp_path / "other")
    chained.publish([301])
    other.publish([302])
    desk.follow(chained)

    def look(at: Desk) -> None:
        with contextlib.suppress(PrakerjaError):
            at.follow(other)

    for step in itertools.count(1):
        killed = copy_of(desk, tmp_path / f"step {step}")
        was_killed = killed_at(step, lambda: look(killed))  # noqa: B023 - it is called here
        look(killed)
        assert killed.evidence()["version"] == 2, f"killed at step {step}"
        if not was_killed:
            break
    assert step > 4


def test_witnesses_at_once_sign_one_history(chained: Repository, desk: Desk, tmp_path: Path) -> None:
    desk.follow(chained)
    histories = [chained, chained.fork(tmp_path / "other")]
    for number, history in enumerate(histories):
        history.publish([301 + number])
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(4)

    def look(history: Repository, folder: Path) -> None:
        barrier.wait(600)
        with contextlib.suppress(PrakerjaError):
            Desk(desk.name, folder, desk.out, desk.key).follow(history)

    elsewhere = tmp_path / "its folder was copied"
    shutil.copytree(desk.folder, elsewhere)
    processes = [
        fork.Process(target=look, args=(history, folder))
        for history in histories
        for folder in (desk.folder, elsewhere)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(600)
    assert [process.exitcode for process in processes] == [0] * 4
    assert [name for name in desk.published() if name.startswith("v")] == ["v000001.json", "v000002.json"]
    first = desk.statement("v000002.json")["chain_sha256"]
    for history in histories:
        with contextlib.suppress(PrakerjaError):
            desk.follow(history)
    assert desk.statement("v000002.json")["chain_sha256"] == first
