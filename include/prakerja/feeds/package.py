"""The package of a workbook: parts in a ZIP archive, named and related as in ECMA-376, part 2 (OPC).

Every program that opens the archive must see the same parts: an ambiguous archive is refused. Part names are compared
as in OPC, without case and percent-encoding; a backslash counts as a slash, as it does for programs that write one.
"""

from __future__ import annotations

import io
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote
from xml.parsers import expat

from prakerja import landing
from prakerja.landing import RejectedError

PARTS_MAX = 10_000
SMALL_PART_MAX = 8 << 20  # of each part except the sheet and its texts
BLOCK_BYTES = 256 << 10
TOKEN_BYTES_MAX = 4 << 20  # of a comment, or a tag
SPACE_MAX = 1000  # of a namespace's name, which the parser repeats for each of its elements
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LOCAL_HEADER = struct.Struct("<4s5H3L2H")
LOCAL_SIGNATURE, END_SIGNATURE, END_64_SIGNATURE = b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06"
DIRECTORY = struct.Struct("<HLL")  # of the end record: the directory's entries, bytes and place
END_BYTES = 22
IS_ENCRYPTED, HAS_DESCRIPTOR = 0x1, 0x8
UNKNOWN_SIZE, UNKNOWN_COUNT = 0xFFFFFFFF, 0xFFFF  # the value is in the ZIP64 fields
RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
#: The prefixes of relationship types in transitional and in strict workbooks.
OFFICE = (
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships/",
    "http://purl.oclc.org/ooxml/officeDocument/relationships/",
)


class Handlers:
    """Callbacks of a part's parser. Elements are named `namespace name`, attributes are [name, value, ...]."""

    def start(self, name: str, attributes: list[str]) -> None:
        """Called at the start of an element."""

    def end(self, name: str) -> None:
        """Called at the end of an element."""

    def text(self, text: str) -> None:
        """Called with a piece of an element's text."""


@dataclass(frozen=True)
class Relationship:
    """A relationship of a part: its type, and the normalized name of its target, None if it is outside the package."""

    type: str
    part: str | None


class Package:
    """An opened package. Raise `RejectedError` if it is damaged or ambiguous."""

    def __init__(self, data: bytes, name: str) -> None:
        self._name = name
        with self._translate_damage(ValueError, struct.error, OverflowError):
            _require_one_end(data)
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        entries = self._archive.infolist()
        if len(entries) > PARTS_MAX:
            raise RejectedError("too_large", f"{name} has more than {PARTS_MAX:,} parts")
        cap = landing.opened_bytes_max()
        if sum(entry.file_size for entry in entries) > cap:
            raise RejectedError("too_large", f"{name} opens to more than {cap:,} bytes")
        with self._translate_damage(struct.error):
            _require_one_directory(data, entries, self._archive.start_dir)
            _require_one_view(data, entries, self._archive.start_dir)
            self._parts = _parts(entries)

    def has(self, part: str) -> bool:
        """Whether there is a part with this normalized name."""
        return part in self._parts

    def parse(self, part: str, handlers: Handlers) -> None:
        """Parse a small part's XML."""
        if part in self._parts and self._parts[part].file_size > SMALL_PART_MAX:
            raise RejectedError("too_large", f"{self._name}: its part {part} has more than {SMALL_PART_MAX:,} bytes")
        for _ in self.parsed(part, handlers):
            pass

    def parsed(self, part: str, handlers: Handlers) -> Iterator[bytes]:
        """Parse a part's XML in blocks; yield each block after it is parsed."""
        if part not in self._parts:
            raise self.undecodable()
        parser, taken = _parser(handlers, self.undecodable), 0
        with self._translate_damage(), self._archive.open(self._parts[part]) as opened:
            # An error that the caller raises at `yield` must not be translated: only reading is in this block.
            blocks = iter(lambda: opened.read(BLOCK_BYTES), b"")
            while True:
                block = next(blocks, b"")
                parser.Parse(block, not block)
                if not block:
                    return
                taken += len(block)
                if (
                    taken - parser.CurrentByteIndex > TOKEN_BYTES_MAX
                ):  # the parser would scan it from its start with each block
                    raise RejectedError("too_large", f"{self._name}: its part {part} has an endless comment or tag")
                yield block

    def relationships(self, part: str = "") -> dict[str, Relationship]:
        """Return the relationships of a part, or of the package itself, by id."""
        folder, file = posixpath.split(part)
        found = _Relationships(folder, self.undecodable)
        self.parse(posixpath.join(folder, "_rels", f"{file}.rels"), found)
        return found.by_id

    def related(self, relationships: dict[str, Relationship], kind: str) -> str | None:
        """Return the one part with a relationship of this kind, or None."""
        parts = {
            each.part for each in relationships.values() if each.type in tuple(f"{office}{kind}" for office in OFFICE)
        }
        if len(parts) > 1 or None in parts:
            raise self.undecodable()
        return parts.pop() if parts else None

    def undecodable(self, why: str = "is not an XLSX file, or is damaged") -> RejectedError:
        """Return the rejection of this file, to be raised."""
        return RejectedError("file_undecodable", f"{self._name} {why}")

    @contextmanager
    def _translate_damage(self, *damages: type[Exception]) -> Iterator[None]:
        """Translate the errors of the archive's and the XML's parsers, and `damages`, into a rejection."""
        try:
            yield
        except expat.ExpatError:
            raise self.undecodable("holds XML that is not well-formed") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
            raise self.undecodable() from None
        except damages:
            raise self.undecodable() from None


