"""Taking in: one bad delivery per rule, restatements, repeats, mended deliveries. On the real warehouse."""

from __future__ import annotations

import errno
import io
import json
import zipfile
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja import warehouse
from prakerja.errors import PrakerjaError
from prakerja.feeds import intake, overview
from prakerja.feeds.ledger import Waiver
from prakerja.platforms import platforms
from prakerja.settings import INCLUDE, WIB
from prakerja.simulation import writers
from prakerja.simulation.writers import Row
from tests.support.landing_zone import deliver

CLOCK = date(2021, 3, 11)
NOON = datetime(2021, 3, 10, 12, tzinfo=WIB)


def rows(count: int, **bent: Any) -> list[Row]:
    common = {"event": "PAID", "occurred_at": NOON, "amount": 5000}
    return [Row(**({"transaction_id": f"id-{n}", "card": f"{n:016}"} | common | bent)) for n in range(1, count + 1)]


def ledger() -> list[tuple[Any, ...]]:
    """The rows in force, without what depends on the order of loading."""
    with warehouse.transaction(as_owner=True) as connection:
        return sorted(
            tuple(row)
            for row in connection.exec_driver_sql(
                "select f.platform, f.business_date, f.revision, t.line, t.event::text, t.occurred_at, t.card_number,"
                " t.amount_idr, t.transaction_id"
                " from transactions t join deliveries_in_force('infinity') f using (delivery_id)"
            )
        )


def only_delivery() -> dict[str, Any]:
    (found,) = overview.list_deliveries()
    return found


BENT: list[tuple[str, dict[str, Any]]] = [
    ("manifest_invalid", {"manifest": {"files": []}}),
    ("manifest_invalid", {"manifest": {"generated_at": "2021-03-10T23:00:00"}}),
    ("manifest_invalid", {"manifest": {"generated_at": "2021-03-10T23:00:00+06:60"}}),
    ("manifest_invalid", {"file": {"name": "../../etc/passwd"}}),
    ("manifest_invalid", {"file": {"name": "/etc/passwd"}}),
    ("manifest_invalid", {"file": {"rows": -1}}),
    ("manifest_invalid", {"file": {"rows": 2.0}}),
    ("manifest_invalid", {"file": {"rows": True}}),
    ("manifest_invalid", {"file": {"bytes": 2**40}}),
    ("manifest_invalid", {"file": {"amount_idr": 2**63}}),
    ("manifest_invalid", {"file": {"sha256": "abc"}}),
    ("contract_unknown", {"manifest": {"contract": "prakerja.feed/2"}}),
    ("path_mismatch", {"manifest": {"platform": "bukalapak"}}),
    ("path_mismatch", {"manifest": {"business_date": "2021-03-09"}}),
    ("path_mismatch", {"manifest": {"revision": 2}}),
    ("path_mismatch", {"manifest": {"revision": 1.0}}),
    ("manifest_invalid", {"revision": 2**40}),
    ("file_missing", {"file": {"name": "other.csv"}}),
    ("size_mismatch", {"file": {"bytes": 1}}),
    ("sha256_mismatch", {"file": {"sha256": "0" * 64}}),
    ("row_count_mismatch", {"file": {"rows": 3}}),
    ("amount_mismatch", {"file": {"amount_idr": 1}}),
    ("columns_missing", {"data": b"transaction_id,event\n"}),
    ("file_undecodable", {"data": b"\xff\xfe\xff"}),
    ("business_date_in_future", {"generated_at": "2021-03-09T23:59:59+07:00"}),
]


