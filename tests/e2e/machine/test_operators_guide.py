"""The operators' guide is as it says: each of its commands, as it stands there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import psutil
import pytest

from prakerja.people import RIGHTS, os_login
from prakerja.settings import PROJECT
from tests.e2e.machine.conftest import LAST_DAY
from tests.support.running_machine import BIN, PATIENCE, Machine

GUIDE = (PROJECT / "docs" / "operators-guide.md").read_text()


@pytest.mark.parametrize("chapter", re.findall(r"^## (.+)$", GUIDE, re.MULTILINE))
def test_the_operators_guide_is_true(decided: Machine, people: dict[str, str], chapter: str, tmp_path: Path) -> None:
    """Exit code 0, no traceback. What is begun is not waited for, and so not run: other tests see such runs through."""
    decided.pause("platform_feeds", "cohort_deadline")
    script = tmp_path / "prakerja"  # which is not in BIN where the package is not installed
    others = tmp_path / "people.yaml"  # in whose shell `$OTHER` works
    others.write_text(f"people: [{{id: operator, name: Operator, logins: {{os: [{os_login()}]}}, may: {[*RIGHTS]}}}]")
    script.write_text(
        f'#!/bin/sh\ncase "$*" in *"--as operator") export PRAKERJA_PEOPLE={others};; esac\n'
        f'exec {shlex.join(decided.instance.command)} "$@"\n'
    )
    script.chmod(0o700)
    document = tmp_path / "corrections.json"
    right = {"card_number": people["listed"], "nik": "3199999999999999", "phone": "+628111111111"}
    document.write_text(json.dumps(right))
    text = GUIDE.partition(f"## {chapter}\n")[2].partition("\n## ")[0]
    environment = psutil.Process(decided.pid("scheduler")).environ() | {
        "NAME": "admin", "OTHER": "operator", "COHORT": "12", "PLATFORM": "tokopedia", "DAY": f"{LAST_DAY}",
        "CARD": people["held" if "held" in chapter else "listed"], "DOUBTED": people["doubted"],
        "DOCUMENT": f"{document}",
        "PATH": f"{tmp_path}:{BIN}:{os.environ['PATH']}",
    }  # fmt: skip
    del environment["PRAKERJA_DATABASE_URL"]  # which is the tasks', with their login: commands have their own
    for block in re.findall(r"```sh\n(.+?)```", text, re.DOTALL):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], env=environment, text=True, capture_output=True, check=False,
            timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
        assert "Traceback" not in done.stdout + done.stderr
