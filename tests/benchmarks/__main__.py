"""`make bench`: what taking in costs, as ratios against references that are measured in the same run.

`python -m tests.benchmarks official` plays the waves 8, 9 and 10 instead, 1.7 million people at scale 1.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from tests.benchmarks import ingest, official


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("ingest", "official"), default="ingest")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 500,000 and 2,000,000 rows; less is for a look")
    parser.add_argument("--runs", type=int, default=3, help="each figure of the ingest is the median of so many")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("PRAKERJA_", "AIRFLOW"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="prakerja-bench-") as folder:
        os.environ["PRAKERJA_HOME"] = str(Path(folder) / "home")
        if given.what == "official":
            official.run(Path(folder), given.scale)
        else:
            ingest.run(Path(folder), given.scale, given.runs)


if __name__ == "__main__":
    main()
