#!/usr/bin/env python3
"""Run the conformance kit of the published blacklist against a reader.

    python run.py [OPTION...] -- READER [ARGUMENT...]

READER is a command with the two subcommands of README.md, `sync` and `check`. Needs Python 3.10 and nothing else.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fnmatch
import functools
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent / "data"
KILLS = 8  # of a reader that is killed while it syncs


class FailedError(Exception):
    """The reader did not do what the case asks. The message says what it did."""


@dataclass
class Result:
    """How a command of the reader ended."""

    code: int
    out: str
    err: str


class Reader:
    """The reader under test: a command that is run anew for each step."""

    def __init__(self, command: list[str], timeout: float = 60.0) -> None:
        self.command, self.timeout = command, timeout

    def run(self, arguments: list[str], given: str = "") -> Result:
        """Run a subcommand to its end. Raise `FailedError` if it takes too long."""
        with self._start(arguments) as process:
            try:
                out, err = process.communicate(given, timeout=self.timeout)
            except subprocess.TimeoutExpired:
                _kill_group(process)
                raise FailedError(f"{arguments[0]} took longer than {self.timeout:g} seconds") from None
        return Result(process.returncode, out, err)

    def run_and_kill(self, arguments: list[str], seconds: float) -> None:
        """Run a subcommand, and kill it after some seconds if it still runs."""
        with self._start(arguments) as process:
            try:
                process.communicate("", timeout=seconds)
            except subprocess.TimeoutExpired:
                _kill_group(process)

    def _start(self, arguments: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )


def _kill_group(process: subprocess.Popen[str]) -> None:
    # A wrapper's own children are killed with it.
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.communicate()


@dataclass
class Kit:
    """The publications, the cases by name, and the people about whom a reader is asked."""

    publications: dict[str, dict[str, bytes]]
    people: list[str]
    cases: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path = DATA) -> Kit:
        """Return the kit of a folder."""
        loaded = json.loads((folder / "publications.json").read_text("utf-8"))
        publications = {
            name: {file: decode(value) for file, value in files.items()}
            for name, files in loaded["publications"].items()
        }
        kit = cls(publications, loaded["people"])
        for path in sorted((folder / "cases").glob("*.json")):
            kit.cases.update((each["name"], each) for each in json.loads(path.read_text("utf-8")))
        return kit

    def files(self, published: dict[str, Any]) -> dict[str, bytes]:
        """Return the files of a step: those of a publication, with changes."""
        files = {**self.publications[published["as"]]}
        for name in published.get("remove", []):
            del files[name]
        files.update((name, decode(value)) for name, value in published.get("put", {}).items())
        return files


def decode(value: Any) -> bytes:
    """Return a file's bytes from what the kit has for them: text, `base64`, or `zlib` in base64."""
    if isinstance(value, str):
        return value.encode()
    if "zlib" in value:
        return zlib.decompress(base64.b64decode(value["zlib"]))
    return base64.b64decode(value["base64"])


def run_case(kit: Kit, case: dict[str, Any], reader: Reader, folder: Path, url: str | None = None) -> None:
    """Take a reader through the steps of a case. `url` is where the folder is served, if it is.

    Raise `FailedError` at the first step that does not end as it must.
    """
    held: dict[str, Any] | None = None
    for number, step in enumerate(case["steps"], 1):
        root = folder / f"step-{number}"
        for name, data in kit.files(step["published"]).items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        place = f"{url}/{root.name}" if url else str(root)
        try:
            held = run_step(kit, step, reader, folder / "reader", f"{place}/blacklist", held)
        except FailedError as error:
            raise FailedError(f"step {number}: {error}") from None
        shutil.rmtree(root)


