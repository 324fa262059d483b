"""What the warehouse has recorded of its published folder: each document, byte for byte, before it is written there.

Whoever finishes a version, goes on after the pointer was turned back, or restores the folder writes what was recorded,
and signs nothing again. The lists themselves are too large to be recorded: they are built again, and must have the
SHA-256 that their manifest states.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher import storage
from prakerja.blacklist.publisher.storage import read_document
from prakerja_blacklist.format.contract import Manifest, manifest_name, parse_manifest


@dataclass
class Record:
    """The recorded documents by their names below the published folder, `blacklist/v000017/manifest.json`.

    A list that is published anew under other keys begins another `series`, whose documents take the place of all those
    before.
    """

    place: UPath
    series: int
    documents: dict[str, bytes]

    @classmethod
    def load(cls, root: UPath) -> Record:
        """Return what is recorded of the folder in which a list lies."""
        with warehouse.transaction() as connection:
            rows = warehouse.rows(connection, "blacklist/list_documents")
        return cls(root.parent, rows[0]["series"] if rows else 1, {row["name"]: bytes(row["content"]) for row in rows})

    @classmethod
    def begin_series(cls, root: UPath) -> Record:
        """Return an empty record, whose documents will take the place of all that are recorded."""
        return cls(root.parent, cls.load(root).series + 1, {})

    def find(self, folder: UPath, name: str) -> bytes | None:
        """Return a document of a folder, or None if it is not recorded."""
        return self.documents.get(f"{folder.name}/{name}")

    def find_manifest(self, folder: UPath, version: int) -> Manifest | None:
        """Return the manifest of a version of a list, or None if it is not recorded."""
        data = self.find(folder, manifest_name(version))
        return parse_manifest(data, f"{folder.name}/{manifest_name(version)}") if data else None

    def reader_in(self, folder: UPath) -> Callable[[str], bytes | None]:
        """Return a function that reads a document of a folder by name: the recorded one, or the one that lies there."""
        return lambda name: self.find(folder, name) or read_document(folder, name)

    def keep(
        self, folder: UPath, documents: Mapping[str, bytes], connection: warehouse.Connection | None = None
    ) -> None:
        """Record documents of a folder. What is recorded already stays, also if another publisher did it meanwhile."""
        wanted = {f"{folder.name}/{name}": data for name, data in documents.items()}
        names, contents = list(wanted), list(wanted.values())
        with contextlib.nullcontext(connection) if connection else warehouse.transaction("publish") as session:
            warehouse.execute(session, "blacklist/insert_documents", series=self.series, names=names, contents=contents)
            rows = warehouse.rows(session, "blacklist/find_documents", series=self.series, names=names)
        self.documents |= {row["name"]: bytes(row["content"]) for row in rows}

    def write(self, folder: UPath, documents: Mapping[str, bytes]) -> None:
        """Record documents of a folder, and write them there as they are recorded. Raise as `storage.create` does."""
        self.keep(folder, documents)
        for name in documents:
            storage.create(self.place, f"{folder.name}/{name}", self.documents[f"{folder.name}/{name}"])

    def names_in(self, folder: UPath, below: str) -> list[str]:
        """Return the names of the recorded documents below a folder of a list, `keys/` or `v000017/`, in order."""
        return sorted(name for name in self.documents if name.startswith(f"{folder.name}/{below}"))
