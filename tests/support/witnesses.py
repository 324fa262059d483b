"""Witnesses of a simulated publisher's list, and web servers that give out what they have published."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from prakerja_blacklist.format.signatures import SigningKey
from prakerja_blacklist.reader.witnesses import GivenWitnesses, Witness, describe_witnesses
from prakerja_blacklist.witness.following import Follower, Round
from tests.support.simulated_publisher import Repository, signing_key
from tests.support.simulated_reader import FIRST, Reader


@dataclass
class Desk:
    """A witness with a folder of its own, and the place where it publishes."""

    name: str
    folder: Path
    out: Path
    key: SigningKey

    @classmethod
    def at(cls, folder: Path, name: str) -> Desk:
        return cls(name, folder / name / "own", folder / name / "out", signing_key(name))

    @property
    def follower(self) -> Follower:
        return Follower(self.folder, [FIRST.public], self.key, self.out)

    def follow(self, repository: Repository) -> Round:
        return self.follower.follow(repository.source, repository.now)

    def as_witness(self, place: object = None, key: SigningKey | None = None) -> Witness:
        """What a reader is given of it."""
        return Witness(self.name, (key or self.key).public.pem.decode(), str(place or self.out))

    def statement(self, name: str) -> dict[str, Any]:
        signed = json.loads((self.out / name).read_bytes())
        assert self.key.public.has_signed(b64decode(signed["statement"]), signed["signature"].encode())
        found: dict[str, Any] = json.loads(b64decode(signed["statement"]))
        return found

    def published(self) -> list[str]:
        return sorted(str(path.relative_to(self.out)) for path in self.out.rglob("*") if path.is_file())

    def evidence(self) -> dict[str, Any]:
        """The only conflict that it has published."""
        (path,) = (self.out / "conflicts").iterdir()
        signed = json.loads(path.read_bytes())
        assert self.key.public.has_signed(b64decode(signed["conflict"]), signed["signature"].encode())
        found: dict[str, Any] = json.loads(b64decode(signed["conflict"]))
        return found


def given(*witnesses: Witness, needed: int | None = None, changes: bool = False) -> GivenWitnesses:
    return GivenWitnesses(witnesses, needed, changes)


class Court:
    """Two witnesses of a list, and a reader that asks for both, all of them at version 1."""

    def __init__(self, folder: Path, repository: Repository) -> None:
        self.repository, self.desks = repository, [Desk.at(folder, name) for name in ("auditor", "ombudsman")]
        self.follow()
        self.reader = Reader(folder / "reader", repository, witnesses=given(*self.both))
        self.reader.sync()

    @property
    def both(self) -> list[Any]:
        return [desk.as_witness() for desk in self.desks]

    def follow(self, *desks: Desk) -> None:
        for desk in desks or self.desks:
            desk.follow(self.repository)

    def calling(self, *witnesses: Any, **how: Any) -> Reader:
        """The same reader in a later call."""
        named = given(*witnesses, **how) if witnesses or how else None
        return Reader(self.reader.folder, self.repository, witnesses=named)

    def status(self) -> str:
        trusted = self.reader.client.trusted()
        assert trusted is not None
        return "\n".join(describe_witnesses(self.reader.folder, trusted))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Slow(_Quiet):
    """Sends a byte, and then one in a while."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"{")
                self.wfile.flush()
                time.sleep(0.2)


class _Endless(_Quiet):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"{" * 65536)


HANDLERS: dict[str, Callable[[Path], Any]] = {
    "quick": lambda folder: partial(_Quiet, directory=str(folder)),
    "slow": lambda _: _Slow,
    "endless": lambda _: _Endless,
}


@contextlib.contextmanager
def serving(folder: Path, how: str = "quick") -> Iterator[str]:
    """Give out a folder over HTTP; give its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), HANDLERS[how](folder))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
