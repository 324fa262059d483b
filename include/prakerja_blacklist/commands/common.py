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

    from prakerja_blacklist.format.roots import TrustedRoot

API_KEY, SUBJECT_KEY = "PRAKERJA_API_KEY", "PRAKERJA_SUBJECT_KEY"
ROOT = "A root of the publisher, JSON, in place of --pin: only keys that its holders endorse count."


def add_folder_option(parser: ArgumentParser) -> None:
    """Add the option that names the reader's folder."""
    parser.add_argument(
        "--in", dest="folder", metavar="DIR", type=Path, required=True, help="The folder that `sync` keeps."
    )


def add_pin_option(parser: ArgumentParser, help_text: str) -> None:
    """Add the options that name the file of the publisher's key, or of the root that takes its place."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--pin", metavar="PEM", type=Path, help=help_text)
    either.add_argument("--root", metavar="JSON", type=Path, help=ROOT)


def read_pins(pin: Path | None) -> list[PublicKey]:
    """Return the publisher's key of a file, or nothing if none is given. Raise `PrakerjaError`."""
    if pin is None:
        return []
    try:
        return [PublicKey.from_pem(pin.read_bytes())]
    except OSError as error:
        raise PrakerjaError(f"{pin} cannot be read ({error.strerror}): give the publisher's key as PEM") from None


def read_root(root: Path | None) -> TrustedRoot | None:
    """Return the root to pin, or None if none is given. Raise `PrakerjaError`."""
    if root is None:
        return None
    from prakerja_blacklist.reader.root_follower import read_pinned_root  # most readers pin no root

    return read_pinned_root(root)


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
