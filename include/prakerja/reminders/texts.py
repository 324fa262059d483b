"""The texts of reminders, in Indonesian: Jinja templates in versions, bounded to what an SMS can carry.

A version is a folder of the programme's `messages`; a run keeps the one that it was begun with. Nothing in a text
depends on the hour at which it leaves, so that what is submitted again under the same key is the same text.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from math import ceil
from typing import Any

from babel.dates import format_date

from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.reminders import names
from prakerja.settings import programme_path

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
        """Over every file of the version, by name."""
        folder = programme_path("messages") / self.version
        found = hashlib.sha256()
        for path in sorted(folder.rglob("*.j2")):
            found.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
        return found.hexdigest()

    def sms(self, template: str, lacks: str, full_name: str, deadline_on: date) -> Text:
        """An SMS, in whose alphabet a name is written: one other letter would make it twice as long.

        Raises `PrakerjaError` where the template is longer than the bound, whoever it is for.
        """
        name = self._first_name(full_name)
        if name and not set(name) <= GSM_7:
            name = names.transliterate(name)
        return _sms(self.version, template, lacks, name or PARTICIPANT, deadline_on)

    def email(self, template: str, lacks: str, full_name: str, deadline_on: date) -> Text:
        """An e-mail, which carries any letters: the template's first line is the subject."""
        return _email(self.version, template, lacks, self._first_name(full_name) or PARTICIPANT, deadline_on)

    def require_whole(self, deadline_on: date) -> None:
        """Raise `PrakerjaError` where a text cannot be rendered or is too long: before anybody is written to."""
        for template in TEMPLATES:
            for lacks in LACKS:
                self.sms(template, lacks, "", deadline_on)
                self.email(template, lacks, "", deadline_on)

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
@lru_cache(maxsize=10_000)
def _sms(version: str, template: str, lacks: str, first: str, deadline_on: date) -> Text:
    most = programme().reminders.sms.segments_max
    for name in (first, PARTICIPANT):
        body = _render(version, f"sms/{template}", lacks, name, deadline_on)
        if (needed := segments(body)) <= most:
            return Text(body, segments=needed)
    raise PrakerjaError(f"the text {version}/sms/{template} takes {needed} segments: shorten it to {most}")


@lru_cache(maxsize=10_000)
def _email(version: str, template: str, lacks: str, first: str, deadline_on: date) -> Text:
    subject, _, body = _render(version, f"email/{template}", lacks, first, deadline_on).partition("\n")
    return Text(body.strip() + "\n", subject=subject.strip())


def _render(version: str, name: str, lacks: str, first: str, deadline_on: date) -> str:
    # No NIK, no card: nothing but these can be told.
    told = {"first_name": first, "deadline": format_date(deadline_on, "d MMMM y", locale="id"), "lacks": lacks}
    return str(_environment(version).get_template(f"{name}.txt.j2").render(told)).strip()


@cache
def _environment(version: str) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = programme_path("messages") / version
    if not folder.is_dir():
        raise PrakerjaError(f"there are no texts {version}: put them into {folder}")
    # Plain text: there is no HTML to escape.
    return Environment(undefined=StrictUndefined, autoescape=False, loader=FileSystemLoader(folder))  # noqa: S701
