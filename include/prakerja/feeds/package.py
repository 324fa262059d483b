"""The package of a workbook: parts in a ZIP archive, named and related as ECMA-376, part 2 (OPC) has it.

Whoever else opens the archive must see the same parts: what could be seen otherwise is refused. Part names are compared
as OPC does, without case and percent-encoding; a backslash is a slash, as for the software that writes one.
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
SMALL_PART_MAX = 8 << 20  # of every part but the sheet and its texts
BLOCK_BYTES = 256 << 10
TOKEN_BYTES_MAX = 4 << 20  # of a comment, or a tag
SPACE_MAX = 1000  # of a namespace's name, which each of its elements is handed out with
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LOCAL_HEADER = struct.Struct("<4s5H3L2H")
LOCAL_SIGNATURE, END_SIGNATURE, END_64_SIGNATURE = b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06"
DIRECTORY = struct.Struct("<HLL")  # of the end record: the directory's entries, bytes and place
END_BYTES = 22
IS_ENCRYPTED, HAS_DESCRIPTOR = 0x1, 0x8
UNKNOWN_SIZE, UNKNOWN_COUNT = 0xFFFFFFFF, 0xFFFF  # it is in the ZIP64 fields
RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
#: Of relationship types, in transitional and in strict workbooks.
OFFICE = (
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships/",
    "http://purl.oclc.org/ooxml/officeDocument/relationships/",
)


class Handlers:
    """What a part's parser calls: elements are named `namespace name`, attributes are [name, value, ...]."""

    def start(self, name: str, attributes: list[str]) -> None:
        """Take an element's start."""

    def end(self, name: str) -> None:
        """Take an element's end."""

    def text(self, text: str) -> None:
        """Take some of an element's text."""


@dataclass(frozen=True)
class Relationship:
    """A part's relationship to another: its type, and the normal name of the part; None for what lies outside."""

    type: str
    part: str | None


class Package:
    """An opened package. Whatever is wrong with it raises `RejectedError`."""

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
        """Return whether there is a part of this normal name."""
        return part in self._parts

    def parse(self, part: str, handlers: Handlers) -> None:
        """Parse a small part's XML."""
        if part in self._parts and self._parts[part].file_size > SMALL_PART_MAX:
            raise RejectedError("too_large", f"{self._name}: its part {part} has more than {SMALL_PART_MAX:,} bytes")
        for _ in self.parsed(part, handlers):
            pass

    def parsed(self, part: str, handlers: Handlers) -> Iterator[bytes]:
        """Parse a part's XML block by block; yield each block once it is parsed."""
        if part not in self._parts:
            raise self.undecodable()
        parser, taken = _parser(handlers, self.undecodable), 0
        with self._translate_damage(), self._archive.open(self._parts[part]) as opened:
            # A generator's caller raises what it likes, which is not told as ours.
            blocks = iter(lambda: opened.read(BLOCK_BYTES), b"")
            while True:
                block = next(blocks, b"")
                parser.Parse(block, not block)
                if not block:
                    return
                taken += len(block)
                if taken - parser.CurrentByteIndex > TOKEN_BYTES_MAX:  # each block has it begin with this one again
                    raise RejectedError(
                        "too_large", f"{self._name}: its part {part} has a comment, or a tag, without end"
                    )
                yield block

    def relationships(self, part: str = "") -> dict[str, Relationship]:
        """Return the relationships of a part, or of the whole package, by their ids."""
        folder, file = posixpath.split(part)
        found = _Relationships(folder, self.undecodable)
        self.parse(posixpath.join(folder, "_rels", f"{file}.rels"), found)
        return found.by_id

    def related(self, relationships: dict[str, Relationship], kind: str) -> str | None:
        """Return the one part that is related as `kind`, or None."""
        parts = {
            each.part for each in relationships.values() if each.type in tuple(f"{office}{kind}" for office in OFFICE)
        }
        if len(parts) > 1 or None in parts:
            raise self.undecodable()
        return parts.pop() if parts else None

    def undecodable(self, why: str = "is no XLSX file, or is damaged") -> RejectedError:
        """Return the rejection of this file."""
        return RejectedError("file_undecodable", f"{self._name} {why}")

    @contextmanager
    def _translate_damage(self, *damages: type[Exception]) -> Iterator[None]:
        """Tell what the archive's and the XML's parsers raise (and `damages`) as a rejection; no other defect."""
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
        part = None if is_outside else _normal(target if target.startswith("/") else f"{self._folder}/{target}")
        self.by_id[name] = Relationship(given.get("Type", ""), part)


def pairs(attributes: list[str]) -> dict[str, str]:
    """Return attributes by name, from [name, value, ...]."""
    return dict(zip(attributes[::2], attributes[1::2], strict=True))


def _parser(handlers: Handlers, undecodable: Callable[[str], RejectedError]) -> Any:
    """Return a parser of UTF-8 that takes no document type: nothing declares an entity, or is fetched."""

    def declared(_: str, encoding: str | None, __: int) -> None:
        if encoding is not None and encoding.lower() != "utf-8":
            raise undecodable("holds XML that is not UTF-8")

    def has_document_type(*_: Any) -> None:
        raise undecodable("holds XML that declares a document type")

    def names(_: str | None, space: str | None) -> None:
        if space and len(space) > SPACE_MAX:
            raise undecodable("holds a namespace without end")

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
    """An archive begins with an entry, and its one end record ends the file: nothing lies before or behind it."""
    end = data.rfind(END_SIGNATURE)
    if not data.startswith(LOCAL_SIGNATURE) or end < 0 or end + END_BYTES > len(data):
        raise zipfile.BadZipFile
    if end + END_BYTES + int.from_bytes(data[end + 20 : end + 22], "little") != len(data):
        raise zipfile.BadZipFile


def _require_one_directory(data: bytes, entries: list[zipfile.ZipInfo], start: int) -> None:
    """The end record, which older programs go by, leads to the directory that was read, as far as its fields reach."""
    said_count, said_size, said_start = DIRECTORY.unpack_from(data, data.rfind(END_SIGNATURE) + 10)
    if said_count not in (UNKNOWN_COUNT, len(entries)):
        raise zipfile.BadZipFile
    behind = data[said_start + said_size :][: len(END_SIGNATURE)]
    if said_start != UNKNOWN_SIZE and (said_start != start or behind not in (END_SIGNATURE, END_64_SIGNATURE)):
        raise zipfile.BadZipFile


def _require_one_view(data: bytes, entries: list[zipfile.ZipInfo], end: int) -> None:
    """Each entry's own header says what the directory says; no entry lies in another, or outside the directory."""
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
    """Return the parts by their normal names: each name is one part's."""
    parts: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        if entry.filename.endswith("/") and not entry.file_size:
            continue  # a folder
        name = _normal(entry.orig_filename)
        if name in parts:
            raise zipfile.BadZipFile
        parts[name] = entry
    return parts


def _normal(name: str) -> str:
    """Return a part's name as it is compared. Raises `BadZipFile` for one that leaves the package, or is none."""
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
