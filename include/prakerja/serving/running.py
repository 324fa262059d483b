"""Serve an application over HTTP: until stopped, or in a thread of this process."""

from __future__ import annotations

import contextlib
import functools
import resource
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from prakerja.errors import PrakerjaError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from prakerja.serving.protocol import BoundedProtocol

CONNECTIONS_AT_ONCE = 800
CONNECTIONS_LEAST = 50
#: Files that a process has open besides its connections: libraries, the warehouse's sessions, and connections that are
#: accepted before the ones that make room for them are closed.
RESERVED_FILES = 450
BACKLOG = 100  # connections that are accepted in one go


def serve(
    application: FastAPI,
    host: str,
    port: int,
    *,
    protocol: type[BoundedProtocol] | None = None,
    **settings: Any,
) -> None:
    """Serve until stopped, within `application.state.bounds`.

    Raise `PrakerjaError` if the address is in use, or if this process may open too few files.
    """
    import uvicorn

    config = _config(application, protocol, **settings)
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise PrakerjaError(
            f"cannot listen on {host}:{port} ({error.strerror}): choose another --host or --port"
        ) from None
    uvicorn.Server(config).run(sockets=[listening])


@contextlib.contextmanager
def in_thread(
    application: FastAPI, port: int = 0, *, protocol: type[BoundedProtocol] | None = None, **settings: Any
) -> Iterator[str]:
    """Serve on this machine only, on a free port if `port` is 0; yield the URL."""
    import uvicorn

    listening = socket.create_server(("127.0.0.1", port))
    server = uvicorn.Server(_config(application, protocol, timeout_graceful_shutdown=1, **settings))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def allow_connections(files_each: int) -> int:
    """Return how many connections of so many files each may be open, after raising this process's limit on files.

    Raise `PrakerjaError` if the system allows too few files.
    """
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS_AT_ONCE * files_each + RESERVED_FILES
    if most != resource.RLIM_INFINITY and most < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most == resource.RLIM_INFINITY:
        return CONNECTIONS_AT_ONCE
    connections = min((most - RESERVED_FILES) // files_each, CONNECTIONS_AT_ONCE)
    if connections < CONNECTIONS_LEAST:
        least = CONNECTIONS_LEAST * files_each + RESERVED_FILES
        raise PrakerjaError(f"this process may open only {most:,} files: allow it {least:,} or more (ulimit -n)")
    return connections


def _config(application: FastAPI, protocol: type[BoundedProtocol] | None, **settings: Any) -> Any:
    import uvicorn

    from prakerja.serving.protocol import BoundedProtocol, Bounds

    bounds = getattr(application.state, "bounds", Bounds())
    build_protocol: Any = functools.partial(
        protocol or BoundedProtocol, connections_at_once=allow_connections(bounds.files), bounds=bounds
    )
    return uvicorn.Config(
        application,
        http=build_protocol,
        backlog=BACKLOG,
        # No access log: the path of a request could name a person. No warnings: each invalid request would be one.
        log_level="error",
        access_log=False,
        ws="none",
        **settings,
    )
