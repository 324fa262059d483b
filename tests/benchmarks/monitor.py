"""The monitor's pages over a warehouse of 22 cohorts, 11 million recipients and 25 million transactions."""

from __future__ import annotations

import os
import statistics
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from rich.console import Console
from rich.table import Table

from prakerja import calendar, schema, warehouse
from prakerja.calendar import Cohort
from prakerja.monitor import app, figures
from prakerja.platforms import platforms
from tests.benchmarks.superuser import let_facts_go_unproved

COHORTS, PEOPLE, ROWS = 22, 500_000, 25_000_000
FIRST = date(2020, 4, 11)
EVERY = 24  # days between announcements
OVERDUE = 0.03  # of the selected
RESTATED = date(2021, 3, 9)
PAGES = (
    "/", "/cohorts/22", "/cohorts/21?with=20", "/feeds", "/feeds/tokopedia/2021-03-08", f"/feeds/tokopedia/{RESTATED}",
    "/statistics", "/person/1",
)  # fmt: skip
console = Console(stderr=True)


class _Runs:
    def list_runs(self, cohort: int) -> list[app.Run]:  # noqa: ARG002 - Airflow's own metadata are not measured here
        return []

    def find_cohort(self, dag_id: str, run_id: str) -> None:  # noqa: ARG002 - nor here
        return None

    def find_intake_log(self, platform: str, recorded_at: datetime) -> None:  # noqa: ARG002 - nor here
        return None


def run(folder: Path, scale: float, runs: int) -> None:
    """Fill the warehouse, count what is shown, and print one table: each page's server time beside an empty route's."""
    os.environ["PRAKERJA_CALENDAR"] = str(folder / "calendar.yaml")
    cohorts = [_cohort(number) for number in range(1, COHORTS + 1)]
    lines = [f"- {{cohort: {w.number}, announced_on: {w.announced_on}, deadline_on: {w.deadline_on}}}" for w in cohorts]
    (folder / "calendar.yaml").write_text("\n".join(["cohorts:", *lines]) + "\n")
    schema.upgrade()
    let_facts_go_unproved()
    try:
        people, rows = int(PEOPLE * scale), int(ROWS * scale)
        _fill(list(calendar.calendar().values()), people, rows)
        start = time.perf_counter()
        counted = figures.refresh(datetime.now(UTC))
        everything = time.perf_counter() - start
        start = time.perf_counter()
        figures.refresh(datetime.now(UTC), COHORTS)
        again = time.perf_counter() - start
        _report(people, rows, runs, {f"counting {len(counted)} cohorts": everything, "one, unchanged": again})
    finally:
        warehouse.stop_embedded_server()


def _report(people: int, rows: int, runs: int, counting: dict[str, float]) -> None:
    shown = app.application(lambda: app.Viewer("bench", True, True), _Runs())
    shown.add_api_route("/empty", _empty)
    outer = FastAPI()
    outer.mount("/prakerja", shown)
    client = TestClient(outer, base_url="http://bench/prakerja")
    empty = _median(client, "/empty", runs)
    table = Table("page", "reach", "server time", "an empty route", "of the page")
    for page in PAGES:
        took = _median(client, page, runs)
        size = len(client.get(page).content)
        table.add_row(page, "under 100 ms", f"{took * 1000:.0f} ms", f"{empty * 1000:.1f} ms", f"{size / 1000:,.0f} kB")
    for name, seconds in counting.items():
        table.add_row(name, "", f"{seconds:.1f} s", "", "")
    Console(width=120).print(f"{COHORTS} cohorts, {COHORTS * people:,} recipients, {rows:,} transactions")
    Console(width=120).print(table)


def _empty() -> dict[str, str]:
    return {}


def _median(client: TestClient, page: str, runs: int) -> float:
    took = []
    for _ in range(3 + 5 * runs):
        start = time.perf_counter()
        answer = client.get(page)
        took.append(time.perf_counter() - start)
        assert answer.status_code == 200, (page, answer.text[:300])
    return statistics.median(took[3:])


