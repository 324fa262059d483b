"""`make bench`: what taking in, deciding, reminding and publishing cost, as ratios against references of the same run.

One part alone: `python -m tests.benchmarks ingest`, or `deadline`, `recheck`, `reminders`, `blacklist`, `monitor`,
`tasks` (under a real scheduler), `replay`, or `official` (cohorts 8 to 13 in their real sizes).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from tests.benchmarks import blacklist, deadline, ingest, monitor, official, recheck, reminders, replay, tasks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        choices=(
            "ingest",
            "deadline",
            "recheck",
            "reminders",
            "blacklist",
            "monitor",
            "tasks",
            "replay",
            "official",
            "all",
        ),
        default="all",
    )
    parser.add_argument("--scale", type=float, default=1.0, help="1 is the real size; less is for a look")
    parser.add_argument("--runs", type=int, default=3, help="each figure is the median of so many")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("PRAKERJA_", "AIRFLOW"))]:
        del os.environ[name]
    parts = {
        "ingest": lambda folder: ingest.run(folder, given.scale, given.runs),
        "deadline": lambda folder: deadline.run(folder, given.scale, given.runs),
        "recheck": lambda folder: recheck.run(folder, given.scale, given.runs),
        "reminders": lambda folder: reminders.run(folder, given.scale, given.runs),
        "blacklist": lambda folder: blacklist.run(folder, given.scale, given.runs),
        "monitor": lambda folder: monitor.run(folder, given.scale, given.runs),
        "tasks": lambda folder: tasks.run(folder, given.runs),
        "replay": lambda folder: replay.run(folder, given.runs),
        "official": lambda folder: official.run(folder, given.scale),
    }
    for name, part in parts.items():
        if given.what in (name, "all"):
            with tempfile.TemporaryDirectory(prefix="prakerja-bench-") as folder:
                os.environ["PRAKERJA_HOME"] = str(Path(folder) / "home")
                part(Path(folder))


if __name__ == "__main__":
    main()
