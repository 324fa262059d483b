"""Follow the list as a witness, and publish a signature over each version that continues what was seen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from prakerja_blacklist.commands.common import API_KEY, read_pins
from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.signatures import SigningKey
from prakerja_blacklist.reader.own_folder import open_own_file
from prakerja_blacklist.reader.places import open_source
from prakerja_blacklist.reader.sources import Source
from prakerja_blacklist.terminal import say, write_line
from prakerja_blacklist.witness.following import Follower

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

KEY_BYTES_MAX = 10_000
HELP = "Follow the list as a witness: sign each version that continues what was seen, and publish that in FOLDER."


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="The witness's own folder: what it has seen.")
    parser.add_argument(
        "--from", dest="source", metavar="PLACE", required=True,
        help=f"Where the list is: a folder, or the service's URL, which needs {API_KEY}.",
    )  # fmt: skip
    parser.add_argument(
        "--pin", metavar="PEM", type=Path, required=True, action="append",
        help="The publisher's public key, PEM, from a person whom you trust. Repeat it for more keys.",
    )  # fmt: skip
    parser.add_argument(
        "--key", metavar="WITNESS.pem", type=Path, required=True, help="The witness's private key (`witness-key`)."
    )
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        type=Path,
        required=True,
        help="Where statements are published, by a web server.",
    )
    parser.add_argument("--every", metavar="SECONDS", type=int, help="Look again so often, without end; default once.")


def run(arguments: Namespace) -> int:
    """Look at the list, once or without end, and return 1 if it was refused or a conflict is on record."""
    pins = [key for pin in arguments.pin for key in read_pins(pin)]
    follower = Follower(arguments.folder, pins, read_private_key(arguments.key), arguments.out)
    return follow(
        follower, lambda: open_source(arguments.source, os.environ.get(API_KEY)), arguments.every, say, write_line
    )


def follow(
    follower: Follower,
    open_place: Callable[[], Source],
    every: int | None,
    warn: Callable[[str], object],
    tell: Callable[[str], object],
) -> int:
    """Look at the list, every so many seconds if that is given, and tell what was signed. Return the exit code."""
    if every is not None and every < 1:
        raise PrakerjaError("--every takes a number of seconds, 1 or more")
    while True:
        code = _look(follower, open_place, warn, tell)
        if every is None:
            return code
        time.sleep(every)


def _look(
    follower: Follower, open_place: Callable[[], Source], warn: Callable[[str], object], tell: Callable[[str], object]
) -> int:
    is_refused = False
    try:
        found = follower.follow(open_place())
        for note in found.notes:
            warn(note)
        tell(f"signed: {', '.join(found.signed)}" if found.signed else "nothing new")
    except PrakerjaError as error:
        warn(str(error))
        is_refused = True
    conflicts = follower.list_conflicts()
    for name in conflicts:
        warn(
            f"{follower.folder / 'conflicts' / name}: the publisher has signed two histories "
            "(docs/runbooks/witnesses.md)"
        )
    return 1 if is_refused or conflicts else 0


def read_private_key(path: Path) -> SigningKey:
    """Return the witness's key. Raise `PrakerjaError` if others may write its file too."""
    try:
        with open_own_file(path) as file:
            return SigningKey.from_pem(file.read(KEY_BYTES_MAX), str(path))
    except OSError as error:
        raise PrakerjaError(
            f"{path} cannot be read ({error.strerror}): make a key with `prakerja-blacklist witness-key {path}`"
        ) from None
