"""New keys of people: of a witness, of a holder of root keys."""

from __future__ import annotations

from pathlib import Path

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.signatures import PublicKey, SigningKey
from prakerja_blacklist.reader.durable_files import open_durable, sync_folder


def write_key_pair(path: Path, passphrase: bytes | None = None) -> tuple[PublicKey, Path]:
    """Write a new private key and, beside it, its public half; return that and its file.

    Raise `PrakerjaError`, also if either is there already: nothing is written over.
    """
    key, beside = SigningKey.generate(), path.with_name(f"{path.name}.pub")
    try:
        if beside.exists():
            raise FileExistsError
        with open_durable(path) as file:
            file.write(key.to_pem(passphrase))
        with open_durable(beside, mode=0o644) as file:
            file.write(key.public.pem)
        sync_folder(path.parent)
    except FileExistsError:
        raise PrakerjaError(f"{path} or {beside} is there already: give another name") from None
    except OSError as error:
        raise PrakerjaError(f"{path} cannot be written ({error.strerror}): give a file in a folder of yours") from None
    return key.public, beside