@pytest.mark.parametrize(("reason", "bent"), BENT)
def test_a_delivery_that_breaks_a_rule_is_rejected_whole(home: Path, reason: str, bent: dict[str, Any]) -> None:
    deliver(home / "landing", "tokopedia", "2021-03-10", rows(2), **bent)
    taken = intake.take_in("tokopedia", CLOCK)
    revision = bent.get("revision", 1)
    assert [line.split(": ")[:2] for line in taken.rejected if line.startswith("tokopedia ")] == [
        [f"tokopedia 2021-03-10 r{revision}", reason]
    ]
    assert (only_delivery()["status"], only_delivery()["reason"]) == ("rejected", reason)
    assert ledger() == []
    again = intake.take_in("tokopedia", CLOCK).rejected
    assert not [line for line in again if line.startswith("tokopedia ")], "the same breach is told once"


def test_a_manifest_that_is_not_json_is_rejected(home: Path) -> None:
    folder = deliver(home / "landing", "tokopedia", "2021-03-10", rows(1))
    (folder / "manifest.json").write_text("{" * 100_000)
    intake.take_in("tokopedia", CLOCK)
    assert only_delivery()["reason"] == "manifest_invalid"


def test_a_date_after_today_is_rejected_and_an_unknown_or_inactive_platform(home: Path) -> None:
    landing = home / "landing"
    deliver(landing, "tokopedia", "2021-03-12", rows(1, occurred_at=NOON + timedelta(days=2)))
    deliver(landing, "bukalapak", "2020-04-10", [])
    folder = deliver(landing, "tokopedia", "2021-03-10", rows(1))
    (landing / "feeds" / "sekolah.mu" / "2021-03-10").mkdir(parents=True)
    folder.rename(landing / "feeds" / "sekolah.mu" / "2021-03-10" / "r1")
    assert intake.waiting_platforms([]) == ["bukalapak", "sekolah.mu", "tokopedia"]
    lines = [line for slug in intake.waiting_platforms([]) for line in intake.take_in(slug, CLOCK).rejected]
    assert [line.split(": ")[1] for line in lines] == [
        "platform_not_active",
        "platform_unknown",
        "business_date_in_future",
    ]
    assert "deliver it as sekolahmu" in lines[1]


def test_unexpected_names_in_the_landing_zone_are_reported(home: Path) -> None:
    (home / "landing" / "feeds" / "tokopedia" / "kemarin").mkdir(parents=True)
    (home / "landing" / "feeds" / "tokopedia" / "2021-03-10" / "r0").mkdir(parents=True)
    told = intake.take_in("tokopedia", CLOCK).rejected
    assert [line.split(" ")[0] for line in told] == ["feeds/tokopedia/2021-03-10/r0", "feeds/tokopedia/kemarin"]


@pytest.mark.parametrize(("bad", "status"), [(5, "accepted"), (6, "rejected")])
def test_five_in_a_hundred_may_be_quarantined(home: Path, bad: int, status: str) -> None:
    mixed = rows(100)[: 100 - bad] + rows(bad, event="?")
    deliver(home / "landing", "tokopedia", "2021-03-10", mixed)
    intake.take_in("tokopedia", CLOCK)
    assert only_delivery()["status"] == status


def test_quarantine_keeps_line_reasons_and_possible_cards(home: Path) -> None:
    bent = Row("id-x", "PAID", NOON, "7.77024E+14", "gratis")
    deliver(home / "landing", "tokopedia", "2021-03-10", [*rows(39), bent])
    intake.take_in("tokopedia", CLOCK)
    with warehouse.transaction(as_owner=True) as connection:
        (row,) = connection.exec_driver_sql(
            "select line, reasons, delivered, might_be::text from quarantine"
        ).mappings()
    assert row["line"] == 41
    assert row["reasons"] == ["card_number_malformed", "amount_invalid"]
    assert row["delivered"]["card_number"] == "7.77024E+14"
    assert row["might_be"] == "{[777023500000000,777024500000001)}"
    assert only_delivery()["quarantined"] == {"amount_invalid": 1, "card_number_malformed": 1}


