"""The deadline's work against a bare anti-join: a cohort of a million, a ledger of twelve million rows."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from prakerja import schema, warehouse
from prakerja.calendar import Cohort
from prakerja.cohorts import evidence, standing
from prakerja.platforms import platforms
from prakerja.recheck.facts import Facts
from prakerja.recheck.rule import Reading, SecondReading, find_deliveries_in_force
from prakerja.revocations import decision, revocation, second_reading
from tests.benchmarks.superuser import superuser
from tests.support.small_cohort import approve

COHORT = Cohort(date(2021, 3, 10), 13, date(2021, 4, 8))
FIRST_DAY, DECIDED_ON = date(2020, 12, 31), COHORT.decided_on
DAYS = (COHORT.last_business_date - FIRST_DAY).days + 1
#: Of the cohort, who has bought; the rest is overdue, but for the few whom damaged rows might be about.
SHARE_BOUGHT = 0.967
CARD = 4_000_000_000_000_000
console = Console(stderr=True)


def run(folder: Path, scale: float, runs: int) -> None:
    """Measure, and print one table: the figure, what it should reach, and what it is made of."""
    schema.upgrade()
    try:
        _world(folder, scale)
        _report(folder, runs)
    finally:
        warehouse.stop_embedded_server()


def _report(folder: Path, runs: int) -> None:
    took = _keep_up_to_date()
    with warehouse.transaction("ingest") as connection:
        warehouse.execute(connection, "cohorts/analyze_tables")
    _vacuum()
    window = standing.window_of(COHORT)
    at = {"cohort": COHORT.number, "deadline_on": COHORT.deadline_on, "as_of": DECIDED_ON}
    references, decisions = [], []
    for _ in range(max(runs, 3)):
        seconds, expected = _timed(lambda: _anti_join(folder))
        references.append(seconds)
        seconds, totals = _timed(lambda: _decide(window, at))
        decisions.append(seconds)
    reference, decided = statistics.median(references), statistics.median(decisions)
    whole, made = _timed(_deadline)
    assert made == totals["overdue"], (made, totals)
    story = statistics.median(_timed(lambda: _explain(folder))[0] for _ in range(max(runs, 3)))

    table = Table("figure", "reach", "measured", "made of")
    people = f"{sum(totals.values()):,} people, {expected[1]:,} rows"
    table.add_row(f"the decision / a bare anti-join, {people}", "at most 3", f"{decided / reference:.1f}",
                  f"{decided:.2f} s / {reference:.2f} s")  # fmt: skip
    table.add_row(
        f"decide, record, revoke {made:,} with evidence / the same", "at most 25", f"{whole / reference:.1f}",
        f"{whole:.2f} s / {reference:.2f} s",
    )  # fmt: skip
    table.add_row("prakerja explain, one card, start-up included", "under 1 s", f"{story:.2f} s", "")
    table.add_row("keeping the evidence: a day's deliveries", "", f"{took[-1]:.2f} s", "seven platforms, one cohort")
    Console(width=120).print(table)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def _anti_join(folder: Path) -> tuple[int, int]:
    """Who has no purchase in the window: nothing of restatements, cancellations and doubts; and the ledger's size."""
    import duckdb

    with duckdb.connect() as bare:
        (found,) = bare.execute(
            f"select count(*) from '{folder}/recipients.parquet' r where not exists ("
            f" select 1 from '{folder}/ledger.parquet' t where t.card_number = r.card_number and t.event = 'PAID'"
            " and t.occurred_at >= timestamp '2021-03-09 17:00:00' and t.occurred_at < timestamp '2021-04-08 17:00:00')"
        ).fetchall()
        (rows,) = bare.execute(f"select count(*) from '{folder}/ledger.parquet'").fetchall()
    return int(found[0]), int(rows[0])


def _decide(window: dict[str, Any], at: dict[str, Any]) -> dict[str, int]:
    """The decision: the evidence is brought to what is known, and everybody judged by it."""

    def decide(connection: warehouse.Connection) -> dict[str, int]:
        evidence.refresh(connection, window, DECIDED_ON, is_decided=False)
        return dict(warehouse.rows(connection, "revocations/count_decided", **at)[0])

    return warehouse.write_in_one_snapshot("decide", decide)


def _deadline() -> int:
    """The deadline run's work in the warehouse: decide, compare, record every outcome, approve, revoke."""
    with warehouse.transaction() as connection:
        facts = second_reading.load_facts(connection, COHORT.number, COHORT.announced_on, DECIDED_ON)
    made = decision._decide(COHORT, DECIDED_ON, second_reading.SecondReadingResult(facts, _second_reading(facts)))
    approve(made, "siti", DECIDED_ON)
    return revocation.revoke(COHORT, made, DECIDED_ON)


def _second_reading(facts: Facts) -> SecondReading:
    """What a second reading comes to, which has a bench of its own: there are no files of this world."""
    with warehouse.transaction() as connection:
        rows = connection.exec_driver_sql(
            "select lpad(r.card_number::text, 16, '0'), s.outcome::text, s.because from standing(13, %s, %s) as s"
            " inner join recipients as r on s.recipient_id = r.recipient_id", (COHORT.deadline_on, DECIDED_ON),
        )  # fmt: skip
        by_card = {card: Reading(outcome, because) for card, outcome, because in rows}
    return SecondReading(by_card, find_deliveries_in_force(facts, is_later=False), {})


def _explain(folder: Path) -> None:
    command = [str(Path(sys.executable).parent / "prakerja"), "explain", str(CARD + 1009)]
    subprocess.run(command, check=True, capture_output=True)


