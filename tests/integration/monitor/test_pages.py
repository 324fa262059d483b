"""The monitor's pages: who sees what, and nobody's number."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from prakerja import warehouse
from prakerja.calendar import Cohort
from prakerja.feeds import data_docs
from prakerja.monitor import story
from prakerja.platforms import EVENTS
from prakerja.revocations import explanation
from prakerja.settings import INCLUDE
from tests.support.landing_zone import roster_line
from tests.support.monitor_viewer import Client
from tests.support.recorded_facts import FINDINGS
from tests.support.small_cohort import PEOPLE, bought, card, restate

# -- pages -------------------------------------------------------------------------------------------------------------

PAGES = ("/", "/cohorts/12", "/feeds", "/feeds/tokopedia/2021-03-08", "/statistics", "/statistics.json")


@pytest.mark.parametrize("page", PAGES)
def test_a_viewer_sees_sums(client: Client, page: str) -> None:
    answer = client().get(page)
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_who_may_see_what(client: Client) -> None:
    assert "Quarantined rows are for operators" in client().get("/feeds/tokopedia/2021-03-08").text
    assert client().get("/data-docs/index.html").status_code == 403
    for who in (client(), client(rows=True)):
        assert who.get("/person").status_code == 403
        assert who.get("/person/1").status_code == 403
        assert who.post("/person", data={"number": card(1)}).status_code == 403
        assert ">Person<" not in who.get("/").text
    assert client(rows=True, people=True).get("/person").status_code == 200


def test_the_validation_result_is_linked_where_it_can_be_read(
    client: Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers of another machine have written it to the folder that they share with the API server."""
    monkeypatch.setenv("PRAKERJA_DATA_DOCS", str(home / "volume"))
    operator, delivery = client(rows=True), "/feeds/tokopedia/2021-03-08"
    assert "Validation result" not in operator.get(delivery).text, "it is not written yet"
    data_docs.build()
    (address,) = re.findall(
        r'href="/prakerja(/data-docs/[^"]+)" target="_blank">Validation result', operator.get(delivery).text
    )
    assert "expectations met" in operator.get(address).text
    assert "Validation result" not in client().get(delivery).text, "for operators only"
    assert client().get(address).status_code == 403
    refuse_to_read(home / "volume", monkeypatch)
    page = operator.get(delivery)
    assert (page.status_code, "Validation result" in page.text) == (200, False)
    assert operator.get(address).status_code == 404


