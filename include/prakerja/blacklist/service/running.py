"""The service as a process: its folder, its keys, its source."""

from __future__ import annotations

import sys

from prakerja import serving
from prakerja.blacklist.publisher.configured_keys import load_signing_key, load_subject_keys
from prakerja.blacklist.publisher.storage import open_source
from prakerja.blacklist.service.access import Access
from prakerja.blacklist.service.app import build_application
from prakerja.blacklist.service.files import VerifiedFiles
from prakerja.blacklist.service.list_store import ListStore
from prakerja.blacklist.service.lookups import Lookups
from prakerja.blacklist.service.state import Service
from prakerja.errors import PrakerjaError
from prakerja.keys import KeyStore
from prakerja.settings import Settings
from prakerja_blacklist.format.roots import TrustedRoot
from prakerja_blacklist.format.signatures import PublicKey
from prakerja_blacklist.reader.sync import Client


def build_service(place: str | None, pin: bytes | None, root: TrustedRoot | None = None) -> Service:
    """Return a service over a published folder or another service. It believes a pinned root, a key, or this home's.

    Raise `PrakerjaError` for a key or a folder that cannot be used.
    """
    settings = Settings.from_environment()
    folder = settings.make_home() / "service"
    pins = [] if root else [PublicKey.from_pem(pin)] if pin else [load_signing_key().public]
    subject_keys, padding_key = load_subject_keys(), KeyStore.from_environment().load_padding_key()
    if padding_key in {key.key for key in subject_keys}:
        raise PrakerjaError("PRAKERJA_PADDING_KEY is a key of the subjects, which readers have: give another one")
    # The service maps the lines, so they must be those of the list itself.
    client = Client(folder / "list", pins, subject_keys, root=root, takes_expired=True, changes_kept_max=0)
    lists = ListStore(client, lambda: open_source(place or settings.publish, settings.api_key), padding_key)
    return Service(lists, Lookups(folder / "lookups"), VerifiedFiles(folder / "files"), Access(folder / "keys.json"))


def serve(service: Service, host: str, port: int) -> None:
    """Serve until stopped. Raise `PrakerjaError` if the address is taken."""
    # What goes on behind the requests must give way to them: by default a thread keeps the interpreter for 5 ms.
    sys.setswitchinterval(0.0005)
    serving.serve(build_application(service), host, port, timeout_graceful_shutdown=30)
