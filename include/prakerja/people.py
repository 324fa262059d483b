"""The people who act: their ids, their logins, what they may do, and the keys that they sign with (`PRAKERJA_PEOPLE`).

An identity comes from a login: of the operating system on the command line, of Airflow in its pages, or from a
signature. What a caller types is an id to be checked, never a proof.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, model_validator

from prakerja.errors import PrakerjaError
from prakerja.settings import Settings
from prakerja.typed_yaml import StrictModel, expects_list, expects_mapping, load_typed, misfit

Right = Literal["propose", "approve", "override", "appeals", "correct", "publish", "look"]
RIGHTS: tuple[str, ...] = get_args(Right)
ID = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}")
#: A public key in OpenSSH's form, after options such as `valid-before="20271231"`.
KEY = re.compile(
    r"(?:(?P<options>\S.*?) )?(?P<type>(?:ssh|ecdsa|sk)-[a-z0-9@.-]+) (?P<blob>[A-Za-z0-9+/]+={0,2})(?: .*)?"
)
EXAMPLE = 'people: [{id: siti, name: "Siti Rahma, S.H.", logins: {os: [siti], airflow: [siti]}, may: [approve, look]}]'


class NotAllowedError(PrakerjaError):
    """A person is not who they say, or may not do this."""


@dataclass(frozen=True)
class Person:
    """Somebody who acts. `keys` are lines of OpenSSH's `allowed_signers`, without the principal."""

    id: str
    name: str
    os_logins: frozenset[str] = frozenset()
    airflow_logins: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class People:
    """The list of people, by id, or `None` if there is no list: then every id may do everything, as in a demo."""

    listed: dict[str, Person] | None = None
    source: str = ""
    _by_airflow_login: dict[str, Person] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether there is no list."""
        return self.listed is None

    @property
    def must_sign(self) -> bool:
        """Whether approvals count only with a signature: they do if the list has keys."""
        return any(person.keys for person in (self.listed or {}).values())

    def name_of(self, person_id: str) -> str:
        """Return what is displayed of a person: `Siti Rahma, S.H. (siti)`, or the id where the list has no name."""
        person = (self.listed or {}).get(person_id)
        return f"{person.name} ({person.id})" if person and person.name != person.id else person_id

    def names_of(self, ids: Iterable[str]) -> str:
        """Return what is displayed of people, with semicolons between: names may have commas."""
        return "; ".join(self.name_of(person_id) for person_id in ids)

    def find(self, person_id: str, right: Right) -> Person:
        """Return the person with an id who has a right. Raises `NotAllowedError`, `PrakerjaError` for no id."""
        person_id = require_id(person_id)
        if self.listed is None:
            return Person(person_id, person_id)
        person = self.listed.get(person_id)
        if person is None:
            raise NotAllowedError(f"{person_id} is not in {self.source}: add the person there")
        if right not in person.may:
            raise NotAllowedError(f"{person_id} may not {right}: {self.source} says who may")
        return person

    def find_by_os_login(self, person_id: str, right: Right) -> Person:
        """Return the person with an id who has a right, if the operating-system user is one of their logins.

        Raises `NotAllowedError`.
        """
        person, login = self.find(person_id, right), os_login()
        if self.listed is not None and login not in person.os_logins:
            raise NotAllowedError(
                f"the operating-system user {login} is not {person.id}: {self.source} says whose logins are whose"
            )
        return person

    def find_by_airflow_login(self, login: str, right: Right) -> Person:
        """Return the person of an Airflow user who has a right. Raises `NotAllowedError`."""
        if self.listed is None:
            return self.find(login, right)
        person = self._by_airflow_login.get(login)
        if person is None:
            raise NotAllowedError(f"the Airflow user {login} is nobody in {self.source}: add it to a person's logins")
        return self.find(person.id, right)

    def airflow_logins(self, right: Right, without: frozenset[str] = frozenset()) -> list[str]:
        """Return the Airflow users of the people who have a right, without some ids; none if there is no list."""
        able = [each for each in (self.listed or {}).values() if right in each.may and each.id not in without]
        return sorted(login for person in able for login in person.airflow_logins)


def load_people() -> People:
    """Load the list that `PRAKERJA_PEOPLE` names, or `people.yaml` of the home.

    Raises `PrakerjaError` for a list that cannot be read or contradicts itself, and for settings of earlier versions
    without a list: what they restricted must not become open to everybody.
    """
    if os.environ.get("PRAKERJA_PEOPLE_FILE"):
        raise PrakerjaError(
            "PRAKERJA_PEOPLE_FILE is not read any more: put the list of people into people.yaml of the folder "
            "PRAKERJA_CONFIG_DIR (./config), and unset it"
        )
    path = Settings.from_environment().people
    if path is None:
        for before in ("PRAKERJA_APPROVERS", "PRAKERJA_CASE_WORKERS"):
            if os.environ.get(before):
                raise PrakerjaError(
                    f"{before} is not read any more: name a list of people in PRAKERJA_PEOPLE, e.g. {EXAMPLE}"
                )
        return People()
    if not path.exists():
        raise PrakerjaError(
            f"the list of people {path} is not there: correct PRAKERJA_PEOPLE, or write it, e.g. {EXAMPLE}"
        )
    if not path.is_file():  # a pipe would be waited for without end
        raise PrakerjaError(f"the list of people {path} is not a file: correct PRAKERJA_PEOPLE")
    return _read(path, path.stat().st_mtime_ns)


def unlisted() -> str | None:
    """Return a sentence where no list says who may do what, or None."""
    if not load_people().is_open:
        return None
    return "no list of people: every id may do everything, in anybody's name (PRAKERJA_PEOPLE)"


def require_id(text: str) -> str:
    """Return a person's id in lower case. Raises `PrakerjaError` for an invalid id."""
    lowered = text.strip().lower()
    if not ID.fullmatch(lowered):
        raise PrakerjaError(
            "this is not a person's id: give 1 to 63 letters, digits, dots, dashes, underscores or @, e.g. siti"
        )
    return lowered


