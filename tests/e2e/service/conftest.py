"""Everybody of the replayed world asked about; and the service in this process."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Instance
from tests.integration.blacklist import conftest as blacklist
from tests.support.served_home import served

api, listed, own_home = blacklist.api, blacklist.listed, blacklist.own_home


def await_lookups(instance: Instance, asked: int) -> None:
    """Wait until the warehouse has counted all that was asked: lookups come there after they are answered."""
    until = time.monotonic() + 600
    with instance.database("warehouse") as connection:
        connection.autocommit = True
        while (found := connection.execute("select coalesce(sum(asked), 0) from lookups").fetchone()) != (asked,):
            assert time.monotonic() < until, f"{found} of {asked} lookups"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def asked(replayed: tuple[Instance, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Ask about every person, fetch every file, sync a reader; return all answers and output."""
    instance, _ = replayed
    people = instance.people()
    made = instance.ask("keys", "create", "registration", "--scope", "check", "--scope", "list", "--scope", "range",
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
            [*instance.command, "blacklist", "sync", str(reader), "--from", url, "--at", "2021-03-18T05:00:00Z"],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        await_lookups(instance, len(people) + 1)
    return {
        "instance": instance, "people": people, "answers": answers, "texts": texts, "said": said, "synced": synced,
        "reader": reader,
    }  # fmt: skip
