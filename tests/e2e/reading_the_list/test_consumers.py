"""What consumers are told to do is right: each command of their page, and each answer that they may get."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Callable
from typing import Any

import pytest

from prakerja.blacklist.service import access
from prakerja.settings import PROJECT
from tests.support.consumer import COMMANDS, PAGE, Consumer
from tests.support.running_service import Api, nik

UNLISTED = nik(9)
#: What the commands below a heading print, for somebody who is listed.
PRINTED = {
    "Ask the service": r'"is_expired":false,"listed":\[true\]|listed\n',
    "Keep a copy": r"version 1: 5 listed\n|listed: [0-9a-f]{64},12,NO_FIRST_PURCHASE,\S+,gelombang-12-a{24}\n",
    "Look at it by hand": r"Signature Verified Successfully\n[^$]*\n[0-9a-f]{64},12,NO_FIRST_PURCHASE,",
    "Over HTTP": r'304\n.*"suffixes":\[.*"is_ready":true',
}


@pytest.mark.parametrize(
    ("heading", "commands"), COMMANDS, ids=[f"{heading} {n}" for n, (heading, _) in enumerate(COMMANDS)]
)
def test_each_command_of_the_page_does_what_it_says(
    request: pytest.FixtureRequest, consumer: Consumer, heading: str, commands: str
) -> None:
    if re.search(r"^node | node ", commands, re.MULTILINE):
        request.getfixturevalue("node")
    if "openssl" in commands and shutil.which("openssl") is None:
        pytest.skip("OpenSSL is not installed")
    done = consumer.run(commands)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(PRINTED[heading], done.stdout, re.DOTALL), done.stdout
    if "$NIK" in commands:
        done = consumer.run(commands, NIK=UNLISTED)
        assert re.search(r"^not listed$|\[false\]", done.stdout, re.MULTILINE), done.stdout + done.stderr


LANGUAGES = pytest.mark.parametrize("ask", ["python3 ask.py", "node ask.mjs"])
ANSWER = {"version": 1, "is_expired": False, "listed": [True, False]}

#: What the service says, in turn; what is printed about two people, and the exit code.
ANSWERS: dict[str, tuple[list[tuple[int, dict[str, str], Any]], str, int]] = {
    "listed and not": ([(200, {}, ANSWER)], "listed\nnot listed\n", 0),
    "expired": ([(200, {}, ANSWER | {"is_expired": True})], "open\nopen\n", 0),
    "the quota is used up": ([(429, {"retry-after": "9"}, {"detail": "no"})], "open\nopen\n", 0),
    "the quota was used up": (
        [(429, {"retry-after": "1"}, {"detail": "no"}), (200, {}, ANSWER)],
        "listed\nnot listed\n",
        0,
    ),
    "a date to ask again at": (
        [(503, {"retry-after": "Wed, 17 Mar 2021 00:00:00 GMT"}, {"detail": "no"})],
        "open\nopen\n",
        0,
    ),
    "no list yet": ([(503, {"retry-after": "5"}, {"detail": "no"})], "open\nopen\n", 0),
    "a defect": ([(500, {}, {"detail": "no"})], "open\nopen\n", 0),
    "too slow": ([(408, {}, {"detail": "no"})], "open\nopen\n", 0),
    "a proxy's page": ([(200, {}, b"<html>please log in</html>")], "open\nopen\n", 0),
    "another document": ([(200, {}, [])], "open\nopen\n", 0),
    "too few answers": ([(200, {}, ANSWER | {"listed": [True]})], "open\nopen\n", 0),
    "half an answer": ([(200, {"content-length": "900"}, ANSWER)], "open\nopen\n", 0),
    "no key": ([(401, {}, {"detail": "an API key is needed"})], '401: {"detail": "an API key is needed"}\n', 1),
    "no scope": ([(403, {}, {"detail": "no scope"})], '403: {"detail": "no scope"}\n', 1),
    "a proxy's refusal": ([(403, {}, b"<html>no entry</html>")], "403: <html>no entry</html>\n", 1),
    "not there": ([(404, {}, {"detail": "no such path"})], '404: {"detail": "no such path"}\n', 1),
    "wrong": (
        [(422, {}, {"detail": "niks/0: string_pattern_mismatch"})],
        '422: {"detail": "niks/0: string_pattern_mismatch"}\n',
        1,
    ),
}


def run_asking(request: pytest.FixtureRequest, consumer: Consumer, ask: str, url: str, **environment: str) -> Any:
    if ask.startswith("node"):
        request.getfixturevalue("node")
    return consumer.run(f'printf "%s\\n" {nik(1)} {UNLISTED} | {ask} {url} 3', **environment)


@LANGUAGES
@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_decides_or_leaves_open(
    request: pytest.FixtureRequest, consumer: Consumer, scripted: Callable[..., str], ask: str, answer: str
) -> None:
    answers, printed, code = ANSWERS[answer]
    done = run_asking(request, consumer, ask, scripted(*answers))
    assert (done.returncode, done.stdout + done.stderr) == (code, printed)


@LANGUAGES
def test_a_service_that_is_away_leaves_open(request: pytest.FixtureRequest, consumer: Consumer, ask: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    done = run_asking(request, consumer, ask, url)
    assert (done.returncode, done.stdout) == (0, "open\nopen\n"), done.stderr


@LANGUAGES
def test_the_service_answers_so(request: pytest.FixtureRequest, consumer: Consumer, asked_api: Api, ask: str) -> None:
    """The real service: a quota that two people use up, a key that is none, and a NIK that cannot be one."""
    little = access.create("slow", ["check"], 1, None, created_by="Siti")
    asked_api.service.refresh_keys()
    done = run_asking(request, consumer, ask, asked_api.url, PRAKERJA_API_KEY=little)
    assert done.stdout == "listed\nnot listed\n"
    assert run_asking(request, consumer, ask, asked_api.url, PRAKERJA_API_KEY=little).stdout == "open\nopen\n"
    done = run_asking(request, consumer, ask, asked_api.url, PRAKERJA_API_KEY="none")
    assert done.returncode == 1
    assert re.match(r'401: .*"detail": ?"an API key is needed, and this is none"', done.stderr), done.stderr
    done = consumer.run(f"echo 12345 | {ask} {asked_api.url}")
    assert done.returncode == 1
    assert re.match(r'422: .*"detail": ?"niks/0: string_pattern_mismatch"', done.stderr), done.stderr


def test_an_expired_copy_refuses_nobody(request: pytest.FixtureRequest, consumer: Consumer) -> None:
    synced = consumer.run('rm -f list.json; python3 reader.py "$LIST" publisher.pem list.json')
    assert synced.returncode == 0, synced.stderr
    right = json.loads((consumer.folder / "list.json").read_text())
    for members, said in (
        ({"expires_at": "2021-03-22T00:00:00Z"}, "open: the list has expired"),
        ({"key_id": "0" * 16}, "open: the list has another subject key"),
    ):
        (consumer.folder / "list.json").write_text(json.dumps(right | members))
        for commands in [each for heading, each in COMMANDS if heading == "Keep a copy" and "EOF" in each]:
            if "node" in commands:
                request.getfixturevalue("node")
            done = consumer.run(commands)
            assert said in done.stdout + done.stderr
            assert "listed:" not in done.stdout
    (consumer.folder / "list.json").unlink()


def test_the_page_tells_what_to_do_on_every_status_of_the_service() -> None:
    table = PAGE.partition("## What your system does on each answer")[2].partition("\n## ")[0]
    told = set(
        re.findall(r"\b[45]\d\d\b", " ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("|")))
    )
    paths = json.loads((PROJECT / "docs" / "openapi.json").read_text())["paths"]
    statuses = {
        status
        for path, operations in paths.items()
        if path.startswith("/v1/blacklist")
        for operation in operations.values()
        for status in operation["responses"]
        if status >= "400"
    }
    assert statuses <= told
