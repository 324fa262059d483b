"""Serve an application over HTTP: until stopped, or in a thread of this process."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prakerja.errors import PrakerjaError

if TYPE_CHECKING:
    from fastapi import FastAPI


def serve(application: FastAPI, host: str, port: int, **settings: Any) -> None:
    """Serve until stopped. Raise `PrakerjaError` if the address is in use."""
    import uvicorn

    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise PrakerjaError(
            f"cannot listen on {host}:{port} ({error.strerror}): choose another --host or --port"
        ) from None
    uvicorn.Server(_config(application, **settings)).run(sockets=[listening])


@contextlib.contextmanager
def in_thread(application: FastAPI, port: int = 0, **settings: Any) -> Iterator[str]:
    """Serve on this machine only, on a free port if `port` is 0; yield the URL."""
    import uvicorn

    listening = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(_config(application, timeout_graceful_shutdown=1, **settings))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def _config(application: FastAPI, **settings: Any) -> Any:
    import uvicorn

    # No access log: the path of a request could name a person.
    return uvicorn.Config(application, log_level="warning", access_log=False, ws="none", **settings)
