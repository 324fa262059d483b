"""Make the key of a witness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prakerja_blacklist.commands.key_files import write_key_pair
from prakerja_blacklist.terminal import write_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

HELP = "Make the key of a witness: FILE, which is private, and FILE.pub, which its readers pin."


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", metavar="FILE", type=Path, help="The new private key, e.g. witness.pem.")


def run(arguments: Namespace) -> int:
    """Write the key, and tell its id. Raise `PrakerjaError` if there is one already."""
    write_line(make_key(arguments.file))
    return 0


def make_key(path: Path) -> str:
    """Write a new key and its public half, never over another, and return a line that names both."""
    public, public_path = write_key_pair(path)
    return f"{path} is private; readers get {public_path}, and compare its id by telephone: {public.key_id}"