def test_repeats_are_dropped_good_or_bad_and_conflicts_quarantined(home: Path) -> None:
    good = rows(60)
    twin = Row("id-1", "PAID", NOON, "0000000000000001", 6000)  # A, A, B: one duplicate, two quarantined
    bad = Row("id-b", "?", NOON, "0000000000000009", 5000)
    deliver(home / "landing", "tokopedia", "2021-03-10", [*good, good[0], twin, bad, bad])
    intake.take_in("tokopedia", CLOCK)
    found = only_delivery()
    assert (found["rows"], found["loaded"], found["duplicates"]) == (64, 59, 2)
    assert found["quarantined"] == {"event_unknown": 1, "transaction_conflict": 2}


def test_a_higher_revision_supersedes_the_day_and_a_repeat_changes_nothing(home: Path) -> None:
    landing = home / "landing"
    deliver(landing, "tokopedia", "2021-03-10", rows(3))
    assert len(intake.take_in("tokopedia", CLOCK).accepted) == 1
    assert intake.take_in("tokopedia", CLOCK).accepted == []
    deliver(landing, "tokopedia", "2021-03-10", rows(2), revision=10)
    deliver(landing, "tokopedia", "2021-03-10", rows(1), revision=9)
    assert len(intake.take_in("tokopedia", CLOCK).accepted) == 2
    assert {row[2] for row in ledger()} == {10}
    assert [d["is_in_force"] for d in overview.list_deliveries()] == [False, False, True]


def test_a_rejected_revision_leaves_the_one_before_in_force_and_may_be_mended(home: Path) -> None:
    landing = home / "landing"
    deliver(landing, "tokopedia", "2021-03-10", rows(3))
    intake.take_in("tokopedia", CLOCK)
    folder = deliver(landing, "tokopedia", "2021-03-10", rows(2), revision=2)
    whole = (folder / "transactions.csv").read_bytes()
    (folder / "transactions.csv").write_bytes(whole[:-5])
    assert "size_mismatch" in intake.take_in("tokopedia", CLOCK).rejected[0]
    assert {row[2] for row in ledger()} == {1}
    (folder / "transactions.csv").write_bytes(whole)  # uploaded again, in the same place
    assert len(intake.take_in("tokopedia", CLOCK).accepted) == 1
    assert {row[2] for row in ledger()} == {2}


def still_rejected() -> list[str]:
    with warehouse.transaction() as connection:
        told = warehouse.rows(connection, "feeds/list_rejected", as_of=CLOCK)
    return [row["text"].split(": ")[1] for row in told]


def test_a_repaired_or_accepted_delivery_is_no_longer_reported_as_rejected(home: Path) -> None:
    landing = home / "landing"
    folder = deliver(landing, "bukalapak", "2021-03-10", rows(2))
    whole = (folder / "transactions.csv").read_bytes()
    (folder / "transactions.csv").write_bytes(whole[:-5])
    deliver(landing, "tokopedia", "2021-03-10", [*rows(9), *rows(1, transaction_id="x", event="?")])
    for slug in ("bukalapak", "tokopedia"):
        intake.take_in(slug, CLOCK)
    assert sorted(still_rejected()) == ["quarantine_bound_exceeded", "size_mismatch"]
    (folder / "transactions.csv").write_bytes(whole)
    intake.take_in("bukalapak", CLOCK)
    intake.accept("tokopedia", date(2021, 3, 10), Waiver("Siti", "x"), CLOCK)
    assert still_rejected() == []
    deliver(landing, "bukalapak", "2021-03-10", rows(1))
    intake.take_in("bukalapak", CLOCK)
    assert still_rejected() == ["revision_altered"]


def test_an_accepted_revision_that_changes_is_a_breach_and_the_same_file_again_is_not(home: Path) -> None:
    landing = home / "landing"
    deliver(landing, "tokopedia", "2021-03-10", rows(3))
    intake.take_in("tokopedia", CLOCK)
    deliver(landing, "tokopedia", "2021-03-10", rows(3), generated_at="2021-03-11T08:00:00+07:00")
    assert intake.take_in("tokopedia", CLOCK).rejected == []
    deliver(landing, "tokopedia", "2021-03-10", rows(2))
    assert "revision_altered" in intake.take_in("tokopedia", CLOCK).rejected[0]
    assert intake.take_in("tokopedia", CLOCK).rejected == []
    assert len(ledger()) == 3


