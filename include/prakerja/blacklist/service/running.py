"""The service as a process: its folder, its keys, its source."""

from __future__ import annotations

import sys

from prakerja import serving
from prakerja.blacklist.format import signing
from prakerja.blacklist.format.signing import PublicKey
from prakerja.blacklist.reader.client import Client
from prakerja.blacklist.reader.sources import source_of
from prakerja.blacklist.service.access import Access
from prakerja.blacklist.service.app import Service, application
from prakerja.blacklist.service.bounds import PromptProtocol
from prakerja.blacklist.service.copy import Copies
from prakerja.blacklist.service.files import VerifiedFiles
from prakerja.blacklist.service.lookups import Lookups
from prakerja.cohorts.overview import cohort_table
from prakerja.settings import Settings


def configured(place: str | None, pin: bytes | None) -> Service:
    """A service over a published folder (or another service), believing a pinned key or this home's own."""
    settings = Settings.from_environment()
    folder = settings.make_home() / "service"
    pins = [PublicKey.from_pem(pin)] if pin else [signing.signing_key().public]
    client = Client(folder / "list", pins, signing.subject_keys(), takes_expired=True)
    copies = Copies(client, lambda: source_of(place or settings.publish, settings.api_key()))
    return Service(
        copies, Lookups(folder / "lookups"), cohort_table, VerifiedFiles(folder / "files"), Access(folder / "keys.json")
    )


def serve(service: Service, host: str, port: int) -> None:
    """Serve until stopped. Raises `PrakerjaError` where the address is taken."""
    # What goes on behind the requests must give way to them: by default a thread keeps the interpreter for 5 ms.
    sys.setswitchinterval(0.0005)
    serving.serve(application(service), host, port, http=PromptProtocol, timeout_graceful_shutdown=30)