def _keep_up_to_date() -> list[float]:
    """What the daily intake does at its end, for the last days of the window; gives the seconds of each."""
    took = []
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("analyze")
    for day in (date(2021, 4, 8), date(2021, 4, 9), DECIDED_ON):
        took.append(_timed(lambda day=day: standing.refresh_standings(day))[0])
        console.print(f"the evidence as of {day}: {took[-1]:.1f} s")
    return took


def _vacuum() -> None:
    """What autovacuum does within minutes, a night at the latest."""
    with superuser() as connection:
        connection.execute("vacuum analyze evidence")
        connection.execute("checkpoint")


# -- the world ---------------------------------------------------------------------------------------------------------


def _world(folder: Path, scale: float) -> None:
    """The same rows as Parquet and in the warehouse: restated days, cancellations, damaged rows, others' cards."""
    people = int(1_000_000 * scale)
    buyers, rows = int(people * SHARE_BOUGHT), 12 * people
    slots = DAYS * 7
    window_from = (COHORT.announced_on - FIRST_DAY).days
    names = ", ".join(f"'{name}'" for name in platforms())
    statements = {
        "recipients": f"select i as recipient_id, {CARD} + i * 1009 as card_number from range(1, {people + 1}) as t(i)",
        "deliveries": f"""
            select 1 + day * 7 + p as delivery_id, [{names}][p + 1] as platform, day, 1 as revision
            from range(0, {DAYS}) as a(day), range(0, 7) as b(p)
            union all
            select 1001 + day * 7, [{names}][1], day, 2 from range({window_from + 5}, {window_from + 25}) as a(day)""",
        "ledger": f"""
            with numbered as (
                select i, hash(i) as h, 1 + i % {slots} as delivery_id, i % {slots} // 7 as day
                from range(0, {rows}) as t(i)
            ),
            placed as (
                select *, case when day >= {window_from} then row_number() over (
                    partition by day >= {window_from} order by i) end as k
                from numbered
            ),
            whole as (
                select
                    delivery_id, i as line, case when i % 100 = 99 then 'CANCELLED' else 'PAID' end as event,
                    cast(date '{FIRST_DAY}' + cast(day as int) as timestamp) - interval 7 hours
                    + to_seconds(h % 86400) as occurred_at,
                    case when k <= 2 * {buyers} then {CARD} + (1 + (k * 7919) % {buyers}) * 1009
                    else 8000000000000000 + cast(h % 1000000000 as bigint) * 7 end as card_number,
                    'TRX-' || lpad(cast(case when i % 100 = 99 then i - 7 else i end as varchar), 10, '0')
                    as transaction_id
                from placed
            )
            select * from whole
            union all
            select 1001 + (delivery_id - 1) // 7 * 7, line, event, occurred_at, card_number, transaction_id
            from whole
            where (delivery_id - 1) % 7 = 0 and (delivery_id - 1) // 7 between {window_from + 5} and {window_from + 24}
            and line % 500 <> 0""",
    }
    import duckdb

    with duckdb.connect() as made:
        for name, statement in statements.items():
            order = "order by delivery_id, line" if name == "ledger" else ""
            made.execute(f"copy (select * from ({statement}) {order}) to '{folder}/{name}.parquet'")
    console.print(f"the world: {people:,} people, {rows:,} rows")
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "insert into rosters (cohort, fingerprint, status, announced_on, deadline_on, sha256, rows, arrived_on)"
            " values (13, 'x', 'accepted', %s, %s, 'y', %s, %s)",
            (COHORT.announced_on, COHORT.deadline_on, people, COHORT.announced_on),
        )
        connection.exec_driver_sql("alter table recipients alter column recipient_id set generated by default")
    for table, source, columns in (
        (
            "recipients",
            "recipients",
            "recipient_id, 1 as roster_id, 13 as cohort, card_number, card_number - 10 as nik,"
            " '\\x' || repeat('00', 100) as contact, md5('p' || recipient_id) as phone_token,"
            " md5('e' || recipient_id) as email_token, '31' as region_code",
        ),
        (
            "deliveries",
            "deliveries",
            f"delivery_id, platform, date '{FIRST_DAY}' + cast(day as int) as business_date, revision,"
            " '' as fingerprint, 'accepted' as status, 'x' as sha256, 0 as rows, '{\"warnings\": []}' as verdict,"
            f" cast(date '{FIRST_DAY}' + cast(day as int) + revision as date) as arrived_on",
        ),
        (
            "transactions",
            "ledger",
            "delivery_id, line, event, occurred_at::varchar || '+00' as occurred_at, card_number, transaction_id,"
            " 500000 as amount_idr, 'KLS-1' as course_id, 'V' as voucher_code",
        ),
    ):
        _load(folder / f"{source}.parquet", table, columns)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "insert into quarantine select %s + i %% 170, i, '{card_number_malformed}', '{}',"
            " int8multirange(int8range(%s + i * 331 * 1009, %s + i * 331 * 1009"
            " + case when i %% 100 = 0 then 5000 else 1 end)) from generate_series(1, %s) as i",
            (1 + window_from * 7, CARD, CARD, int(3000 * scale)),
        )


def _load(source: Path, table: str, columns: str) -> None:
    import duckdb

    file = source.with_suffix(".csv")
    with duckdb.connect() as made:
        made.execute(f"copy (select {columns} from '{source}') to '{file}' (format csv, header)")
    with (
        warehouse.transaction(as_owner=True) as connection,
        file.open("rb") as rows,
        connection.connection.cursor() as cursor,
    ):
        header = rows.readline().decode().strip()
        with cursor.copy(f"copy {table} ({header}) from stdin (format csv)") as copying:
            while chunk := rows.read(1 << 22):
                copying.write(chunk)
    file.unlink()
    console.print(f"loaded {table}")
