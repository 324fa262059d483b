"""Strict CSV (RFC 4180): chunks of whole lines, and the rows in them.

Plain rows (no quotes, one width) are read by Arrow, whole columns at once; all others are split one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from prakerja.landing import RejectedError

CHUNK_BYTES = 4 << 20
LINE_BYTES_MAX = 16 << 20
TEXT_BYTES_MAX = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LINE_ENDS = b"\r\n"


class Source(Protocol):
    """A stream of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, or all remaining ones."""


#: A row's first line, its fields, its text, and whether it conforms to RFC 4180. If it does not, there is text after a
#: closing quote, or a quote in an unquoted field, and that field is left as delivered.
CsvRow: TypeAlias = "tuple[int, list[str], str, bool]"


@dataclass
class Chunk:
    """Whole lines of a file, the number of the first, and whether only empty lines follow."""

    line: int
    data: bytes
    is_last: bool = False


def chunks(stream: Source, file: str) -> Iterator[Chunk]:
    """Yield the file in chunks of whole lines, without a byte-order mark and without the empty lines at its end."""
    held: list[Chunk] = []  # a chunk with content, and the empty ones after it: their lines may be quoted
    for chunk in _whole_lines(stream, file):
        if chunk.data.count(b"\r") != chunk.data.count(b"\r\n"):
            raise RejectedError("file_undecodable", f"{file} has a CR without an LF")
        if chunk.data.strip(LINE_ENDS):
            yield from held
            held = [chunk]
        elif held:
            held.append(chunk)
    if held:
        held[0].is_last = True
        yield held[0]


def _whole_lines(stream: Source, file: str) -> Iterator[Chunk]:
    line, rest = 1, bytearray()
    while block := stream.read(CHUNK_BYTES):
        if b"\0" in block:
            raise RejectedError("file_undecodable", f"{file} holds NUL bytes")
        end = block.rfind(b"\n") + 1
        if not end:
            rest += block
            if len(rest) > LINE_BYTES_MAX:
                raise RejectedError("file_undecodable", f"{file}: line {line} has no end")
            continue
        data = (bytes(rest) + block[:end]).removeprefix(BYTE_ORDER_MARK if line == 1 else b"")
        rest = bytearray(block[end:])
        yield Chunk(line, data)
        line += data.count(b"\n")
    if tail := bytes(rest).removeprefix(BYTE_ORDER_MARK if line == 1 else b""):
        yield Chunk(line, tail)


def plain_header(chunk: Chunk, separator: str) -> tuple[list[str], Chunk] | None:
    """Return the header and the chunk after it, or None if the header has quotes: `Splitter` must split it."""
    data = chunk.data.lstrip(LINE_ENDS)
    line, _, body = data.partition(b"\n")
    if b'"' in line:
        return None
    empty = chunk.data[: len(chunk.data) - len(data)].count(b"\n")
    header = line.removesuffix(b"\r").decode().split(separator)
    return header, Chunk(chunk.line + empty + 1, body, chunk.is_last)


def plain_columns(data: bytes, separator: str, width: int, positions: list[int]) -> list[pa.Array] | None:
    """Return the columns of unquoted, non-empty lines of one width, or None if there are other lines.

    Raise `UnicodeDecodeError` if any column, also one that is not read, is not UTF-8.
    """
    has_empty = data.startswith((b"\n", b"\r")) or b"\n\n" in data or b"\n\r" in data
    if not data or has_empty or data.startswith(BYTE_ORDER_MARK):  # which Arrow would drop
        return None
    if not data.isascii():
        data.decode()
    names = [str(position) for position in range(width)]
    wanted = [names[position] for position in positions]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            arrow_csv.ReadOptions(column_names=names, block_size=len(data) + 1, use_threads=False),
            arrow_csv.ParseOptions(delimiter=separator, quote_char=False, newlines_in_values=False),
            arrow_csv.ConvertOptions(
                include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:  # a row of another width, which `Splitter` finds
        return None
    columns = [column.combine_chunks() for column in table.columns]
    longest = max(pc.max(pc.binary_length(column)).as_py() or 0 for column in columns)
    return columns if longest <= TEXT_BYTES_MAX else None


class Splitter:
    """Splits chunks into rows exactly. A quoted field may continue in the next chunk."""

    def __init__(self, file: str, separator: str) -> None:
        self._file, self._separator = file, separator
        self._field_end = re.compile(f"[{re.escape(separator)}\\n]")
        self._between = f'"{separator}"'
        self._line, self._open = 0, ""

    @property
    def is_open(self) -> bool:
        """Whether the last chunk ended inside a quoted field."""
        return bool(self._open)

    def require_closed(self) -> None:
        """Raise `RejectedError` if the file ended inside a quoted field."""
        if self._open:
            raise RejectedError(
                "file_undecodable", f"{self._file}: a quote is not closed in the row of line {self._line}"
            )

    def rows(self, chunk: Chunk) -> Iterator[CsvRow]:
        """Yield the non-empty rows that end in this chunk. Raise `RejectedError` if a quoted row is too long."""
        text, at = self._open + chunk.data.decode(), 0
        line = self._line if self._open else chunk.line
        self._open = ""
        while at < len(text):
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            plain = text[at:end].removesuffix("\r")
            is_readable = True
            if '"' not in plain:
                fields = plain.split(self._separator)
            elif (
                plain.count('"') == 2 * len(parts := plain[1:-1].split(self._between)) and plain[0] == plain[-1] == '"'
            ):
                fields = parts  # every field is quoted, and there is no other quote
            else:
                fields, end, is_readable = self._quoted(text, at)
                if end < 0:
                    self._line, self._open = line, text[at:]
                    if len(self._open) > LINE_BYTES_MAX:
                        self.require_closed()
                    return
            raw = text[at:end].removesuffix("\r")
            if raw:
                yield line, fields, raw, is_readable
            line += text.count("\n", at, end) + 1
            at = end + 1

    def _quoted(self, text: str, at: int) -> tuple[list[str], int, bool]:
        """Return the fields of the row at `at`, where it ends (-1 if it does not), and whether they conform."""
        fields, is_readable = list[str](), True
        while True:
            if text.startswith('"', at):
                closing = text.find('"', at + 1)
                while text.startswith('""', closing):
                    closing = text.find('"', closing + 2)
                if closing < 0:
                    return fields, -1, False
                end = self._end_of_field(text, closing + 1)
                rest = text[closing + 1 : end]
                is_whole = not rest or (rest == "\r" and text.startswith("\n", end))
                fields.append(text[at + 1 : closing].replace('""', '"') if is_whole else text[at:end])
            else:
                end = self._end_of_field(text, at)
                fields.append(text[at:end].removesuffix("\r"))
                is_whole = '"' not in fields[-1]
            is_readable = is_readable and is_whole
            if end == len(text) or text[end] == "\n":
                return fields, end, is_readable
            at = end + 1

    def _end_of_field(self, text: str, at: int) -> int:
        found = self._field_end.search(text, at)
        return found.start() if found else len(text)
