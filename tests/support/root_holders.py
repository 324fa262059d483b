"""People who hold root keys: their commands run where nothing but the reader's package is, apart from the publisher."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

import prakerja_blacklist
from prakerja.blacklist.publisher import root_ceremony
from prakerja.cli import app
from prakerja_blacklist.format.proposals import OpenProposal
from prakerja_blacklist.format.signatures import SigningKey
from tests.support.killed_publisher import FORKS, watched
from tests.support.publisher import WHO

#: The command line, where `prakerja` cannot be imported.
OFFLINE = "import sys; sys.modules['prakerja'] = None; from prakerja_blacklist.cli import main; main()"
RESPONSIBLE = ("--because", "drill", "--as", "Siti")


def copy_package(folder: Path) -> Path:
    """Copy the reader's package, and nothing else, into a folder."""
    package = Path(prakerja_blacklist.__file__).parent
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run_offline(package: Path, *arguments: object, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run `prakerja-blacklist` on a machine of its own: no settings, no terminal."""
    return subprocess.run(
        [sys.executable, "-c", OFFLINE, *map(str, arguments)],
        env={"PYTHONPATH": str(package), "PATH": os.environ["PATH"]},
        cwd=package,
        input=given,
        capture_output=True,
        text=True,
        timeout=600,
        start_new_session=True,
        check=False,
    )


@dataclass(frozen=True)
class Holder:
    """A person with a root key in a folder of their own."""

    folder: Path
    key: SigningKey

    @classmethod
    def make(cls, folder: Path) -> Holder:
        """A person with a new key."""
        folder.mkdir(parents=True)
        holder = cls(folder, SigningKey.generate())
        holder.private.write_bytes(holder.key.to_pem(None))
        holder.public.write_bytes(holder.key.public.pem)
        return holder

    @property
    def private(self) -> Path:
        return self.folder / "root.pem"

    @property
    def public(self) -> Path:
        return self.folder / "root.pem.pub"

    @property
    def key_id(self) -> str:
        return self.key.public.key_id

    def sign(self, proposal: Path) -> Path:
        """A copy of the proposal with this person's signature."""
        copy = self.folder / proposal.name
        copy.write_bytes(OpenProposal.open(proposal.read_bytes(), str(proposal)).sign(self.key).file)
        return copy


def ask(*arguments: object, code: int = 0) -> str:
    """What a command of the publisher's says, or why it is refused."""
    told = CliRunner().invoke(app, ["blacklist", *map(str, arguments)])
    assert told.exit_code == code, told.output
    return f"{told.output}{told.exception or ''}"


def proposal_in(output: str) -> Path:
    """The proposal that a command has written."""
    return Path(next(word for word in output.replace(":", " ").replace(",", " ").split() if "/proposals/" in word))


def begin_roots(holders: Sequence[Holder], at: datetime) -> None:
    """Publish root 1, of two of these people."""
    proposal = root_ceremony.propose_root([holder.key.public for holder in holders], None, at)
    root_ceremony.publish([holder.sign(proposal) for holder in holders[:2]], at, **WHO)


def publish_killed(paths: Sequence[Path], at: datetime, step: int) -> int | None:
    """Publish a proposal in a process that is killed at its n-th step; give its exit code."""
    process = FORKS.Process(target=_publish, args=(dict(os.environ), [*paths], at, step))
    process.start()
    process.join(600)
    return process.exitcode


def _publish(environment: dict[str, str], paths: list[Path], at: datetime, step: int) -> None:
    os.environ.clear()
    os.environ.update(environment)
    reached = list[Any]()

    def count(name: str) -> None:
        reached.append(name)
        if len(reached) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    with watched(count):
        root_ceremony.publish(paths, at, **WHO)
