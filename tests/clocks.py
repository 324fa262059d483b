"""Another time of day for real processes: a machine that lives in 2021, and whose clock jumps."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

SOURCE = Path(__file__).parent / "clock.c"
COMPILER = shutil.which("cc")


class Clock:
    """The wall clock of every process that has this environment; it goes on from where it was set."""

    def __init__(self, now: datetime) -> None:
        folder = Path(tempfile.mkdtemp(prefix="prakerja-clock-"))
        folder.chmod(0o755)  # PostgreSQL runs as another user
        library, self._file = folder / "clock.so", folder / "clock"
        subprocess.run([str(COMPILER), "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"], check=True)
        self.set(now)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET_FILE": str(self._file)}

    def set(self, now: datetime) -> None:
        """Jump there; every process sees it within a second."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{now.timestamp() - time.time():.0f}\n")
        new.chmod(0o644)
        new.replace(self._file)

    def now(self) -> datetime:
        """What it shows."""
        return datetime.fromtimestamp(time.time() + int(self._file.read_text()), UTC)

    def close(self) -> None:
        """Whoever has it keeps the time that was last set."""
        shutil.rmtree(self._file.parent)
