"""Running the sandbox: in the foreground, or in threads of this process."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from prakerja import serving
from prakerja.errors import PrakerjaError
from prakerja.sandbox import mail
from prakerja.sandbox.addresses import Addresses, list_providers
from prakerja.sandbox.gateway import DroppingProtocol, application
from prakerja.sandbox.inbox import Inbox


def serve(
    path: Path, secrets: Mapping[str, bytes], host: str, port: int, smtp_port: int, receipts_url: str | None
) -> None:
    """Serve until stopped. Raises `PrakerjaError` if a port is taken.

    `receipts_url` is where a provider posts its receipts that takes no URL with a message.
    """
    inbox = Inbox(path)
    with _mail(inbox, host, smtp_port):
        serving.serve(application(inbox, secrets, receipts_url), host, port, protocol=DroppingProtocol)


@contextlib.contextmanager
def running(path: Path, secrets: Mapping[str, bytes], receipts_url: str | None = None) -> Iterator[Addresses]:
    """Run a sandbox on free ports of this machine. Receipts that an earlier one left are posted to `receipts_url`."""
    inbox = Inbox(path)
    if receipts_url:
        for provider in list_providers():
            inbox.redirect(provider.name, f"{receipts_url}/v1/receipts/{provider.gateway}")
    smtp_port = _free_port()
    with (
        _mail(inbox, "127.0.0.1", smtp_port),
        serving.in_thread(application(inbox, secrets, receipts_url), protocol=DroppingProtocol) as url,
    ):
        yield Addresses.from_ports("127.0.0.1", int(url.rpartition(":")[2]), smtp_port)


@contextlib.contextmanager
def _mail(inbox: Inbox, host: str, port: int) -> Iterator[None]:
    controller = mail.build_controller(inbox, host, port)
    try:
        controller.start()
    except OSError as error:
        raise PrakerjaError(
            f"{host}:{port} cannot be listened on ({error.strerror}): choose another --smtp-port"
        ) from None
    try:
        yield
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
