"""A landing zone of a few deliveries, written row by row, and the facts that cite them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from prakerja.platforms import platforms
from prakerja.recheck.facts import Delivery, Facts
from prakerja.recheck.rule import Reading, SecondReading, read_again
from prakerja.simulation import world

ANNOUNCED_ON = date(2021, 3, 10)
DEADLINE_ON = date(2021, 3, 12)
SETTLEMENT_ON = DEADLINE_ON + timedelta(days=1)
AS_OF = DEADLINE_ON + timedelta(days=2)
SITI, BUDI, RATNA = "1000000000000001", "1000000000000002", "2000000000001000"
HEADER = "transaction_id,event,occurred_at,card_number,course_id,amount_idr,voucher_code"


def build_row(card: str = SITI, at: str = "2021-03-11T12:00:00+07:00", event: str = "PAID", of: str = "INV/1") -> str:
    """Return a row of Tokopedia."""
    return f"{of},{event},{at},{card},KLS-1,5000,V1"


class LandingZone:
    """A landing zone with one cohort of Siti, Budi and Ratna."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.deliveries: list[Delivery] = []
        self.roster_sha256 = self.write_roster([SITI, BUDI, RATNA])

    def write_roster(self, cards: Iterable[str], rows: int | None = None) -> str:
        """Write the roster; return the SHA-256 of its file."""
        people = [f"{card},{number:016d},Nama,0811,,31" for number, card in enumerate(cards, 1)]
        return self.write_roster_text("\n".join(["card_number,nik,full_name,phone,email,region_code", *people]), rows)

    def write_roster_text(self, text: str, rows: int | None = None) -> str:
        """Write the roster as this text; return the SHA-256 of its file."""
        content = gzip.compress(text.encode(), mtime=0)
        manifest = {
            "contract": "prakerja.roster/1",
            "cohort": 12,
            "announced_on": str(ANNOUNCED_ON),
            "deadline_on": str(DEADLINE_ON),
        }
        rows = len(text.split("\n")) - 1 if rows is None else rows
        return self._write("rosters/gelombang-12", "roster.csv.gz", content, manifest, {"rows": rows})

    def deliver(
        self,
        *rows: str,
        on: date = date(2021, 3, 11),
        revision: int = 1,
        accepted_on: date | None = None,
        platform: str = "tokopedia",
        amount_idr: int | None = None,
    ) -> Delivery:
        """Write a delivery of these rows: CSV gets the header of Tokopedia, JSON Lines none."""
        lines = [HEADER, *rows] if platforms()[platform].layout == "csv" else list(rows)
        content = "".join(f"{line}\n" for line in lines).encode()
        total = 5000 * len(rows) if amount_idr is None else amount_idr
        return self.deliver_bytes(
            platform, content, len(rows), total, on=on, revision=revision, accepted_on=accepted_on
        )

    def deliver_bytes(
        self,
        platform: str,
        content: bytes,
        rows: int,
        amount_idr: int,
        *,
        on: date = date(2021, 3, 11),
        revision: int = 1,
        accepted_on: date | None = None,
        manifest: dict[str, Any] | None = None,
    ) -> Delivery:
        """Write a delivery of these bytes; accepted the day after, unless told otherwise."""
        written = {
            "contract": "prakerja.feed/1",
            "platform": platform,
            "business_date": str(on),
            "revision": revision,
            "generated_at": f"{on + timedelta(days=1)}T01:00:00+07:00",
            **(manifest or {}),
        }
        folder = f"feeds/{platform}/{on}/r{revision}"
        entry = {"rows": rows, "amount_idr": amount_idr}
        sha256 = self._write(folder, platforms()[platform].file, content, written, entry)
        delivery = Delivery(platform, on, revision, sha256, accepted_on or on + timedelta(days=1))
        self.deliveries.append(delivery)
        return delivery

    def facts(self, **changes: Any) -> Facts:
        """Return the facts of the deadline; a person answered for every delivery that is not there."""
        days = [ANNOUNCED_ON + timedelta(days=each) for each in range(5)]
        missing = frozenset((platform, day) for platform in platforms() for day in days)
        facts = Facts(
            12,
            ANNOUNCED_ON,
            DEADLINE_ON,
            1,
            AS_OF,
            self.roster_sha256,
            tuple(self.deliveries),
            (),
            (),
            frozenset(),
            missing,
        )
        return replace(facts, **changes)

    def read(self, *, is_later: bool = False, **changes: Any) -> SecondReading:
        """Return the second reading of it all."""
        return read_again(UPath(self.root), self.facts(**changes), is_later=is_later)

    def siti(self, *, is_later: bool = False, **changes: Any) -> Reading:
        """Return what the second reading finds of Siti."""
        return self.read(is_later=is_later, **changes).by_card[SITI]

    def _write(self, folder: str, name: str, content: bytes, manifest: dict[str, Any], entry: dict[str, Any]) -> str:
        path = self.root / folder
        path.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        files = [{"name": name, "bytes": len(content), "sha256": sha256, **entry}]
        (path / "manifest.json").write_text(json.dumps({"files": files, **manifest}))
        return sha256


@pytest.fixture
def zone(tmp_path: Path) -> LandingZone:
    """A landing zone with a roster of three people and no delivery yet."""
    return LandingZone(tmp_path)


@pytest.fixture(scope="package")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world of two cohorts with nasty rows."""
    out = tmp_path_factory.mktemp("recheck") / "world"
    world.write([12, 13], 0.002, 7, out, is_nasty=True, progress=lambda _: None)
    return out
