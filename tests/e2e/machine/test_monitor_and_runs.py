"""The monitor and Airflow's runs: one changes with the other while it is open, and each leads to the other."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.e2e.machine.conftest import DEADLINE_12, begin_deadlines
from tests.support.browser import Visitor
from tests.support.running_machine import PATIENCE, Machine


def test_a_cohort_changes_while_its_page_is_open(fed: Machine, admin: Visitor) -> None:
    """Decided, asked about, approved by the admin, revoked: seen without a click; and the run tells of it."""
    frame = admin.open_in_airflow()
    row = frame.locator("#cohort-12")
    expect(row).to_contain_text("open")
    begin_deadlines(fed)
    expect(row).to_contain_text("awaiting approval", timeout=1000 * PATIENCE)
    expect(frame.locator(".needs")).to_contain_text("overdue wait for an approval")
    fed.answer(DEADLINE_12, "Approve", "admin")
    expect(row).to_contain_text("decided", timeout=1000 * PATIENCE)
    done = fed.await_run("cohort_deadline", DEADLINE_12)
    revoked = fed.instance.cohorts()[12]["revoked"]
    assert re.fullmatch(rf"gelombang-12: [\d,]+ purchased, {revoked:,} revoked, [\d,]+ held", done["note"])
    assert revoked > 0


def test_a_run_and_its_tasks_lead_to_the_monitor_and_back(decided: Machine, admin: Visitor) -> None:
    page = admin.page
    page.goto(f"{admin.base}/dags/cohort_deadline/runs/{DEADLINE_12}")
    page.get_by_role("link", name="Monitor").click()
    frame = page.frame_locator("iframe")
    expect(frame.locator("h1")).to_have_text("Gelombang 12")
    frame = admin.open_in_airflow("/cohorts/12")
    frame.get_by_role("link", name=DEADLINE_12).click()
    page.wait_for_url(f"**/dags/cohort_deadline/runs/{DEADLINE_12}**")
    page.goto(f"{admin.base}/dags/cohort_deadline/runs/{DEADLINE_12}/tasks/reconcile")
    expect(page.get_by_text("Reconcile: count").first).to_be_visible()
    expect(page.get_by_role("link", name="Monitor")).to_be_visible()


def test_one_click_leads_from_the_calendar_to_the_delivery_and_its_log(fed: Machine, admin: Visitor) -> None:
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


def test_runs_have_notes_about_their_outcome(fed: Machine) -> None:
    runs = fed.runs("platform_feeds")
    notes = [each["note"] for each in runs if each["note"]]
    told = r"\d{4}-\d\d-\d\d: [\d,]+ deliveries of \d platforms, [\d,]+ rows, [\d,]+ quarantined.*"
    assert [note for note in notes if not (re.fullmatch(told, note) or note.startswith("red: "))] == []
    # Runs at once share what lies there: whichever comes first to a platform takes in all of it.
    assert sum(int(number) for note in notes for number in re.findall(r"deliveries of (\d) platforms", note)) >= 7
    run = next(each["dag_run_id"] for each in runs if each["run_type"] == "backfill")
    mapped = {each["rendered_map_index"] for each in fed.tasks("platform_feeds", run)} - {None}
    assert "tokopedia" in mapped
