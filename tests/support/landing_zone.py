"""Landing zones for tests: deliveries and rosters in the contract, or bent away from it on purpose."""

from __future__ import annotations

import gzip
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from prakerja.simulation import writers
from prakerja.simulation.writers import Row


def deliver(
    landing: Path,
    platform: str,
    business_date: str,
    rows: list[Row],
    revision: int = 1,
    *,
    data: bytes | None = None,
    generated_at: str | None = None,
    file: dict[str, Any] | None = None,
    manifest: dict[str, Any] | None = None,
) -> Path:
    """Lay one delivery down; `data`, `file` and `manifest` bend the bytes, the file's entry, the manifest."""
    data = writers.write(platform, rows) if data is None else data
    entry = {
        "name": writers.FILES[platform],
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "rows": len(rows),
        "amount_idr": sum(row.counted for row in rows),
    }
    document = {
        "contract": "prakerja.feed/1",
        "platform": platform,
        "business_date": business_date,
        "revision": revision,
        "generated_at": generated_at or f"{business_date}T23:59:59+07:00",
        "files": [entry | (file or {})],
    }
    folder = landing / "feeds" / platform / business_date / f"r{revision}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / writers.FILES[platform]).write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps(document | (manifest or {})))
    return folder


@cache
def _nothing(platform: str) -> bytes:
    return writers.write(platform, [])


def deliver_nothing(landing: Path, platform: str, business_date: str) -> str:
    """Lay down a day without transactions; return the SHA-256 of its file."""
    data = _nothing(platform)
    deliver(landing, platform, business_date, [], data=data)
    return hashlib.sha256(data).hexdigest()


ROSTER_HEADER = "card_number,nik,full_name,phone,email,region_code"


def deliver_roster(
    landing: Path,
    cohort: int,
    lines: list[str],
    announced_on: str,
    deadline_on: str,
    bent: dict[str, Any] | None = None,
) -> Path:
    """Lay one roster down; `bent` replaces fields of the manifest."""
    data = gzip.compress("\n".join([ROSTER_HEADER, *lines, ""]).encode(), mtime=0)
    document = {
        "contract": "prakerja.roster/1",
        "cohort": cohort,
        "announced_on": announced_on,
        "deadline_on": deadline_on,
        "files": [
            {
                "name": "roster.csv.gz",
                "bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "rows": len(lines),
            }
        ],
    }
    folder = landing / "rosters" / f"gelombang-{cohort}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "roster.csv.gz").write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps(document | (bent or {})))
    return folder


def roster_line(number: int, card: str | None = None, nik: str | None = None) -> str:
    """A recipient; number 7 has the card 1000000000000007."""
    return f"{card or 10**15 + number},{nik or 31 * 10**14 + number},Nama {number},0812345678{number:02},,31"
