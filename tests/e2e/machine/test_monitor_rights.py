"""Who sees what in the monitor: a viewer sums, an operator rows, an admin people; and each look is kept."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import Browser, expect

from tests.e2e.machine.conftest import PAGES
from tests.support.browser import Visitor
from tests.support.leaks import leaked
from tests.support.running_machine import Machine


def test_nobody_sees_anything_without_logging_in(fed: Machine, admin: Visitor) -> None:
    admin.open("/")
    static = next(address for address in admin.asked if address.endswith("monitor.js"))
    with httpx.Client(base_url=admin.base) as nobody:
        for path in (*PAGES, "/person/1", "/statistics.json", "/data-docs/index.html", static):
            answer = nobody.get(path if "://" in path else f"/prakerja{path}")
            assert answer.status_code == 401, path
            assert "tokopedia" not in answer.text


def test_a_viewer_sees_sums_an_operator_rows_and_an_admin_people(
    browser: Browser, fed: Machine, secrets: set[str]
) -> None:
    seen = {}
    for user in ("viewer", "operator", "admin"):
        visitor = Visitor(browser, fed, user)
        page = visitor.open("/feeds/bukalapak/2021-03-08")
        rows = page.get_by_text("Quarantined rows are for operators").count() == 0
        people = page.get_by_role("link", name="Person", exact=True).count() == 1
        answer = page.goto(f"{visitor.base}/prakerja/person/1")
        assert answer is not None
        seen[user] = (rows, people, answer.status)
        for path in (*PAGES, "/feeds/bukalapak/2021-03-08", "/statistics.json", "/cohorts/12?csv=curve"):
            text = visitor.page.request.get(f"{visitor.base}/prakerja{path}").text()
            assert leaked(secrets, text) == [], path
        visitor.close()
    assert seen == {"viewer": (False, False, 403), "operator": (True, False, 403), "admin": (True, True, 200)}


def test_a_persons_story_and_who_has_looked(fed: Machine, admin: Visitor, secrets: set[str]) -> None:
    person = fed.instance.people()[0]
    frame = admin.open_in_airflow("/person")
    frame.get_by_label("Card number or NIK").fill(person["nik"])
    frame.get_by_role("button", name="Show").click()
    expect(frame.locator("h1")).to_have_text("Riwayat penerima")
    # The page above takes the frame's address a moment after the frame has loaded.
    expect(admin.page).to_have_url(re.compile(r".*/prakerja/person/\d+\?language=id"))
    shown = frame.locator("body").inner_html()
    assert leaked(secrets, shown) == []
    frame.get_by_role("link", name="English").click()
    expect(frame.locator("h1")).to_have_text("A recipient's story")
    with fed.instance.database("warehouse") as connection:
        looked = connection.execute("select distinct looked_by from looks").fetchall()
    assert looked == [("admin",)]
    assert fed.instance.run("audit", "verify").returncode == 0
