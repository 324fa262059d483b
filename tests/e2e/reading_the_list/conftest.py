"""A published version, and the documented readers beside it."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prakerja.blacklist.publisher import configured_keys, publishing
from prakerja.blacklist.service import access
from tests.integration.blacklist import conftest as blacklist
from tests.support.conformance.readers import RUN, DocumentedReader, call_javascript
from tests.support.consumer import SCRIPTS, Consumer, answering
from tests.support.documented_reader import JAVASCRIPT, PYTHON, Reader
from tests.support.published_list import AT, DAY
from tests.support.running_service import Api, nik

listed, asked_api, own_home = blacklist.listed, blacklist.asked_api, blacklist.own_home
DRIVER = Path(call_javascript.__code__.co_filename).with_name("driver.mjs")


@pytest.fixture
def reader(listed: Path, home: Path) -> Reader:
    publishing.publish("first", AT, DAY)
    return Reader(home / "reader", listed)


@pytest.fixture(scope="session")
def node() -> str:
    """Node, where it is installed: 20.10 or later, as the documentation says."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not installed")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(map(int, version.strip("v\n").split("."))) < (20, 10):
        pytest.skip(f"Node is {version.strip()}: the reader needs 20.10")
    return found


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scripts of the documentation."""
    folder = tmp_path_factory.mktemp("scripts")
    for name, source in {"reader.py": PYTHON, "reader.mjs": JAVASCRIPT, **SCRIPTS}.items():
        (folder / name).write_text(source)
    return folder


@pytest.fixture
def command(request: pytest.FixtureRequest, scripts: Path) -> list[str]:
    """The command of a documented reader, by its language."""
    if request.param == "python":
        return [sys.executable, "-I", str(scripts / "reader.py")]
    return [request.getfixturevalue("node"), str(scripts / "reader.mjs")]


@pytest.fixture(scope="module")
def javascript(node: str, scripts: Path) -> Iterator[DocumentedReader]:
    """The reader in JavaScript, in one process."""
    with subprocess.Popen(
        [node, str(DRIVER), str(scripts / "reader.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield DocumentedReader(call_javascript(process))
        process.stdin.close()  # type: ignore[union-attr]
        assert process.wait(600) == 0


@pytest.fixture(scope="module")
def consumer(asked_api: Api, scripts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    """A consumer of today's list and service, with what its publisher has handed out."""
    folder = tmp_path_factory.mktemp("consumer")
    for script in scripts.iterdir():
        shutil.copy(script, folder)
    (folder / "publisher.pem").write_bytes(configured_keys.load_signing_key().public.pem)
    key = access.create("registration", [*access.SCOPES], 10**6, None, created_by="Siti")
    asked_api.service.refresh_keys()
    (folder / "subject.key").write_bytes(base64.b64encode(configured_keys.load_subject_key().key))
    with RUN.served(asked_api.folder / "publish") as url:
        yield Consumer(
            folder,
            {
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "SERVICE": asked_api.url,
                "LIST": f"{url}/blacklist",
                "PRAKERJA_API_KEY": key,
                "NIK": nik(1),
            },
        )


@pytest.fixture
def scripted() -> Iterator[Callable[..., str]]:
    """A function that starts a service which gives these answers in turn, and returns its URL."""
    with contextlib.ExitStack() as stack:
        yield lambda *answers: stack.enter_context(answering(answers))