def test_in_a_replay_a_delivery_arrives_on_the_day_that_it_was_generated(home: Path) -> None:
    deliver(home / "landing", "tokopedia", "2021-03-10", rows(1), generated_at="2021-03-15T23:30:00Z")
    assert intake.take_in("tokopedia", date(2021, 3, 15), is_replay=True).accepted == []
    assert len(intake.take_in("tokopedia", date(2021, 3, 16), is_replay=True).accepted) == 1
    assert only_delivery()["arrived_on"] == "2021-03-16"


def test_a_restated_day_is_reported_with_its_changes(home: Path) -> None:
    landing = home / "landing"
    deliver(landing, "tokopedia", "2021-03-10", rows(5))
    deliver(landing, "tokopedia", "2021-03-10", [*rows(3), *rows(1, transaction_id="new"), rows(5)[4]], revision=3)
    changed = Row("id-5", "PAID", NOON, f"{5:016}", 7000)
    deliver(landing, "tokopedia", "2021-03-10", [*rows(3), changed], revision=7)
    intake.take_in("tokopedia", CLOCK)
    assert [d["restates"] for d in overview.list_deliveries()] == [
        None,
        {"revision": 1, "added": 1, "vanished": 1, "changed": 0},
        {"revision": 3, "added": 0, "vanished": 1, "changed": 1},
    ]
    common = {"occurred_at": NOON.isoformat(), "amount_idr": "5000", "course_id": "KLS-0042"}
    told = [
        (row["revision"], row["change"], row["transaction_id"], row["before"], row["now"])
        for row in overview.list_differences("tokopedia", date(2021, 3, 10), 9)
    ]
    assert told == [
        (7, "changed", "id-5", {"amount_idr": "5000"}, {"amount_idr": "7000"}),
        (7, "vanished", "new", common | {"card_number": "••••••••••••0001"}, {}),
        (3, "added", "new", {}, common | {"card_number": "••••••••••••0001"}),
        (3, "vanished", "id-4", common | {"card_number": "••••••••••••0004"}, {}),
    ]
    assert len(overview.list_differences("tokopedia", date(2021, 3, 10), 2)) == 2


def test_a_changed_row_shows_no_personal_number_in_any_field(home: Path) -> None:
    landing = home / "landing"
    before = rows(2, course="08123456789")
    deliver(landing, "tokopedia", "2021-03-10", before)
    now = [replace(before[0], card=f"{10**12 + 1:016}", voucher="V1"), replace(before[1], course="siti@example.com")]
    deliver(landing, "tokopedia", "2021-03-10", now, revision=2)
    intake.take_in("tokopedia", CLOCK)
    told = [(row["before"], row["now"]) for row in overview.list_differences("tokopedia", date(2021, 3, 10), 9)]
    assert told == [
        (
            {"card_number": "••••••••••••0001"},
            {"card_number": "••••••••••••0001 (another)", "voucher_code": "(another)"},
        ),
        ({"course_id": "•••••••6789"}, {"course_id": "•@example.com"}),
    ]


