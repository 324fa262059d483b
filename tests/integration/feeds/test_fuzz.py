"""Whatever lies there: acceptance, quarantine or a clean rejection, and the same ledger whatever the order."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from upath import UPath

from prakerja import landing, strict_csv, warehouse
from prakerja.feeds import canonical, expectations, forms, intake, json_reader, readers
from prakerja.feeds.rows import Batch, Number
from prakerja.landing import File, RejectedError
from prakerja.platforms import Platform, platforms
from prakerja.programme import programme
from prakerja.settings import WIB
from prakerja.simulation import writers
from prakerja.simulation.writers import Row
from tests.support.landing_zone import deliver

pytestmark = pytest.mark.usefixtures("somewhere")

DAY, CLOCK = date(2021, 3, 10), date(2021, 3, 11)
NOON = datetime(2021, 3, 10, 12, tzinfo=WIB)
PLATFORMS = sorted(platforms())


# -- any bytes ---------------------------------------------------------------------------------------------------------

#: What breaks files in the field, and what parsers stumble over.
SPLINTERS = st.sampled_from(
    [b"", b'"', b'""', b",", b";", b"|", b"\t", b"\r", b"\n", b"\r\n", b"\n\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"\\",
     b"\\u0000", b"\\ud800", b"{", b"}", b"[", b"]", b"null", b"true", b"NaN", b"1e999", b"-0", b"9" * 40, b"1.5E+15",
     b"Rp", b"-", b".", b"T|1|1", b"24:00:00", b"30/02/2021", b"2021-02-30", b"+14:60", "٣".encode(), "é".encode(),
     b"<", b"&", b"]]>", b"PK\x03\x04", b"0" * 20, b" ", b"'"]
) | st.binary(max_size=6)  # fmt: skip
WOUNDS = st.lists(SPLINTERS, min_size=1, max_size=4)
CHANCE = st.randoms(use_true_random=True)
GOOD = [
    Row(f"id-{n}", event, NOON + timedelta(seconds=n), f"{n:016}", amount, "KLS-1", voucher)
    for n, (event, amount, voucher) in enumerate(
        [("PAID", 1_000_000, ""), ("PAID", 5000, 'V,"1;|'), ("CANCELLED", 5000, "é"), ("REFUNDED", 1, "")]
    )
]


def wounded(data: bytes, splinters: list[bytes], chance: random.Random) -> bytes:
    """The file with splinters in it, each in place of some bytes."""
    for splinter in splinters:
        at = chance.randrange(len(data) + 1)
        data = data[:at] + splinter + data[at + chance.choice([0, 0, 1, 2, 16]) :]
    return data


def inside(platform: str, data: bytes) -> tuple[bytes, Any]:
    """The text in a packed file, and how it is packed again."""
    if platforms()[platform].compression:
        return gzip.decompress(data), lambda text: gzip.compress(text, 1)
    if platforms()[platform].layout != "xlsx":
        return data, lambda text: text
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    (sheet,) = (name for name in parts if "sheet1" in name)

    def packed(text: bytes) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, part in (parts | {sheet: text}).items():
                archive.writestr(name, part)
        return buffer.getvalue()

    return parts[sheet], packed


@pytest.mark.parametrize("platform", PLATFORMS)
def test_whatever_the_bytes_a_delivery_is_accepted_quarantined_or_rejected(platform: str, tmp_path: Path) -> None:
    known, whole = platforms()[platform], writers.write(platform, GOOD)
    text, packed = inside(platform, whole)
    taken: list[pa.Table] = []

    @given(WOUNDS, CHANCE)
    def wound(splinters: list[bytes], chance: random.Random) -> None:
        if chance.random() < 0.1:
            data = wounded(whole, splinters, chance)
        else:  # each with ids of its own: a row of another input is no repeat, and no conflict
            data = packed(wounded(text.replace(b"id-", b"%06x-" % chance.getrandbits(24)), splinters, chance))
        (tmp_path / known.file).write_bytes(data)
        file = File(known.file, len(data), hashlib.sha256(data).hexdigest(), 0)
        with suppress(RejectedError), landing.opened(UPath(tmp_path), file, known.compression) as opened:
            with closing(readers.read(opened, known).batches) as batches:
                tables = [canonical.canonical(batch, known)[0] for batch in batches]
            taken.extend(tables)

    wound()
    with canonical.Rows() as rows:
        for table in taken:
            rows.add(table)
        judge, judged, quarantined = expectations.DeliveryValidator(known, DAY), 0, 0
        for table in rows.distinct():
            judged, quarantined = judged + len(table), quarantined + len(judge.validate_rows(table))
    # Neither all of them good nor all of them bad: the wounds went where they hurt. A workbook rarely survives one.
    assert quarantined < judged or known.layout == "xlsx"
    assert quarantined or known.layout == "xlsx"


# -- plain or not, it reads the same -----------------------------------------------------------------------------------

FIELD = st.text(st.sampled_from("ab19é\u2028٣-"), max_size=4)

#: Mostly lines that are plain; else what makes a chunk go the long way.
LINE = st.one_of(
    *[st.lists(FIELD, min_size=7, max_size=7).map(",".join)] * 4,
    st.sampled_from(
        ["", "", "x", "a,b,c,d,e,f,g,h", 'a,b,"c,d",e,f,g,h', 'a,b,"c', 'd",e,f,g,h,i', "a\rb,c,d,e,f,g,h"]
    ),
)
LINES = st.lists(LINE, max_size=8)


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(1, 40))
def test_plain_lines_read_as_the_csv_module_reads_them(lines: list[str], end: str, is_ended: bool, chunk: int) -> None:
    known = platforms()["tokopedia"]
    header = ",".join(known.columns.values())
    text = header + end + end.join(lines) + (end if is_ended else "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_csv, "CHUNK_BYTES", chunk)
        plainly = rows_of(text, known)
        patch.setattr(strict_csv, "plain_columns", lambda *_: None)
        exactly = rows_of(text, known)
    assert plainly == exactly


def rows_of(text: str, known: Platform) -> list[tuple[Any, ...]] | str:
    try:
        with closing(readers.read(io.BytesIO(text.encode()), known).batches) as batches:
            return [row for batch in batches for row in values_of(batch)]
    except RejectedError as rejection:
        return rejection.reason


def values_of(batch: Batch) -> Iterator[tuple[Any, ...]]:
    columns = [column.to_pylist() if isinstance(column, pa.Array) else column for column in batch.columns]
    return zip(batch.lines, batch.raw or [None] * len(batch.lines), *columns, strict=True)


TIMES = st.from_regex(
    r"(20\d\d|19\d\d|0001)-(0\d|1[0-3])-[0-3]\d[T ][0-2]\d:[0-6]\d(:[0-6]\d([.,]\d{1,8})?)?(Z|[+-][01]\d:?[0-6]\d|)",
    fullmatch=True,
)
DATES = st.from_regex(
    r"[0-3]\d/[01]\d/(19|20)\d\d [0-2]\d:[0-6]\d:[0-6]\d|(19|20)\d\d[01]\d[0-3]\d[0-2]\d[0-6]\d[0-6]\d"
    r"|20\d\d-[01]\d-[0-3]\d [0-2]\d:[0-6]\d:[0-6]\d",
    fullmatch=True,
)
AMOUNTS = st.from_regex(r"-?(Rp)?-?\d{1,14}(\.\d{3}){0,5}\n?", fullmatch=True)


@given(st.sampled_from(PLATFORMS), st.lists(TIMES | DATES | AMOUNTS | st.text(max_size=4) | st.none(), max_size=8))
def test_whole_columns_mean_what_each_of_their_values_means(platform: str, values: list[Any]) -> None:
    known = platforms()[platform]
    exactly, to_amount = forms.microseconds_of(known), forms.amount_of(known)
    column: Any = values if None in values else pa.array(values, pa.string())
    instants = forms.instants(column, known).cast(pa.int64()).to_pylist()
    assert instants == [exactly(value) for value in values]
    amounts, total = forms.amounts(column, known)
    read = [to_amount(value) for value in values]
    assert amounts.to_pylist() == [whole if is_exact else None for whole, is_exact in read]
    assert total == sum(whole or 0 for whole, _ in read)


@given(WOUNDS, CHANCE)
def test_plain_records_read_as_the_standard_library_reads_them(splinters: list[bytes], chance: random.Random) -> None:
    known = platforms()["pintaria"]
    text = wounded(writers.write("pintaria", GOOD), splinters, chance).decode(errors="replace").replace("\0", " ")
    plainly = rows_of(text, known)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_reader, "_plain_record", lambda *_: None)
        exactly = rows_of(text, known)
    if isinstance(plainly, str):
        assert plainly == exactly
        return
    # The plain reading gives whole numbers as such, the exact one as the text that they were.
    assert plainly == [
        tuple(int(value) if isinstance(value, Number) and type(plain) is int else value for value, plain in pairs)
        for pairs in (zip(row, other, strict=True) for row, other in zip(exactly, plainly, strict=True))
    ]


# -- order, repeats, revisions -----------------------------------------------------------------------------------------


def in_force() -> list[tuple[Any, ...]]:
    """What the ledger says, without where it was read; and who might be meant by what it does not say."""
    with warehouse.transaction(as_owner=True) as connection:
        loaded = connection.exec_driver_sql(
            "select f.platform, f.business_date::text, t.event::text, t.occurred_at::text, t.card_number, t.amount_idr,"
            " t.transaction_id, t.course_id, t.voucher_code"
            " from transactions t join deliveries_in_force('infinity') f using (delivery_id)"
        ).all()
        held = connection.exec_driver_sql(
            "select f.platform, f.business_date::text, q.reasons, q.delivered::text, q.might_be::text"
            " from quarantine q join deliveries_in_force('infinity') f using (delivery_id)"
        ).all()
    return sorted(map(repr, loaded)) + sorted(map(repr, held))


ROWS = st.lists(
    st.builds(
        Row,
        transaction_id=st.sampled_from(["a", "b", "c", ""]),
        event=st.sampled_from(["PAID", "CANCELLED", "?"]),
        occurred_at=st.just(NOON),
        card=st.sampled_from(["1" * 16, "2" * 16, "1.5E+15"]),
        amount=st.sampled_from([5000, 6000, 0]),
    ),
    max_size=8,
)

DAYS = st.dictionaries(
    st.tuples(st.sampled_from(["tokopedia", "sekolahmu"]), st.sampled_from(["2021-03-10", "2021-03-09"])),
    ROWS,
    min_size=1,
)


@settings(max_examples=settings.default.max_examples // 5)
@given(DAYS, st.randoms(use_true_random=False))
@example({("tokopedia", "2021-03-10"): [GOOD[0], GOOD[0], replace(GOOD[0], amount=1), GOOD[1]]}, random.Random(1))
def test_order_repeats_and_revisions_do_not_change_the_ledger(
    home: Path, days: dict[tuple[str, str], list[Row]], chance: random.Random
) -> None:
    taken_in(home, [[(platform, day, rows, 1)] for (platform, day), rows in days.items()])
    plainly = in_force()
    deliveries = []
    for (platform, day), rows in days.items():
        repeated = rows + [row for row in rows if chance.random() < 0.3]
        chance.shuffle(repeated)
        deliveries.append((platform, day, repeated, 7))
        if chance.random() < 0.5:  # a part of the day first, or found only later
            deliveries.append((platform, day, repeated[: len(repeated) // 2], chance.choice([2, 3])))
    chance.shuffle(deliveries)
    cut = chance.randrange(len(deliveries) + 1)
    taken_in(home, [deliveries[:cut], deliveries[cut:]])
    assert in_force() == plainly


def taken_in(home: Path, nights: list[list[tuple[str, str, list[Row], int]]]) -> None:
    """An empty warehouse, and every night's deliveries taken in after each other."""
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("truncate transactions, quarantine, deliveries restart identity cascade")
    root = Path(tempfile.mkdtemp(dir=home))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRAKERJA_LANDING", str(root))
        patch.setattr(programme().feeds, "quarantined_share_max", 1)
        for night in nights:
            for platform, day, rows, revision in night:
                deliver(root, platform, day, rows, revision)
            for platform in sorted({platform for platform, *_ in night}):
                assert intake.take_in(platform, CLOCK).rejected == []
