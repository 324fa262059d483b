"""The Data Docs: a page for whatever was judged, no value of any row, no request to anybody."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from prakerja.feeds import data_docs, intake, overview
from prakerja.settings import WIB
from prakerja.simulation.writers import Row
from tests.support.landing_zone import deliver

DAY, CLOCK = "2021-03-10", date(2021, 3, 31)


def rows(count: int, day: str = DAY, card: str = "0234567890123456") -> list[Row]:
    noon = datetime.combine(date.fromisoformat(day), datetime.min.time(), WIB) + timedelta(hours=12)
    return [Row(f"TRX-{day}-{n}", "PAID", noon, card, 5000) for n in range(count)]


def test_every_judged_delivery_has_a_page_and_the_index_leads_to_it(home: Path, site: Path) -> None:
    deliver(home / "landing", "tokopedia", DAY, [*rows(40), Row("TRX-x", "?", rows(1)[0].occurred_at, "12345", 5000)])
    deliver(home / "landing", "tokopedia", DAY, rows(3, card="123456789012345"), 2)  # over its bound: judged, rejected
    deliver(home / "landing", "tokopedia", DAY, rows(1), 3, file={"rows": 2})  # not as declared: never judged
    intake.take_in("tokopedia", CLOCK)
    index = data_docs.build().read_text()
    pages = re.findall(r'href="(tokopedia/[^"]+)"', index)
    assert len(pages) == 2
    assert [found["data_docs"] for found in overview.list_deliveries()] == [
        *(str(site / page) for page in reversed(pages)),
        None,
    ]
    accepted, over = ((site / page).read_text() for page in reversed(pages))
    assert "11 of 13 expectations met" in accepted
    assert "values must match this regular expression" in accepted
    assert "card_number_malformed" in accepted
    assert "Rejected: quarantine_bound_exceeded: 3 of 3 rows" in over
    for text in (index, accepted, over):
        assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//|@import|url\(\s*["']?http""", text)
        assert "default-src 'none'" in text
        assert not re.search(r"\d{12,}|TRX-", text), "no value of any row"
    told = {page: (site / page).stat().st_mtime_ns for page in pages}
    data_docs.build()
    assert told == {page: (site / page).stat().st_mtime_ns for page in pages}, "what is written stays"


def test_an_empty_day_is_judged_too(home: Path, site: Path) -> None:
    deliver(home / "landing", "sisnaker", DAY, [])
    assert intake.take_in("sisnaker", CLOCK).rejected == []
    data_docs.build()
    (found,) = overview.list_deliveries()
    assert "13 of 13 expectations met" in Path(found["data_docs"]).read_text()


def test_nothing_was_judged_yet(home: Path, site: Path) -> None:
    assert "<h1>Deliveries</h1>" in data_docs.build().read_text()


@pytest.mark.parametrize(
    ("count", "warnings"), [(33, ["volume_unusual"]), (34, []), (1000, []), (1001, ["volume_unusual"])]
)
def test_a_day_far_from_the_usual_number_is_warned_of_and_in_force(
    home: Path, site: Path, caplog: pytest.LogCaptureFixture, count: int, warnings: list[str]
) -> None:
    for day in range(10, 17):
        # Half of these are as many as usual; a median is not moved by a few that are not.
        deliver(home / "landing", "tokopedia", f"2021-03-{day}", rows(5 if day == 12 else 100, f"2021-03-{day}"))
    deliver(home / "landing", "tokopedia", "2021-03-17", rows(count, "2021-03-17"))
    assert intake.take_in("tokopedia", CLOCK).rejected == []
    (found,) = (each for each in overview.list_deliveries() if each["business_date"] == "2021-03-17")
    assert (found["status"], found["is_in_force"], found["warnings"]) == ("accepted", True, warnings)
    assert ("tokopedia 2021-03-17 r1: volume_unusual" in caplog.text) == bool(warnings)
    data_docs.build()
    page = Path(found["data_docs"]).read_text()
    assert ('class="warning"' in page) == bool(warnings)
    assert "Must have greater than or equal to" in page


def test_too_short_a_history_says_nothing(home: Path) -> None:
    for day in range(10, 16):
        deliver(home / "landing", "tokopedia", f"2021-03-{day}", rows(100, f"2021-03-{day}"))
    deliver(home / "landing", "tokopedia", "2021-03-17", rows(1, "2021-03-17"))
    intake.take_in("tokopedia", CLOCK)
    assert all(each["warnings"] == [] for each in overview.list_deliveries())