def test_a_person_may_accept_a_delivery_over_its_bound_and_nothing_else(home: Path) -> None:
    landing = home / "landing"
    deliver(landing, "tokopedia", "2021-03-10", [*rows(9), *rows(1, transaction_id="x", event="?")])
    intake.take_in("tokopedia", CLOCK)
    waiver = Waiver("Siti", "the platform cannot mend it")
    for slug, day in (("tokopedia", date(2021, 3, 9)), ("bukalapak", date(2021, 3, 10))):
        with pytest.raises(PrakerjaError, match="no delivery was rejected for its quarantine bound"):
            intake.accept(slug, day, waiver, CLOCK)
    accepted = intake.accept("tokopedia", date(2021, 3, 10), waiver, CLOCK)
    assert (accepted.loaded, accepted.quarantined) == (9, 1)
    assert len(ledger()) == 9
    rejected, found = overview.list_deliveries()
    assert (rejected["status"], found["status"]) == ("rejected", "accepted")
    assert found["waiver"] == {"accepted_by": "Siti", "because": "the platform cannot mend it"}
    assert intake.take_in("tokopedia", CLOCK) == intake.Intake()
    with pytest.raises(PrakerjaError, match="no delivery was rejected for its quarantine bound"):
        intake.accept("tokopedia", date(2021, 3, 10), waiver, CLOCK)


def test_only_the_rejected_files_can_be_accepted(home: Path) -> None:
    deliver(home / "landing", "tokopedia", "2021-03-10", [*rows(9), *rows(1, transaction_id="x", event="?")])
    intake.take_in("tokopedia", CLOCK)
    deliver(home / "landing", "tokopedia", "2021-03-10", rows(9, event="?"))
    with pytest.raises(PrakerjaError, match="the rejected files have changed"):
        intake.accept("tokopedia", date(2021, 3, 10), Waiver("Siti", "x"), CLOCK)
    assert ledger() == []


def test_quarantine_is_listed_masked(home: Path) -> None:
    bad = [Row("INV-123456", "?", NOON, "7.77024E+14", 5000), Row("id-y", "PAID", NOON, "'0234567890123456", 5000)]
    deliver(
        home / "landing", "tokopedia", "2021-03-10", [*rows(58), *bad, Row("", "", "", "", 0, raw="a,0234567890123456")]
    )
    intake.take_in("tokopedia", CLOCK)
    listed = overview.list_quarantine()
    assert [row["line"] for row in listed] == [60, 61, 62]
    assert "0234567890123456" not in json.dumps(listed)
    assert "123456" not in json.dumps(listed)
    assert listed[1]["delivered"]["card_number"] == "'••••••••••••3456"
    assert listed[2]["delivered"] == {"raw": "(18 characters)"}
    assert [row["line"] for row in overview.list_quarantine(reason="event_unknown")] == [60]
    assert overview.list_quarantine(platform="sisnaker") == []
    assert overview.list_quarantine(first=date(2021, 3, 11)) == []
    assert "0234567890123456" in json.dumps(overview.list_quarantine(is_masked=False))


def test_order_of_deliveries_does_not_change_the_ledger(home: Path) -> None:
    landing = home / "landing"
    for revision in (1, 2):
        deliver(landing, "tokopedia", "2021-03-10", rows(revision), revision=revision)
        deliver(landing, "bukalapak", "2021-03-10", rows(revision), revision=revision)
    for slug in ("tokopedia", "bukalapak"):
        intake.take_in(slug, CLOCK)
    first = ledger()
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("truncate transactions, quarantine, deliveries restart identity cascade")
    hidden = home / "hidden"
    (landing / "feeds" / "tokopedia" / "2021-03-10" / "r1").rename(hidden)
    for slug in ("bukalapak", "tokopedia"):
        intake.take_in(slug, CLOCK)
    hidden.rename(landing / "feeds" / "tokopedia" / "2021-03-10" / "r1")
    intake.take_in("tokopedia", CLOCK)
    assert ledger() == first


