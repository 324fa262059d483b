"""What the commands share: their options, the keys of the environment, and how they tell of a list's freshness."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.signatures import PublicKey
from prakerja_blacklist.format.subject_keys import SubjectKey, decode_key
from prakerja_blacklist.reader.freshness import WIB, Freshness

if TYPE_CHECKING:
    from argparse import ArgumentParser

API_KEY, SUBJECT_KEY = "PRAKERJA_API_KEY", "PRAKERJA_SUBJECT_KEY"


def add_folder_option(parser: ArgumentParser) -> None:
    """Add the option that names the reader's folder."""
    parser.add_argument(
        "--in", dest="folder", metavar="DIR", type=Path, required=True, help="The folder that `sync` keeps."
    )


def add_pin_option(parser: ArgumentParser, help_text: str) -> None:
    """Add the option that names the file of the publisher's key."""
    parser.add_argument("--pin", metavar="PEM", type=Path, help=help_text)


def read_pins(pin: Path | None) -> list[PublicKey]:
    """Return the publisher's key of a file, or nothing if none is given. Raise `PrakerjaError`."""
    if pin is None:
        return []
    try:
        return [PublicKey.from_pem(pin.read_bytes())]
    except OSError as error:
        raise PrakerjaError(f"{pin} cannot be read ({error.strerror}): give the publisher's key as PEM") from None


def read_subject_keys() -> list[SubjectKey]:
    """Return the key of the subjects that the environment gives, or nothing. Raise `PrakerjaError`."""
    given = os.environ.get(SUBJECT_KEY, "").strip()
    return [SubjectKey(decode_key(os.fsencode(given), SUBJECT_KEY))] if given else []


def describe_freshness(freshness: Freshness, what: str) -> str:
    """Return a line that tells of a list's version and of its freshness."""
    state = "expired" if freshness.is_expired else "stale" if freshness.is_stale else "fresh"
    return (
        f"{what}: version {freshness.version} of {_minute(freshness.created_at)}, {state}; the next "
        f"{'was' if freshness.is_stale else 'is'} due by {_minute(freshness.next_version_by)}, "
        f"{'expired' if freshness.is_expired else 'expires'} at {_minute(freshness.expires_at)}"
    )


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(WIB):%Y-%m-%d %H:%M} WIB"
