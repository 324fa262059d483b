"""The Data Docs: a page for whatever was judged, no value of any row, no request to anybody."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from prakerja.errors import PrakerjaError
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


# -- on a volume that workers share ------------------------------------------------------------------------------------

#: Writes half a page, and dies.
KILLED = """
import os, pathlib, signal, sys
from prakerja import atomic_files
with atomic_files.open_replacement(pathlib.Path(sys.argv[1])) as file:
    file.write(b"<html>half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def take_in(home: Path, *days: int) -> list[Path]:
    """Take in a delivery of each day, and return their pages."""
    for day in days:
        deliver(home / "landing", "tokopedia", f"2021-03-{day}", rows(3, f"2021-03-{day}"))
    assert intake.take_in("tokopedia", CLOCK).rejected == []
    return [Path(found["data_docs"]) for found in overview.list_deliveries()]


def test_workers_with_one_process_id_build_the_site_at_once(
    home: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers count their processes from one, so that a process id is not unique on their volume."""
    monkeypatch.setattr(data_docs, "_page", lambda delivery, _: f"{100 * '<p>'}{delivery['delivery_id']}")
    pages = take_in(home, 10, 11, 12)
    for _ in range(10):
        with ThreadPoolExecutor(6) as workers:
            assert len(set(workers.map(lambda _: data_docs.build(), range(6)))) == 1
        assert sorted(path for path in site.rglob("*") if path.is_file()) == sorted([*pages, site / "index.html"])
        assert {page.read_text()[:300] for page in pages} == {100 * "<p>"}
        shutil.rmtree(site)


def test_a_killed_worker_leaves_neither_half_a_page_nor_anything_in_the_way(home: Path, site: Path) -> None:
    (page,) = take_in(home, 10)
    page.parent.mkdir(parents=True)
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", KILLED, page], check=False)
        assert done.returncode < 0
    assert not page.exists()
    assert len(list(page.parent.iterdir())) == 2, "what it had begun"
    index = data_docs.build().read_text()
    assert "13 of 13 expectations met" in page.read_text()
    assert re.findall(r'href="(tokopedia/[^"]+)"', index) == [str(page.relative_to(site))]


def test_an_emptied_volume_is_filled_again(home: Path, site: Path) -> None:
    pages = take_in(home, 10, 11)
    data_docs.build()
    shutil.rmtree(site)
    data_docs.build()
    assert all("13 of 13 expectations met" in page.read_text() for page in pages)


def test_another_user_of_the_group_reads_the_site(home: Path, volume: Path) -> None:
    """Containers write with this umask (docker/entrypoint.sh); the API server may run as another user of the group."""
    (page,) = take_in(home, 10)
    before = os.umask(0o027)
    try:
        data_docs.build()
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (volume, *volume.rglob("*"))}
    assert modes == {0o750, 0o640}
    if os.geteuid() == 0:
        another = {"user": 65534, "group": os.getegid(), "extra_groups": []}
        read = subprocess.run(["cat", page], capture_output=True, text=True, check=True, cwd="/", **another)
        assert "13 of 13 expectations met" in read.stdout


def test_a_site_that_cannot_be_written_is_one_line(home: Path, site: Path) -> None:
    take_in(home, 10)
    site.write_text("a file where the folder should be")
    with pytest.raises(PrakerjaError) as raised:
        data_docs.build()
    assert re.fullmatch(
        rf"{site}/tokopedia/\S+\.html cannot be written \(.*\): set PRAKERJA_DATA_DOCS to a folder you may write to",
        str(raised.value),
    )