def test_an_eighth_platform_is_one_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prakerja import platforms

    eighth = home / "kariermu.yaml"
    eighth.write_text((INCLUDE / "platforms" / "sekolahmu.yaml").read_text()
                      .replace("platform: sekolahmu", "platform: kariermu").replace("records: data", "records: rows")
                      .replace("says: {platform: sekolah.mu}", "says: {}"))  # fmt: skip
    known = platforms.platforms() | {"kariermu": platforms.Platform.from_file(eighth)}
    monkeypatch.setattr("prakerja.feeds.delivery.platforms", lambda: known)
    data = writers.write("sekolahmu", rows(2)).replace(b'"data"', b'"rows"')
    monkeypatch.setitem(writers.FILES, "kariermu", "transactions.json")
    deliver(home / "landing", "kariermu", "2021-03-10", rows(2), data=data)
    assert intake.take_in("kariermu", CLOCK).accepted[0]["loaded"] == 2


def test_a_killed_load_leaves_nothing_and_the_next_one_loads_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(home / "landing", "tokopedia", "2021-03-10", [*rows(39), Row("id-x", "?", NOON, "1", 5000)])
    real = warehouse.copy

    def dies_at_the_quarantine(connection: Any, data: warehouse.CopyData) -> None:
        if data.table == "quarantine":
            raise KeyboardInterrupt
        real(connection, data)

    monkeypatch.setattr(warehouse, "copy", dies_at_the_quarantine)
    with pytest.raises(KeyboardInterrupt):
        intake.take_in("tokopedia", CLOCK)
    assert overview.list_deliveries() == []
    assert ledger() == []
    monkeypatch.setattr(warehouse, "copy", real)
    assert len(intake.take_in("tokopedia", CLOCK).accepted) == 1
    assert len(ledger()) == 39


def test_a_delivery_that_we_stumble_over_keeps_no_other_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in ("2021-03-09", "2021-03-10"):
        deliver(home / "landing", "tokopedia", day, rows(1, occurred_at=NOON - timedelta(days=1)))
    from prakerja.feeds import readers

    real = readers.read

    def stumbles(data: bytes, platform: Any) -> Any:
        monkeypatch.setattr(readers, "read", real)
        raise UnicodeEncodeError("utf-8", "0234567890123456", 0, 1, "secret")

    monkeypatch.setattr(readers, "read", stumbles)
    taken = intake.take_in("tokopedia", CLOCK)
    assert [d["business_date"] for d in taken.accepted] == ["2021-03-10"]
    assert taken.rejected == [
        "tokopedia 2021-03-09 r1: could not be taken in (UnicodeEncodeError): this is a defect, report it"
    ]
    assert len(intake.take_in("tokopedia", CLOCK).accepted) == 1, "it is tried again"


@pytest.mark.parametrize("platform", sorted(platforms()))
def test_texts_of_a_mebibyte_load_and_a_longer_one_makes_its_row_unreadable(home: Path, platform: str) -> None:
    whole = "é" * (1 << 19)
    text = "WHOLE" if platform == "mau-belajar-apa" else whole  # openpyxl cuts off what Excel does not show
    given = [
        Row(text, "PAID", NOON, f"{1:016}", 5000, course=text, voucher=text),
        Row(text, "CANCELLED", NOON, f"{1:016}", 5000),
        *rows(60),
        Row(text + "x", "PAID", NOON, f"{2:016}", 5000),
        Row("id-c", "PAID", NOON, f"{3:016}", 5000, course=text + "x"),
        Row("id-v", "PAID", NOON, f"{4:016}", 5000, voucher=text + "x"),
    ]
    data = writers.write(platform, given)
    if text != whole:
        with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(packed := io.BytesIO(), "w") as after:
            for name in before.namelist():
                after.writestr(name, before.read(name).replace(text.encode(), whole.encode()))
        data = packed.getvalue()
    deliver(home / "landing", platform, "2021-03-10", given, data=data)
    assert intake.take_in(platform, CLOCK).rejected == []
    found = only_delivery()
    assert (found["loaded"], found["quarantined"]) == (62, {"row_unreadable": 3})
    assert [row[-1] for row in ledger() if row[4] == "CANCELLED"] == [whole]
    with warehouse.transaction(as_owner=True) as connection:
        held = connection.exec_driver_sql("select might_be::text from quarantine order by line").scalars().all()
    assert held == ["{[2,3)}", "{[3,4)}", "{[4,5)}"]


