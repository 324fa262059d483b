"""The commands of a witness: its key, one look, and one look after the other."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from prakerja_blacklist import cli
from prakerja_blacklist.commands import witness as command
from prakerja_blacklist.format.signatures import PublicKey, SigningKey
from tests.support.simulated_publisher import Repository


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "witness.pem"
    assert cli.run(["witness-key", str(path)]) == 0
    key = SigningKey.from_pem(path.read_bytes()).public
    assert PublicKey.from_pem((tmp_path / "witness.pem.pub").read_bytes()).key_id == key.key_id
    assert key.key_id in capsys.readouterr().out
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    assert cli.run(["witness-key", str(path)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert cli.run(["witness-key", str(tmp_path / "nowhere" / "witness.pem")]) == 1


def test_one_look_tells_what_was_signed(witness_arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(witness_arguments) == 0
    assert "signed: v000001.json" in capsys.readouterr().out
    assert cli.run(witness_arguments) == 0
    assert "nothing new" in capsys.readouterr().out


def test_a_conflict_is_told_at_every_look_until_a_person_has_moved_it_away(
    witness_arguments: list[str], chained: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = chained.fork(tmp_path / "other")
    chained.publish([301])
    other.publish([302])
    assert cli.run(witness_arguments) == 0
    elsewhere = [str(other.folder) if each == str(chained.folder) else each for each in witness_arguments]
    assert cli.run(elsewhere) == 1
    assert "does not continue what was seen" in capsys.readouterr().err
    for _ in range(2):
        assert cli.run(witness_arguments) == 1
        assert "the publisher has signed two histories" in capsys.readouterr().err
    for path in (tmp_path / "own" / "conflicts").iterdir():
        path.rename(tmp_path / path.name)
    assert cli.run(witness_arguments) == 0


def test_a_look_that_is_refused_does_not_end_the_witness(
    witness_arguments: list[str], chained: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    waits = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        match len(waits):
            case 1:
                chained.root.rename(tmp_path / "away")
            case 2:
                (tmp_path / "away").rename(chained.root)
                chained.publish([301])
            case _:
                raise KeyboardInterrupt

    # Not `time.sleep` itself: a server's thread of another test may call that.
    monkeypatch.setattr(command, "time", SimpleNamespace(sleep=sleep))
    assert cli.run([*witness_arguments, "--every", "30"]) == 1
    said = capsys.readouterr()
    assert "signed: v000001.json" in said.out
    assert "signed: v000002.json" in said.out
    assert "no list is published" in said.err
    assert waits == [30, 30, 30]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--key", "nowhere.pem", "make a key with `prakerja-blacklist witness-key"), ("--pin", "nowhere.pem", "as PEM"),
        ("--from", "nowhere", "no list is published in nowhere"), ("--from", "https://x.example", "PRAKERJA_API_KEY"),
        ("--every", "0", "1 or more"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line(
    witness_arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    option: str, value: str, said: str,
) -> None:  # fmt: skip
    monkeypatch.delenv("PRAKERJA_API_KEY", raising=False)
    place = witness_arguments.index(option) if option in witness_arguments else len(witness_arguments)
    assert cli.run([*witness_arguments[:place], option, value, *witness_arguments[place + 2 :]]) == 1
    assert said in capsys.readouterr().err


def test_a_private_key_that_others_may_write_is_refused(
    witness_arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "witness.pem").chmod(0o666)
    tmp_path.chmod(0o755)
    assert cli.run(witness_arguments) == 1
    assert "chmod go-w" in capsys.readouterr().err
