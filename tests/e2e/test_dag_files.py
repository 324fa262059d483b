"""The DAG files, parsed by a process of their own: short, quick, and without heavy imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from prakerja.settings import PROJECT


def test_dag_files_are_short_and_import_nothing_heavy(session_home: Path) -> None:
    for path in (PROJECT / "dags").glob("*.py"):
        assert len(path.read_text().splitlines()) < 190, path
    code = (
        "import sys\n"
        "from prakerja import airflow_home; airflow_home.configure()\n"
        "import airflow.settings, airflow.sdk, airflow.providers.standard.operators.empty\n"
        "from airflow.dag_processing.dagbag import DagBag\n"
        "before = set(sys.modules)\n"
        f"bag = DagBag({str(PROJECT / 'dags')!r})\n"
        "assert bag.import_errors == {} and len(bag.dags) == 6\n"
        "heavy = {'pandas', 'pyarrow', 'great_expectations', 'openpyxl', 'fastapi'} & (set(sys.modules) - before)\n"
        "assert not heavy, heavy\n"
    )
    environment = os.environ | {"PRAKERJA_HOME": str(session_home), "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    environment.pop("PRAKERJA_CALENDAR", None)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=120)
