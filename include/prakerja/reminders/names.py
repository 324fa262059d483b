"""What a recipient is called in a message: one word of their name, whole, or nothing of it."""

from __future__ import annotations

import re
import unicodedata

from anyascii import anyascii

NAME_MAX = 30  # characters
TITLES = frozenset(("dr", "dra", "drs", "hj", "ir", "kh", "prof"))
_APOSTROPHES_AND_HYPHENS = str.maketrans("’‘ʼʻ´`′‐‑‒–", "'''''''----")
#: Their letters say how a name is read. Arabic and Javanese leave vowels out (`mhmd`, `byu`); a Chinese character is
#: read otherwise in each family.
_ALPHABETS = ("LATIN ", "GREEK ", "CYRILLIC ")


def first_name(full_name: str) -> str | None:
    """Return the first word of a name that is neither a title nor an initial nor, if there is another, abbreviated.

    It has letters of any script, apostrophes and hyphens: nothing that could be a number or a link. None if there is no
    such word, or if it is too long: a part of it would be another name.
    """
    plain = full_name.partition(" ")[0]
    if plain.isascii() and plain.isalpha() and 1 < len(plain) <= NAME_MAX and plain.lower() not in TITLES:
        return plain  # as nearly all are
    text = full_name.translate(_APOSTROPHES_AND_HYPHENS)
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKC", text) if not _is_invisible(c))
    # Degrees stand behind a comma; "M.Rizki" is two words.
    words = re.sub(r"\.(?=[A-Z])", ". ", text.partition(",")[0]).split()
    names = [(name, word.endswith(".")) for word in words if (name := _name_in(word))]
    # Sorting is stable: the first of those that are not abbreviated, else the first of the others.
    found = min(names, key=lambda each: each[1], default=(None, False))[0]
    return found if found and len(found) <= NAME_MAX else None


def transliterate(name: str) -> str | None:
    """Return a name in ASCII, no letter left out; None if its letters do not say how it is read."""
    if not all(unicodedata.name(c, "").startswith(_ALPHABETS) and anyascii(c) for c in name if c.isalpha()):
        return None
    plain: str = anyascii(name)
    return plain if re.fullmatch(r"[A-Za-z'-]+", plain) else None


def first_name_in_v1(full_name: str) -> str | None:
    """Return what texts v1 call somebody: letters that ASCII lacks are left out, and titles count as names."""
    plain = unicodedata.normalize("NFKD", full_name).encode("ascii", "ignore").decode()
    first = re.sub(r"[^A-Za-z'-]", "", (plain.split(maxsplit=1) or [""])[0])
    return first[:20] if re.search(r"[A-Za-z]", first) else None


def _name_in(word: str) -> str | None:
    """Return a word without what stands around it; None if that is no name."""
    name = word
    while name and not name[0].isalpha():
        name = name[1:]
    while name and not (_is_part(name[-1]) and name[-1] != "-"):
        name = name[:-1]
    # By its plain letters, of which a single Chinese character has several, and an invisible one none.
    is_name = all(map(_is_part, name)) and sum(c.isalpha() for c in anyascii(name)) > 1
    return name if is_name and name.lower() not in TITLES else None


def _is_part(character: str) -> bool:
    return character.isalpha() or character in "'-" or unicodedata.category(character) in ("Mn", "Mc")


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or unicodedata.name(character, "").startswith("VARIATION SELECTOR")
