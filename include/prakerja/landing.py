"""The landing zone: manifests, files, sizes and hashes of feeds and rosters. Only read, never trusted."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from upath import UPath

from prakerja.errors import PrakerjaError, TransientError
from prakerja.escaping import one_line
from prakerja.programme import programme
from prakerja.settings import WIB

MANIFEST_BYTES_MAX = 1_000_000
MEMBERS_MAX = 100_000  # of a gzip file
#: Rejects 24:00 and offsets of sixty minutes, which some versions of Python accept.
ISO8601 = re.compile(
    r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d(?::\d\d(?P<fraction>[.,]\d+)?)?"
    r"(?:Z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)",
    re.ASCII,
)
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class RejectedError(PrakerjaError):
    """A delivery or roster breaks the contract, and none of it is loaded. `reason` is the code of the broken rule."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class StorageError(TransientError):
    """The storage of the landing zone failed temporarily. Safe to retry."""


@dataclass(frozen=True)
class File:
    """The one file that a manifest declares."""

    name: str
    bytes: int
    sha256: str
    rows: int
    amount_idr: int = 0


def landing_zone(root: str) -> UPath:
    """Return the landing zone. Raise `StorageError` if it is missing: a lost mount may come back."""
    try:
        landing = UPath(root)
        if not landing.is_dir():
            raise StorageError(f"the landing zone {root} does not exist: set PRAKERJA_LANDING to the folder of feeds/")
    except (OSError, ImportError, ValueError) as error:
        raise StorageError(
            f"the landing zone {root} cannot be reached ({type(error).__name__}): check PRAKERJA_LANDING"
        ) from None
    return landing


def read_manifest(folder: UPath) -> bytes | None:
    """Return the bytes of a folder's manifest, cut off past the bound, or None while the delivery is incomplete."""
    path = folder / "manifest.json"
    if not path.is_file():
        return None
    with translate_storage_errors(path), path.open("rb") as file:
        data: bytes = file.read(MANIFEST_BYTES_MAX + 1)
    return data


def unexpected_files(root: UPath) -> list[str]:
    """Return the files that no intake reads: outside `feeds/` and `rosters/`, or directly in `feeds/`.

    A folder whose name is not UTF-8 is one of them: neither the warehouse nor Airflow can store its name.
    """
    found = [path.name for path in listed(root) if path.name not in ("feeds", "rosters") or not path.is_dir()]
    return found + [
        f"feeds/{path.name}" for path in listed(root / "feeds") if not path.is_dir() or not is_text(path.name)
    ]


