"""Settings: one typed declaration for each environment variable that the product reads.

`Settings` is what a process reads; `COMPOSE_SETTINGS` is what `docker-compose.yaml` and its entrypoint read, and
`REMOVED_SETTINGS` what earlier versions read. docs/configuration.md is printed from them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Generic, NamedTuple, Self, TypeVar, overload
from zoneinfo import ZoneInfo

from prakerja.errors import PrakerjaError

INCLUDE = Path(__file__).resolve().parents[1]
PROJECT = INCLUDE.parent

#: Western Indonesian time. Business dates, announcements and deadlines are dates of this zone.
WIB = ZoneInfo("Asia/Jakarta")

#: `prakerja up` listens on so many ports in a row.
PORTS_IN_A_ROW = 5
PREFIX = "PRAKERJA_"
#: An address that no parser of a mail header reads as something else.
EMAIL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,190}"
_SENDER = re.compile(rf"(?:[^<>@,;:\"\r\n]+ <{EMAIL}>|{EMAIL})")
#: What a header can carry and what a provider's signature covers in one way only: no user, query or fragment.
_WEB_ADDRESS = re.compile(
    r"https?://(?:[a-z0-9.-]{1,190}|\[[0-9a-f:]{2,39}\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]{0,200})?"
)


T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Kind(Generic[T_co]):
    """A type of value: its name in the documents, and what reads it or raises `ValueError` with what is wrong."""

    name: str
    read: Callable[[str], T_co]


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One environment variable. As an attribute of `Settings` it is the variable's value, or the default.

    `default_text` is the default as people read it. Reading the attribute raises `PrakerjaError` in one line for a
    value that does not fit: what does not need a setting is not stopped by it.
    """

    section: str
    name: str
    kind: Kind[T]
    meaning: str
    default: Callable[[Settings], T]
    default_text: str
    is_secret: bool = False

    @overload
    def __get__(self, instance: None, owner: type[Settings]) -> Self: ...
    @overload
    def __get__(self, instance: Settings, owner: type[Settings]) -> T: ...
    def __get__(self, instance: Settings | None, owner: type[Settings]) -> Self | T:
        if instance is None:
            return self
        given = instance.find(self.name) if self.is_secret else instance.environment.get(self.name)
        if given is None:
            return self.default(instance)
        try:
            return self.kind.read(given)
        except ValueError as error:
            raise PrakerjaError(f"{self.name} {error}") from None

    @property
    def is_key(self) -> bool:
        """Whether it is a key of the programme's own, which Airflow's secrets backend may hold."""
        return self.section == KEYS


def _read_path(given: str) -> Path:
    return Path(given).expanduser().absolute()


def _read_sender(given: str) -> str:
    if not _SENDER.fullmatch(given):
        raise ValueError("is not a sender: write it as `Kartu Prakerja <pengingat@example.id>`")
    return given


def _read_web_address(given: str) -> str:
    if not _WEB_ADDRESS.fullmatch(given):
        raise ValueError("is not an address: write https://host, with a port and a path if it has them")
    return given.rstrip("/")


def _read_yes_or_no(given: str) -> bool:
    if given not in ("yes", "no"):
        raise ValueError("is neither yes nor no: give one of them, or unset it")
    return given == "yes"


