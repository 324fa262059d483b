"""Texts for a terminal. What comes from outside, e.g. the name of a folder, starts no line and moves no cursor."""

from __future__ import annotations

import sys


def printable(text: str) -> str:
    """Return a text for a terminal: control and format characters are escaped, line breaks stay."""
    return "\n".join(map(one_line, text.split("\n")))


def one_line(text: str) -> str:
    """Return a text as one line for a terminal or a log: unprintable characters are escaped."""
    return text if text.isprintable() else "".join(map(_escape, text))


def write_line(line: str) -> None:
    """Write a line of the result to standard output."""
    sys.stdout.write(one_line(line) + "\n")


def say(line: str) -> None:
    """Write a message of one line to standard error."""
    sys.stdout.flush()
    sys.stderr.write(one_line(line) + "\n")


def _escape(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
