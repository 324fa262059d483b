"""The platforms: one YAML file each under `include/platforms`. A platform is data, not code."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from prakerja.errors import PrakerjaError
from prakerja.settings import INCLUDE

FIELDS = ("transaction_id", "event", "occurred_at", "card_number", "course_id", "amount_idr", "voucher_code")
LAYOUTS = ("csv", "json", "jsonl", "xlsx")
VOLUME = ("days", "days_least", "rows_least", "share_least", "share_most")
EVENTS = ("PAID", "CANCELLED", "REFUNDED")


@dataclass(frozen=True)
class Platform:
    """How one platform writes its feed, and from when to when it may.

    `columns` maps each canonical field to the platform's column (a dotted path in JSON); `events` the platform's words
    to `PAID`, `CANCELLED`, `REFUNDED`; `occurred_at` and `amount_idr` name the form of the value (see `feeds.forms`).
    `volume` bounds a day's rows by the platform's own median of `days` days; fewer days or rows than least say nothing.
    """

    platform: str
    name: str
    file: str
    layout: str
    columns: dict[str, str]
    events: dict[str, str]
    occurred_at: dict[str, Any]
    amount_idr: dict[str, Any]
    volume: dict[str, Any]
    active_from: date
    active_to: date | None = None
    aliases: list[str] = field(default_factory=list)
    separator: str = ","
    compression: str | None = None
    trailer: str | None = None
    sheet: str | None = None
    records: str | None = None
    says: dict[str, str] = field(default_factory=dict)

    def is_active_on(self, day: date) -> bool:
        """Whether a feed is due for this business date."""
        return self.active_from <= day and (self.active_to is None or day <= self.active_to)

    @classmethod
    def read(cls, path: Path) -> Platform:
        """Read one platform's file, refusing what is missing or unknown in one line."""
        where = f"the platform file {path}"
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError):
            raise PrakerjaError(f"{where} is not YAML: correct it, or take it away") from None
        try:
            platform = cls(**loaded)
        except TypeError as error:
            said = str(error).removeprefix("Platform.__init__() ")
            raise PrakerjaError(f"{where} does not fit ({said}): compare it with tokopedia.yaml") from None
        for wrong, what in (
            (platform.platform != path.stem, f"is named {path.stem}, but says platform: {platform.platform}"),
            (platform.layout not in LAYOUTS, f"has layout {platform.layout}; known are {', '.join(LAYOUTS)}"),
            (set(platform.columns) != set(FIELDS), f"must map exactly the columns {', '.join(FIELDS)}"),
            (set(platform.volume) != set(VOLUME), f"must bound its volume by {', '.join(VOLUME)}"),
            (not set(platform.events.values()) <= set(EVENTS), f"must map events to {', '.join(EVENTS)}"),
        ):
            if wrong:
                raise PrakerjaError(f"{where} {what}")
        return platform


@cache
def platforms() -> dict[str, Platform]:
    """All platforms by slug."""
    return {path.stem: Platform.read(path) for path in sorted((INCLUDE / "platforms").glob("*.yaml"))}


def active_on(day: date) -> list[str]:
    """The slugs of the platforms that owe a feed for this business date."""
    return [slug for slug, platform in platforms().items() if platform.is_active_on(day)]
