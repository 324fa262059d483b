"""`prakerja serve` over a replayed world, as its consumers use it; and all that it says, searched for people."""

from __future__ import annotations

import contextlib
import gzip
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Instance


def loaded(url: str) -> bool:
    """Whether the service has all that it answers from: each part is loaded by a thread of its own."""
    try:
        ready, counted = (httpx.get(url + path) for path in ("/readyz", "/v1/statistics"))
    except httpx.HTTPError:
        return False
    # The replayed list is of 2021: it has expired, and is served as that.
    return counted.status_code == 200 and ready.json().get("type") == "urn:prakerja:problem:expired"


@contextlib.contextmanager
def served(instance: Instance) -> Iterator[tuple[str, list[str]]]:
    """The service's URL; once it is left, what it has said, and that it ended by itself."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    process = instance.start("serve", "--port", port)
    said: list[str] = []
    try:
        for _ in range(900):
            if loaded(f"http://127.0.0.1:{port}"):
                break
            time.sleep(0.1)
        else:
            raise AssertionError("the service has not loaded its keys, its counts and its list")
        yield f"http://127.0.0.1:{port}", said
    finally:
        process.send_signal(signal.SIGINT)
        said += process.communicate(timeout=30)
        assert process.returncode in (0, 130, -signal.SIGINT), said


@pytest.fixture(scope="module")
def asked(replayed: tuple[Instance, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Everybody of the world asked about, everything fetched, a reader synced; gives what was answered and said."""
    instance, _ = replayed
    people = instance.people()
    made = instance.run("keys", "create", "registration", "--scope", "check", "--scope", "list", "--scope", "range",
                        "--per-minute", "1000000", "--as", "Siti")  # fmt: skip
    token = made.stdout.strip()
    niks = [person["nik"] for person in people]
    reader = tmp_path_factory.mktemp("reader") / "list"
    with served(instance) as (url, said), httpx.Client(headers={"authorization": f"Bearer {token}"}) as consumer:
        answers, texts = [], []
        for start in range(0, len(niks), 1000):
            response = consumer.post(f"{url}/v1/blacklist/check", json={"niks": niks[start : start + 1000]})
            answers += response.json()["listed"]
            texts.append(response.content)
        version = consumer.get(f"{url}/v1/blacklist/latest").json()["version"]
        for path in (
            "/openapi.json", "/readyz", "/v1/statistics", "/v1/blacklist/latest", "/v1/blacklist/range/0a1b2",
            *(f"/v1/blacklist/versions/{version}/{name}" for name in ("manifest.json", "snapshot.parquet")),
        ):  # fmt: skip
            texts.append(consumer.get(url + path).content)
        texts.append(consumer.post(f"{url}/v1/blacklist/check", json={"niks": [f"{niks[0]}1"]}).content)
        texts.append(consumer.get(f"{url}/v1/blacklist/range/{niks[0]}").content)
        texts.append(consumer.get(f"{url}/{people[0]['phone']}").content)
        environment = instance.environment | {"PRAKERJA_API_KEY": token}
        synced = subprocess.run(
            [*instance.command, "blacklist", "sync", str(reader), "--from", url, "--at", "2021-03-20T05:00:00Z"],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        time.sleep(1.5)  # the lookups are on their way to the warehouse
    return {
        "instance": instance, "people": people, "answers": answers, "texts": texts, "said": said, "synced": synced,
        "reader": reader,
    }  # fmt: skip


def test_the_service_the_command_and_a_reader_answer_alike(asked: dict[str, Any]) -> None:
    instance, people = asked["instance"], asked["people"]
    given = "\n".join(person["nik"] for person in people)
    by_command = instance.run("blacklist", "check", given=given).stdout.splitlines()
    assert asked["synced"].returncode == 0, asked["synced"].stderr
    by_reader = instance.run("blacklist", "check", "--in", str(asked["reader"]), given=given).stdout.splitlines()
    listed = [answer == "listed" for answer in by_command]
    assert by_command == by_reader
    assert asked["answers"] == listed
    assert 0 < sum(listed) < len(listed)
    shown = instance.run("keys", "list").stdout
    assert f"{len(people) + 1:,}" in shown, "everybody, and a range"
    assert "expired" in instance.run("blacklist", "status", "--in", str(asked["reader"])).stdout


@pytest.mark.parametrize("kind", ["card_number", "nik", "phone", "email", "full_name"])
def test_nothing_personal_is_published_answered_logged_or_kept(asked: dict[str, Any], kind: str) -> None:
    """Every published byte, every answer, every line of the service, everything that it and the reader keep."""
    from pyarrow import parquet

    instance = asked["instance"]
    secrets = {person[kind] for person in asked["people"]} - {""}
    searched = {f"answer {number}": text.decode("latin-1") for number, text in enumerate(asked["texts"])}
    searched["what the service said"] = "".join(asked["said"])
    searched["what the sync said"] = asked["synced"].stdout + asked["synced"].stderr
    for folder in (instance.home / "publish", instance.home / "service", instance.home / "logs", asked["reader"]):
        for path in folder.rglob("*"):
            if path.suffix == ".gz":
                searched[str(path)] = gzip.decompress(path.read_bytes()).decode("latin-1")
            elif path.suffix == ".parquet":
                searched[str(path)] = str(parquet.read_table(path).to_pylist())
            elif path.is_file():
                searched[str(path)] = path.read_bytes().decode("latin-1")
    with instance.database("warehouse") as connection:
        for table in ("lookups", "api_keys", "rotations", "publication_approvals", "blacklist_versions", "audit_log"):
            searched[table] = str(connection.execute(f"select * from {table}").fetchall())
    assert len(searched) > 40
    assert "check" in searched["lookups"]
    for where, text in searched.items():
        assert not [secret for secret in secrets if secret in text], where


def test_a_taken_port_and_a_missing_key_are_one_line(replayed: tuple[Instance, Any]) -> None:
    instance, _ = replayed
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = instance.run("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "cannot be listened on" in done.stderr
    done = instance.run("serve", "--pin", "/nowhere.pem")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    done = instance.run("blacklist", "sync", "/tmp/nowhere", "--from", "http://127.0.0.1:9")  # noqa: S108
    assert "PRAKERJA_API_KEY" in done.stderr
    done = instance.run("keys", "revoke", "nothing", "--because", "x", "--as", "Siti")
    assert "there is no key nothing" in done.stderr
