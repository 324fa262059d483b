"""The freshness of the published list by the programme's schedule."""

from __future__ import annotations

from datetime import datetime

from upath import UPath

from prakerja.blacklist.publisher.storage import source_in
from prakerja.programme import programme
from prakerja_blacklist.format.contract import POINTER, Latest, Manifest, parse_manifest
from prakerja_blacklist.format.documents import parse_document
from prakerja_blacklist.reader.freshness import Freshness, Schedule
from prakerja_blacklist.reader.sources import DOCUMENT_BYTES_MAX, read


def programme_schedule() -> Schedule:
    """Return when versions follow one another (`program.yaml`)."""
    rules = programme().blacklist
    return Schedule(rules.publishes_every_days, rules.publishes_by_hour)


def freshness_of(manifest: Manifest, now: datetime) -> Freshness:
    """Return the freshness of a version at an instant."""
    return Freshness.from_manifest_fields(
        manifest.version,
        manifest.created_at,
        manifest.expires_at,
        manifest.data_as_of,
        now=now,
        schedule=programme_schedule(),
    )


def load_freshness(root: UPath, now: datetime) -> Freshness:
    """Return the freshness of the list that a folder points at, by its manifest. Only readers verify signatures."""
    source = source_in(root)
    pointer = parse_document(Latest, read(source, POINTER, DOCUMENT_BYTES_MAX), POINTER)
    manifest = parse_manifest(read(source, pointer.manifest, DOCUMENT_BYTES_MAX), pointer.manifest)
    return freshness_of(manifest, now)
