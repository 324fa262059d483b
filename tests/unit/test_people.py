"""The list of people: whose logins are whose, and who may do what."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prakerja import people
from prakerja.errors import PrakerjaError
from prakerja.people import NotAllowedError, load_people, require_id
from tests.support.people_list import KEY, LIST


@pytest.mark.usefixtures("listed")
def test_a_person_is_who_is_logged_in_and_has_the_right() -> None:
    found = load_people()
    assert found.find_by_os_login(" SITI ", "approve").name == "Siti Rahma, S.H."
    assert found.find_by_airflow_login("s.rahma", "approve").id == "siti"
    assert found.name_of("siti") == "Siti Rahma, S.H. (siti)"
    assert found.name_of("left") == "left"
    assert found.airflow_logins("approve") == ["s.rahma", "siti"]
    assert found.airflow_logins("approve", without=frozenset({"siti"})) == []


@pytest.mark.usefixtures("listed")
def test_whoever_is_not_who_they_say_is_refused() -> None:
    found = load_people()
    for refused, match in (
        (lambda: found.find_by_os_login("budi", "approve"), "the operating-system user siti is not budi"),
        (lambda: found.find_by_os_login("siti", "override"), "siti may not override"),
        (lambda: found.find_by_os_login("ani", "approve"), "ani is not in .*people.yaml: add the person there"),
        (lambda: found.find_by_airflow_login("admin", "approve"), "the Airflow user admin is nobody in"),
        (lambda: found.find_by_airflow_login("budi", "approve"), "the Airflow user budi is nobody in"),
        (lambda: found.find_by_airflow_login("SITI", "approve"), "the Airflow user SITI is nobody in"),
    ):
        with pytest.raises(NotAllowedError, match=match):
            refused()


@pytest.mark.usefixtures("unlisted")
def test_without_a_list_every_id_may_do_everything_and_this_is_said() -> None:
    found = load_people()
    assert found.find_by_os_login("Siti", "approve").id == "siti"
    assert found.find_by_airflow_login("admin", "look").id == "admin"
    assert "every id may do everything" in (people.unlisted() or "")


@pytest.mark.usefixtures("listed")
def test_with_a_list_nothing_is_said() -> None:
    assert people.unlisted() is None
    assert load_people().must_sign is True


@pytest.mark.usefixtures("unlisted")
@pytest.mark.parametrize("variable", ["PRAKERJA_APPROVERS", "PRAKERJA_CASE_WORKERS"])
def test_the_settings_of_before_are_refused_without_a_list(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "admin")
    with pytest.raises(PrakerjaError, match=f"{variable} is not read any more: name a list of people in PRAKERJA_PEO"):
        load_people()


def test_the_homes_own_list_counts_where_none_is_named(
    unlisted: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "people.yaml").write_text(LIST, encoding="utf-8")
    monkeypatch.setattr(people, "os_login", lambda: "root")
    with pytest.raises(NotAllowedError, match="the operating-system user root is not siti"):
        load_people().find_by_os_login("siti", "approve")


def test_a_changed_list_counts_at_once(listed: Path) -> None:
    assert load_people().find("siti", "approve")
    listed.write_text(LIST.replace("[approve, appeals]", "[look]"), encoding="utf-8")
    with pytest.raises(NotAllowedError, match="siti may not approve"):
        load_people().find("siti", "approve")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("people: [", "is not YAML at line 1: correct it"),
        ("people: []", "line 1: `people`: names nobody"),
        ("siti: {}", "line 1: `siti`: Extra inputs are not permitted"),
        ("people: [siti]", "`people.0`: not a mapping with id, name and may"),
        ("people: [{id: siti, name: x}]", "`people.0.may`: Field required"),
        ("people: [{id: siti, name: x, may: [], nik: 1}]", "`people.0.nik`: Extra inputs are not permitted"),
        ("people: [{id: Siti, name: x, may: []}]", "`people.0.id`: not 1 to 63 lower-case"),
        ("people: [{id: 'a b', name: x, may: []}]", "`people.0.id`: not 1 to 63 lower-case"),
        ("people: [{id: siti, name: '', may: []}]", "`people.0.name`: empty"),
        ('people: [{id: siti, name: "a\\e[31m", may: []}]', "`people.0.name`: empty or not printable"),
        ("people: [{id: siti, name: x, may: [revoke]}]", "`people.0.may.0`: there is no right revoke"),
        ("people: [{id: siti, name: x, may: approve}]", "`people.0.may`: not a list of texts"),
        ("people: [{id: siti, name: x, may: [], logins: {web: [a]}}]", "`people.0.logins.web`: Extra inputs"),
        ("people: [{id: siti, name: x, may: [], keys: [nonsense]}]", "`people.0.keys.0`: not a public key"),
        ("people: [{id: a, name: x, may: []}, {id: a, name: y, may: []}]", "`people.1.id`: the id a is there twice"),
        (
            "people: [{id: a, name: x, may: [], logins: {os: [r]}}, {id: b, name: y, may: [], logins: {os: [r]}}]",
            "`people.1`: the os login r belongs to a already: one person must not be two",
        ),
        (
            f"people: [{{id: a, name: x, may: [], keys: ['{KEY}']}}, {{id: b, name: y, may: [], keys: ['{KEY} at']}}]",
            "`people.1`: a key belongs to a already",
        ),
    ],
)
def test_a_list_that_is_wrong_is_refused_in_one_line(listed: Path, given: str, told: str) -> None:
    listed.write_text(given, encoding="utf-8")
    with pytest.raises(PrakerjaError, match=told) as refused:
        load_people()
    assert "\n" not in str(refused.value)
    assert str(listed) in str(refused.value)


def test_a_list_that_is_no_file_is_refused(listed: Path) -> None:
    """It is not waited for: a pipe has no end."""
    listed.unlink()
    os.mkfifo(listed)
    with pytest.raises(PrakerjaError, match=r"the list of people .* is not a file: correct PRAKERJA_PEOPLE"):
        load_people()


def test_a_date_that_is_none_is_refused_in_one_line(listed: Path) -> None:
    listed.write_text("people: [{id: siti, name: Siti, may: [approve], keys: [2020-99-99]}]")
    with pytest.raises(PrakerjaError, match=r"`people.0.keys.0`: not a public key"):
        load_people()


def test_a_list_that_is_not_there_is_refused(listed: Path) -> None:
    listed.unlink()
    with pytest.raises(PrakerjaError, match="is not there: correct PRAKERJA_PEOPLE"):
        load_people()


def test_an_empty_setting_is_none_and_the_homes_list_is_read(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = listed.parent / "home"
    home.mkdir()
    listed.rename(home / "people.yaml")
    monkeypatch.setenv("PRAKERJA_PEOPLE", "")
    assert load_people().source == str(home / "people.yaml")


@pytest.mark.parametrize("text", ["", " ", "Siti Rahma", "-siti", "s" * 64, "siti\nbudi", "síti", "siti,budi"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(PrakerjaError, match="this is not a person's id"):
        require_id(text)


def test_an_id_is_kept_in_lower_case() -> None:
    assert require_id("  Siti.Rahma@PMO_1 ") == "siti.rahma@pmo_1"


def test_the_operating_systems_user_is_no_claim_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = people.os_login()
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "siti")
    assert people.os_login() == before
