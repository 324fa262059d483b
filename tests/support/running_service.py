"""The service over real HTTP, in this process, and consumers of it."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from prakerja import serving, warehouse
from prakerja.blacklist.service import access, app, running
from prakerja.blacklist.service.state import Service
from prakerja.settings import WIB

#: Seconds, of which no machine is so slow that it needs them: who waits so long waits for what does not come.
PATIENCE = 120.0
#: Not used, and made anew for each request by default, which takes longer than most requests.
TLS = ssl.create_default_context()
NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = NOW.astimezone(WIB).date()


def nik(number: int) -> str:
    return f"{3100000000000000 + number}"


class Api:
    """A running service, and consumers of it by what they may do."""

    def __init__(self, url: str, service: Service, folder: Path) -> None:
        self.url, self.service, self.folder = url, service, folder
        self.tokens = {scope: access.create(scope, [scope], 10**6, None, created_by="Siti") for scope in access.SCOPES}
        service.refresh_keys()

    def ask(self, method: str, path: str, scope: str | None = None, **how: Any) -> httpx.Response:
        headers = {**how.pop("headers", {}), **({"authorization": f"Bearer {self.tokens[scope]}"} if scope else {})}
        return httpx.request(method, self.url + path, headers=headers, timeout=PATIENCE, verify=TLS, **how)

    def check(self, *niks: str, scope: str | None = "check") -> httpx.Response:
        return self.ask("POST", "/v1/blacklist/check", scope, json={"niks": list(niks)})


@contextlib.contextmanager
def served(home: Path) -> Iterator[Api]:
    service = running.build_service(None, None)
    with serving.in_thread(app.build_application(service)) as url:
        yield Api(url, service, home)


def await_version(api: Api, version: int) -> None:
    for _ in range(int(20 * PATIENCE)):
        if api.service.lists._loaded and api.service.lists.current().version >= version:
            return
        time.sleep(0.05)
    raise AssertionError(api.service.lists.problem)


def problem(response: httpx.Response, status: int) -> str:
    """The problem's detail, if it is one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert {"type", "title", "status", "detail"} <= set(document)
    assert document["status"] == status
    return str(document["detail"])


def lookups() -> list[tuple[Any, ...]]:
    with warehouse.transaction(as_owner=True) as connection:
        found = connection.exec_driver_sql(
            "select api_key_id, operation, asked, listed, version from lookups order by looked_up_at, line"
        )
        return [tuple(row) for row in found]
