"""Key material: read from the settings, else generated once in the home's folder `keys`.

A key that the environment gives is never copied to the home. Of two processes that generate a key at once, one writes
it and the other reads it.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from prakerja import atomic_files
from prakerja.errors import PrakerjaError
from prakerja.settings import RECEIPTS_SECRET, Settings
from prakerja_blacklist.format.subject_keys import KEY_BYTES_LEAST, decode_key


@dataclass(frozen=True)
class KeyStore:
    """The keys of one installation. Methods that load a key raise `PrakerjaError` for one that cannot be used."""

    settings: Settings

    @classmethod
    def from_environment(cls) -> KeyStore:
        """Return the keys of the environment and its home."""
        return cls(Settings.from_environment())

    @property
    def folder(self) -> Path:
        """The home's folder of keys; it may not exist yet."""
        return self.settings.home / "keys"

    def load_signing_key(self) -> bytes:
        """Return the Ed25519 private key as PEM, generated once if none is given."""
        given = self.settings.signing_key
        if given is None:
            return self._load_or_generate_for("PRAKERJA_SIGNING_KEY", "signing_key.pem", new_signing_key)
        return _read_pem(given, "PRAKERJA_SIGNING_KEY")

    def load_next_signing_key(self) -> bytes | None:
        """Return the signing key that is announced and does not sign yet, as PEM. None if there is none."""
        given = self.settings.next_signing_key
        if given is None:
            path = self.folder / "signing_key_next.pem"
            return path.read_bytes() if path.exists() else None
        return _read_pem(given, "PRAKERJA_SIGNING_KEY_NEXT")

    def has_signing_key(self) -> bool:
        """Whether a signing key is given or was generated."""
        return self.settings.signing_key is not None or (self.folder / "signing_key.pem").exists()

    def drop_next_signing_key(self) -> None:
        """Remove the announced key from the home. Raises `PrakerjaError` if the environment gives it."""
        if self.settings.next_signing_key:
            raise PrakerjaError("PRAKERJA_SIGNING_KEY_NEXT gives the key: unset it first, then revoke the key")
        self.drop("signing_key_next.pem")

    def load_subject_key(self) -> bytes:
        """Return the key of the HMAC that turns a NIK into a published subject, generated once if none is given."""
        given = self.settings.subject_key
        if given is None:
            encoded = self._load_or_generate_for("PRAKERJA_SUBJECT_KEY", "subject_key.b64", new_random_key)
        else:
            encoded = given.encode()
        return decode_key(encoded, "PRAKERJA_SUBJECT_KEY")

    def has_subject_key(self) -> bool:
        """Whether a subject key is given or was generated."""
        return self.settings.subject_key is not None or (self.folder / "subject_key.b64").exists()

    def load_earlier_subject_keys(self) -> list[bytes]:
        """Return the subject keys before the present one, newest first: those given, then those the home retired."""
        given = (self.settings.earlier_subject_keys or "").encode().split(b",")
        retired = [*self.folder.glob("subject_key_retired_*.b64"), *self.folder.glob("subject_key_previous.b64")]
        kept = [path.read_bytes() for path in sorted(retired, key=lambda path: path.stat().st_mtime_ns, reverse=True)]
        keys = [decode_key(key, "PRAKERJA_SUBJECT_KEY_PREVIOUS") for key in [*given, *kept] if key.strip()]
        return list(dict.fromkeys(keys))

    def load_padding_key(self) -> bytes:
        """Return the key of the padding in the service's range answers, generated once if none is given."""
        given = self.settings.padding_key
        if given is None:
            encoded = self._load_or_generate_for("PRAKERJA_PADDING_KEY", "padding_key.b64", new_random_key)
        else:
            encoded = given.encode()
        return decode_key(encoded, "PRAKERJA_PADDING_KEY")

    def load_contact_keys(self) -> list[bytes]:
        """Return the keys of names and addresses in the warehouse, the present one first.

        The first is generated once in the home, where the next and the one before may lie beside it. Raises
        `PrakerjaError` if none is given and the warehouse is a server that others use: they must know it too.
        """
        given, previous = self.settings.contact_key, self.settings.earlier_contact_key
        if given is None and self.settings.database_url and not (self.folder / "contact_key.b64").exists():
            raise PrakerjaError(
                "PRAKERJA_CONTACT_KEY is not set: give the key that seals names and addresses in the warehouse, the "
                "same to all who use it (32 random bytes in base64)"
            )
        if given is None:
            keys = [self._load_or_generate_for("PRAKERJA_CONTACT_KEY", "contact_key.b64", new_random_key)]
        else:
            keys = [given.encode()]
        if previous:
            keys.append(previous.encode())
        elif given is None:
            beside = (self.folder / f"contact_key_{which}.b64" for which in ("next", "previous"))
            keys += [path.read_bytes() for path in beside if path.exists()]
        return [decode_key(key, "PRAKERJA_CONTACT_KEY") for key in keys]

    def load_next_contact_key(self) -> bytes:
        """Return the key that replaces the contact key, generated once. Raises `PrakerjaError` if keys are given."""
        if self.settings.contact_key:
            raise PrakerjaError(
                "PRAKERJA_CONTACT_KEY gives the key: set it to a new one, PRAKERJA_CONTACT_KEY_PREVIOUS to the present "
                "one, and repeat the command without --new-key"
            )
        return decode_key(self.load_or_generate("contact_key_next.b64", new_random_key), "the next key")

    def promote_contact_key(self) -> None:
        """Replace the contact key by the next one, and keep the one before for what it may still have sealed."""
        self.replace("contact_key_previous.b64", (self.folder / "contact_key.b64").read_bytes(), None)
        (self.folder / "contact_key_next.b64").replace(self.folder / "contact_key.b64")

    def load_receipts_secrets(self, gateways: Sequence[str], *, as_text: Collection[str] = ()) -> dict[str, bytes]:
        """Return the key that each provider signs its receipts with, by the provider's name.

        A secret is base64, perhaps after `whsec_`; of the providers in `as_text` it is used as it is written. One of
        `gateways` without one gets a key that is generated once. Raises `PrakerjaError` for a key that two providers
        share.
        """
        if os.environ.get("PRAKERJA_RECEIPTS_SECRET"):
            each = " and ".join(f"{RECEIPTS_SECRET}{gateway.upper()}" for gateway in gateways)
            raise PrakerjaError(
                f"PRAKERJA_RECEIPTS_SECRET was one secret for all providers: unset it, and give each its own ({each})"
            )
        encoded = {provider: secret.encode() for provider, secret in self.settings.receipts_secrets.items()}
        for gateway in gateways:
            if gateway not in encoded and gateway in as_text:
                variable = f"{RECEIPTS_SECRET}{gateway.upper()}"
                raise PrakerjaError(f"{variable} is not set: give the secret that the provider signs receipts with")
            if gateway not in encoded:
                variable = f"{RECEIPTS_SECRET}{gateway.upper()}"
                encoded[gateway] = self._load_or_generate_for(
                    variable, f"receipts_secret_{gateway}.b64", new_random_key
                )
        keys = {
            provider: _strip(key, f"{RECEIPTS_SECRET}{provider.upper()}")
            if provider in as_text
            else decode_key(key.strip().removeprefix(b"whsec_"), f"{RECEIPTS_SECRET}{provider.upper()}")
            for provider, key in sorted(encoded.items())
        }
        if len(set(keys.values())) < len(keys):
            raise PrakerjaError(f"two providers share a secret: give each {RECEIPTS_SECRET}<PROVIDER> its own")
        return keys

    def load_or_generate(self, name: str, generate: Callable[[], bytes]) -> bytes:
        """Return the contents of a file in the folder of keys; the first process that asks generates it."""
        path = self._make_folder() / name
        if not path.exists():
            atomic_files.create(path, generate(), mode=0o600)
        return path.read_bytes()

    def _load_or_generate_for(self, variable: str, name: str, generate: Callable[[], bytes]) -> bytes:
        """Return the home's key for a setting that is not given. Raise `PrakerjaError` if the home has none to give."""
        if not self.settings.is_self_contained:
            raise PrakerjaError(
                f"{variable} is not set, and PRAKERJA_SELF_CONTAINED=no keeps the home from generating it: set it, or "
                f"mount the secret {variable.lower()}"
            )
        return self.load_or_generate(name, generate)

    def replace(self, name: str, content: bytes, kept_as: str | None) -> None:
        """Replace a file in the folder of keys, and keep the one before under another name if one is given."""
        path = self._make_folder() / name
        if kept_as and path.exists():
            self.replace(kept_as, path.read_bytes(), None)
        with atomic_files.open_replacement(path, mode=0o600) as file:
            file.write(content)

    def drop(self, name: str) -> None:
        """Remove a file from the folder of keys, if it is there."""
        (self.folder / name).unlink(missing_ok=True)

    def _make_folder(self) -> Path:
        self.settings.make_home()
        self.folder.mkdir(mode=0o700, exist_ok=True)
        return self.folder


def new_random_key() -> bytes:
    """Return thirty-two random bytes, in base64 with a line break."""
    return base64.b64encode(secrets.token_bytes(32)) + b"\n"


def new_signing_key() -> bytes:
    """Return a new Ed25519 private key as PEM."""
    from prakerja_blacklist.format.signatures import SigningKey

    return SigningKey.generate().to_pem()


def _read_pem(given: str, variable: str) -> bytes:
    if given.lstrip().startswith("-----BEGIN"):
        return given.encode()
    try:
        return Path(given).expanduser().read_bytes()
    except OSError as error:
        raise PrakerjaError(
            f"{variable} names no readable file ({error.strerror}): give an Ed25519 private key as PEM, or the path of "
            "one"
        ) from None


def _strip(given: bytes, variable: str) -> bytes:
    if len(given.strip()) < KEY_BYTES_LEAST:
        raise PrakerjaError(
            f"{variable} is too short: give the provider's secret as it is written, at least {KEY_BYTES_LEAST} "
            "characters"
        )
    return given.strip()
