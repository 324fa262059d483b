"""Sync a reader's folder with the published list."""

from __future__ import annotations

import contextlib
import os
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from prakerja_blacklist.commands.common import (
    API_KEY,
    add_pin_option,
    describe_freshness,
    read_pins,
    read_root,
    read_subject_keys,
)
from prakerja_blacklist.commands.witness_options import add_witness_arguments, read_witnesses
from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.reader.freshness import DAILY, Schedule
from prakerja_blacklist.reader.places import open_source
from prakerja_blacklist.reader.sources import Source
from prakerja_blacklist.reader.sync import Client
from prakerja_blacklist.terminal import say, write_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

HELP = "Fetch the newest list, verify it, and replace the copy in DIR; apply deltas where possible."


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="The reader's folder, with the last trusted list.")
    parser.add_argument(
        "--from", dest="source", metavar="PLACE", required=True,
        help=f"A folder, an object-storage URL, or the service's URL, which needs {API_KEY}.",
    )  # fmt: skip
    add_pin_option(parser, "The publisher's public key, PEM, from a person whom you trust.")
    add_witness_arguments(parser)
    parser.add_argument(
        "--at", metavar="INSTANT", type=parse_utc,
        help="The instant (UTC) to take as now, for a replayed past, e.g. 2021-04-12T01:00:00Z.",
    )  # fmt: skip


def run(arguments: Namespace) -> int:
    """Sync the folder and tell how. Raise `PrakerjaError` if the list is refused."""
    client = Client(
        arguments.folder, read_pins(arguments.pin), read_subject_keys(),
        root=read_root(arguments.root), witnesses=read_witnesses(arguments),
    )  # fmt: skip
    now = arguments.at or datetime.now(UTC)
    sync_folder(client, lambda: open_source(arguments.source, os.environ.get(API_KEY)), now, DAILY)
    return 0


def sync_folder(client: Client, open_place: Callable[[], Source], now: datetime, schedule: Schedule) -> None:
    """Sync a reader's folder and tell how. If the list is refused, tell what is kept, and raise `PrakerjaError`."""
    try:
        synced = client.sync(open_place(), now)
    except PrakerjaError:
        with contextlib.suppress(PrakerjaError):  # what was refused may be the copy itself
            if kept := client.trusted():
                say(describe_freshness(kept.freshness(now, schedule), "kept"))
        raise
    for line in synced.absent:
        say(f"the witness {line}")
    trusted = synced.trusted
    how = {"full": "the whole list", "delta": f"{len(synced.changes):,} changes", "unchanged": "nothing new"}[
        synced.how
    ]
    write_line(f"version {trusted.version}: {trusted.entries:,} entries, by {how}; {client.folder}")
    freshness = trusted.freshness(now, schedule)
    if freshness.is_stale:
        say(describe_freshness(freshness, "the list"))


def parse_utc(text: str) -> datetime:
    """Return an instant such as 2021-04-12T01:00:00Z. Raise `ArgumentTypeError`."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise ArgumentTypeError("not an instant in UTC, e.g. 2021-04-12T01:00:00Z") from None
