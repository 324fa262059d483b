"""Two ways, one answer: the readers' fast ways, their exact ways, and the plainest reading of the contract agree.

Every example is made from its platform, the seed and its number alone: a failure names them, and
`example_of(platform, number)` makes it again. TWO_WAYS_SEED gives another seed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random
from typing import Any, Self

import pyarrow as pa
import pytest
from hypothesis import settings
from upath import UPath

from prakerja import landing, strict_csv
from prakerja.feeds import canonical, expectations, forms, intake, json_reader, ledger, readers, rows, workbook
from prakerja.landing import File, RejectedError
from prakerja.platforms import FIELDS, platforms
from tests.support.odd_deliveries import build_odd_file
from tests.support.odd_values import DAY
from tests.support.plain_judgement import PlainRow, judge_plainly, reject_plainly, total_idr
from tests.support.plain_reading import UNDECODABLE, PlainFile, read_plainly

pytestmark = pytest.mark.usefixtures("laid_aside")

PLATFORMS = sorted(platforms())
#: Examples that are judged at once: the judge takes as long for one row as for a thousand.
AT_ONCE = 500
EXAMPLES = AT_ONCE if settings().max_examples <= 100 else 20_000
SEED = os.environ.get("TWO_WAYS_SEED", "1")
#: More than any file has: a file that cannot be read is not refused for the number of its rows.
MANY_ROWS = 10**6
NOTHING = canonical.SCHEMA.empty_table()


@dataclass
class Example:
    """A delivered file, what its manifest says of it, how the contract reads it, and how much is read at once."""

    name: str
    business_date: date
    data: bytes
    plain: PlainFile
    rows: int
    amount_idr: int
    chunk_bytes: int


def example_of(platform: str, number: int, seed: str = SEED) -> Example:
    """Return the example of this number."""
    chance = Random(f"{platform} {seed} {number}")
    data = build_odd_file(platforms()[platform], chance)
    return declared(f"{platform} seed={seed} number={number}", platform, data, chance)


def declared(name: str, platform: str, data: bytes, chance: Random) -> Example:
    """The file with a manifest that says what the contract counts, or now and then something else."""
    plain = read_plainly(platforms()[platform], data)
    rows = MANY_ROWS if UNDECODABLE in plain.faults else len(plain.rows) + chance.choice([0] * 48 + [-1, 1])
    amount_idr = total_idr(plain) + chance.choice([0] * 48 + [-1, 5000])
    amount_idr = max(-(2**63), min(amount_idr, 2**63 - 1))  # more is no amount of a manifest
    is_cut = len(data) < 10_000 and chance.random() < 0.3
    chunk_bytes = chance.choice([7, 64, 200, 400]) if is_cut else strict_csv.CHUNK_BYTES
    return Example(name, DAY, data, plain, max(rows, 0), amount_idr, chunk_bytes)


# -- the product's readings --------------------------------------------------------------------------------------------


class Executor:
    """Does at once what a thread of its own would do meanwhile: to start one takes longer than to read a small file."""

    def __init__(self, _: int) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Return what the call comes to."""
        future: Future[Any] = Future()
        try:
            future.set_result(call(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


class Tables:
    """Takes canonical rows as `canonical.Rows` does, in memory."""

    def __init__(self) -> None:
        self.count, self._taken = 0, list[pa.Table]()

    def add(self, table: pa.Table) -> None:
        """Keep some rows."""
        self._taken.append(table)
        self.count += len(table)

    def whole(self) -> pa.Table:
        """Return all rows in one table."""
        return pa.concat_tables(self._taken).combine_chunks() if self._taken else NOTHING


def read(example: Example, folder: Path) -> tuple[str | None, pa.Table]:
    """The product's reading: the reason of its rejection, if any, and the canonical rows."""
    known, data = example.plain.platform, example.data
    file = File(known.file, len(data), hashlib.sha256(data).hexdigest(), example.rows, example.amount_idr)
    entry = ledger.Entry(known.platform, DAY, 1, "", DAY, rows=example.rows, amount_idr=example.amount_idr)
    tables = Tables()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_csv, "CHUNK_BYTES", example.chunk_bytes)
        patch.setattr(rows, "CHUNK_BYTES", example.chunk_bytes)
        patch.setattr(json_reader, "CHUNK_BYTES", example.chunk_bytes)
        patch.setattr(readers, "ThreadPoolExecutor", Executor)
        try:
            with landing.opened(UPath(folder), file, known.compression) as opened:
                intake._read(opened, known, tables, entry)  # type: ignore[arg-type]
        except RejectedError as rejection:
            return rejection.reason, NOTHING
        except Exception as defect:
            return f"a defect: {defect!r}", NOTHING
    return None, tables.whole()


@contextmanager
def exact_way() -> Iterator[None]:
    """The readers without their fast ways."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_csv, "plain_header", lambda *_: None)
        patch.setattr(strict_csv, "plain_columns", lambda *_: None)
        patch.setattr(json_reader, "_plain_record", lambda *_: None)
        patch.setattr(workbook, "PLAIN_WHOLE_MAX", 0)
        patch.setattr(forms, "_matching", lambda texts, _: pa.nulls(len(texts), pa.string()))
        yield


@dataclass
class Comparison:
    """What three readings of some examples came to: where they do not agree, and what was met with on the way."""

    disagreements: list[str] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)

    def add(self, example: Example, *told: str) -> None:
        """Note that the readings of an example differ."""
        data = example.data if len(example.data) < 3000 else example.data[:3000] + b"..."
        self.disagreements.append("\n".join([example.name, repr(data), *told]))


def compare(examples: Iterable[Example], folder: Path) -> Comparison:
    """Read each example in three ways. All are of one platform and business date."""
    comparison = Comparison()
    accepted: list[tuple[Example, pa.Table]] = []
    for example in examples:
        path = folder / example.plain.platform.file
        path.write_bytes(example.data)
        reason, table = read(example, folder)
        with exact_way():
            exact_reason, exact_table = read(example, folder)
        path.unlink()  # to overwrite one takes longer
        allowed = reject_plainly(example.plain, example.rows, example.amount_idr)
        if example.rows == MANY_ROWS:
            allowed = example.plain.faults
        comparison.met[f"rejected: {reason}"] += 1
        is_rejected_alike = bool({reason, exact_reason} <= allowed)  # of two reasons one way may see the other first
        if not is_rejected_alike and (reason != exact_reason or not table.equals(exact_table)):
            comparison.add(
                example,
                f"as it is: {reason} {table.to_pylist()}",
                f"exactly:  {exact_reason} {exact_table.to_pylist()}",
            )
        elif reason is None and not allowed:
            accepted.append((example, table))
        elif not allowed or reason not in allowed | {"too_large"}:  # the plainest reading knows no bounds
            comparison.add(example, f"product: {reason}", f"plainly: {allowed or None}")
    for (example, _), found in zip(accepted, judged(accepted), strict=True):
        every = judge_plainly(example.plain, example.business_date)
        plain = [row for row in every if not row.is_repeat]
        comparison.met["repeat"] += len(every) - len(plain)
        comparison.met.update(reason for row in plain for reason in row.reasons or ["good"])
        pairs = zip(found, plain, strict=False)
        told = [f"product: {row}\nplainly: {contract}" for row, contract in pairs if not is_same(row, contract)]
        if len(found) != len(plain):
            told.append(f"product: {len(found)} rows without repeats\nplainly: {len(plain)}")
        if told:
            comparison.add(example, *told)
    return comparison


def judged(accepted: list[tuple[Example, pa.Table]]) -> Iterator[list[PlainRow]]:
    """The rows of each example as the product judges and quarantines them, without repeats."""
    if not accepted:
        return
    known, business_date = accepted[0][0].plain.platform, accepted[0][0].business_date
    parts = []
    for _, part in accepted:
        with canonical.Rows() as rows:
            rows.add(part)
            parts.append(pa.concat_tables(rows.distinct()))
    table = pa.concat_tables(parts).combine_chunks()
    reasons = expectations.DeliveryValidator(known, business_date).validate_rows(table)
    bad = sorted(reasons)
    good = [position for position in range(len(table)) if position not in reasons]
    good_rows, bad_rows = (table.take(pa.array(positions, pa.int64())) for positions in (good, bad))
    is_json = known.layout in ("json", "jsonl")
    quarantined = ledger._quarantine(ledger.ValidatedRows(good_rows, bad_rows, [reasons[at] for at in bad], is_json), 1)
    found: dict[int, PlainRow] = {}
    for position, row in zip(bad, quarantined.to_pylist(), strict=True):
        delivered = json.loads(row["delivered"])
        values = (delivered["raw"],) if "raw" in delivered else tuple(delivered[name] for name in FIELDS)
        cards = [(int(low), int(high) - 1) for low, high in re.findall(r"\[(\d+),(\d+)\)", row["might_be"])]
        found[position] = PlainRow(
            row["line"], values, sorted(row["reasons"].strip("{}").split(",")), merged(cards), is_repeat=False
        )
    instants = good_rows["occurred_at"].cast(pa.int64())
    for position, row in zip(
        good, good_rows.drop_columns(["occurred_at"]).append_column("occurred_at", instants).to_pylist(), strict=True
    ):
        found[position] = PlainRow(row["line"], tuple(row[name] for name in FIELDS), [], [], is_repeat=False)
    start = 0
    for part in parts:
        yield [found[position] for position in range(start, start + len(part))]
        start += len(part)


def merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same cards in as few ranges as there can be."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def is_same(row: PlainRow, of_contract: PlainRow) -> bool:
    """Whether two rows are the same, but for values that the contract does not say (None)."""
    values = len(row.values) == len(of_contract.values) and all(
        told is None or told == found for found, told in zip(row.values, of_contract.values, strict=True)
    )
    rest = (row.line, row.reasons, row.cards) == (of_contract.line, of_contract.reasons, of_contract.cards)
    return values and rest


# -- the tests ---------------------------------------------------------------------------------------------------------

REASONS = {
    "good", "repeat", "row_unreadable", "transaction_id_missing", "transaction_id_malformed", "event_unknown",
    "occurred_at_invalid", "occurred_at_in_future", "occurred_at_too_old", "card_number_malformed", "amount_invalid",
    "transaction_conflict", "rejected: file_undecodable", "rejected: columns_missing", "rejected: row_count_mismatch",
    "rejected: amount_mismatch", "rejected: None",
}  # fmt: skip
#: What a layout cannot break.
NEVER = {
    "csv": {"transaction_id_malformed"},
    "json": set[str](),
    "jsonl": {"rejected: columns_missing"},
    "xlsx": {"row_unreadable"},
}


@pytest.mark.parametrize("portion", range(EXAMPLES // AT_ONCE))
@pytest.mark.parametrize("platform", PLATFORMS)
def test_three_readings_of_a_delivery_agree(platform: str, portion: int, tmp_path: Path) -> None:
    numbers = range(portion * AT_ONCE, (portion + 1) * AT_ONCE)
    comparison = compare((example_of(platform, number) for number in numbers), tmp_path)
    disagreements = comparison.disagreements
    assert not disagreements, f"{len(disagreements)} of {AT_ONCE} examples:\n\n" + "\n\n".join(disagreements[:3])
    if portion == 0:  # a portion may lack what is rare
        assert set(comparison.met) >= REASONS - NEVER[platforms()[platform].layout], "the examples reach every reason"


@pytest.mark.parametrize(
    ("platform", "number"),
    [("pintaria", 11498), ("pintaria", 16320), ("sekolahmu", 1394), ("sekolahmu", 13707)],
)
def test_an_unreadable_rows_amount_may_have_half_a_character(platform: str, number: int, tmp_path: Path) -> None:
    assert compare([example_of(platform, number, "1")], tmp_path).disagreements == []


CASES = sorted((Path(__file__).parents[2] / "support" / "delivered_cases").glob("*/landing/feeds/*/*/*/manifest.json"))


@pytest.mark.parametrize("path", CASES, ids=[f"{path.parts[-7]} {path.parts[-3]}" for path in CASES])
def test_three_readings_of_a_kept_case_agree(path: Path, tmp_path: Path) -> None:
    manifest = json.loads(path.read_text(encoding="utf-8"))
    (file,) = manifest["files"]
    data = (path.parent / file["name"]).read_bytes()
    example = Example(
        path.parts[-7],
        date.fromisoformat(manifest["business_date"]),
        data,
        read_plainly(platforms()[manifest["platform"]], data),
        file["rows"],
        file["amount_idr"],
        strict_csv.CHUNK_BYTES,
    )
    assert compare([example], tmp_path).disagreements == []


# -- what it is for ----------------------------------------------------------------------------------------------------


def accept_offsets_of_sixty_minutes(patch: pytest.MonkeyPatch) -> None:
    """The exact way takes what `datetime.fromisoformat` takes."""
    offset = r"(?:Z|[+-]\d\d(?::?\d\d)?)"
    patch.setattr(forms, "ISO8601", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?P<fraction>[.,]\d+)?)?" + offset))


def accept_any_byte(patch: pytest.MonkeyPatch) -> None:
    """The fast way does not look at what is in columns that nobody wants."""
    plain = strict_csv.plain_columns
    patch.setattr(strict_csv, "plain_columns", lambda data, *rest: plain(data.decode(errors="replace").encode(), *rest))


def drop_a_mark(patch: pytest.MonkeyPatch) -> None:
    """The fast way drops U+FEFF before the first row, as Arrow does."""
    plain = strict_csv.plain_columns
    patch.setattr(
        strict_csv,
        "plain_columns",
        lambda data, *rest: plain(data.removeprefix(strict_csv.BYTE_ORDER_MARK), *rest),
    )


def keep_the_last_of_two_keys(patch: pytest.MonkeyPatch) -> None:
    """JSON is read as the standard library reads it."""

    def as_python_does(text: str, number: Callable[[str], Any] | None = None) -> Any:
        return json.loads(text, parse_int=number, parse_float=number, parse_constant=landing.refuse_constant)

    patch.setattr(landing, "strict_json", as_python_does)


@pytest.mark.parametrize(
    ("platform", "take_back"),
    [
        ("tokopedia", accept_offsets_of_sixty_minutes),
        ("sekolahmu", accept_offsets_of_sixty_minutes),
        ("tokopedia", accept_any_byte),
        ("tokopedia", drop_a_mark),
        ("pintaria", keep_the_last_of_two_keys),
    ],
)
def test_the_fuzz_finds_what_was_wrong_once(
    platform: str, take_back: Callable[[pytest.MonkeyPatch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without it every one of these examples agrees: the first test says so.
    take_back(monkeypatch)
    for start in range(0, AT_ONCE, 50):
        if compare((example_of(platform, number) for number in range(start, start + 50)), tmp_path).disagreements:
            return
    pytest.fail(f"{AT_ONCE} examples do not tell")
