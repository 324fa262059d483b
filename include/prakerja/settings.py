"""Settings from the environment, with working defaults."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Callable, Collection, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from prakerja.errors import PrakerjaError

INCLUDE = Path(__file__).resolve().parents[1]
PROJECT = INCLUDE.parent

#: Western Indonesian time. Business dates, announcements and deadlines are dates of this zone.
WIB = ZoneInfo("Asia/Jakarta")

RECEIPTS_SECRET = "PRAKERJA_RECEIPTS_SECRET"  # noqa: S105 - the beginning of settings' names

#: Who acts, for the audit log: a run and its task, or a command and its user.
acting: ContextVar[str] = ContextVar("acting", default="prakerja")
#: Whether this process plays history: then, and only then, a run's clock is believed, and approvals may be in advance.
is_replaying: ContextVar[bool] = ContextVar("is_replaying", default=False)


@dataclass(frozen=True)
class Settings:
    """Where things are. Paths may be object-storage URLs where the field is a `str`."""

    home: Path
    landing: str
    publish: str
    calendar: Path
    people: Path | None
    database_url: str | None
    message_hosts: str | None
    mail_from: str
    receipts_url: str | None
    retry_seconds: int
    port: int
    workers: int

    @classmethod
    def from_environment(cls) -> Settings:
        """Read `PRAKERJA_*` (an empty variable is an unset one)."""
        home = Path(_env("PRAKERJA_HOME") or PROJECT / ".prakerja").expanduser().absolute()
        return cls(
            home=home,
            landing=_env("PRAKERJA_LANDING") or str(home / "landing"),
            publish=_env("PRAKERJA_PUBLISH") or str(home / "publish"),
            calendar=Path(_env("PRAKERJA_CALENDAR") or INCLUDE / "cohorts.yaml").expanduser().absolute(),
            people=_people(home),
            database_url=_env("PRAKERJA_DATABASE_URL"),
            message_hosts=_env("PRAKERJA_MESSAGE_HOSTS"),
            mail_from=_env("PRAKERJA_MAIL_FROM") or "Kartu Prakerja <pengingat@prakerja.go.id>",
            receipts_url=_env("PRAKERJA_RECEIPTS_URL"),
            retry_seconds=_whole_number(_env("PRAKERJA_RETRY_SECONDS") or "300", "PRAKERJA_RETRY_SECONDS"),
            port=_whole_number(_env("PRAKERJA_PORT") or "8080", "PRAKERJA_PORT"),
            workers=_whole_number(_env("PRAKERJA_WORKERS") or "2", "PRAKERJA_WORKERS"),
        )

    def gateway_url(self, gateway: str) -> str | None:
        """Return a message gateway's URL from `PRAKERJA_<GATEWAY>_URL`, or None if it is not set."""
        return _env(f"PRAKERJA_{gateway.upper()}_URL")

    def gateway_provider(self, gateway: str) -> str:
        """Return the provider whose file a gateway speaks, from `PRAKERJA_<GATEWAY>_PROVIDER`."""
        return _env(f"PRAKERJA_{gateway.upper()}_PROVIDER") or "gateway"

    def gateway_sender(self, gateway: str) -> str | None:
        """Return the sender of a gateway's messages from `PRAKERJA_<GATEWAY>_FROM`, or None if it is not set."""
        return _env(f"PRAKERJA_{gateway.upper()}_FROM")

    def make_home(self) -> Path:
        """Create the home, and its folder of logs for its owner alone.

        Others may pass through the home, since the embedded database may run as another user.
        """
        try:
            self.home.mkdir(mode=0o711, parents=True, exist_ok=True)
            (self.home / "logs").mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise PrakerjaError(
                f"the home {self.home} cannot be made ({error.strerror}): set PRAKERJA_HOME to a folder you may write"
            ) from None
        return self.home

    def signing_key_pem(self) -> bytes:
        """The Ed25519 private key as PEM, from `PRAKERJA_SIGNING_KEY` (PEM, or a path to one) or generated once."""
        given = _env("PRAKERJA_SIGNING_KEY")
        if given is None:
            return self.generated_once("signing_key.pem", new_signing_key)
        return _pem(given, "PRAKERJA_SIGNING_KEY")

    def next_signing_key_pem(self) -> bytes | None:
        """The signing key that is announced and not used yet, from `PRAKERJA_SIGNING_KEY_NEXT` or the home."""
        given = _env("PRAKERJA_SIGNING_KEY_NEXT")
        if given is None:
            path = self.home / "keys" / "signing_key_next.pem"
            return path.read_bytes() if path.exists() else None
        return _pem(given, "PRAKERJA_SIGNING_KEY_NEXT")

    def has_signing_key(self) -> bool:
        """Whether this home signs: a key is configured, or was generated."""
        return _env("PRAKERJA_SIGNING_KEY") is not None or (self.home / "keys" / "signing_key.pem").exists()

    def subject_key(self) -> bytes:
        """The key of the HMAC that turns a NIK into a published subject, from `PRAKERJA_SUBJECT_KEY` (base64)."""
        given = _env("PRAKERJA_SUBJECT_KEY")
        encoded = given.encode() if given else self.generated_once("subject_key.b64", new_random_key)
        return _random_key(encoded, "PRAKERJA_SUBJECT_KEY")

    def has_subject_key(self) -> bool:
        """Whether this home can tell subjects: a key is configured, or was generated."""
        return _env("PRAKERJA_SUBJECT_KEY") is not None or (self.home / "keys" / "subject_key.b64").exists()

    def contact_keys(self) -> list[bytes]:
        """The keys of names and addresses in the warehouse, the present one first.

        From `PRAKERJA_CONTACT_KEY` and, while it is replaced, `PRAKERJA_CONTACT_KEY_PREVIOUS` (base64); else from the
        home, where the first is generated once, and the next and the one before may lie beside it. Raises
        `PrakerjaError` where none is given and the warehouse is a server of yours: others must know it too.
        """
        given, previous = _env("PRAKERJA_CONTACT_KEY"), _env("PRAKERJA_CONTACT_KEY_PREVIOUS")
        folder = self.home / "keys"
        if given is None and self.database_url and not (folder / "contact_key.b64").exists():
            raise PrakerjaError(
                "PRAKERJA_CONTACT_KEY is not set: give the key that seals names and addresses in the warehouse, the "
                "same to all who use it (32 random bytes in base64)"
            )
        keys = [given.encode() if given else self.generated_once("contact_key.b64", new_random_key)]
        if previous:
            keys.append(previous.encode())
        elif given is None:
            beside = (folder / f"contact_key_{which}.b64" for which in ("next", "previous"))
            keys += [path.read_bytes() for path in beside if path.exists()]
        return [_random_key(key, "PRAKERJA_CONTACT_KEY") for key in keys]

    def next_contact_key(self) -> bytes:
        """The key that takes the present one's place, made in the home. Raises `PrakerjaError` where keys are given."""
        if _env("PRAKERJA_CONTACT_KEY"):
            raise PrakerjaError(
                "the key is PRAKERJA_CONTACT_KEY's: set that to a new one, PRAKERJA_CONTACT_KEY_PREVIOUS to this, and "
                "say it again without --new-key"
            )
        return _random_key(self.generated_once("contact_key_next.b64", new_random_key), "the next key")

    def promote_contact_key(self) -> None:
        """Let the next key be the present one; the one before stays beside it, for what it may still have sealed."""
        folder = self.home / "keys"
        (folder / "contact_key_previous.b64").unlink(missing_ok=True)
        os.link(folder / "contact_key.b64", folder / "contact_key_previous.b64")
        (folder / "contact_key_next.b64").replace(folder / "contact_key.b64")

    def earlier_subject_keys(self) -> list[bytes]:
        """The keys before `subject_key`, newest first: of `PRAKERJA_SUBJECT_KEY_PREVIOUS` (base64, several with commas
        between them), then those that the home has retired. Raises `PrakerjaError`."""
        given = (_env("PRAKERJA_SUBJECT_KEY_PREVIOUS") or "").encode().split(b",")
        folder = self.home / "keys"
        retired = [*folder.glob("subject_key_retired_*.b64"), *folder.glob("subject_key_previous.b64")]
        kept = [path.read_bytes() for path in sorted(retired, key=lambda path: path.stat().st_mtime_ns, reverse=True)]
        keys = [_random_key(key, "PRAKERJA_SUBJECT_KEY_PREVIOUS") for key in [*given, *kept] if key.strip()]
        return list(dict.fromkeys(keys))

    def api_key(self) -> str | None:
        """The key that a reader shows to a service, from `PRAKERJA_API_KEY`."""
        return _env("PRAKERJA_API_KEY")

    def replace_key(self, name: str, content: bytes, kept_as: str | None) -> None:
        """Put a new key into the home's folder of keys; the one before, if it is asked for, stays under a name."""
        folder = self.make_home() / "keys"
        folder.mkdir(mode=0o700, exist_ok=True)
        aside = folder / f".{name}.{secrets.token_hex(4)}"
        _write_secret(aside, content)
        if kept_as and (folder / name).exists():
            kept = folder / f".{kept_as}.{secrets.token_hex(4)}"
            os.link(folder / name, kept)
            kept.replace(folder / kept_as)
        aside.replace(folder / name)

    def drop_key(self, name: str) -> None:
        """Take a key out of the home's folder of keys."""
        (self.home / "keys" / name).unlink(missing_ok=True)

    def drop_next_signing_key(self) -> None:
        """Take the announced key out of the home. Raises `PrakerjaError` where it is the environment's."""
        if _env("PRAKERJA_SIGNING_KEY_NEXT"):
            raise PrakerjaError("the key is PRAKERJA_SIGNING_KEY_NEXT's: take it out there first, then revoke it")
        self.drop_key("signing_key_next.pem")

    def receipts_secrets(self, gateways: Sequence[str], *, as_text: Collection[str] = ()) -> dict[str, bytes]:
        """Return the key that each provider signs its receipts with, by the provider's name.

        `PRAKERJA_RECEIPTS_SECRET_<PROVIDER>` (base64, `whsec_...`; of those in `as_text` as it stands) adds a provider;
        one of `gateways` without one gets a key that is generated once. Raises `PrakerjaError` for a bad key, and for
        one that two providers share.
        """
        if _env(RECEIPTS_SECRET):
            each = " and ".join(f"{RECEIPTS_SECRET}_{gateway.upper()}" for gateway in gateways)
            raise PrakerjaError(
                f"{RECEIPTS_SECRET} was one secret for all providers: unset it, and give each its own ({each})"
            )
        prefix = f"{RECEIPTS_SECRET}_"
        encoded = {
            name.removeprefix(prefix).lower(): value.encode()
            for name, value in os.environ.items()
            if name.startswith(prefix) and value
        }
        for gateway in gateways:
            if gateway not in encoded and gateway in as_text:
                variable = f"{prefix}{gateway.upper()}"
                raise PrakerjaError(f"{variable} is not set: give the secret that the provider signs receipts with")
            if gateway not in encoded:
                encoded[gateway] = self.generated_once(f"receipts_secret_{gateway}.b64", new_random_key)
        keys = {
            provider: _text_key(key, f"{prefix}{provider.upper()}")
            if provider in as_text
            else _random_key(key.strip().removeprefix(b"whsec_"), f"{prefix}{provider.upper()}")
            for provider, key in sorted(encoded.items())
        }
        if len(set(keys.values())) < len(keys):
            raise PrakerjaError(f"two providers share a secret: give each {prefix}<PROVIDER> its own")
        return keys

    def generated_once(self, name: str, make: Callable[[], bytes]) -> bytes:
        """The contents of a file in the home's folder of keys, made by the first who asks."""
        folder = self.make_home() / "keys"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / name
        if not path.exists():
            # Written aside and linked into place: of two processes at once one wins, and nobody reads half a key.
            aside = folder / f".{name}.{secrets.token_hex(4)}"
            _write_secret(aside, make())
            try:
                os.link(aside, path)
            except FileExistsError:
                pass
            finally:
                aside.unlink()
        return path.read_bytes()