def _cohort(number: int) -> Cohort:
    announced = FIRST + timedelta(days=EVERY * (number - 1))
    return Cohort(announced, number, announced + timedelta(days=29))


def _fill(cohorts: list[Cohort], people: int, rows: int) -> None:
    last = cohorts[-1].announced_on + timedelta(days=20)  # the last three are open
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")  # facts enough, without their proofs
        _say(connection, "insert into deliveries (platform, business_date, revision, fingerprint, status, arrived_on,"
             " sha256, rows, loaded, verdict) select p, day, 1, '', 'accepted', day + 1, 'x', %(rows)s, %(rows)s,"
             " '{\"warnings\": []}' from unnest(%(platforms)s::text[]) with ordinality as t (p, n),"
             " generate_series(%(first)s::date, %(last)s::date, interval '1 day') as d (at),"
             " lateral (select at::date as day) as l order by n, day",
             rows=rows // 3500, platforms=list(platforms()), first=FIRST, last=last)  # fmt: skip
        days = (last - FIRST).days + 1
        _say(connection, "insert into transactions (delivery_id, line, event, occurred_at, card_number, amount_idr,"
             " transaction_id, course_id, voucher_code) select 1 + i %% (7 * %(days)s), i, 'PAID',"
             " wib_midnight(%(first)s::date + (i %% %(days)s)::int) + interval '9 hours', 8000000000000000 + i, 500000,"
             " 'T' || i, 'K', 'V' from generate_series(%(bought)s::bigint, %(rows)s - 1) as i"
             " order by 1",  # as they are loaded: a delivery's rows lie together
             days=days, first=FIRST, bought=len(cohorts) * people, rows=rows)  # fmt: skip
        for cohort in cohorts:
            _fill_cohort(connection, cohort, people, last, days)
            console.print(f"gelombang-{cohort.number}: {people:,} recipients")
        _restate(connection)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("analyze")
        connection.exec_driver_sql("select brin_summarize_new_values('transactions_delivery_id')")  # autovacuum's work


def _restate(connection: warehouse.Connection) -> None:
    """A second revision of a delivery, with every row changed, and one in seventy gone."""
    old, new = (
        connection.exec_driver_sql(statement, {"on": RESTATED}).scalar_one()
        for statement in (
            "select delivery_id from deliveries where platform = 'tokopedia' and business_date = %(on)s",
            "insert into deliveries (platform, business_date, revision, fingerprint, status, arrived_on, sha256, rows,"
            " loaded) select platform, business_date, 2, '', status, arrived_on + 1, 'y', rows, loaded"
            " from deliveries where platform = 'tokopedia' and business_date = %(on)s returning delivery_id",
        )
    )
    _say(connection, "insert into transactions (delivery_id, line, event, occurred_at, card_number, amount_idr,"
         " transaction_id, course_id, voucher_code) select %(new)s, line, event, occurred_at, card_number,"
         " amount_idr + 1, transaction_id, course_id, voucher_code from transactions"
         " where delivery_id = %(old)s and line %% 70 <> 0", old=old, new=new)  # fmt: skip
    _say(connection, "insert into restatements select %(new)s, %(old)s, 0, 1, 1", old=old, new=new)


def _fill_cohort(connection: warehouse.Connection, cohort: Cohort, people: int, last: date, days: int) -> None:
    at = {
        "cohort": cohort.number, "announced": cohort.announced_on, "deadline": cohort.deadline_on, "people": people,
        "first_id": (cohort.number - 1) * people, "overdue": int(people * OVERDUE), "from": FIRST, "days": days,
        "window": min(30, (last - cohort.announced_on).days), "as_of": min(cohort.decided_on, last),
    }  # fmt: skip
    # A buyer's row: the day of the window goes down as one over it, the platform by the remainder.
    bought = (
        "select %(first_id)s + n as id, n, wib_midnight(%(announced)s::date) + d * interval '1 day'"
        " + interval '10 hours' as occurred_at,"
        " 1 + (n %% 7) * %(days)s + (%(announced)s::date - %(from)s::date) + d as delivery_id"
        " from generate_series(%(overdue)s + 1, %(people)s) as n,"
        " lateral (select floor(%(window)s * power((n %% 1000) / 1000.0, 2))::int as d) as l"
    )
    _say(connection, "insert into rosters (cohort, fingerprint, status, announced_on, deadline_on, sha256, rows,"
         " arrived_on) values (%(cohort)s, 'x', 'accepted', %(announced)s, %(deadline)s, 'y', %(people)s,"
         " %(announced)s)", **at)  # fmt: skip
    _say(connection, "insert into recipients (recipient_id, roster_id, cohort, card_number, nik, contact, phone_token,"
         " email_token, region_code) overriding system value select %(first_id)s + n, 1, %(cohort)s,"
         " 4000000000000000 + %(first_id)s + n, 3100000000000000 + %(first_id)s + n, '\\x00', '', '',"
         " (array['31', '32', '33', '34', '35', '36', '12', '73'])[1 + n %% 8]"
         " from generate_series(1, %(people)s) as n", **at)  # fmt: skip
    _say(connection, "insert into transactions (delivery_id, line, event, occurred_at, card_number, amount_idr,"
         " transaction_id, course_id, voucher_code) select delivery_id, id, 'PAID', occurred_at,"
         f" 4000000000000000 + id, 500000, 'B' || id, 'K', 'V' from ({bought}) as b order by 1", **at)  # fmt: skip
    _say(connection, "insert into evidence (cohort, recipient_id, card_number, purchase_delivery_id, purchase_line)"
         f" select %(cohort)s, id, 4000000000000000 + id, delivery_id, id from ({bought}) as b", **at)  # fmt: skip
    _say(connection, "insert into evidence (cohort, recipient_id, card_number) select %(cohort)s, %(first_id)s + n,"
         " 4000000000000000 + %(first_id)s + n from generate_series(1, %(overdue)s) as n", **at)  # fmt: skip
    _say(connection, "insert into evidence_bases (cohort, announced_on, deadline_on, settlement_days, undone_before,"
         " generation) values (%(cohort)s, %(announced)s, %(deadline)s, 1, now(), 1)", **at)  # fmt: skip
    _say(connection, "insert into standings select %(cohort)s, %(announced)s::date + d, %(people)s,"
         " %(people)s - %(overdue)s, 0, %(overdue)s, 0, 0 from generate_series(1, %(window)s) as d", **at)  # fmt: skip
    if cohort.decided_on > last:
        return
    _say(connection, "insert into decisions (decision_id, cohort, roster_id, status, announced_on, deadline_on,"
         " settlement_days, as_of, selected, purchased, held, overdue, excluded) values ('d' || %(cohort)s, %(cohort)s,"
         " 1, 'made', %(announced)s, %(deadline)s, 1, %(as_of)s, %(people)s, %(people)s - %(overdue)s, 0, %(overdue)s,"
         " 0)", **at)  # fmt: skip
    _say(connection, "insert into outcomes (recipient_id, cohort, deadline_on, outcome, because, delivery_id, line)"
         " select recipient_id, cohort, %(deadline)s, case when purchase_line is null then 'overdue' else 'purchased'"
         " end::outcome, case when purchase_line is null then 'no_purchase' else 'purchase' end, purchase_delivery_id,"
         " purchase_line from evidence where cohort = %(cohort)s", **at)  # fmt: skip
    _say(connection, "insert into revocations (recipient_id, decision_id, digest, reason, effective_at, approved_by,"
         " revoked_on) select %(first_id)s + n, 'd' || %(cohort)s, 'x', 'NO_FIRST_PURCHASE', now(), 'bench', %(as_of)s"
         " from generate_series(1, %(overdue)s) as n", **at)  # fmt: skip
    _say(
        connection, "insert into carried_out (decision_id, carried_out_on) values ('d' || %(cohort)s, %(as_of)s)", **at
    )


def _say(connection: warehouse.Connection, statement: str, **given: Any) -> None:
    connection.exec_driver_sql(statement, given)