def refuse_to_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a folder be another user's, which tests that run as root cannot try."""
    stat, access = os.stat, os.access

    def is_inside(path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and Path(path).is_relative_to(folder) and Path(path) != folder

    def refuse(path: Any, *more: Any, **named: Any) -> Any:
        if is_inside(path):
            raise PermissionError(13, "Permission denied")
        return stat(path, *more, **named)

    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr(os, "access", lambda path, mode: not is_inside(path) and access(path, mode))


def test_a_person_is_found_by_a_number_that_no_address_has(client: Client) -> None:
    looking = client(rows=True, people=True)
    answer = looking.post("/person", data={"number": f" {card(1)[:4]} {card(1)[4:]} ", "language": "id"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/prakerja/person/1?language=id"
    assert "kepesertaan dicabut" in looking.get("/person/1?language=id").text
    assert "revoked" in looking.get("/person/1?language=en").text
    unknown = looking.post("/person", data={"number": "9" * 16})
    assert (unknown.status_code, "9999" in unknown.text) == (404, False)


def test_each_look_is_in_the_audit_log_and_is_kept_before_anything_is_shown(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = client(rows=True, people=True)
    looking.get("/person/1?language=id")
    with warehouse.transaction() as connection:
        assert connection.exec_driver_sql("select recipient_id, looked_by from looks").all() == [(1, "siti")]
        facts = connection.exec_driver_sql("select facts from audit_log order by position desc limit 1").scalar_one()
    assert facts["looks"]["rows"] == 1
    assert looking.get("/person/999?language=id").status_code == 404
    looking.post("/person", data={"number": card(2)})  # to be found is to be looked at, whoever follows the link
    with warehouse.transaction() as connection:
        assert connection.exec_driver_sql("select recipient_id from looks order by look_id").scalars().all() == [1, 2]
    assert looking.get("/person/1?language=id").headers["cache-control"] == "no-store"

    def refused(*_: object, **__: object) -> None:
        raise warehouse.UnavailableError("the warehouse failed")

    monkeypatch.setattr(story.warehouse, "execute", refused)
    answer = looking.get("/person/1?language=id")
    assert answer.status_code == 503
    assert "tokopedia" not in answer.text


def test_an_operator_sees_what_a_revision_changed(client: Client, home: Path) -> None:
    page = "/feeds/tokopedia/2021-03-08"
    assert "What a revision changed" not in client(rows=True).get(page).text
    restate(home, [bought(n) for n in range(2, PEOPLE)] + [bought(PEOPLE, voucher="V2")])
    assert "1 added, 0 vanished, 1 changed" in client().get(page).text
    assert "What a revision changed" not in client().get(page).text
    shown = client(rows=True).get(page).text
    assert re.search(r"<td>added</td><td>PAID id-2</td><td></td><td>[^<]*card number ••••••••••••0002, ", shown)
    assert f"<td>changed</td><td>PAID id-{PEOPLE}</td><td></td><td>voucher code (another)</td>" in shown
    assert not re.search(r"\d{12}", shown.split("What a revision changed", 1)[1])


def test_no_page_contains_a_persons_number(client: Client, home: Path) -> None:
    looking = client(rows=True, people=True)
    people = [roster_line(n).split(",") for n in range(1, PEOPLE + 1)]
    secrets = {value for person in people for value in person if len(value) > 6}
    assert card(1) in secrets
    assert len(secrets) > 3 * PEOPLE
    for page in (
        *PAGES,
        "/cohorts/12?csv=curve",
        "/cohorts/12?csv=regions",
        "/person/1?language=en",
        "/feeds?csv=feeds",
    ):
        text = looking.get(page).text
        assert not [secret for secret in secrets if secret in text], page


def test_a_page_that_has_not_changed_is_not_sent_again(client: Client) -> None:
    looking = client()
    first = looking.get("/cohorts/12")
    assert looking.get("/cohorts/12", headers={"if-none-match": first.headers["etag"]}).status_code == 304


def test_every_chart_has_a_table_and_a_csv(client: Client) -> None:
    looking = client()
    page = looking.get("/cohorts/12").text
    for chart in ("curve", "platforms", "regions"):
        assert f'id="table-{chart}"' in page
        lines = list(csv.reader(looking.get(f"/cohorts/12?csv={chart}").text.splitlines()))
        assert len(lines) > 1
        assert {len(line) for line in lines} == {len(lines[0])}
    assert "this page has no chart" in looking.get("/cohorts/12?csv=x").text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/cohorts/99", 404), ("/cohorts/13", 404), ("/cohorts/x", 422), ("/cohorts/12?with=77", 404),
        ("/feeds/nobody/2021-03-08", 404), ("/feeds/tokopedia/yesterday", 422), ("/feeds?to=x", 422), ("/nothing", 404),
        ("/static/x/../../app.py", 404), ("/data-docs/%2e%2e/keys/contact_key.b64", 404),
        ("/data-docs/%00", 404),
    ],
)  # fmt: skip
def test_an_invalid_request_gets_a_line(client: Client, path: str, status: int) -> None:
    answer = client(rows=True).get(path)
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    if answer.headers["content-type"].startswith("text/html"):
        assert 'role="alert"' in answer.text


@pytest.mark.parametrize(
    ("dag_id", "place"), [("cohort_deadline", "cohorts/12"), ("platform_feeds", "feeds"), ("daily_audit", "")]
)
def test_a_run_leads_to_what_it_is_about(client: Client, dag_id: str, place: str) -> None:
    answer = client().get(f"/runs/{dag_id}/scheduled__2021-03-08T19:00:00+00:00")
    assert answer.headers["location"] == f"/prakerja/{place}"


# -- words -------------------------------------------------------------------------------------------------------------


def test_every_event_and_state_has_words_in_both_languages(shown: Cohort) -> None:
    words = story._words()
    told = (INCLUDE / "sql" / "revocations" / "list_events.sql").read_text()
    kinds = {*FINDINGS, *map(str.lower, EVENTS)}
    kinds |= {"listed", "withdrawn_from_list", "appeal_upheld", "appeal_dismissed"}
    kinds |= {
        name
        for name in ("selected", "doubtful_row", "reminded", "suspended", "suspension_lifted", "withdrawn", "decided",
                     "deadline_extended", "rejected", "approved", "revoked", "reinstated", "appealed", "hold_resolved")
        if f"'{name}'" in told
    }  # fmt: skip
    assert set(words["events"]) == kinds
    for texts in (*words["states"].values(), *words["reasons"].values(), *words["page"].values()):
        assert set(texts) == {"id", "en"}
    for event in words["events"].values():
        assert set(event["title"]) == {"id", "en"} == set(event.get("text", event["title"]))


def test_the_story_is_that_of_explain(shown: Cohort) -> None:
    (told,) = explanation.explain([card(1)])
    page = story.open_page(1, "siti", "en")
    assert [event["what"] for event in page["events"]] == [event["what"] for event in told["events"]]
    assert (page["state"], page["cohort"]) == (told["state"], told["cohort"])
    assert json.dumps(page, default=str).count(card(1)) == 0
