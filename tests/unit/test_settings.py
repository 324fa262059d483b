"""Settings: one declaration for each variable, strict values, and a page of them that is printed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from prakerja import embedded_postgres, settings_tables, warehouse
from prakerja.errors import PrakerjaError
from prakerja.keys import KeyStore
from prakerja.settings import (
    COMPOSE_SETTINGS,
    PROJECT,
    REMOVED_SETTINGS,
    Settings,
    key_variables,
    list_settings,
)

VARIABLE = re.compile(r"(?<![A-Z_])PRAKERJA_[A-Z_]*[A-Z](?:_<PROVIDER>)?")
PLACES = ("include/prakerja", "plugins", "dags", "docker", "Makefile", "docker-compose.yaml", "Dockerfile")
KNOWN = {setting.name: setting for setting in (*list_settings().values(), *COMPOSE_SETTINGS, *REMOVED_SETTINGS)}


def text_files() -> list[Path]:
    found: list[Path] = []
    for place in PLACES:
        path = PROJECT / place
        found += (
            [path] if path.is_file() else [each for each in path.rglob("*") if each.suffix in (".py", ".sh", ".yaml")]
        )
    return found


def test_every_variable_of_the_code_is_declared() -> None:
    used = {name for path in text_files() for name in VARIABLE.findall(path.read_text(encoding="utf-8"))}
    receipts = {name for name in used if name.startswith("PRAKERJA_RECEIPTS_SECRET_")}
    assert used - receipts - set(KNOWN) == set()
    assert set(KNOWN) - used == set()


def test_every_setting_is_declared_once_with_its_meaning() -> None:
    assert len(KNOWN) == len(list_settings()) + len(COMPOSE_SETTINGS) + len(REMOVED_SETTINGS)
    for setting in KNOWN.values():
        assert setting.meaning.endswith((".", ").")), setting.name
        assert setting.kind.name, setting.name
    assert all(setting.default_text for setting in list_settings().values())


def test_the_page_of_settings_is_the_one_that_is_printed() -> None:
    page = (PROJECT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == f"{settings_tables.build_page()}\n", "print it with `prakerja settings --markdown`"


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [*list_settings(), "receipts_secrets"]
    variables = [setting.name.replace("<PROVIDER>", "SMS") for setting in list_settings().values()]
    for variable in variables:
        monkeypatch.delenv(variable, raising=False)
    unset = [getattr(Settings.from_environment(), name) for name in names]
    for variable in variables:
        monkeypatch.setenv(variable, "")
    assert [getattr(Settings.from_environment(), name) for name in names] == unset


def test_defaults_follow_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRAKERJA_HOME", str(tmp_path))
    settings = Settings.from_environment()
    assert (settings.landing, settings.publish) == (str(tmp_path / "landing"), str(tmp_path / "publish"))
    assert settings.people is None
    (tmp_path / "people.yaml").write_text("")
    assert Settings.from_environment().people == tmp_path / "people.yaml"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PRAKERJA_PORT", "http", "PRAKERJA_PORT is not a whole number: give one, e.g. 8080, or unset it"),
        ("PRAKERJA_PORT", "1023", "PRAKERJA_PORT is not from 1024 to 65531: give a number that is, e.g. 8080"),
        ("PRAKERJA_PORT", "65532", "PRAKERJA_PORT is not from 1024 to 65531"),
        ("PRAKERJA_PORT", "８０８０", "PRAKERJA_PORT is not a whole number"),
        ("PRAKERJA_RETRY_SECONDS", "-1", "PRAKERJA_RETRY_SECONDS is not a whole number"),
        ("PRAKERJA_RETRY_SECONDS", "86401", "PRAKERJA_RETRY_SECONDS is not from 0 to 86400"),
        ("PRAKERJA_WORKERS", "2.5", "PRAKERJA_WORKERS is not a whole number"),
        ("PRAKERJA_WORKERS", "0", "PRAKERJA_WORKERS is not from 1 to 256"),
        ("PRAKERJA_RECEIPTS_URL", "https://u:p@r.example", "PRAKERJA_RECEIPTS_URL is not an address: write https://host"),
        ("PRAKERJA_MAIL_FROM", "A <a@b>\nBcc: c@d", "PRAKERJA_MAIL_FROM is not a sender: write it as"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(PrakerjaError) as raised:
        Settings.from_environment().require_valid()
    assert str(raised.value).startswith(told)
    assert "\n" not in str(raised.value)
    assert value not in str(raised.value).removeprefix(name)


@pytest.mark.parametrize(("value", "port"), [("1024", 1024), ("65531", 65531), ("", 8080)])
def test_the_first_and_the_last_number_fit(monkeypatch: pytest.MonkeyPatch, value: str, port: int) -> None:
    monkeypatch.setenv("PRAKERJA_PORT", value)
    assert Settings.from_environment().port == port


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secrets = [name for name, setting in list_settings().items() if setting.is_secret]
    for field in secrets:
        monkeypatch.setenv(list_settings()[field].name.replace("<PROVIDER>", "SMS"), "very secret")
    shown = {each.name: each for each in settings_tables.list_present()}
    for field in secrets:
        name = list_settings()[field].name.replace("<PROVIDER>", "SMS")
        assert shown[name] == (name, "set", "environment")
    assert "very secret" not in repr(Settings.from_environment())
    assert "very secret" not in str(shown)
    assert shown["PRAKERJA_PORT"] == ("PRAKERJA_PORT", "8080", "default")


def test_keys_are_the_secrets_that_a_backend_may_hold() -> None:
    assert key_variables() == [
        "PRAKERJA_SIGNING_KEY",
        "PRAKERJA_SIGNING_KEY_NEXT",
        "PRAKERJA_SUBJECT_KEY",
        "PRAKERJA_SUBJECT_KEY_PREVIOUS",
        "PRAKERJA_PADDING_KEY",
        "PRAKERJA_CONTACT_KEY",
        "PRAKERJA_CONTACT_KEY_PREVIOUS",
    ]


def test_a_setting_that_does_not_fit_stops_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAKERJA_MAIL_FROM", "nonsense")
    settings = Settings.from_environment()
    assert settings.port == 8080
    with pytest.raises(PrakerjaError, match="PRAKERJA_MAIL_FROM is not a sender"):
        settings.mail_from.encode()


def test_a_secret_may_be_a_file_and_a_variable_takes_precedence(
    monkeypatch: pytest.MonkeyPatch, folder_of_secrets: Path
) -> None:
    (folder_of_secrets / "prakerja_subject_key").write_text("from the file\r\n")
    (folder_of_secrets / "prakerja_sms_url").write_text("https://:token@sms.example/v1")
    assert Settings.from_environment().subject_key == "from the file"
    assert Settings.from_environment().gateway_url("sms") == "https://:token@sms.example/v1"
    assert ("PRAKERJA_SUBJECT_KEY", "set", "secrets") in settings_tables.list_present()
    monkeypatch.setenv("PRAKERJA_SUBJECT_KEY", "from the variable")
    assert Settings.from_environment().subject_key == "from the variable"
    assert ("PRAKERJA_SUBJECT_KEY", "set", "environment") in settings_tables.list_present()


def test_an_empty_file_is_an_unset_secret_and_a_missing_one_too(folder_of_secrets: Path) -> None:
    (folder_of_secrets / "prakerja_signing_key_next").write_text("\n")
    settings = Settings.from_environment()
    assert (settings.next_signing_key, settings.signing_key) == (None, None)
    assert ("PRAKERJA_SIGNING_KEY_NEXT", "unset", "default") in settings_tables.list_present()


def test_only_secrets_are_read_from_the_folder(folder_of_secrets: Path) -> None:
    (folder_of_secrets / "prakerja_port").write_text("9090")
    assert Settings.from_environment().port == 8080


def test_each_providers_secret_may_be_a_file(monkeypatch: pytest.MonkeyPatch, folder_of_secrets: Path) -> None:
    (folder_of_secrets / "prakerja_receipts_secret_sms").write_text("one")
    (folder_of_secrets / "prakerja_receipts_secret_sms_fallback").write_text("")
    (folder_of_secrets / "prakerja_receipts_secret_other").write_text("in the folder")
    monkeypatch.setenv("PRAKERJA_RECEIPTS_SECRET_OTHER", "in the environment")
    assert Settings.from_environment().receipts_secrets == {"sms": "one", "other": "in the environment"}


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_secret_that_cannot_be_read_is_one_line(folder_of_secrets: Path, content: bytes | None) -> None:
    path = folder_of_secrets / "prakerja_contact_key"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(PrakerjaError, match=r"the secret .*/prakerja_contact_key cannot be read") as raised:
        Settings.from_environment().contact_key.__class__  # noqa: B018 - reading it is what fails
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("load", "named"),
    [
        (KeyStore.load_signing_key, "PRAKERJA_SIGNING_KEY is not set"),
        (KeyStore.load_subject_key, "PRAKERJA_SUBJECT_KEY is not set"),
        (KeyStore.load_contact_keys, "PRAKERJA_CONTACT_KEY is not set"),
        (lambda keys: keys.load_receipts_secrets(["sms"]), "PRAKERJA_RECEIPTS_SECRET_SMS is not set"),
        (lambda keys: embedded_postgres.start(keys.settings), "PRAKERJA_DATABASE_URL is not set"),
    ],
)
def test_a_home_that_is_not_self_contained_supplies_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, load: Callable[[KeyStore], object], named: str
) -> None:
    for setting in list_settings().values():
        monkeypatch.delenv(setting.name, raising=False)
    monkeypatch.setenv("PRAKERJA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PRAKERJA_SELF_CONTAINED", "no")
    with pytest.raises(PrakerjaError, match=named) as raised:
        load(KeyStore.from_environment())
    assert "\n" not in str(raised.value)
    assert not list((tmp_path / "home").rglob("*.*"))


def test_self_contained_is_yes_or_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAKERJA_SELF_CONTAINED", "false")
    with pytest.raises(PrakerjaError, match="PRAKERJA_SELF_CONTAINED is neither yes nor no"):
        Settings.from_environment().require_valid()


def test_the_password_of_a_url_may_be_a_secret(monkeypatch: pytest.MonkeyPatch, folder_of_secrets: Path) -> None:
    (folder_of_secrets / "prakerja_database_password").write_text("p%ss w:rd")
    monkeypatch.setenv("PRAKERJA_DATABASE_URL", "postgresql://siti@db.example:6432/warehouse?sslmode=require")
    address = warehouse.url()
    assert (address.username, address.password, address.port) == ("siti", "p%ss w:rd", 6432)
    assert address.query["sslmode"] == "require"
    monkeypatch.setenv("PRAKERJA_DATABASE_URL", "postgresql://siti:own@db.example/warehouse")
    assert warehouse.url().password == "own"


@pytest.mark.parametrize(("is_self_contained", "mode"), [("yes", 0o700), ("no", 0o770)])
def test_only_in_an_image_the_group_reads_the_logs_of_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_self_contained: str, mode: int
) -> None:
    monkeypatch.setenv("PRAKERJA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PRAKERJA_SELF_CONTAINED", is_self_contained)
    before = os.umask(0o007)
    try:
        home = Settings.from_environment().make_home()
    finally:
        os.umask(before)
    assert (home / "logs").stat().st_mode & 0o777 == mode
