"""The texts of reminders, in Indonesian: Jinja templates in versions, bounded to what an SMS can carry.

A version is a folder `v<number>` below `include/messages`, with the files that differ from the version before; a run
keeps the version that it was begun with. Nothing in a text depends on the hour at which it leaves, so that what is
submitted again under the same key is the same text.
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
from prakerja.settings import INCLUDE

FOLDER = INCLUDE / "messages"
#: GSM 03.38, the alphabet of plain SMS; a character of the second needs two places.
GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_EXTENDED = frozenset("\f^{}\\[~]|€")
TEMPLATES = ("early", "last_day", "held", "purchased")
LACKS = ("nothing", "videos", "password", "steps")
PARTICIPANT = "Peserta"  # whoever has no name that can be told


@dataclass(frozen=True)
class Text:
    """What a recipient reads. `segments` is what an SMS costs; an e-mail has a subject and none."""

    body: str
    subject: str | None = None
    segments: int | None = None


@dataclass(frozen=True)
class Texts:
    """One version of the texts."""

    version: str

    @property
    def sha256(self) -> str:
        """The digest of every file that the version uses, by name; a later version's files do not change it."""
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
        """As the version writes names: what is submitted again under a message's key is the same text (ADR 12)."""
        return names.first_name_in_v1(full_name) if self.version == "v1" else names.first_name(full_name)


def template_for(outcome: str, days_left: int) -> str:
    """The template for whoever stands so (`not_purchased`, `held`, `purchased`), so many days before the deadline."""
    if outcome == "not_purchased":
        return "last_day" if days_left <= 1 else "early"
    return outcome


def segments(text: str) -> int:
    """How many SMS a text takes: 160 places alone and 153 each where it is split (GSM-7); else 70 and 67 (UCS-2)."""
    found = set(text)
    if found <= GSM_7 | GSM_7_EXTENDED:
        places, alone, split = len(text) + sum(text.count(c) for c in found & GSM_7_EXTENDED), 160, 153
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
    # No NIK, no card: nothing but these can be told.
    told = {"first_name": first, "deadline": format_date(deadline_on, "d MMMM y", locale="id"), "lacks": lacks}
    return str(_environment(version).get_template(f"{name}.txt.j2").render(told)).strip()


@cache
def _environment(version: str) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(_folders(version))
    # Plain text: there is no HTML to escape.
    return Environment(undefined=StrictUndefined, autoescape=False, loader=loader)  # noqa: S701


def _folders(version: str) -> list[Path]:
    """Return the folders in which a version's files are looked for: its own, then those of the versions before."""
    if not (FOLDER / version).is_dir():
        raise PrakerjaError(f"there are no texts {version}: put them into include/messages/{version}")
    number = int(version[1:])
    return [folder for n in range(number, 0, -1) if (folder := FOLDER / f"v{n}").is_dir()]
