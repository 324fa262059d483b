"""What befalls a machine, for real processes that load it: a clock that is set, and a disk that is full."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
COMPILER = shutil.which("cc")


class Fault:
    """A library that processes load by their `environment`, and a file that tells it what to do."""

    def __init__(self, source: str, variable: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="prakerja-fault-"))
        self.folder.chmod(0o755)  # PostgreSQL runs as another user
        library, self._told = self.folder / "fault.so", self.folder / "told"
        command = [str(COMPILER), "-shared", "-fPIC", "-O2", "-o", library, HERE / source]
        subprocess.run(command, check=True)
        self.environment = {"LD_PRELOAD": str(library), variable: str(self._told)}

    def tell(self, what: str) -> None:
        new = self._told.with_suffix(".new")
        new.write_text(f"{what}\n")
        new.chmod(0o644)
        new.replace(self._told)

    def forget(self) -> None:
        self._told.unlink(missing_ok=True)

    def close(self) -> None:
        """Whoever loads it goes on as if nothing were told."""
        shutil.rmtree(self.folder)


class Clock(Fault):
    """The wall clock of every process that has this environment; it goes on from where it was set."""

    def __init__(self, now: datetime) -> None:
        super().__init__("clock.c", "CLOCK_OFFSET_FILE")
        self.set(now)

    def set(self, now: datetime) -> None:
        """Jump there; every process sees it within a second."""
        self.tell(f"{now.timestamp() - time.time():.0f}")

    def now(self) -> datetime:
        """What it shows."""
        return datetime.fromtimestamp(time.time() + int(self._told.read_text()), UTC)


class Disk(Fault):
    """The disk below a folder, as full as is told."""

    def __init__(self) -> None:
        super().__init__("full_disk.c", "FULL_DISK_FILE")

    def fill(self, folder: Path) -> None:
        """Nothing more can be written below a folder, by whoever has the environment."""
        self.tell(str(folder.resolve()))

    def empty(self) -> None:
        """There is room again."""
        self.forget()


def environment(*faults: Fault) -> dict[str, str]:
    """What processes need that shall be befallen by all of them."""
    together = {name: value for fault in faults for name, value in fault.environment.items()}
    return together | {"LD_PRELOAD": ":".join(fault.environment["LD_PRELOAD"] for fault in faults)}
