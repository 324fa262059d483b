"""`prakerja serve` over an instance's home, until left."""

from __future__ import annotations

import contextlib
import signal
import socket
import time
from collections.abc import Iterator

import httpx

from tests.e2e.conftest import Instance
from tests.support.running_service import TLS


def loaded(url: str) -> bool:
    """Whether the service has all that it answers from: each part is loaded by a thread of its own."""
    try:
        ready, counted = (httpx.get(url + path, verify=TLS) for path in ("/readyz", "/v1/statistics"))
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
        for _ in range(6000):
            if loaded(f"http://127.0.0.1:{port}"):
                break
            time.sleep(0.1)
        else:
            raise AssertionError("the service has not loaded its keys, its counts and its list")
        yield f"http://127.0.0.1:{port}", said
    finally:
        process.send_signal(signal.SIGINT)
        said += process.communicate(timeout=600)
        assert process.returncode in (0, 130, -signal.SIGINT), said