def wib_today() -> date:
    """Return the WIB day by this machine's clock."""
    return datetime.now(WIB).date()


def _env(name: str) -> str | None:
    return os.environ.get(name) or None


def _people(home: Path) -> Path | None:
    """The list of people: the one that `PRAKERJA_PEOPLE` names, else the home's, where it has one."""
    given, own = _env("PRAKERJA_PEOPLE"), home / "people.yaml"
    if given is not None:
        return Path(given).expanduser().absolute()
    return own if own.exists() else None


def _whole_number(given: str, variable: str) -> int:
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        raise PrakerjaError(f"{variable} is no whole number: give one, or unset it")
    return int(given)


def _pem(given: str, variable: str) -> bytes:
    if given.lstrip().startswith("-----BEGIN"):
        return given.encode()
    try:
        return Path(given).expanduser().read_bytes()
    except OSError as error:
        raise PrakerjaError(
            f"{variable} names no readable file ({error.strerror}): "
            "give an Ed25519 private key as PEM, or the path of one"
        ) from None


def _random_key(encoded: bytes, variable: str) -> bytes:
    try:
        key = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        raise PrakerjaError(f"{variable} is not base64: give at least 16 random bytes in base64") from None
    if len(key) < 16:
        raise PrakerjaError(f"{variable} is too short: give at least 16 random bytes in base64")
    return key


def _text_key(given: bytes, variable: str) -> bytes:
    if len(given.strip()) < 16:
        raise PrakerjaError(f"{variable} is too short: give the provider's secret as it stands, 16 characters at least")
    return given.strip()


def _write_secret(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def new_random_key() -> bytes:
    """Thirty-two random bytes, in base64 with a line break."""
    return base64.b64encode(secrets.token_bytes(32)) + b"\n"


def new_signing_key() -> bytes:
    """A new Ed25519 private key as PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
