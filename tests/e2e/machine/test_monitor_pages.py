"""The monitor in a real browser, in a running Airflow: each page, light and dark, by mouse and by keyboard."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.machine.conftest import PAGES
from tests.support.browser import Visitor
from tests.support.running_machine import Machine

#: What the page that is open weighs to somebody who has never been here: bodies as they come over the wire, also those
#: that this browser has kept, and 300 bytes of headers to each, as browsers count.
WEIGHT = """performance.getEntries().filter((entry) => entry.encodedBodySize)
    .reduce((sum, entry) => sum + entry.encodedBodySize + 300, 0)"""


def test_it_is_in_the_navigation(fed: Machine, admin: Visitor) -> None:
    admin.log_in_by_hand()
    admin.page.get_by_role("link", name="Prakerja").or_(admin.page.get_by_role("button", name="Prakerja")).click()
    frame = admin.page.frame_locator("iframe")
    expect(frame.locator("h1")).to_have_text("Overview")
    frame.get_by_role("link", name="12", exact=True).click()
    expect(frame.locator("h1")).to_have_text("Gelombang 12")
    expect(frame.locator("figure .chart svg").first).to_be_visible()
    # An address that can be sent to others; the page above takes it a moment after the frame has loaded.
    expect(admin.page).to_have_url(f"{admin.base}/plugin/prakerja/prakerja/cohorts/12")


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_drawn_and_can_be_used_by_everybody(fed: Machine, visitor: Visitor, page: str) -> None:
    """In light and dark mode and on a phone; and each page has less than half a megabyte."""
    for look in ("light", "dark", "phone"):
        size = {"width": 390, "height": 800} if look == "phone" else {"width": 1400, "height": 900}
        theme = "dark" if look == "dark" else "light"
        visitor.page.set_viewport_size(size)
        visitor.page.emulate_media(color_scheme=theme)
        opened = visitor.open(page)
        assert opened.evaluate("document.documentElement.dataset.theme") == theme
        assert 200_000 < opened.evaluate(WEIGHT) < 500_000, look
        for figure in opened.locator("figure .chart").all():
            figure.scroll_into_view_if_needed()
            expect(figure.locator("svg")).to_be_attached()
        assert visitor.faults() == [], look
        assert visitor.errors == [], look
        assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"it moves: {look}"
        foreign = [address for address in visitor.asked if not address.startswith((visitor.base, "data:", "blob:"))]
        assert foreign == [], look


def test_by_keyboard(fed: Machine, admin: Visitor) -> None:
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


def test_the_calendar_is_clicked(fed: Machine, admin: Visitor) -> None:
    page = admin.open("/feeds")
    page.locator("figure svg .mark-rect.role-mark path").first.click()
    expect(page.locator("h1")).to_have_text(re.compile(r"^[a-z-]+, 2021-03-\d\d$"))


def test_a_chart_is_saved(fed: Machine, admin: Visitor) -> None:
    page = admin.open("/cohorts/12")
    expect(page.locator("figure .chart svg").first).to_be_attached()
    for kind, begin in (("png", b"\x89PNG"), ("svg", b"<svg")):
        with page.expect_download() as saved:
            page.locator(f"button[data-save={kind}]").first.click()
        assert Path(saved.value.path()).read_bytes().startswith(begin)
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV").first.click()
    assert Path(saved.value.path()).read_text().startswith("gelombang,day,")
