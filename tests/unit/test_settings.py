"""Settings: one declaration for each variable, strict values, and a page of them that is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from prakerja import settings_tables
from prakerja.errors import PrakerjaError
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
        "PRAKERJA_CONTACT_KEY",
        "PRAKERJA_CONTACT_KEY_PREVIOUS",
    ]


def test_a_setting_that_does_not_fit_stops_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAKERJA_MAIL_FROM", "nonsense")
    settings = Settings.from_environment()
    assert settings.port == 8080
    with pytest.raises(PrakerjaError, match="PRAKERJA_MAIL_FROM is not a sender"):
        settings.mail_from.encode()