def is_text(name: str) -> bool:
    """Whether a file's name is UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def listed(folder: UPath) -> list[UPath]:
    """Return the entries of a folder by name, without hidden files; an empty list if there is no folder."""
    if not folder.is_dir():
        return []
    with translate_storage_errors(folder):
        return sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=lambda path: path.name)


# -- manifests ---------------------------------------------------------------------------------------------------------


def document(data: bytes) -> dict[str, Any]:
    """Return a manifest's JSON object. Raise `RejectedError` if it is not one."""
    if len(data) > MANIFEST_BYTES_MAX:
        raise RejectedError("manifest_invalid", f"the manifest is larger than {MANIFEST_BYTES_MAX:,} bytes")
    try:
        loaded = strict_json(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise RejectedError("manifest_invalid", "the manifest is not JSON in UTF-8") from None
    if not isinstance(loaded, dict):
        raise RejectedError("manifest_invalid", "the manifest is not a JSON object")
    return loaded


def strict_json(text: str, number: Callable[[str], Any] | None = None) -> Any:
    """Parse a JSON text strictly (RFC 8259). `number` converts the text of each number.

    Raise `ValueError` if it is not JSON or an object repeats a key, `RecursionError` if it is nested too deeply.
    """
    return json.loads(
        text, parse_int=number, parse_float=number, parse_constant=refuse_constant, object_pairs_hook=_unique_keys
    )


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a repeated key")
    return found


def refuse_constant(name: str) -> Any:
    """Raise `ValueError` for `NaN` and infinities, which Python's parser accepts as numbers."""
    raise ValueError(name)


def of_contract(manifest: dict[str, Any], contract: str) -> dict[str, Any]:
    """Return the manifest if it has the given contract. Raise `RejectedError` otherwise."""
    if manifest.get("contract") != contract:
        raise RejectedError("contract_unknown", f"the manifest's contract is not {contract}")
    return manifest


def file_of(manifest: dict[str, Any], *, has_amount: bool = True) -> File:
    """Return the one file that a manifest declares. Raise `RejectedError` if it does not declare one."""
    files = manifest.get("files")
    if not isinstance(files, list) or len(files) != 1 or not isinstance(files[0], dict):
        raise RejectedError("manifest_invalid", "the manifest must name exactly one file")
    file = files[0]
    name, sha256 = file.get("name"), file.get("sha256")
    if not isinstance(name, str) or not FILE_NAME.fullmatch(name):
        raise RejectedError("manifest_invalid", "files[0].name is not a plain file name")
    if not isinstance(sha256, str) or not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise RejectedError("manifest_invalid", "files[0].sha256 is not a SHA-256 in hex")
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
        raise RejectedError("manifest_invalid", f"files[0].{key} is not an integer")
    if not (-(2**bits) if signed else 0) <= value < 2**bits:
        raise RejectedError("manifest_invalid", f"files[0].{key} is out of bounds")
    return value


def instant_of(text: object) -> datetime:
    """Parse an ISO 8601 instant. Raise `RejectedError` if it has no offset."""
    try:
        if not isinstance(text, str) or not ISO8601.fullmatch(text):
            raise ValueError
        instant = datetime.fromisoformat(text)
        instant.astimezone(WIB)  # an instant at the end of the year 9999 has no date in WIB
    except (ValueError, OverflowError):
        raise RejectedError("manifest_invalid", "generated_at is not an ISO 8601 time with an offset") from None
    return instant


# -- files -------------------------------------------------------------------------------------------------------------


class _Source(io.RawIOBase):
    """A file's stored bytes, hashed while they are read, so that the hash is that of the bytes read."""

    def __init__(self, path: UPath) -> None:
        self._path, self.digest, self.size = path, hashlib.sha256(), 0
        self._file: Any = None  # `close` also runs for a file that could not be opened
        with translate_storage_errors(path):
            self._file = path.open("rb")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with translate_storage_errors(self._path):
            count = int(self._file.readinto(buffer))
        self.digest.update(memoryview(buffer)[:count])
        self.size += count
        return count

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()


class _Gunzipped:
    """The content of a gzip file's members (RFC 1952) in sequence. Zeros may pad the last.

    Reads what the standard library's reader does, which takes minutes for millions of empty members or zeros.
    """

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream, self._packed, self._members = stream, b"", 0
        self._member: Any = None

    def read(self, size: int) -> bytes:
        """Return the next bytes, empty at the end. Raise `EOFError` or `zlib.error` if the file is damaged."""
        opened = bytearray()
        while len(opened) < size:
            if not self._packed and not (self._member and self._member.unconsumed_tail):
                self._packed = self._stream.read(1 << 20)
            if self._member is None and not self._begin_member():
                break
            opened += self._member.decompress(self._member.unconsumed_tail or self._packed, size - len(opened))
            if not self._member.unconsumed_tail:
                self._packed = b""
            if self._member.eof:
                self._packed, self._member = self._member.unused_data, None
            elif not self._packed and not self._member.unconsumed_tail and not self._stream.peek(1):
                raise EOFError
        return bytes(opened)

    def _begin_member(self) -> bool:
        if self._members:
            while not (rest := self._packed.lstrip(b"\0")) and (packed := self._stream.read(1 << 20)):
                self._packed = packed
            self._packed = rest
            if not rest:
                return False
        self._members += 1
        if self._members > MEMBERS_MAX:
            raise zlib.error
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return True


class OpenedFile:
    """A delivered file, decompressed. `read` raises `RejectedError` past the size limit, or `StorageError`."""

    def __init__(self, source: _Source, file: File, compression: str | None) -> None:
        self._source, self._name, self._left = source, file.name, opened_bytes_max()
        self._stream: Any = io.BufferedReader(source, 1 << 20)
        if compression == "gzip":
            self._stream = _Gunzipped(self._stream)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, or all remaining ones."""
        try:
            data: bytes = self._stream.read(self._left + 1 if size < 0 else size)
        except (EOFError, zlib.error):
            raise RejectedError("file_undecodable", f"{self._name} is not a gzip file, or is cut off") from None
        self._left -= len(data)
        if self._left < 0:
            raise RejectedError("too_large", f"{self._name} opens to more than {opened_bytes_max():,} bytes")
        return data

    @property
    def sha256(self) -> str:
        """The SHA-256 of the stored file, once it has been read to its end."""
        return self._source.digest.hexdigest()


@contextlib.contextmanager
def opened(folder: UPath, file: File, compression: str | None = None) -> Iterator[OpenedFile]:
    """Open the file of a manifest, to be read once from its beginning.

    Raise `RejectedError` if it is missing or too large, or on exit if its bytes are not the declared ones. That error
    replaces any other that a reader met: a file with other bytes has no other faults worth reporting.
    """
    path = folder / file.name
    if not path.is_file():
        if not (folder / "manifest.json").is_file():  # it was there a moment ago: the storage is gone, not the file
            raise StorageError(f"{folder} is gone: check the storage")
        raise RejectedError("file_missing", f"{file.name} is not there")
    if not is_inside(path, folder):
        raise RejectedError("file_missing", f"{file.name} leads outside its folder")
    with translate_storage_errors(path):
        size = path.stat().st_size
    if size != file.bytes:
        raise RejectedError("size_mismatch", f"{file.name}: expected {file.bytes} bytes, found {size}")
    if size > opened_bytes_max():
        raise RejectedError("too_large", f"{file.name} has more than {opened_bytes_max():,} bytes")
    with contextlib.closing(_Source(path)) as source:
        try:
            yield OpenedFile(source, file, compression)
        except RejectedError:
            _require_declared(source, file)
            raise
        _require_declared(source, file)


def _require_declared(source: _Source, file: File) -> None:
    for _ in _chunks(source):
        pass  # read to the end
    if source.size != file.bytes:
        raise RejectedError("size_mismatch", f"{file.name}: expected {file.bytes} bytes, found {source.size}")
    if (found := source.digest.hexdigest()) != file.sha256:
        raise RejectedError("sha256_mismatch", f"{file.name}: expected {file.sha256[:12]}…, found {found[:12]}…")


def opened_bytes_max() -> int:
    """Return the most bytes that a file may have, as stored and decompressed."""
    return programme().feeds.opened_bytes_max


@contextlib.contextmanager
def translate_storage_errors(path: UPath) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{one_line(str(path))} could not be read ({type(error).__name__}): check the storage"
        ) from None


def resolved(path: UPath) -> Path | None:
    """Return a path with its links resolved, or None in an object store, which has no links."""
    return Path(path.path).resolve() if path.protocol in ("", "file", "local") else None


def is_within(path: UPath, bounds: Path | None) -> bool:
    """Whether a path, with its links resolved, is below `bounds`, a folder that was `resolved`."""
    try:
        found = resolved(path)
    except (OSError, RuntimeError):  # a link that leads to itself
        return False
    return found is None or bounds is None or found.is_relative_to(bounds)


def is_inside(path: UPath, folder: UPath) -> bool:
    """Whether a path, with its links resolved, is below the folder."""
    return is_within(path, resolved(folder))


def sha256_of(path: UPath) -> str:
    """Return the SHA-256 of a stored file in hex. Raise `StorageError` if it cannot be read."""
    with contextlib.closing(_Source(path)) as source:
        for _ in _chunks(source):
            pass
        return source.digest.hexdigest()


def _chunks(file: Any) -> Iterator[bytes]:
    while chunk := file.read(1 << 20):
        yield chunk
