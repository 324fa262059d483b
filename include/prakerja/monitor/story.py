"""A person's story as a timeline, in Indonesian or English. Every look at one is recorded."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

from prakerja import warehouse
from prakerja.errors import PrakerjaError
from prakerja.people import load_people
from prakerja.revocations import explanation
from prakerja.settings import WIB

log = logging.getLogger(__name__)

Language = Literal["id", "en"]
LOCALES: dict[Language, str] = {"id": "id_ID", "en": "en_GB"}
WORDS = Path(__file__).parent / "story.yaml"


class UnknownPersonError(PrakerjaError):
    """No loaded roster has the number."""

    def __init__(self) -> None:
        super().__init__("no loaded roster has this card number or NIK: check its sixteen digits")


def look_up(number: str, looked_by: str) -> int:
    """Return the recipient id of a card number or NIK, and record the look. Raise `UnknownPersonError` if unknown."""
    with warehouse.transaction("show") as connection:
        outcome = explanation.find_recipient_outcome(connection, "".join(number.split()))
        if outcome is None:
            log.warning("%s looked up a number that no roster has", looked_by)
            raise UnknownPersonError
        recipient_id = int(outcome["recipient_id"])
        warehouse.execute(connection, "monitor/insert_look", recipient_id=recipient_id, looked_by=looked_by)
    return recipient_id


def open_page(recipient_id: int, looked_by: str, language: Language) -> dict[str, Any]:
    """Record a look at a person's story, and return the page's values. Raise `UnknownPersonError` if unknown.

    The values are `cohort`, `state`, `because` and `events` in order of time, each with `at` (WIB), `title` and `text`.
    A text begins with the day that the event is about, if that has a meaning of its own or is not the day of `at`. The
    look is committed before the page is returned.
    """
    story = explanation.explain_recipient(recipient_id)
    if story is None:
        raise UnknownPersonError
    with warehouse.transaction("show") as connection:
        warehouse.execute(connection, "monitor/insert_look", recipient_id=recipient_id, looked_by=looked_by)
    words = _words()
    return {
        "recipient_id": recipient_id,
        "cohort": story["cohort"],
        "state": story["state"],
        "state_text": words["states"][story["state"]][language],
        "because": _because(story, words, language),
        "events": _events(story["events"], words, language),
        "texts": {name: text[language] for name, text in words["page"].items()},
        "language": language,
        "charts": {},
    }


def _because(story: Mapping[str, Any], words: Any, language: Language) -> str:
    """Return the reason of a person's state, with the row that spared them."""
    because = _translate(words["reasons"], story["because"], language)
    if not story.get("spared_by"):
        return because
    row = _environment(words, language).from_string(words["events"]["spared"]["text"][language])
    return f"{because}: {row.render(e=story['spared_by'])}"


def _environment(words: Any, language: Language) -> Any:
    """Return the environment that renders the texts, with dates in the style of the language."""
    from babel.dates import format_date
    from jinja2.sandbox import SandboxedEnvironment

    locale = LOCALES[language]

    def day(text: str) -> str:
        is_instant = "T" in text
        on = datetime.fromisoformat(text).astimezone(WIB).date() if is_instant else date.fromisoformat(text)
        return str(format_date(on, "d MMMM yyyy", locale=locale))

    def word(text: str) -> str:
        return _translate(words["reasons"], text, language)

    environment = SandboxedEnvironment(autoescape=False)
    environment.filters |= {"day": day, "word": word, "names": load_people().names_of}
    return environment


def _events(events: Sequence[Mapping[str, Any]], words: Any, language: Language) -> list[dict[str, Any]]:
    """Return the events with their texts in a language."""
    from babel.dates import format_datetime

    environment, rendered = _environment(words, language), []
    for event in events:
        template, at = words["events"][event["what"]], datetime.fromisoformat(event["at"]).astimezone(WIB)
        parts = [template.get("text", {}).get(language, "")]
        if "about" in template:
            parts.insert(0, template["about"][language])
        elif event.get("about_on", at.date().isoformat()) != at.date().isoformat():
            parts.insert(0, words["page"]["about"][language])
        texts = (environment.from_string(part).render(e=event) for part in parts)
        rendered.append(
            {
                "at": at,
                "at_text": str(format_datetime(at, "d MMM yyyy HH:mm", locale=LOCALES[language])) + " WIB",
                "what": event["what"],
                "title": template["title"][language],
                "text": "; ".join(filter(None, texts)),
            }
        )
    return rendered


def _translate(words: Mapping[str, Mapping[str, str]], name: str, language: Language) -> str:
    return words[name][language] if name in words else name.replace("_", " ")


@cache
def _words() -> Any:
    import yaml

    return yaml.safe_load(WORDS.read_text(encoding="utf-8"))
