"""The monitor in a real browser, in a running Airflow: each page, each role, light and dark, while things change."""

from __future__ import annotations

import csv
import gzip
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser import CHROMIUM, Visitor, chromium
from tests.e2e.conftest import Instance
from tests.running_machine import Machine, running

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (Debian: apt install chromium)")

PAGES = ("/", "/cohorts/12", "/cohorts/12?with=13", "/feeds", "/feeds/tokopedia/2021-03-08", "/statistics")
RUN = "gelombang-12__deadline__2021-03-13"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, world: Path) -> Iterator[Machine]:
    """A running system that has taken in the nasty world, and decided nothing yet."""
    home = tmp_path_factory.mktemp("monitored")
    landing = home / "landing"
    shutil.copytree(world / "landing", landing)
    with running(Instance(home / "home", landing, world / "calendar.yaml")) as started:
        started.await_health()
        started.until(lambda: started.has_dag("platform_feeds"), "the DAG")
        day = ("--from-date", "2021-03-20", "--to-date", "2021-03-20T23:59")
        done = started.airflow("backfill", "create", "--dag-id", "platform_feeds", *day)
        assert done.returncode == 0, done.stderr[-2000:]
        started.unpause("platform_feeds")
        started.until(lambda: taken_in(started) is not None, "the intake")
        yield started


