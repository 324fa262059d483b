"""Make the key of a witness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.signatures import SigningKey
from prakerja_blacklist.reader.durable_files import open_durable
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
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    private, public_path = Ed25519PrivateKey.generate(), path.with_name(f"{path.name}.pub")
    public = SigningKey(private).public
    try:
        with open_durable(path) as file:
            file.write(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        with open_durable(public_path, mode=0o644) as file:
            file.write(public.pem)
    except FileExistsError as error:
        raise PrakerjaError(f"{error.filename} is there already: give another name") from None
    except OSError as error:
        raise PrakerjaError(f"{path} cannot be written ({error.strerror}): give a file in a folder of yours") from None
    return f"{path} is private; readers get {public_path}, and compare its id by telephone: {public.key_id}"
