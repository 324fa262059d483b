"""Show which version a reader's folder holds, and how fresh it is."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prakerja_blacklist.commands.common import (
    add_folder_option,
    add_pin_option,
    describe_freshness,
    read_pins,
    read_root,
)
from prakerja_blacklist.errors import NotReadyError
from prakerja_blacklist.reader.freshness import DAILY, Freshness, Schedule
from prakerja_blacklist.reader.kept_list import KeptList
from prakerja_blacklist.terminal import write_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

HELP = "Show the version, the date of its data, when the next is due, and whether it is stale."
WAIT_SECONDS = 2  # between two looks


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    add_folder_option(parser)
    add_pin_option(parser, "The publisher's public key, PEM: a copy that does not follow from it is refused.")
    parser.add_argument("--json", dest="as_json", action="store_true", help="Print JSON, for programs.")
    parser.add_argument(
        "--wait", metavar="SECONDS", type=int, default=0,
        help="The longest wait for a list that is not stale; then exit with 1.",
    )  # fmt: skip


def run(arguments: Namespace) -> int:
    """Show the freshness, and return 1 if the list is stale."""
    kept = KeptList(arguments.folder, read_pins(arguments.pin), root=read_root(arguments.root))
    return show_freshness(
        lambda: load_freshness(kept, DAILY), _write_platforms, lambda: {"witnesses": list_witnesses(kept)},
        wait=arguments.wait, as_json=arguments.as_json,
    )  # fmt: skip


def load_freshness(kept: KeptList, schedule: Schedule) -> Freshness:
    """Return the freshness of what a reader holds. Raise `NotReadyError` if it holds nothing."""
    trusted = kept.trusted()
    if trusted is None:
        raise NotReadyError(f"{kept.folder} has no list yet: sync it first")
    return trusted.freshness(datetime.now(UTC), schedule)


def list_witnesses(kept: KeptList) -> list[str]:
    """Return a line for each witness that a reader asks, or nothing if it asks none."""
    from prakerja_blacklist.reader.witnesses import describe_witnesses  # most readers have none

    trusted = kept.trusted()
    return describe_witnesses(kept.folder, trusted) if trusted else []


def show_freshness(
    load: Callable[[], Freshness], write_platforms: Callable[[Iterable[tuple[str, str]]], None],
    list_notes: Callable[[], dict[str, list[str]]], *, wait: int, as_json: bool,
) -> int:  # fmt: skip
    """Show a list's freshness, at most `wait` seconds later if it is stale, and return the exit code: 1 if it is."""
    patience = time.monotonic() + wait
    while (freshness := load()).is_stale and time.monotonic() < patience:
        time.sleep(min(WAIT_SECONDS, wait))
    notes = {name: lines for name, lines in list_notes().items() if lines}
    if as_json:
        write_line(json.dumps(_as_mapping(freshness) | notes))
    else:
        write_platforms(sorted(freshness.data_as_of.items()))
        write_line(describe_freshness(freshness, "the list"))
        for line in itertools.chain.from_iterable(notes.values()):
            write_line(line)
    return 1 if freshness.is_stale else 0


def _write_platforms(days: Iterable[tuple[str, str]]) -> None:
    for platform, day in days:
        write_line(f"{platform}: data as of {day}")


def _as_mapping(freshness: Freshness) -> dict[str, object]:
    return {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(freshness).items()
    }