def run_step(
    kit: Kit, step: dict[str, Any], reader: Reader, folder: Path, source: str, held: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Sync the reader's folder and compare its answers. Return what it must hold from now on."""
    folder.mkdir(mode=0o700, exist_ok=True)
    keys = [f"--subject-key={DATA / 'keys' / key}.subject-key" for key in step["subject_keys"]]
    about = [f"--folder={folder}", f"--now={step['now']}", *keys]
    sync = ["sync", f"--source={source}", f"--pin={DATA / 'keys' / step['pin']}.pem", *about]
    check = ["check", *about]
    if step.get("is_killed"):
        kill_syncs(kit, step, reader, sync, check, folder, held)
    result = reader.run(sync)
    if result.code not in (0, 1):
        raise FailedError(f"sync ended with {result.code}, and must with 0 or 1{said(result)}")
    if step["sync"] != "either" and (result.code == 0) != (step["sync"] == "accepted"):
        done = "accepted" if result.code == 0 else "refused"
        raise FailedError(f"the list was {done}, and must be {step['sync']}{said(result)}")
    if result.code == 0:
        held = step["trusted"]
    compare(kit, step, reader.run(check, "\n".join(kit.people) + "\n"), held)
    return held


def compare(kit: Kit, step: dict[str, Any], result: Result, held: dict[str, Any] | None) -> None:
    """Raise `FailedError` unless a reader answers by the list that it must hold."""
    if result.code not in (0, 1):
        raise FailedError(f"check ended with {result.code}, and must with 0 or 1{said(result)}")
    answer = parse_answer(result) if result.code == 0 else None
    if held is None or step.get("answers_nobody"):
        if answer and not answer["is_expired"]:
            raise FailedError(f"check answers by version {answer['version']}, and must answer nobody")
        return
    is_expired = step["now"] >= held["expires_at"]
    if answer is None:
        if is_expired:
            return
        raise FailedError(f"check does not answer, and must by version {held['version']}{said(result)}")
    if answer["version"] != held["version"]:
        raise FailedError(f"check answers by version {answer['version']}, and must by {held['version']}")
    if answer["is_expired"] != is_expired:
        raise FailedError(f"check says is_expired: {answer['is_expired']}, and must say {is_expired}")
    listed = [nik for nik, is_listed in zip(kit.people, answer["listed"], strict=False) if is_listed]
    if len(answer["listed"]) != len(kit.people) or listed != held["listed"]:
        wrong = sorted({*listed} ^ {*held["listed"]})
        raise FailedError(f"check is wrong about {', '.join(wrong[:5]) or 'how many were asked about'}")


def parse_answer(result: Result) -> dict[str, Any]:
    """Return the answer of `check`. Raise `FailedError` unless it has the three members."""
    try:
        answer: dict[str, Any] = json.loads(result.out)
        fits = (
            type(answer["version"]) is int
            and type(answer["is_expired"]) is bool
            and all(type(each) is bool for each in answer["listed"])
        )
    except (ValueError, KeyError, TypeError):
        fits = False
    if not fits:
        raise FailedError(f"check prints no JSON object with version, is_expired and listed{said(result)}")
    return answer


def kill_syncs(
    kit: Kit,
    step: dict[str, Any],
    reader: Reader,
    sync: list[str],
    check: list[str],
    folder: Path,
    held: dict[str, Any] | None,
) -> None:
    """Kill a sync at several moments. Raise `FailedError` unless the reader holds the list before or the new one."""
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    began = time.monotonic()
    reader.run(sync)
    seconds = time.monotonic() - began
    for moment in range(1, KILLS + 1):
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        reader.run_and_kill(sync, seconds * moment / KILLS)
        result = reader.run(check, "\n".join(kit.people) + "\n")
        try:
            compare(kit, step, result, step["trusted"])
        except FailedError:
            try:
                compare(kit, step, result, held)
            except FailedError as error:
                raise FailedError(f"killed in its sync: {error}") from None
    shutil.rmtree(kept)


def said(result: Result) -> str:
    """Return the last line that a command has said, to be shown behind a failure."""
    lines = [line for line in (result.err or result.out).splitlines() if line.strip()]
    return f" (it says: {lines[-1].strip()[:200]})" if lines else ""


# -- the command line --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder by HTTP on this machine, and return its URL."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            pass  # a reader that does not want more of a file closes the connection

    server = Server(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def read_expected_failures(path: Path, names: list[str]) -> set[str]:
    """Return the cases that a file names, one a line; what follows a `#` is a comment. Exit if one is unknown."""
    found = {line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines()} - {""}
    unknown = sorted(found - {*names})
    if unknown:
        sys.exit(f"{path} names cases that the kit does not have: {', '.join(unknown)}")
    return found


def report(kit: Kit, names: list[str], failures: dict[str, str], expected: set[str]) -> int:
    """Print what failed and a line for each topic. Return the exit code."""
    for name in names:
        if name in failures and name not in expected:
            print(f"FAILED {name}: {failures[name]}\n       {kit.cases[name]['title']}")
        elif name in expected and name not in failures:
            print(f"PASSED {name}, which is expected to fail: take it out of the expected failures")
    for topic in dict.fromkeys(name.partition("/")[0] for name in names):
        mine = [name for name in names if name.startswith(f"{topic}/")]
        print(f"{topic:14} {sum(name not in failures for name in mine):3} of {len(mine)}")
    unexpected = {*failures} ^ (expected & {*names})
    print(f"{'all':14} {len(names) - len(failures):3} of {len(names)}, {len(expected & {*names})} expected to fail")
    return 1 if unexpected else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the conformance kit of the published blacklist against a reader.")
    parser.add_argument(
        "--only", action="append", metavar="PATTERN", help="cases to run, e.g. 'rollback/*'; repeatable"
    )
    parser.add_argument(
        "--expect-failures", type=Path, metavar="FILE", help="cases that are expected to fail, one a line"
    )
    parser.add_argument("--http", action="store_true", help="give the reader URLs in place of folders")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="for one command; default 60")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="cases at a time")
    parser.add_argument("--list", action="store_true", help="list the cases, and run nothing")
    parser.add_argument("reader", nargs="*", metavar="READER", help="the reader's command, after --")
    chosen = parser.parse_args()
    kit = Kit.load()
    names = [name for name in kit.cases if any(fnmatch.fnmatch(name, only) for only in chosen.only or ["*"])]
    if chosen.list:
        for name in names:
            print(f"{name}: {kit.cases[name]['title']}")
        return 0
    if not names or not chosen.reader:
        parser.error("no case is named so" if not names else "which reader? give its command after --")
    if shutil.which(chosen.reader[0]) is None:
        parser.error(f"{chosen.reader[0]} is no command that can be run")
    expected = read_expected_failures(chosen.expect_failures, list(kit.cases)) if chosen.expect_failures else set()
    reader, failures = Reader(chosen.reader, chosen.timeout), {}
    with (
        tempfile.TemporaryDirectory() as temporary,
        served(Path(temporary)) as url,
        ThreadPoolExecutor(chosen.jobs) as pool,
    ):

        def attempt(numbered: tuple[int, str]) -> None:
            number, name = numbered
            folder = Path(temporary) / str(number)
            folder.mkdir()
            try:
                run_case(kit, kit.cases[name], reader, folder, f"{url}/{number}" if chosen.http else None)
            except FailedError as error:
                failures[name] = str(error)

        list(pool.map(attempt, enumerate(names)))
    return report(kit, names, failures, expected)


if __name__ == "__main__":
    sys.exit(main())
