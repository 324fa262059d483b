"""The landing zone: manifests, files, sizes and hashes, for feeds and rosters alike. Reads only; believes nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from upath import UPath

from prakerja.errors import PrakerjaError
from prakerja.settings import WIB, program

MANIFEST_BYTES_MAX = 1_000_000
CELLS_MAX = 10_000_000
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
CELL = re.compile(rb"""<(?:\w+:)?c\s[^>]*?\br\s*=\s*["']([A-Za-z]{1,9})(\d{1,9})["']""")
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class RejectedError(PrakerjaError):
    """A delivery or roster breaks the contract: nothing of it is loaded. `reason` is the code of the broken rule."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class File:
    """The one file of a manifest: what it is declared to be."""

    name: str
    bytes: int
    sha256: str
    rows: int
    amount_idr: int = 0


def landing_zone(root: str) -> UPath:
    """The landing zone, which must be there. Raises `PrakerjaError`."""
    try:
        landing = UPath(root)
        if not landing.is_dir():
            raise PrakerjaError(f"the landing zone {root} is not there: set PRAKERJA_LANDING to the folder of feeds/")
    except (OSError, ImportError, ValueError) as error:
        raise PrakerjaError(
            f"the landing zone {root} cannot be reached ({type(error).__name__}): check PRAKERJA_LANDING"
        ) from None
    return landing


def read_manifest(folder: UPath) -> bytes | None:
    """The bytes of a folder's manifest (cut off past the bound), or nothing while the delivery is not complete."""
    path = folder / "manifest.json"
    if not path.is_file():
        return None
    with path.open("rb") as file:
        data: bytes = file.read(MANIFEST_BYTES_MAX + 1)
    return data


def strays(root: UPath) -> list[str]:
    """What lies in the landing zone beside `feeds/` and `rosters/`, and in `feeds/` beside folders: nobody reads it."""
    found = [path.name for path in listed(root) if path.name not in ("feeds", "rosters") or not path.is_dir()]
    return found + [f"feeds/{path.name}" for path in listed(root / "feeds") if not path.is_dir()]


def listed(folder: UPath) -> list[UPath]:
    """What lies in a folder, by name; hidden files and a folder that is not there give nothing."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=lambda path: path.name)


# -- manifests ---------------------------------------------------------------------------------------------------------


def document(data: bytes) -> dict[str, Any]:
    """A manifest's JSON object. Raises `RejectedError`."""
    if len(data) > MANIFEST_BYTES_MAX:
        raise RejectedError("manifest_invalid", f"the manifest is larger than {MANIFEST_BYTES_MAX:,} bytes")
    try:
        loaded = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise RejectedError("manifest_invalid", "the manifest is not JSON in UTF-8") from None
    if not isinstance(loaded, dict):
        raise RejectedError("manifest_invalid", "the manifest is not a JSON object")
    return loaded


def of_contract(manifest: dict[str, Any], contract: str) -> dict[str, Any]:
    """The manifest, if it is of the given contract. Raises `RejectedError`."""
    if manifest.get("contract") != contract:
        raise RejectedError("contract_unknown", f"the manifest's contract is not {contract}")
    return manifest


def file_of(manifest: dict[str, Any], *, has_amount: bool = True) -> File:
    """The one file that a manifest declares. Raises `RejectedError`."""
    files = manifest.get("files")
    if not isinstance(files, list) or len(files) != 1 or not isinstance(files[0], dict):
        raise RejectedError("manifest_invalid", "the manifest must name exactly one file")
    file = files[0]
    name, sha256 = file.get("name"), file.get("sha256")
    if not isinstance(name, str) or not FILE_NAME.fullmatch(name):
        raise RejectedError("manifest_invalid", "files[0].name is no plain file name")
    if not isinstance(sha256, str) or not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise RejectedError("manifest_invalid", "files[0].sha256 is no SHA-256 in hex")
    return File(
        name,
        _integer(file, "bytes"),
        sha256.lower(),
        _integer(file, "rows"),
        _integer(file, "amount_idr", bits=63, signed=True) if has_amount else 0,
    )


def _integer(file: dict[str, Any], key: str, bits: int = 40, *, signed: bool = False) -> int:
    value = file.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise RejectedError("manifest_invalid", f"files[0].{key} is no integer")
    if not (-(2**bits) if signed else 0) <= value < 2**bits:
        raise RejectedError("manifest_invalid", f"files[0].{key} is out of bounds")
    return value


def instant_of(text: object) -> datetime:
    """An ISO 8601 instant. Raises `RejectedError` where there is no offset."""
    try:
        instant = datetime.fromisoformat(text) if isinstance(text, str) else None
        if instant is None or instant.tzinfo is None:
            raise ValueError
        instant.astimezone(WIB)  # an instant at the edge of time has no date in WIB
    except (ValueError, OverflowError):
        raise RejectedError("manifest_invalid", "generated_at is no ISO 8601 time with an offset") from None
    return instant


# -- files -------------------------------------------------------------------------------------------------------------


def checked_bytes(folder: UPath, file: File, compression: str | None, layout: str) -> bytes:
    """The file's bytes, of the declared size and SHA-256, opened within the cap. Raises `RejectedError`."""
    path = folder / file.name
    if not path.is_file():
        raise RejectedError("file_missing", f"{file.name} is not there")
    if not is_inside(path, folder):
        raise RejectedError("file_missing", f"{file.name} leads out of its folder")
    cap = int(program()["feeds"]["opened_bytes_max"])
    size = path.stat().st_size
    if size != file.bytes:
        raise RejectedError("size_mismatch", f"{file.name}: expected {file.bytes} bytes, found {size}")
    if size > cap:
        raise RejectedError("too_large", f"{file.name} has more than {cap:,} bytes")
    data: bytes = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != file.sha256:
        raise RejectedError("sha256_mismatch", f"{file.name}: expected {file.sha256[:12]}…, found {found[:12]}…")
    if compression == "gzip":
        return _gunzip(data, cap, file.name)
    if layout == "xlsx":
        _check_workbook(data, cap, file.name)
    return data


def is_inside(path: UPath, folder: UPath) -> bool:
    """Whether a path, links followed, is still below the folder (an object store has no links)."""
    if path.protocol not in ("", "file", "local"):
        return True
    return Path(path.path).resolve().is_relative_to(Path(folder.path).resolve())


def _gunzip(data: bytes, cap: int, name: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            opened = file.read(cap + 1)
    except (OSError, EOFError, zlib.error):
        raise RejectedError("file_undecodable", f"{name} is no gzip file, or is cut off") from None
    if len(opened) > cap:
        raise RejectedError("too_large", f"{name} opens to more than {cap:,} bytes")
    return opened


def _check_workbook(data: bytes, cap: int, name: str) -> None:
    """An XLSX must open within the cap, to plain values in a table of a bearable size, before anything parses it.

    Sizes are counted while inflating, since the archive's own figures may lie. The reader lays out a table from the
    first to the last cell, so that two cells far apart would take all memory.
    """
    total = 0
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                part = bytearray()
                with archive.open(entry) as member:
                    for chunk in _chunks(member):
                        total += len(chunk)
                        if total > cap:
                            raise RejectedError("too_large", f"{name} opens to more than {cap:,} bytes")
                        part += chunk
                if entry.filename.endswith((".xml", ".rels")):
                    _check_part(bytes(part), name, is_sheet="worksheets/" in entry.filename)
    except RejectedError:
        raise
    except Exception:  # zipfile raises a dozen kinds on a damaged archive; all mean the same here
        raise RejectedError("file_undecodable", f"{name} is no XLSX file, or is damaged") from None


def _check_part(part: bytes, name: str, *, is_sheet: bool) -> None:
    if part.startswith(UTF_16) or b"<!DOCTYPE" in part or b"<!ENTITY" in part:
        raise RejectedError("file_undecodable", f"{name} holds XML that declares entities, or is no UTF-8")
    if not is_sheet:
        return
    if FORMULA.search(part):
        raise RejectedError("file_undecodable", f"{name} holds formulas: values are delivered as values")
    columns = rows = 1
    for letters, row in set(CELL.findall(part)):
        column = 0
        for letter in letters.upper():
            column = column * 26 + letter - 64
        columns, rows = max(columns, column), max(rows, int(row))
    if columns * rows > CELLS_MAX:
        raise RejectedError("too_large", f"{name} spans {columns:,} columns and {rows:,} rows")


def sha256_of(path: UPath) -> str:
    """The SHA-256 of a file as it lies there, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in _chunks(file):
            digest.update(chunk)
    return digest.hexdigest()


def _chunks(file: Any) -> Iterator[bytes]:
    while chunk := file.read(1 << 20):
        yield chunk
