"""The texts of reminders, in Indonesian: versions of Jinja templates, bounded to what an SMS can carry.

A version is a folder `v<number>` of the programme's `messages` with the files that differ from the previous version. A
run keeps the version that it began with. A text does not depend on the hour at which it is sent, so a message that is
submitted again under its key is the same text.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any

from babel.dates import format_date

from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.reminders import names
from prakerja.settings import programme_path

#: GSM 03.38, the alphabet of plain SMS; a character of its extension takes two places.
GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_EXTENDED = frozenset("\f^{}\\[~]|€")
TEMPLATES = ("early", "last_day", "held", "purchased")
LACKS = ("nothing", "videos", "password", "steps")
PARTICIPANT = "Peserta"  # for a recipient without a name that can be written


@dataclass(frozen=True)
class Text:
    """What a recipient reads. Only an SMS has `segments`, which it is billed by, and only an e-mail a subject."""

    body: str
    subject: str | None = None
    segments: int | None = None


@dataclass(frozen=True)
class Texts:
    """One version of the texts."""

    version: str

    @property
    def sha256(self) -> str:
        """The digest of the files that the version uses. Files of later versions do not change it."""
        used: dict[Path, Path] = {}
        for folder in reversed(_folders(self.version)):
            used |= {path.relative_to(folder): path for path in folder.rglob("*.j2")}
        digest = hashlib.sha256()
        for name, path in sorted(used.items()):
            digest.update(f"{name}\n".encode() + path.read_bytes())
        return digest.hexdigest()

    def render(self, channel: str, template: str, lacks: str, full_name: str, deadline_on: date) -> Text:
        """Return what a recipient reads on a channel.

        An SMS has the name in its own alphabet: one other letter would make it twice as long. An e-mail's subject is
        the template's first line. Raises `PrakerjaError` if an SMS is longer than the bound with any name.
        """
        name = self._first_name(full_name)
        if name and programme().reminders.channels[channel].segments_max and not set(name) <= GSM_7:
            name = names.transliterate(name)
        return _text(self.version, channel, template, lacks, name or PARTICIPANT, deadline_on)

    def require_whole(self, deadline_on: date) -> None:
        """Raise `PrakerjaError` if a text cannot be rendered or is too long: before anybody is written to."""
        for channel, template, lacks in product(programme().reminders.channels, TEMPLATES, LACKS):
            self.render(channel, template, lacks, "", deadline_on)

    def _first_name(self, full_name: str) -> str | None:
        """Return the name as the version writes it: a message that is submitted again is the same text (ADR 12)."""
        return names.first_name_in_v1(full_name) if self.version == "v1" else names.first_name(full_name)


def template_for(outcome: str, days_left: int) -> str:
    """Return the template for an outcome (`not_purchased`, `held`, `purchased`), so many days before the deadline."""
    if outcome == "not_purchased":
        return "last_day" if days_left <= 1 else "early"
    return outcome


def segments(text: str) -> int:
    """Return how many SMS a text takes.

    One carries 160 places of GSM-7 or 70 of UCS-2; each part of a split text carries 153 or 67.
    """
    characters = set(text)
    if characters <= GSM_7 | GSM_7_EXTENDED:
        places, alone, split = len(text) + sum(text.count(c) for c in characters & GSM_7_EXTENDED), 160, 153
    else:
        places, alone, split = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if places <= alone else ceil(places / split)


# A million recipients have some thousand first names.
@lru_cache(maxsize=20_000)
def _text(version: str, channel: str, template: str, lacks: str, first: str, deadline_on: date) -> Text:
    rules, file = programme().reminders.channels[channel], f"{channel}/{template}"
    if rules.segments_max:
        return _sms(version, file, lacks, first, deadline_on, rules.segments_max)
    rendered = _render(version, file, lacks, first, deadline_on)
    if rules.protocol == "http":
        return Text(rendered)
    subject, _, body = rendered.partition("\n")
    return Text(body.strip() + "\n", subject=subject.strip())


def _sms(version: str, file: str, lacks: str, first: str, deadline_on: date, segments_max: int) -> Text:
    for name in (first, PARTICIPANT):
        body = _render(version, file, lacks, name, deadline_on)
        needed = segments(body)
        if needed <= segments_max:
            return Text(body, segments=needed)
    raise PrakerjaError(f"the text {version}/{file} takes {needed} segments: shorten it to {segments_max}")


def _render(version: str, name: str, lacks: str, first: str, deadline_on: date) -> str:
    # A template can name nothing else: neither a NIK nor a card.
    values = {"first_name": first, "deadline": format_date(deadline_on, "d MMMM y", locale="id"), "lacks": lacks}
    return str(_environment(version).get_template(f"{name}.txt.j2").render(values)).strip()


@cache
def _environment(version: str) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folders = _folders(version)
    # A channel that was added since a run began has no texts in its version: the first later version provides them.
    loader = FileSystemLoader([*folders, *(folder for folder in _list_versions() if folder not in folders)])
    # Plain text: there is no HTML to escape.
    return Environment(undefined=StrictUndefined, autoescape=False, loader=loader)  # noqa: S701


def _folders(version: str) -> list[Path]:
    """Return the folders that a version's files are looked for in: its own, then those of earlier versions."""
    versions, folder = _list_versions(), texts_folder() / version
    if folder not in versions:
        raise PrakerjaError(f"texts {version} do not exist: put them into {folder}")
    return versions[versions.index(folder) :: -1]


def _list_versions() -> list[Path]:
    """Return the folders of all versions, the oldest first."""
    return sorted(texts_folder().glob("v[1-9]*"), key=lambda folder: int(folder.name[1:]))


def texts_folder() -> Path:
    """Return the folder of the programme's texts."""
    return programme_path("messages")