class _Relationships(Handlers):
    def __init__(self, folder: str, undecodable: Callable[[], RejectedError]) -> None:
        self._folder, self._undecodable = folder, undecodable
        self.by_id: dict[str, Relationship] = {}

    def start(self, name: str, attributes: list[str]) -> None:
        if name != f"{RELATIONSHIPS} Relationship":
            return
        given = pairs(attributes)
        name, target = given.get("Id", ""), given.get("Target", "")
        if name in self.by_id or not name or len(self.by_id) >= PARTS_MAX:
            raise self._undecodable()
        is_outside = given.get("TargetMode", "Internal") != "Internal"
        part = None if is_outside else _normalize(target if target.startswith("/") else f"{self._folder}/{target}")
        self.by_id[name] = Relationship(given.get("Type", ""), part)


def pairs(attributes: list[str]) -> dict[str, str]:
    """Return attributes by name from [name, value, ...]."""
    return dict(zip(attributes[::2], attributes[1::2], strict=True))


def _parser(handlers: Handlers, undecodable: Callable[[str], RejectedError]) -> Any:
    """Return a UTF-8 parser that refuses document types, so that no entity is declared or fetched."""

    def declared(_: str, encoding: str | None, __: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise undecodable("holds XML that is not UTF-8")

    def has_document_type(*_: Any) -> None:
        raise undecodable("holds XML that declares a document type")

    def names(_: str | None, space: str | None) -> None:
        if space and len(space) > SPACE_MAX:
            raise undecodable("holds an endless namespace")

    parser = expat.ParserCreate("utf-8", " ")
    parser.StartNamespaceDeclHandler = names
    parser.buffer_text = True
    parser.buffer_size = 1 << 16
    parser.ordered_attributes = True
    parser.XmlDeclHandler = declared
    parser.StartDoctypeDeclHandler = has_document_type
    parser.StartElementHandler = handlers.start
    parser.EndElementHandler = handlers.end
    parser.CharacterDataHandler = handlers.text
    return parser


# -- the archive -------------------------------------------------------------------------------------------------------


def _require_one_end(data: bytes) -> None:
    """Require that the archive begins with an entry and that its only end record ends the file."""
    end = data.rfind(END_SIGNATURE)
    if not data.startswith(LOCAL_SIGNATURE) or end < 0 or end + END_BYTES > len(data):
        raise zipfile.BadZipFile
    if end + END_BYTES + int.from_bytes(data[end + 20 : end + 22], "little") != len(data):
        raise zipfile.BadZipFile


def _require_one_directory(data: bytes, entries: list[zipfile.ZipInfo], start: int) -> None:
    """Require that the end record, which older programs use, leads to the directory that was read."""
    said_count, said_size, said_start = DIRECTORY.unpack_from(data, data.rfind(END_SIGNATURE) + 10)
    if said_count not in (UNKNOWN_COUNT, len(entries)):
        raise zipfile.BadZipFile
    behind = data[said_start + said_size :][: len(END_SIGNATURE)]
    if said_start != UNKNOWN_SIZE and (said_start != start or behind not in (END_SIGNATURE, END_64_SIGNATURE)):
        raise zipfile.BadZipFile


def _require_one_view(data: bytes, entries: list[zipfile.ZipInfo], end: int) -> None:
    """Require that each entry's header agrees with the directory, and that no entry overlaps or is unlisted."""
    at = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < at or LOCAL_SIGNATURE in data[at : entry.header_offset]:
            raise zipfile.BadZipFile
        signature, _, flags, method, _, _, _, packed, opened, name, extra = LOCAL_HEADER.unpack_from(
            data, entry.header_offset
        )
        if signature != LOCAL_SIGNATURE or method != entry.compress_type or method not in METHODS:
            raise zipfile.BadZipFile
        if (flags | entry.flag_bits) & IS_ENCRYPTED:
            raise zipfile.BadZipFile
        is_said = not flags & HAS_DESCRIPTOR and UNKNOWN_SIZE not in (packed, opened)
        if is_said and (packed, opened) != (entry.compress_size, entry.file_size):
            raise zipfile.BadZipFile
        at = entry.header_offset + LOCAL_HEADER.size + name + extra + entry.compress_size
    if at > end or LOCAL_SIGNATURE in data[at:end]:
        raise zipfile.BadZipFile


def _parts(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the parts by normalized name. Raise `BadZipFile` if two have the same one."""
    parts: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        if entry.filename.endswith("/") and not entry.file_size:
            continue  # a folder
        name = _normalize(entry.orig_filename)
        if name in parts:
            raise zipfile.BadZipFile
        parts[name] = entry
    return parts


def _normalize(name: str) -> str:
    """Return a part's normalized name. Raise `BadZipFile` if it is empty or leads outside the package."""
    try:
        plain = unquote(name.replace("\\", "/"), errors="strict").replace("\\", "/").lower()
    except UnicodeDecodeError:
        raise zipfile.BadZipFile from None
    steps: list[str] = []
    for step in plain.split("/"):
        if step == "..":
            if not steps:
                raise zipfile.BadZipFile
            steps.pop()
        elif step not in ("", "."):
            steps.append(step)
    if not steps or not plain.isprintable():
        raise zipfile.BadZipFile
    return "/".join(steps)
