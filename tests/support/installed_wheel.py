"""The readers' distribution, built and installed alone, without a network: its dependencies are copied from here."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prakerja.settings import PROJECT

SOURCE = PROJECT / "include" / "prakerja_blacklist"
#: `cryptography` and what it needs itself. If that is another thing one day, pip says what is missing.
DEPENDENCIES = ("cryptography", "cffi", "pycparser")


@dataclass(frozen=True)
class Installed:
    """An environment that has the wheel and its dependencies, and no other package."""

    folder: Path
    wheel: Path

    @property
    def packages(self) -> Path:
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        return _run([str(self.folder / "bin" / "python"), "-c", code], {}, "")

    def run(self, *arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `prakerja-blacklist` with nothing in its environment but what is named."""
        return _run([str(self.folder / "bin" / "prakerja-blacklist"), *arguments], environment, given)


def build_wheel(folder: Path) -> Path:
    """Build the wheel as `make wheel` does, in a folder."""
    shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "dist"), str(folder / "source"))
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def install_wheel(folder: Path) -> Installed:
    """Install the wheel in an empty environment below a folder."""
    installed = Installed(folder / "environment", build_wheel(folder))
    venv.create(installed.folder)
    for name in DEPENDENCIES:
        for file in importlib.metadata.distribution(name).files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                target = installed.packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file.locate(), target)
    # Without an index, pip refuses the wheel unless all that it needs is there.
    python = str(installed.folder / "bin" / "python")
    _pip("--python", python, "install", "--no-index", "--compile", str(installed.wheel))
    subprocess.run([python, "-m", "compileall", "-q", str(installed.packages)], check=True)
    return installed


def _pip(*arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        env=environment, check=True,
    )  # fmt: skip


def _run(command: list[str], environment: Mapping[str, str], given: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, input=given, env=dict(environment), capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done
