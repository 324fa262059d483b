"""Escape text from outside for the place where it is written: one function for each kind of place.

Jinja escapes HTML; the writers of JSON and of log files escape theirs.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from prakerja_blacklist.terminal import one_line, printable

__all__ = ["OneLineFormatter", "csv_cell", "label", "markdown", "markdown_code", "one_line", "printable"]

#: What a spreadsheet reads as the start of a formula, also after white space, with the wide forms of the signs.
FORMULA = re.compile(r"[\s\x00-\x1f]*[=+\-@|%\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
NUMBER = re.compile(r"[+-]?[\d.,]+")
#: What Markdown reads as markup within a line. An underscore between letters is text.
MARKUP = re.compile(r"[\\`*\[\]<>~&@]|(?<!\w)_+|_+(?!\w)|(?<=www)\.|(?<=:)//", re.IGNORECASE)


class OneLineFormatter(logging.Formatter):
    """Formats a record's message as one line, so that a name from outside cannot start a line of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's interface
        record.message = one_line(record.message)
        return super().formatMessage(record)


def csv_cell(value: Any) -> Any:
    """Return a cell for a CSV file: a text that a spreadsheet would read as a formula is prefixed with a quote.

    OWASP advises this against CSV injection. Numbers stay as they are.
    """
    if not isinstance(value, str) or not FORMULA.match(value) or NUMBER.fullmatch(value):
        return value
    return f"'{value}"


def markdown(text: str) -> str:
    """Return a line for a page that reads Markdown, e.g. an Airflow note: no link, no image, no emphasis."""
    return MARKUP.sub(lambda found: "".join(f"\\{sign}" for sign in found[0]), one_line(text))


def markdown_code(text: str) -> str:
    """Return a text as inline code for a page that reads Markdown: nothing in it is markup, nothing is hidden."""
    return f"`{one_line(' '.join(text.replace('`', chr(39)).split()))}`"


def label(name: str, known: Any) -> str:
    """Return a metric's label: a known name, or `other`, so that names from outside create no new time series."""
    return name if name in known else "other"
