"""An object storage on this machine: moto's S3, in a process of its own that ends with the tests'."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

SERVER = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.disable()
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
ENDPOINT = pytest.StashKey[str]()
numbers = count(1)


def _endpoint(config: pytest.Config) -> str:
    """The server's URL; it is started once, and its standard input held open for as long as the tests run."""
    if ENDPOINT not in config.stash:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert server.stdin
        assert server.stdout
        port = server.stdout.readline().decode().strip()
        assert port, "moto's server did not start: see what `python -m moto.server` says"

        def stop() -> None:
            server.communicate()

        config.add_cleanup(stop)
        config.stash[ENDPOINT] = f"http://127.0.0.1:{port}"
    return config.stash[ENDPOINT]


def files() -> Any:
    """The storage past whatever a process remembers of it."""
    import s3fs

    return s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)


@contextlib.contextmanager
def empty_bucket(config: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket; the environment knows the way to it, for children too."""
    import s3fs

    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", _endpoint(config))
    s3fs.S3FileSystem.clear_instance_cache()
    name = f"bucket-{next(numbers)}"
    s3fs.S3FileSystem().mkdir(name)
    yield f"s3://{name}"
    s3fs.S3FileSystem.clear_instance_cache()