def taken_in(machine: Machine) -> dict[str, Any] | None:
    """The backfilled run, once it has ended: it has taken in whatever lay in the landing zone."""
    ended = [run for run in machine.runs("platform_feeds") if run["state"] in ("success", "failed")]
    return next((run for run in ended if run["dag_run_id"].startswith("backfill__")), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def admin(browser: Browser, machine: Machine) -> Visitor:
    return Visitor(browser, machine, "admin")


@pytest.fixture(scope="module")
def secrets(machine: Machine) -> set[str]:
    """Every number, name and address of the world's people."""
    found = set()
    for path in machine.instance.landing.glob("rosters/*/roster.csv.gz"):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for person in csv.DictReader(file):
                found |= {person[name] for name in ("card_number", "nik", "full_name", "phone", "email")}
    return {secret for secret in found if len(secret) > 8}


def test_it_is_in_the_navigation(admin: Visitor) -> None:
    admin.log_in_by_hand()
    admin.page.get_by_role("link", name="Prakerja").or_(admin.page.get_by_role("button", name="Prakerja")).click()
    frame = admin.page.frame_locator("iframe")
    expect(frame.locator("h1")).to_have_text("Overview")
    frame.get_by_role("link", name="12", exact=True).click()
    expect(frame.locator("h1")).to_have_text("Gelombang 12")
    expect(frame.locator("figure .chart svg").first).to_be_visible()
    assert admin.page.url.endswith("/plugin/prakerja/prakerja/cohorts/12"), "an address that can be sent to others"


@pytest.fixture(scope="module", params=["light", "dark", "phone"])
def visitor(request: pytest.FixtureRequest, browser: Browser, machine: Machine) -> Visitor:
    """Somebody who likes it light, or dark, or has a phone in hand."""
    size = {"width": 390, "height": 800} if request.param == "phone" else {"width": 1400, "height": 900}
    theme = "dark" if request.param == "dark" else "light"
    visitor = Visitor(browser, machine, "admin", viewport=size, color_scheme=theme)
    assert visitor.open("/").evaluate("document.documentElement.dataset.theme") == theme
    return visitor


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_drawn_and_can_be_used_by_everybody(visitor: Visitor, page: str) -> None:
    opened = visitor.open(page)
    for figure in opened.locator("figure .chart").all():
        figure.scroll_into_view_if_needed()
        expect(figure.locator("svg")).to_be_attached()
    assert visitor.faults() == []
    assert visitor.errors == []
    assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page itself does not move"
    assert [address for address in visitor.asked if not address.startswith((visitor.base, "data:", "blob:"))] == []


def test_a_page_weighs_less_than_half_a_megabyte(browser: Browser, machine: Machine) -> None:
    """All that comes over the wire to somebody who has never been here."""
    of_all = "performance.getEntries().reduce((sum, entry) => sum + (entry.transferSize || 0), 0)"
    for page in PAGES:
        weighs = Visitor(browser, machine, "viewer").open(page).evaluate(of_all)
        assert 200_000 < weighs < 500_000, page


def test_by_keyboard(admin: Visitor) -> None:
    page = admin.open("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('href')") == "/prakerja/cohorts/12":
            break
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Gelombang 12")
    page.locator("#table-curve summary").press("Enter")
    expect(page.locator("#table-curve table")).to_be_visible()


def test_nobody_sees_anything_without_logging_in(machine: Machine, admin: Visitor) -> None:
    static = next(address for address in admin.asked if address.endswith("monitor.js"))
    with httpx.Client(base_url=admin.base) as nobody:
        for path in (*PAGES, "/person/1", "/statistics.json", "/data-docs/index.html", static):
            answer = nobody.get(path if "://" in path else f"/prakerja{path}")
            assert answer.status_code == 401, path
            assert "tokopedia" not in answer.text


def test_a_viewer_sees_sums_an_operator_rows_and_an_admin_people(
    browser: Browser, machine: Machine, secrets: set[str]
) -> None:
    seen = {}
    for user in ("viewer", "operator", "admin"):
        visitor = Visitor(browser, machine, user)
        page = visitor.open("/feeds/bukalapak/2021-03-08")
        rows = page.get_by_text("Quarantined rows are for operators").count() == 0
        people = page.get_by_role("link", name="Person", exact=True).count() == 1
        answer = page.goto(f"{visitor.base}/prakerja/person/1")
        assert answer is not None
        seen[user] = (rows, people, answer.status)
        for path in (*PAGES, "/feeds/bukalapak/2021-03-08", "/statistics.json", "/cohorts/12?csv=curve"):
            text = visitor.page.request.get(f"{visitor.base}/prakerja{path}").text()
            assert not [secret for secret in secrets if secret in text], path
    assert seen == {"viewer": (False, False, 403), "operator": (True, False, 403), "admin": (True, True, 200)}


def test_a_persons_story_and_who_has_looked(admin: Visitor, machine: Machine, secrets: set[str]) -> None:
    person = machine.instance.people()[0]
    frame = admin.open_in_airflow("/person")
    frame.get_by_label("Card number or NIK").fill(person["nik"])
    frame.get_by_role("button", name="Show").click()
    expect(frame.locator("h1")).to_have_text("Riwayat penerima")
    assert re.fullmatch(r".*/prakerja/person/\d+\?language=id", admin.page.url)
    shown = frame.locator("body").inner_html()
    assert not [secret for secret in secrets if secret in shown]
    frame.get_by_role("link", name="English").click()
    expect(frame.locator("h1")).to_have_text("A recipient's story")
    with machine.instance.database("warehouse") as connection:
        looked = connection.execute("select distinct looked_by from looks").fetchall()
    assert looked == [("admin",)]
    assert machine.instance.run("audit", "verify").returncode == 0


def test_a_cohort_changes_while_its_page_is_open(admin: Visitor, machine: Machine) -> None:
    """Decided, asked about, approved by an operator, revoked: seen without a click; and the run tells of it."""
    frame = admin.open_in_airflow()
    row = frame.locator("#cohort-12")
    expect(row).to_contain_text("open")
    machine.unpause("cohort_deadline", "blacklist_readers")
    expect(row).to_contain_text("awaiting approval", timeout=180_000)
    expect(frame.locator(".needs")).to_contain_text("overdue wait for an approval")
    asked = "awaiting_input"
    machine.until(lambda: machine.states("cohort_deadline", RUN).get("ask_approval") == asked, "the question", 120)
    time.sleep(3)  # Airflow loses an answer that comes before its executor has said that the task sleeps
    machine.login("operator")
    question = f"/dags/cohort_deadline/dagRuns/{RUN}/taskInstances/ask_approval/-1/hitlDetails"
    machine.call("PATCH", question, json={"chosen_options": ["Approve"], "params_input": {}})
    machine.login()
    expect(row).to_contain_text("decided", timeout=180_000)
    done = machine.await_run("cohort_deadline", RUN)
    revoked = machine.instance.cohorts()[12]["revoked"]
    assert re.fullmatch(rf"gelombang-12: [\d,]+ purchased, {revoked:,} revoked, [\d,]+ held", done["note"])
    assert revoked > 0


def test_a_run_and_its_tasks_lead_to_the_monitor_and_back(admin: Visitor) -> None:
    page = admin.page
    page.goto(f"{admin.base}/dags/cohort_deadline/runs/{RUN}")
    page.get_by_role("link", name="Monitor").click()
    frame = page.frame_locator("iframe")
    expect(frame.locator("h1")).to_have_text("Gelombang 12")
    frame = admin.open_in_airflow("/cohorts/12")
    frame.get_by_role("link", name=RUN).click()
    page.wait_for_url(f"**/dags/cohort_deadline/runs/{RUN}**")
    page.goto(f"{admin.base}/dags/cohort_deadline/runs/{RUN}/tasks/reconcile")
    expect(page.get_by_text("Reconcile: count or decide").first).to_be_visible()
    expect(page.get_by_role("link", name="Monitor")).to_be_visible()


def test_one_click_leads_from_the_calendar_to_the_delivery_and_its_log(admin: Visitor) -> None:
    page = admin.open("/feeds")
    page.locator("#table-feeds summary").click()
    page.locator("#table-feeds a[href$='/feeds/tokopedia/2021-03-08']").click()
    expect(page.locator("h1")).to_have_text("tokopedia, 2021-03-08")
    validation = page.get_by_role("link", name="Validation result").first.get_attribute("href")
    answer = page.request.get(f"{admin.base}{validation}")
    assert answer.ok
    assert "Great Expectations" in answer.text() or "expect" in answer.text()
    page.get_by_role("link", name="The task's log").first.click()
    page.wait_for_url("**/dags/platform_feeds/runs/**")
    expect(page.get_by_text("Take in a platform's feed").first).to_be_visible()


def test_the_calendar_is_clicked(admin: Visitor) -> None:
    page = admin.open("/feeds")
    page.locator("figure svg .mark-rect.role-mark path").first.click()
    expect(page.locator("h1")).to_have_text(re.compile(r"^[a-z-]+, 2021-03-\d\d$"))


def test_a_chart_is_saved(admin: Visitor) -> None:
    page = admin.open("/cohorts/12")
    expect(page.locator("figure .chart svg").first).to_be_attached()
    for kind, begin in (("png", b"\x89PNG"), ("svg", b"<svg")):
        with page.expect_download() as saved:
            page.locator(f"button[data-save={kind}]").first.click()
        assert Path(saved.value.path()).read_bytes().startswith(begin)
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV").first.click()
    assert Path(saved.value.path()).read_text().startswith("gelombang,day,")


def test_runs_say_what_they_came_to(machine: Machine) -> None:
    run = taken_in(machine)
    assert run is not None
    notes = [each["note"] for each in machine.runs("platform_feeds") if each["note"]]
    told = r"\d{4}-\d\d-\d\d: [\d,]+ deliveries of \d platforms, [\d,]+ rows, [\d,]+ quarantined.*"
    assert [note for note in notes if not (re.fullmatch(told, note) or note.startswith("red: "))] == []
    assert any(" of 7 platforms" in note for note in notes)
    mapped = {each["rendered_map_index"] for each in machine.tasks("platform_feeds", run["dag_run_id"])} - {None}
    assert "tokopedia" in mapped
