"""The name by which a message addresses its recipient: one whole word of the full name, or none."""

from __future__ import annotations

import re
import unicodedata
from operator import itemgetter

from anyascii import anyascii

NAME_MAX = 30  # characters
TITLES = frozenset(("dr", "dra", "drs", "hj", "ir", "kh", "prof"))
_APOSTROPHES_AND_HYPHENS = str.maketrans("’‘ʼʻ´`′‐‑‒–", "'''''''----")
#: Alphabets whose letters determine how a name is read. Arabic and Javanese omit vowels (`mhmd`, `byu`), and families
#: read the same Chinese character differently.
_ALPHABETS = ("LATIN ", "GREEK ", "CYRILLIC ")


def first_name(full_name: str) -> str | None:
    """Return the first word of a name that is neither a title nor an initial; None if there is no such word.

    A word that is not abbreviated is preferred. The word has letters of any script, apostrophes and hyphens, so it is
    never a number or a link. None also if the word is too long, because a part of it would be another name.
    """
    plain = full_name.partition(" ")[0]
    if plain.isascii() and plain.isalpha() and 1 < len(plain) <= NAME_MAX and plain.lower() not in TITLES:
        return plain  # the common case, quickly
    text = full_name.translate(_APOSTROPHES_AND_HYPHENS)
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKC", text) if not _is_invisible(c))
    # Degrees follow a comma; "M.Rizki" is two words.
    words = re.sub(r"\.(?=[A-Z])", ". ", text.partition(",")[0]).split()
    names = [(name, word.endswith(".")) for word in words if (name := _name_in(word))]
    # `min` takes the first of equals: the first word that is not abbreviated, else the first abbreviated one.
    first = min(names, key=itemgetter(1), default=(None, False))[0]
    return first if first and len(first) <= NAME_MAX else None


def transliterate(name: str) -> str | None:
    """Return a name in ASCII without omitting a letter; None if its letters do not determine how it is read."""
    if not all(unicodedata.name(c, "").startswith(_ALPHABETS) and anyascii(c) for c in name if c.isalpha()):
        return None
    plain: str = anyascii(name)
    return plain if re.fullmatch(r"[A-Za-z'-]+", plain) else None


def first_name_in_v1(full_name: str) -> str | None:
    """Return the name that texts v1 use: letters that are not ASCII are omitted, and titles count as names."""
    plain = unicodedata.normalize("NFKD", full_name).encode("ascii", "ignore").decode()
    first = re.sub(r"[^A-Za-z'-]", "", (plain.split(maxsplit=1) or [""])[0])
    return first[:20] if re.search(r"[A-Za-z]", first) else None


def _name_in(word: str) -> str | None:
    """Return a word without the characters around its letters; None if it is not a name."""
    name = word
    while name and not name[0].isalpha():
        name = name[1:]
    while name and not (_is_part(name[-1]) and name[-1] != "-"):
        name = name[:-1]
    # Counted in ASCII: a single Chinese character has several letters there, and an invisible character none.
    is_name = all(map(_is_part, name)) and sum(c.isalpha() for c in anyascii(name)) > 1
    return name if is_name and name.lower() not in TITLES else None


def _is_part(character: str) -> bool:
    return character.isalpha() or character in "'-" or unicodedata.category(character) in ("Mn", "Mc")


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or unicodedata.name(character, "").startswith("VARIATION SELECTOR")
