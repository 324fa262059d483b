"""The sandbox: an SMS gateway over real HTTP that delivers to nobody. It keeps what it accepted, once per key."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Header
from pydantic import BaseModel, Field

from prakerja.errors import PrakerjaError

SCHEMA = """
create table if not exists messages (
    id integer primary key,
    idempotency_key text not null unique,
    recipient text not null,
    text text not null
)
"""


class Message(BaseModel):
    """What a sender submits."""

    to: str = Field(min_length=5, max_length=20)
    text: str = Field(min_length=1, max_length=1000)


class Accepted(BaseModel):
    """The gateway's id of an accepted message."""

    id: str


class Inbox(BaseModel):
    """How many messages were accepted."""

    messages: int


def application(inbox: Path) -> FastAPI:
    """The gateway over an inbox file, which holds phone numbers and is readable by its owner only."""
    inbox.touch(mode=0o600)
    messages = sqlite3.connect(inbox, check_same_thread=False, isolation_level=None)
    messages.execute("pragma journal_mode = wal")
    messages.execute("pragma synchronous = normal")
    messages.execute(SCHEMA)
    lock = threading.Lock()
    app = FastAPI(title="SMS gateway sandbox", docs_url=None, redoc_url=None)

    @app.post("/v1/messages", status_code=202)
    def submit(message: Message, idempotency_key: Annotated[str, Header(min_length=1, max_length=200)]) -> Accepted:
        with lock:
            messages.execute(
                "insert into messages (idempotency_key, recipient, text) values (?, ?, ?) on conflict do nothing",
                (idempotency_key, message.to, message.text),
            )
            row = messages.execute("select id from messages where idempotency_key = ?", (idempotency_key,)).fetchone()
        return Accepted(id=f"sandbox-{row[0]}")

    @app.get("/v1/messages/count")
    def count() -> Inbox:
        with lock:
            return Inbox(messages=messages.execute("select count(*) from messages").fetchone()[0])

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def serve(inbox: Path, host: str, port: int) -> None:
    """Serve until stopped. Raises `PrakerjaError` where the address is taken."""
    import uvicorn

    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise PrakerjaError(f"{host}:{port} cannot be listened on ({error.strerror}): choose another --port") from None
    uvicorn.Server(uvicorn.Config(application(inbox), log_level="warning")).run(sockets=[listening])


@contextlib.contextmanager
def running(inbox: Path) -> Iterator[str]:
    """A sandbox in a thread on a free port of this machine; gives its URL, and `PRAKERJA_SANDBOX_URL` says it."""
    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(inbox), log_level="warning", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    before = os.environ.get("PRAKERJA_SANDBOX_URL")
    os.environ["PRAKERJA_SANDBOX_URL"] = url
    try:
        yield url
    finally:
        if before is None:
            del os.environ["PRAKERJA_SANDBOX_URL"]
        else:
            os.environ["PRAKERJA_SANDBOX_URL"] = before
        server.should_exit = True
        thread.join()
