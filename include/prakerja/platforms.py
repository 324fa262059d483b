"""The platforms: one YAML file each in the programme's folder `platforms`. A platform is data, not code."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from prakerja.settings import programme_path
from prakerja.typed_yaml import FrozenModel, load_typed, require_stem

FIELDS = ("transaction_id", "event", "occurred_at", "card_number", "course_id", "amount_idr", "voucher_code")
Event = Literal["PAID", "CANCELLED", "REFUNDED"]
EVENTS: tuple[str, ...] = get_args(Event)


class Volume(FrozenModel):
    """Bounds of a day's rows by the platform's own median of `days` days; fewer days or rows than least are ignored."""

    days: Annotated[int, Field(ge=1, le=366)]
    days_least: Annotated[int, Field(ge=1, le=366)]
    rows_least: Annotated[int, Field(ge=0)]
    share_least: Annotated[float, Field(ge=0, le=1)]
    share_most: Annotated[float, Field(ge=1)]


class Platform(FrozenModel):
    """How one platform writes its feed, and from when to when feeds are due.

    `columns` maps each canonical field to the platform's column (a dotted path in JSON); `events` the platform's words
    to `PAID`, `CANCELLED`, `REFUNDED`; `occurred_at` and `amount_idr` name the form of the value (see `feeds.forms`).
    """

    platform: str
    name: str
    file: str
    layout: Literal["csv", "json", "jsonl", "xlsx"]
    columns: dict[str, str]
    events: dict[str, Event]
    occurred_at: dict[str, str]
    amount_idr: dict[str, str | int]
    volume: Volume
    active_from: date
    active_to: date | None = None
    aliases: list[str] = Field(default_factory=list)
    separator: str = ","
    compression: Literal["gzip"] | None = None
    trailer: str | None = None
    sheet: str | None = None
    records: str | None = None
    says: dict[str, str] = Field(default_factory=dict)

    def is_active_on(self, day: date) -> bool:
        """Whether a feed is due for this business date."""
        return self.active_from <= day and (self.active_to is None or day <= self.active_to)

    @model_validator(mode="after")
    def _require_columns_and_forms(self) -> Self:
        if set(self.columns) != set(FIELDS):
            raise ValueError(f"columns must map exactly {', '.join(FIELDS)}")
        if "form" not in self.occurred_at or "form" not in self.amount_idr:
            raise ValueError("occurred_at and amount_idr must name a form")
        return self

    @classmethod
    def from_file(cls, path: Path) -> Platform:
        """Read one platform's file. Raises `PrakerjaError` with file, line and field."""
        where = "the platform file"
        platform = load_typed(path, cls, where)
        require_stem(path, where, "platform", platform.platform)
        return platform


def platforms() -> dict[str, Platform]:
    """Return all platforms by slug."""
    return _load(programme_path("platforms"))


@cache
def _load(folder: Path) -> dict[str, Platform]:
    return {path.stem: Platform.from_file(path) for path in sorted(folder.glob("*.yaml"))}


def active_on(day: date) -> list[str]:
    """Return the slugs of the platforms from which a feed is due for a business date."""
    return [slug for slug, platform in platforms().items() if platform.is_active_on(day)]
