"""Simulated recipients: plausible and unique. None of them is a real person."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

FIRST = (
    "Adi", "Budi", "Citra", "Dewi", "Eko", "Fitri", "Gilang", "Hana", "Indra", "Joko", "Kartika", "Lestari", "Made",
    "Nur", "Oki", "Putri", "Rizky", "Sari", "Taufik", "Umar", "Vina", "Wayan", "Yusuf", "Zainal",
)  # fmt: skip
LAST = (
    "Handayani", "Hidayat", "Kusuma", "Lubis", "Nasution", "O'Neil", "Pratama", "Purnama", "Rahman", "Santoso",
    "Saputra", "Setiawan", "Siregar", "Sitorus", "Susanti", "Utami", "Wibowo", "Wijaya", "Yulianti",
)  # fmt: skip
PROVINCES = ("11", "12", "13", "16", "31", "32", "33", "34", "35", "36", "51", "52", "61", "64", "71", "73", "81", "94")

#: The band of cards that are written damaged. No other card is near, so a damaged number identifies one card.
DAMAGED_BAND = "777"


@dataclass(frozen=True)
class Person:
    """A simulated recipient, as in a roster."""

    card_number: str
    nik: str
    full_name: str
    phone: str
    email: str
    region_code: str


class People:
    """Creates people. No two have the same card, NIK or phone."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._cards: set[str] = set()
        self._niks: set[str] = set()
        self._bands = iter(range(1000))

    def person(self, card: str) -> Person:
        """Return a new recipient with this card."""
        random = self._random
        region = random.choice(PROVINCES)
        while True:
            day = random.randrange(1, 29) + random.choice((0, 40))
            month, year, serial = random.randrange(1, 13), random.randrange(60, 103) % 100, random.randrange(1, 10000)
            district = f"{random.randrange(1, 80):02}{random.randrange(1, 30):02}"
            nik = f"{region}{district}{day:02}{month:02}{year:02}{serial:04}"
            if nik not in self._niks:
                break
        self._niks.add(nik)
        first = random.choice(FIRST)
        tail = f"{random.randrange(10**10):010}"
        phone = f"08{tail}" if random.random() < 0.8 else f"+628{tail}"
        email = "" if random.random() < 0.1 else f"{first.lower()}.{tail}@surel.example"
        return Person(card, nik, f"{first} {random.choice(LAST)}", phone, email, region)

    def card(self) -> str:
        """Return a new card number outside the band of damaged cards."""
        while True:
            card = f"{self._random.randrange(10**16):016}"
            if card not in self._cards and not card.lstrip("0").startswith(DAMAGED_BAND):
                self._cards.add(card)
                return card

    def damaged_card(self, *, has_lost_zero: bool = False) -> str:
        """Return a new card number with six first digits that no other card has."""
        band = f"{DAMAGED_BAND}{next(self._bands):03}"
        # Further digits from 2 to 4 keep it clear of what the next band is rounded from.
        digits = 9 if has_lost_zero else 10
        tail = self._random.randrange(2 * 10 ** (digits - 1), 4 * 10 ** (digits - 1))
        return f"{'0' if has_lost_zero else ''}{band}{tail}"