def _whole_number(least: int, most: int, example: int) -> Kind[int]:
    def read(given: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", given):
            raise ValueError(f"is not a whole number: give one, e.g. {example}, or unset it")
        if not least <= int(given) <= most:
            raise ValueError(f"is not from {least} to {most}: give a number that is, e.g. {example}, or unset it")
        return int(given)

    return Kind(f"whole number, {least} to {most}", read)


FOLDER = Kind("folder", _read_path)
FILE = Kind("file", _read_path)
PLACE = Kind("folder or object-storage URL", str)
URL = Kind("URL", str)
WEB_ADDRESS = Kind("http:// or https:// URL", _read_web_address)
TEXT = Kind("text", str)
YES_OR_NO = Kind("`yes` or `no`", _read_yes_or_no)
SENDER = Kind("mail sender", _read_sender)
PEM_KEY = Kind("Ed25519 private key as PEM, or the path of one", str)
RANDOM_KEY = Kind("at least 16 random bytes in base64", str)

PLACES, KEYS, MESSAGES, MACHINE, READERS, COMPOSE, REMOVED = (
    "Places", "Keys", "Messages", "Tasks and `prakerja up`", "Readers of the list", "Docker Compose",
    "No longer read",
)  # fmt: skip


def _optional(
    section: str, name: str, kind: Kind[T], meaning: str, text: str = "none", *, is_secret: bool = False
) -> Setting[T | None]:
    """Declare a setting that is None if it is not given."""
    return Setting[T | None](section, name, kind, meaning, lambda _: None, text, is_secret)


def _key(name: str, kind: Kind[str], meaning: str, text: str) -> Setting[str | None]:
    return _optional(KEYS, name, kind, meaning, text, is_secret=True)


def _own_people(settings: Settings) -> Path | None:
    path = settings.home / "people.yaml"
    return path if path.exists() else None


#: The beginning of the settings' names that hold a provider's secret.
RECEIPTS_SECRET = "PRAKERJA_RECEIPTS_SECRET_"  # noqa: S105


def _url_of(gateway: str, meaning: str = "A gateway's URL.") -> Setting[str | None]:
    return _optional(MESSAGES, f"{PREFIX}{gateway.upper()}_URL", URL, meaning, is_secret=True)


def _provider_of(gateway: str, meaning: str = "A gateway's provider.") -> Setting[str]:
    return Setting(MESSAGES, f"{PREFIX}{gateway.upper()}_PROVIDER", TEXT, meaning, lambda _: "gateway", "`gateway`")


def _sender_of(gateway: str, meaning: str = "Our name at a gateway.") -> Setting[str | None]:
    return _optional(MESSAGES, f"{PREFIX}{gateway.upper()}_FROM", TEXT, meaning)


class Settings:
    """The settings that a process reads from its environment.

    Paths may be object-storage URLs where the attribute is a `str`. `keys` reads and generates key material.
    """

    home = Setting(
        PLACES, "PRAKERJA_HOME", FOLDER,
        "The home: the state of this installation, with the embedded databases, generated keys and logs.",
        lambda _: PROJECT / ".prakerja", "`.prakerja` of the repository",
    )  # fmt: skip
    landing = Setting(
        PLACES, "PRAKERJA_LANDING", PLACE, "The landing zone, where platforms and rosters are delivered.",
        lambda settings: str(settings.home / "landing"), "`landing` of the home",
    )  # fmt: skip
    publish = Setting(
        PLACES, "PRAKERJA_PUBLISH", PLACE, "Where the list is published, and where readers look for it.",
        lambda settings: str(settings.home / "publish"), "`publish` of the home",
    )  # fmt: skip
    data_docs = Setting(
        PLACES, "PRAKERJA_DATA_DOCS", FOLDER,
        "The validation results as pages, which tasks write and the monitor shows. On several machines: a folder that "
        "all workers share and the API server can read ([runbook](runbooks/monitor.md)).",
        lambda settings: settings.home / "data-docs", "`data-docs` of the home",
    )  # fmt: skip
    database_url = _optional(
        PLACES, "PRAKERJA_DATABASE_URL", URL, "The warehouse, a PostgreSQL server.",
        "the embedded PostgreSQL of the home", is_secret=True,
    )  # fmt: skip
    database_password = _optional(
        PLACES, "PRAKERJA_DATABASE_PASSWORD", TEXT, "The password for `PRAKERJA_DATABASE_URL`, if the URL has none.",
        "libpq's: `PGPASSWORD`, `.pgpass`", is_secret=True,
    )  # fmt: skip
    secrets_folder = Setting[Path | None](
        PLACES, "PRAKERJA_SECRETS", FOLDER,
        "A folder in which each file has the value of a secret setting and the setting's name in lower case, e.g. "
        "`prakerja_signing_key`, as Docker and Kubernetes mount secrets. A variable takes precedence; an empty file "
        "counts as unset.",
        lambda _: None, "none",
    )  # fmt: skip
    is_self_contained = Setting(
        PLACES, "PRAKERJA_SELF_CONTAINED", YES_OR_NO,
        "Whether the home may supply what is not set: an embedded PostgreSQL and generated keys. The container image "
        "sets `no`: the home of a container is not shared, so a missing setting is an error there.",
        lambda _: True, "`yes`",
    )  # fmt: skip
    programme = Setting(
        PLACES, "PRAKERJA_PROGRAMME", FOLDER,
        "The folder of the programme: `program.yaml`, and any of `cohorts.yaml`, `platforms`, `messages`, "
        "`sms_providers` and `provinces.yaml`. What it does not have is taken from `include`. "
        "`prakerja --programme DIR` sets it for a command.",
        lambda _: INCLUDE, "`include`",
    )  # fmt: skip
    calendar = Setting(
        PLACES, "PRAKERJA_CALENDAR", FILE, "The calendar of cohorts.",
        lambda settings: find_in_programme("cohorts.yaml", settings.programme), "`cohorts.yaml` of the programme",
    )  # fmt: skip
    people = Setting[Path | None](
        PLACES, "PRAKERJA_PEOPLE", FILE,
        "The list of people: their ids, their logins, what they may do, the keys that they sign with. Without a list, "
        "any id may do anything ([runbook](runbooks/people.md)).",
        _own_people, "`people.yaml` of the home, where it is there; `prakerja up` writes it",
    )  # fmt: skip

    signing_key = _key(
        "PRAKERJA_SIGNING_KEY", PEM_KEY, "The key that signs the list and the audit log's anchors.",
        "generated once in the home",
    )  # fmt: skip
    next_signing_key = _key(
        "PRAKERJA_SIGNING_KEY_NEXT", PEM_KEY, "The signing key that is announced and does not sign yet.",
        "the home's, where `prakerja blacklist rotate-signing-key` made one",
    )  # fmt: skip
    subject_key = _key(
        "PRAKERJA_SUBJECT_KEY", RANDOM_KEY, "The key of the HMAC that turns a NIK into a published subject.",
        "generated once in the home",
    )  # fmt: skip
    earlier_subject_keys = _key(
        "PRAKERJA_SUBJECT_KEY_PREVIOUS", Kind(f"{RANDOM_KEY.name}; several with commas between", str),
        "Earlier subject keys, newest first, while readers still use them.", "those that the home has retired",
    )  # fmt: skip
    padding_key = _key(
        "PRAKERJA_PADDING_KEY", RANDOM_KEY,
        "The key of what fills up the service's `range` answers, which no reader may have. Services of one list must "
        "have the same: whoever compares answers with different padding sees what is real.",
        "generated once in the home",
    )  # fmt: skip
    contact_key = _key(
        "PRAKERJA_CONTACT_KEY", RANDOM_KEY,
        "The key that seals names, phones and addresses in the warehouse. Required with `PRAKERJA_DATABASE_URL`, the "
        "same for all who use the warehouse.", "generated once in the home",
    )  # fmt: skip
    earlier_contact_key = _key(
        "PRAKERJA_CONTACT_KEY_PREVIOUS", RANDOM_KEY, "The contact key before, while it is replaced.", "none",
    )  # fmt: skip

    sms_url = _url_of("sms", "The SMS gateway, as `https://:TOKEN@host/path`.")
    sms_fallback_url = _url_of("sms_fallback", "The SMS gateway that is tried second, in the same form.")
    sms_provider = _provider_of("sms", "The file of `sms_providers` that the gateway speaks.")
    sms_fallback_provider = _provider_of("sms_fallback", "The file of `sms_providers` that the second gateway speaks.")
    sms_from = _sender_of("sms", "Our number or name at the gateway, where the provider asks for one.")
    sms_fallback_from = _sender_of("sms_fallback", "Our number or name at the second gateway.")
    smtp_url = _url_of("smtp", "The mail server, as `smtp://user:password@host:587` or `smtps://`.")
    mail_from = Setting(
        MESSAGES, "PRAKERJA_MAIL_FROM", SENDER, "The sender of e-mails.",
        lambda _: "Kartu Prakerja <pengingat@prakerja.go.id>", "`Kartu Prakerja <pengingat@prakerja.go.id>`",
    )  # fmt: skip
    message_hosts = _optional(
        MESSAGES, "PRAKERJA_MESSAGE_HOSTS", Kind("`host` or `host:port`, with commas between", str),
        "Hosts that messages may go to besides those of the URLs above.",
    )  # fmt: skip
    receipts_url = _optional(
        MESSAGES, "PRAKERJA_RECEIPTS_URL", WEB_ADDRESS,
        "Where `prakerja receipts` is reached from outside. Without it, `accepted` is all that is known of an SMS, and "
        "e-mails carry no link to unsubscribe.",
    )  # fmt: skip
    #: Each provider's is `receipts_secrets`.
    receipts_secret = _optional(
        MESSAGES, f"{RECEIPTS_SECRET}<PROVIDER>", Kind(f"{RANDOM_KEY.name}, or as the provider's file says", str),
        "What a provider signs its receipts with, e.g. `PRAKERJA_RECEIPTS_SECRET_SMS`.",
        "for the gateways `sms` and `sms_fallback`, generated once in the home", is_secret=True,
    )  # fmt: skip

    retry_seconds = Setting(
        MACHINE, "PRAKERJA_RETRY_SECONDS", _whole_number(0, 86_400, 300),
        "Seconds that a task waits after a temporary failure.", lambda _: 300, "300",
    )  # fmt: skip
    port = Setting(
        MACHINE, "PRAKERJA_PORT", _whole_number(1024, 65536 - PORTS_IN_A_ROW, 8080),
        f"The first of {PORTS_IN_A_ROW} free ports in a row, of `prakerja up`.", lambda _: 8080, "8080",
    )  # fmt: skip
    workers = Setting(
        MACHINE, "PRAKERJA_WORKERS", _whole_number(1, 256, 2),
        "Workers of `prakerja up` with `AIRFLOW__CORE__EXECUTOR=CeleryExecutor`.", lambda _: 2, "2",
    )  # fmt: skip

    api_key = _optional(
        READERS, "PRAKERJA_API_KEY", TEXT, "The key that a reader shows to the list's service.", is_secret=True
    )  # fmt: skip

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Take a copy of an environment; an empty variable is an unset one."""
        self.environment = {name: value for name, value in environment.items() if name.startswith(PREFIX) and value}

    @classmethod
    def from_environment(cls) -> Settings:
        """Return the settings of this process."""
        return cls(os.environ)

    def find(self, name: str) -> str | None:
        """Return the text of a secret setting from the environment or the folder of secrets, or None.

        Raise `PrakerjaError` if its file cannot be read.
        """
        return self.environment.get(name) or self._read_secret(name.lower())

    def gateway_url(self, gateway: str) -> str | None:
        """Return a message gateway's URL, or None if it is not set."""
        return _url_of(gateway).__get__(self, Settings)

    def gateway_provider(self, gateway: str) -> str:
        """Return the provider whose file a gateway speaks."""
        return _provider_of(gateway).__get__(self, Settings)

    def gateway_sender(self, gateway: str) -> str | None:
        """Return the sender of a gateway's messages, or None if it is not set."""
        return _sender_of(gateway).__get__(self, Settings)

    @property
    def receipts_secrets(self) -> dict[str, str]:
        """The secret of each provider for which one is given, by the provider's name in lower case."""
        folder = self.secrets_folder
        files = sorted(folder.glob(f"{RECEIPTS_SECRET.lower()}*")) if folder else []
        found = {path.name.upper(): self._read_secret(path.name) for path in files} | self.environment
        return {
            name.removeprefix(RECEIPTS_SECRET).lower(): value
            for name, value in found.items()
            if name.startswith(RECEIPTS_SECRET) and value
        }

    def require_valid(self) -> None:
        """Read every setting. Raises `PrakerjaError` for the first that does not fit."""
        for attribute in list_settings():
            getattr(self, attribute)

    def _read_secret(self, name: str) -> str | None:
        folder = self.secrets_folder
        if folder is None:
            return None
        try:
            return (folder / name).read_text(encoding="utf-8").rstrip("\r\n") or None
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            why = (isinstance(error, OSError) and error.strerror) or "not UTF-8"
            raise PrakerjaError(
                f"the secret {folder / name} cannot be read ({why}): let this process's user or group read it, or "
                "correct it"
            ) from None

    def make_home(self) -> Path:
        """Create the home, and its folder of logs for its owner alone, in an image also for its group.

        Others may pass through the home, since the embedded database may run as another user. In an image the next
        process may have another uid in the same group.
        """
        try:
            self.home.mkdir(mode=0o711, parents=True, exist_ok=True)
            (self.home / "logs").mkdir(mode=0o700 if self.is_self_contained else 0o770, exist_ok=True)
        except OSError as error:
            raise PrakerjaError(
                f"the home {self.home} cannot be created ({error.strerror}): set PRAKERJA_HOME to a folder you may "
                "write to"
            ) from None
        return self.home


class ForeignSetting(NamedTuple):
    """A variable that others read: Docker Compose, or earlier versions. `meaning` of the latter is what to do."""

    section: str
    name: str
    kind: Kind[object]
    meaning: str
    default_text: str
    is_secret: bool = False


#: What Docker Compose reads besides, from its own environment.
COMPOSE_SETTINGS = (
    ForeignSetting(
        COMPOSE, "PRAKERJA_IMAGE", TEXT, "The name of the image that is built and run.", "`prakerja-deadlines:local`"
    ),
    ForeignSetting(COMPOSE, "PRAKERJA_LANDING_DIR", FOLDER, "The landing zone on the host.", "`./landing`"),
    ForeignSetting(
        COMPOSE, "PRAKERJA_CONFIG_DIR", FOLDER,
        "The folder on the host with `people.yaml` and `cohorts.yaml`, which the containers have at `/etc/prakerja`.",
        "`./config`",
    ),
    ForeignSetting(
        COMPOSE, "PRAKERJA_DATABASE_HOST", TEXT,
        "The host and port of the PostgreSQL server that the containers' logins are for.", "`postgres:5432`",
    ),
)  # fmt: skip
#: What earlier versions read. A command that needs the successor of one that is set says so and stops.
REMOVED_SETTINGS = (
    ForeignSetting(REMOVED, "PRAKERJA_APPROVERS", TEXT, "Name a list of people in `PRAKERJA_PEOPLE`.", ""),
    ForeignSetting(REMOVED, "PRAKERJA_CASE_WORKERS", TEXT, "Name a list of people in `PRAKERJA_PEOPLE`.", ""),
    ForeignSetting(
        REMOVED, "PRAKERJA_PEOPLE_FILE", TEXT,
        "Put the list of people into `people.yaml` of the folder `PRAKERJA_CONFIG_DIR` (Docker Compose).", "",
    ),
    ForeignSetting(
        REMOVED, "PRAKERJA_RECEIPTS_SECRET", TEXT,
        "Give each provider its own: `PRAKERJA_RECEIPTS_SECRET_<PROVIDER>`.", "", is_secret=True,
    ),
)  # fmt: skip


def programme_folder() -> Path:
    """Return the folder of the programme."""
    return _programme_folder(os.environ.get(Settings.programme.name, ""))


def programme_path(name: str) -> Path:
    """Return a file or folder of the programme, or that of `include` if the programme has none of its own."""
    return find_in_programme(name, programme_folder())


def find_in_programme(name: str, folder: Path) -> Path:
    """Return a file or folder of a programme's folder, or that of `include` if it has none of its own."""
    return folder / name if (folder / name).exists() else INCLUDE / name


@cache
def _programme_folder(given: str) -> Path:
    """Read the setting once for each value: rules are looked up a million times in a run."""
    return Settings({Settings.programme.name: given}).programme


def list_settings() -> dict[str, Setting[object]]:
    """Return what a process reads, by the attribute of `Settings` that holds it."""
    return {name: each for name, each in vars(Settings).items() if isinstance(each, Setting)}


def key_variables() -> list[str]:
    """Return the names of the variables that hold keys of the programme's own."""
    return [setting.name for setting in list_settings().values() if setting.is_key]


def wib_today() -> date:
    """Return the WIB day by this machine's clock."""
    return datetime.now(WIB).date()
