#!/usr/bin/env python3
"""The kit's protocol for a reader that keeps its list in one file, as those of docs/example-readers.md do.

python run.py --expect-failures readers/documented.txt -- python readers/documented.py python reader.py
python run.py --expect-failures readers/documented.txt -- python readers/documented.py node reader.mjs
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def call_reader(command: list[str]) -> int:
    return subprocess.run(command, check=False).returncode


def answer(arguments: list[str], command: list[str], niks: str, call: Callable[[list[str]], int] = call_reader) -> int:
    """Answer as the protocol asks, by a reader's command. Return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("subcommand", choices=["sync", "check"])
    for option in ("--source", "--folder", "--pin", "--now"):
        parser.add_argument(option)
    parser.add_argument("--subject-key", action="append", default=[])
    given = parser.parse_args(arguments)
    state = Path(given.folder) / "state.json"
    if given.subcommand == "sync":
        return call([*command, given.source, given.pin, str(state), given.now.replace("Z", "+00:00")])
    found = look_up(state, given.subject_key, given.now, niks.split())
    print(found)
    return 0 if found else 1


def look_up(state: Path, key_files: list[str], now: str, niks: list[str]) -> str:
    """Return the answer about some people as JSON, or nothing if no list is there whose subject key is given."""
    if not state.exists():
        return ""
    trusted = json.loads(state.read_text())
    keys = [base64.b64decode(Path(name).read_text()) for name in key_files]
    ids = [hashlib.sha256(b"prakerja subject key " + key).hexdigest()[:16] for key in keys]
    if trusted["key_id"] not in ids:
        return ""
    key, listed = keys[ids.index(trusted["key_id"])], {line[:64] for line in trusted["lines"]}
    return json.dumps(
        {
            "version": trusted["version"],
            "is_expired": now >= trusted["expires_at"],
            "listed": [hmac.new(key, nik.encode(), hashlib.sha256).hexdigest() in listed for nik in niks],
        }
    )


if __name__ == "__main__":
    split = next(place for place, each in enumerate(sys.argv) if each in ("sync", "check"))
    sys.exit(answer(sys.argv[split:], sys.argv[1:split], sys.stdin.read() if sys.argv[split] == "check" else ""))