def test_a_value_the_warehouse_cannot_hold_is_not_a_temporary_failure(home: Path) -> None:
    long_text = "insert into texts select string_agg(md5(n::text), '') from generate_series(1, 1000) as n"
    with (
        pytest.raises(warehouse.RefusedError, match="ProgramLimitExceeded"),
        warehouse.transaction(as_owner=True) as connection,
    ):
        connection.exec_driver_sql(f"create temporary table texts (text text primary key); {long_text}")


def test_extra_columns_are_warned_of(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = (
        writers.write("tokopedia", rows(1))
        .replace(b"voucher_code\n", b"voucher_code,hadiah\n")
        .replace(b",\n", b",,x\n")
    )
    deliver(home / "landing", "tokopedia", "2021-03-10", rows(1), data=data)
    assert intake.take_in("tokopedia", CLOCK).rejected == []
    assert "hadiah" in caplog.text


def test_logs_and_reports_have_no_personal_data(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    card = "0234567890123456"
    caplog.set_level("DEBUG")
    deliver(home / "landing", "tokopedia", "2021-03-10", [*rows(1, card=card), Row("id-x", "?", NOON, card, 1)])
    taken = intake.take_in("tokopedia", CLOCK)
    assert taken.rejected
    told = caplog.text + json.dumps(overview.list_deliveries()) + "".join(taken.rejected)
    assert card not in told
    assert card.lstrip("0") not in told


def test_a_storage_failure_rejects_nothing_and_does_not_stop_other_deliveries(home: Path) -> None:
    from upath import UPath

    from prakerja.landing import StorageError

    folder = deliver(home / "landing", "tokopedia", "2021-03-09", rows(1, occurred_at=NOON - timedelta(days=1)))
    deliver(home / "landing", "tokopedia", "2021-03-10", rows(1))
    real = UPath.open

    def gives_way(path: Any, *given: Any, **more: Any) -> Any:
        if path.name == "transactions.csv" and path.parent.parent.name == "2021-03-09":
            raise TimeoutError("the storage is away")
        return real(path, *given, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(UPath(folder)), "open", gives_way)
        with pytest.raises(
            StorageError, match=r"transactions\.csv could not be read \(TimeoutError\): check the storage"
        ):
            intake.take_in("tokopedia", CLOCK)
    assert [row["business_date"] for row in overview.list_deliveries()] == ["2021-03-10"]
    assert len(intake.take_in("tokopedia", CLOCK).accepted) == 1


def test_what_was_hashed_is_what_was_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is exchanged between two looks at it is not the declared one, however good it is."""
    folder = deliver(home / "landing", "tokopedia", "2021-03-10", rows(2))
    whole = (folder / "transactions.csv").read_bytes()
    from prakerja.feeds import readers

    real = readers.read

    def exchanged(stream: Any, platform: Any) -> Any:
        (folder / "transactions.csv").write_bytes(whole.replace(b"5000", b"6000"))
        return real(stream, platform)

    monkeypatch.setattr(readers, "read", exchanged)
    (line,) = intake.take_in("tokopedia", CLOCK).rejected
    assert "sha256_mismatch" in line
    assert ledger() == []


def test_a_full_home_rejects_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prakerja.feeds import canonical
    from prakerja.landing import StorageError

    class Full(io.BytesIO):
        def write(self, data: Any) -> int:  # noqa: ARG002
            raise OSError(errno.ENOSPC, "no room")

    deliver(home / "landing", "tokopedia", "2021-03-10", rows(2))
    monkeypatch.setattr(canonical.tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(StorageError, match=r"the home cannot store a delivery's rows \(OSError\): free some space"):
        intake.take_in("tokopedia", CLOCK)
    assert overview.list_deliveries() == []
