"""Read CSV deliveries. A chunk without quotes is split whole, any other by the exact grammar of `strict_csv`."""

from __future__ import annotations

from collections.abc import Iterator

from prakerja import strict_csv
from prakerja.feeds.rows import Batch, Reading, ReadRow, amount_alone, batched, bounded, find_positions
from prakerja.landing import RejectedError
from prakerja.platforms import Platform
from prakerja.strict_csv import LINE_ENDS, Chunk, CsvRow, Source, Splitter


def read_csv(stream: Source, platform: Platform, reading: Reading) -> Iterator[Batch]:
    splitter = Splitter(platform.file, platform.separator)
    header: list[str] | None = None
    positions: list[int] = []
    for next_chunk in strict_csv.chunks(stream, platform.file):
        chunk = next_chunk
        if header is None and not splitter.is_open and (found := strict_csv.plain_header(chunk, platform.separator)):
            header, chunk = found
            positions = find_positions(header, platform, reading)
        if not (chunk.data or chunk.is_last):
            continue
        if header is not None and not splitter.is_open and b'"' not in chunk.data:
            if chunk.is_last:
                _take_trailer(chunk, platform, reading)
            columns = strict_csv.plain_columns(chunk.data, platform.separator, len(header), positions)
            if columns is not None:
                yield Batch(range(chunk.line, chunk.line + len(columns[0])), [*columns])
                continue
            rows = splitter.rows(chunk)
        else:
            rows = splitter.rows(chunk)
            if header is None:
                if (first := next(rows, None)) is None:
                    continue
                header = first[1] if first[3] else []
                positions = find_positions(header, platform, reading)
            if chunk.is_last and platform.trailer is not None:
                rows = _hold_back_trailer(rows, splitter, platform, reading)
        yield from _separate_unreadable(rows, len(header), positions)
    splitter.require_closed()
    if header is None:
        find_positions([], platform, reading)
    if platform.trailer is not None and reading.trailer is None:
        _parse_trailer([""], platform)


def _take_trailer(chunk: Chunk, platform: Platform, reading: Reading) -> None:
    if platform.trailer is None:
        return
    lines, _, last = (b"\n" + chunk.data.rstrip(LINE_ENDS)).rpartition(b"\n")
    reading.trailer = _parse_trailer(last.decode().split(platform.separator), platform)
    chunk.data = lines[1:] + b"\n" if lines else b""


def _parse_trailer(row: list[str], platform: Platform) -> tuple[str, str]:
    if row[0] != platform.trailer or len(row) != 3:
        raise RejectedError("trailer_missing", f"{platform.file} does not end with {platform.trailer}|<rows>|<amount>")
    return row[1], row[2]


def _hold_back_trailer(
    rows: Iterator[CsvRow], splitter: Splitter, platform: Platform, reading: Reading
) -> Iterator[CsvRow]:
    held = next(rows, None)
    for row in rows:
        if held:
            yield held
        held = row
    splitter.require_closed()
    reading.trailer = _parse_trailer(held[1] if held and held[3] else [""], platform)


def _separate_unreadable(rows: Iterator[CsvRow], width: int, positions: list[int]) -> Iterator[Batch]:
    def read(line: int, fields: list[str], raw: str, *, is_readable: bool) -> ReadRow:
        if len(fields) != width:
            return line, None, raw
        values = tuple(fields[i] for i in positions)
        return bounded(line, values, raw) if is_readable else (line, amount_alone(values), raw)

    return batched(read(line, fields, raw, is_readable=is_readable) for line, fields, raw, is_readable in rows)
