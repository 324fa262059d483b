"""Feed deliveries in the landing zone: which there are, and whether they keep the contract."""

from __future__ import annotations

import hashlib
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from upath import UPath

from prakerja import landing
from prakerja.escaping import one_line
from prakerja.landing import File, OpenedFile, RejectedError
from prakerja.platforms import Platform, platforms
from prakerja.settings import WIB

CONTRACT = "prakerja.feed/1"
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
REVISION = re.compile(r"r[1-9]\d{0,12}", re.ASCII)


@dataclass(frozen=True)
class Manifest:
    """A feed's manifest, checked against the contract and its own path."""

    platform: str
    business_date: date
    revision: int
    generated_at: datetime
    file: File


@dataclass(frozen=True)
class Delivery:
    """A folder `feeds/<platform>/<business_date>/r<revision>` that has a manifest."""

    platform: str
    business_date: date
    revision: int
    folder: UPath
    manifest_bytes: bytes

    @property
    def name(self) -> str:
        """The name in messages and logs, on one line whatever the platform's folder is called."""
        return one_line(f"{self.platform} {self.business_date} r{self.revision}")

    @cached_property
    def document(self) -> dict[str, Any]:
        """The manifest's JSON object, unchecked. Raise `RejectedError` if it is not one."""
        return landing.document(self.manifest_bytes)

    @cached_property
    def generated_at(self) -> datetime | None:
        """The instant at which the platform generated the delivery, or None if it is not legible."""
        try:
            return landing.instant_of(self.document.get("generated_at"))
        except RejectedError:
            return None

    @property
    def arrived_on(self) -> date:
        """The WIB day of arrival: that of `generated_at`, or the day after the business date if that is not legible."""
        generated_at = self.generated_at
        return generated_at.astimezone(WIB).date() if generated_at else self.business_date + timedelta(days=1)

    @property
    def manifest_sha256(self) -> str:
        return hashlib.sha256(self.manifest_bytes).hexdigest()

    def declared_sha256(self) -> str | None:
        """Return the SHA-256 that the manifest declares, or None if it is not legible."""
        try:
            return self.manifest().file.sha256
        except RejectedError:
            return None

    def file_mark(self) -> str:
        """Return the SHA-256 of the stored file, or `absent`. It shows that a known delivery was repaired."""
        try:
            file = self.folder / self.manifest().file.name
            return landing.sha256_of(file) if file.is_file() else "absent"
        except RejectedError:
            return "absent"

    def manifest(self) -> Manifest:
        """Return the checked manifest. Raise `RejectedError` if it breaks the contract."""
        document = landing.of_contract(self.document, CONTRACT)
        says = (document.get("platform"), document.get("business_date"), document.get("revision"))
        if says != (self.platform, self.business_date.isoformat(), self.revision) or type(says[2]) is not int:
            raise RejectedError("path_mismatch", f"the folder says {self.name}, the manifest something else")
        if self.revision >= 2**40:
            raise RejectedError("manifest_invalid", f"revision {self.revision} is out of bounds")
        generated_at = landing.instant_of(document.get("generated_at"))
        file = landing.file_of(document)
        return Manifest(self.platform, self.business_date, self.revision, generated_at, file)

    def opened(self, platform: Platform, manifest: Manifest, today: date) -> AbstractContextManager[OpenedFile]:
        """Open the file after every check that needs no reading. Raise `RejectedError` if one fails."""
        if not platform.is_active_on(self.business_date):
            until = platform.active_to or "now"
            raise RejectedError(
                "platform_not_active",
                f"expected a business date from {platform.active_from} to {until}, found {self.business_date}",
            )
        if self.business_date > today or manifest.generated_at.astimezone(WIB).date() < self.business_date:
            raise RejectedError("business_date_in_future", f"{self.business_date} had not begun when this was made")
        return landing.opened(self.folder, manifest.file, platform.compression)


def known_platform(slug: str) -> Platform:
    """Return the platform of a folder. Raise `RejectedError` if it is unknown; an alias is named with its platform."""
    known = platforms()
    if slug in known:
        return known[slug]
    names = [name for name, platform in known.items() if slug in platform.aliases]
    hint = f"deliver it as {names[0]}" if names else f"known are {', '.join(known)}"
    raise RejectedError("platform_unknown", f"no platform is called {slug!r}: {hint}")


# -- the landing zone --------------------------------------------------------------------------------------------------


def survey(root: str, slug: str | None = None, business_date: date | None = None) -> tuple[list[Delivery], list[str]]:
    """Return the complete deliveries in the landing zone (of one platform), oldest first, and the unexpected files.

    With a business date, only its folder is listed.
    """
    deliveries: list[Delivery] = []
    unexpected_files: list[str] = []
    zone = landing.landing_zone(root)
    feeds, bounds = zone / "feeds", landing.resolved(zone)
    folders = [feeds / slug] if slug else [folder for folder in landing.listed(feeds) if landing.is_text(folder.name)]
    for platform in folders:
        for day in landing.listed(platform) if business_date is None else [platform / business_date.isoformat()]:
            of_day = _date(day.name)
            if of_day is None:
                unexpected_files.append(f"feeds/{platform.name}/{day.name} is not a business date (YYYY-MM-DD)")
                continue
            for revision in landing.listed(day):
                path = f"feeds/{platform.name}/{day.name}/{revision.name}"
                if not REVISION.fullmatch(revision.name):
                    unexpected_files.append(f"{path} is not a revision (r1, r2, ...)")
                elif not landing.is_within(revision, bounds):
                    unexpected_files.append(f"{path} leads outside the landing zone")
                elif (manifest := landing.read_manifest(revision)) is not None:
                    delivery = Delivery(platform.name, of_day, int(revision.name[1:]), revision, manifest)
                    unexpected_files += [f"{path}/{name} is not in the manifest" for name in _unnamed_files(delivery)]
                    deliveries.append(delivery)
    landing.landing_zone(root)  # raises if it disappeared meanwhile: the list would be incomplete
    return sorted(deliveries, key=lambda d: (d.business_date, d.platform, d.revision)), [
        *map(one_line, unexpected_files)
    ]


def _unnamed_files(delivery: Delivery) -> list[str]:
    """Return the files that a legible manifest does not name."""
    try:
        named = landing.file_of(delivery.document).name
    except RejectedError:
        return []
    return [path.name for path in landing.listed(delivery.folder) if path.name not in ("manifest.json", named)]


def feed_folders(root: str) -> list[str]:
    """Return the names of the folders under `feeds/`, whether or not they are platforms."""
    feeds = landing.listed(landing.landing_zone(root) / "feeds")
    return [folder.name for folder in feeds if folder.is_dir() and landing.is_text(folder.name)]


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if DATE.fullmatch(text) else None
    except ValueError:
        return None
