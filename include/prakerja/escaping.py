"""What comes from outside, written so that where it ends up reads it as text: one function for each kind of exit.

HTML is escaped by Jinja, JSON and log files by their own writers.
"""

from __future__ import annotations

import logging
import re
from typing import Any

#: What a spreadsheet reads as the beginning of a formula, behind white space too, with the wide forms of the signs.
FORMULA = re.compile(r"[\s\x00-\x1f]*[=+\-@|%\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
NUMBER = re.compile(r"[+-]?[\d.,]+")
#: What Markdown reads as more than text within a line; between letters an underscore is one.
MARKUP = re.compile(r"[\\`*\[\]<>~&@]|(?<!\w)_+|_+(?!\w)|(?<=www)\.|(?<=:)//", re.IGNORECASE)


def printable(text: str) -> str:
    """Return a text for a terminal: a control or format character is written as its escape, a line break stays."""
    return "\n".join(map(one_line, text.split("\n")))


def one_line(text: str) -> str:
    """Return a text as one line for a terminal or a log: what cannot be printed is written as its escape."""
    return text if text.isprintable() else "".join(map(_shown, text))


class OneLineFormatter(logging.Formatter):
    """Writes a record's message as one line, so that no name from outside makes a line of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's interface
        record.message = one_line(record.message)
        return super().formatMessage(record)


def csv_cell(value: Any) -> Any:
    """Return a cell for a CSV file that people open in a spreadsheet: a text that would be a formula gets a quote.

    As OWASP advises against CSV injection; numbers stay as they are.
    """
    if not isinstance(value, str) or not FORMULA.match(value) or NUMBER.fullmatch(value):
        return value
    return f"'{value}"


def markdown(text: str) -> str:
    """Return a line for a page that reads Markdown, as Airflow's notes are: no link, no image, no emphasis."""
    return MARKUP.sub(lambda found: "".join(f"\\{sign}" for sign in found[0]), one_line(text))


def markdown_code(text: str) -> str:
    """Return a text as code of one line, for a page that reads Markdown: nothing in it is markup, nothing is hidden."""
    return f"`{one_line(' '.join(text.replace('`', chr(39)).split()))}`"


def label(name: str, known: Any) -> str:
    """Return a metric's label: a name that is known, or `other`, so that names from outside make no new series."""
    return name if name in known else "other"


def _shown(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