def os_login() -> str:
    """Return the operating-system user of this process. The environment's claims (`LOGNAME`, `USER`) are not asked."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _require_id(text: str) -> str:
    if not ID.fullmatch(text):
        raise misfit("not 1 to 63 lower-case letters, digits, dots, dashes, underscores or @")
    return text


def _require_printable(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise misfit("empty or not printable")
    return name.strip()


def _require_right(right: str) -> str:
    if right not in RIGHTS:
        raise misfit(f"there is no right {right[:40]}: give some of {', '.join(RIGHTS)}")
    return right


def _require_key(key: str) -> str:
    if not KEY.fullmatch(key):
        raise misfit("not a public key in OpenSSH's form, e.g. ssh-ed25519 AAAA...")
    return key


def _require_somebody(entries: list[_PersonEntry]) -> list[_PersonEntry]:
    if not entries:
        raise misfit(f"names nobody: write it as {EXAMPLE}")
    return entries


def _require_text(text: str) -> str:
    if not text.strip():
        raise misfit("empty")
    return text.strip()


Text = Annotated[str, AfterValidator(_require_text)]
Texts = Annotated[list[Text], expects_list("texts")]


class _Logins(StrictModel):
    """Whose logins are whose: of the operating system, and of Airflow."""

    os: Texts | None = None
    airflow: Texts | None = None


class _PersonEntry(StrictModel):
    """One entry of the list of people."""

    id: Annotated[str, AfterValidator(_require_id)]
    name: Annotated[str, AfterValidator(_require_printable)]
    may: Annotated[list[Annotated[Text, AfterValidator(_require_right)]], expects_list("texts")]
    logins: Annotated[_Logins, expects_mapping("os and airflow, each a list")] | None = None
    keys: Annotated[list[Annotated[Text, AfterValidator(_require_key)]], expects_list("texts")] | None = None

    def build_person(self) -> Person:
        """Return the person."""
        logins = self.logins or _Logins()
        return Person(
            self.id,
            self.name,
            frozenset(logins.os or ()),
            frozenset(logins.airflow or ()),
            frozenset(self.may),
            tuple(self.keys or ()),
        )


class _PeopleFile(StrictModel):
    """The list of people. No two entries are one person, and no login or key belongs to two."""

    people: Annotated[
        list[Annotated[_PersonEntry, expects_mapping("id, name and may; logins and keys may be left out")]],
        AfterValidator(_require_somebody),
        expects_list("people"),
    ]

    @model_validator(mode="after")
    def _require_distinct(self) -> Self:
        taken: dict[tuple[str, str], str] = {}
        for place, person in enumerate(entry.build_person() for entry in self.people):
            claims = {"os": person.os_logins, "airflow": person.airflow_logins, "key": map(_blob_of, person.keys)}
            if ("id", person.id) in taken:
                raise misfit(f"the id {person.id} is there twice", "people", place, "id")
            taken["id", person.id] = person.id
            for kind, values in claims.items():
                for value in values:
                    owner = taken.setdefault((kind, value), person.id)
                    if owner != person.id:
                        what = "a key" if kind == "key" else f"the {kind} login {value}"
                        problem = f"{what} belongs to {owner} already: one person must not be two"
                        raise misfit(problem, "people", place)
        return self


@lru_cache(maxsize=1)
def _read(path: Path, changed_at: int) -> People:  # noqa: ARG001 - a list that has changed is read anew
    entries = load_typed(path, _PeopleFile, "the list of people", f"write it as {EXAMPLE}").people
    listed = {person.id: person for person in (entry.build_person() for entry in entries)}
    by_login = {login: person for person in listed.values() for login in person.airflow_logins}
    return People(listed, str(path), by_login)


def _blob_of(key: str) -> str:
    found = KEY.fullmatch(key)
    return found["blob"] if found else key
