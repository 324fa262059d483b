"""The monitor's figures against the facts, and its pages: who sees what, and nobody's number."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import vl_convert
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from prakerja import warehouse
from prakerja.calendar import Cohort, calendar, cohort
from prakerja.cohorts import standing
from prakerja.errors import PrakerjaError
from prakerja.feeds.overview import mask
from prakerja.monitor import app, charts, curves, drawing, figures, report, statistics, story
from prakerja.monitor.figures import CohortFigures
from prakerja.revocations import explanation
from prakerja.settings import INCLUDE
from tests.landing_zone import roster_line
from tests.small_wave import DECIDED_ON, PEOPLE, bought, card, carry_out, restate

NOW = datetime(2021, 3, 15, 23, tzinfo=UTC)
Client = Callable[..., TestClient]


class Runs:
    """An orchestrator that has one run."""

    def runs_of(self, cohort: int) -> list[app.Run]:
        name = f"gelombang-{cohort}__deadline__2021-03-13"
        return [app.Run(name, f"dags/cohort_deadline/runs/{name}", "success", "48 purchased, 2 revoked", NOW)]

    def cohort_of(self, dag_id: str, run_id: str) -> int | None:
        return 12 if dag_id == "cohort_deadline" and run_id else None

    def intake_of(self, platform: str, recorded_at: datetime) -> str | None:
        return f"dags/platform_feeds/runs/daily__{recorded_at:%Y-%m-%d}/tasks/take_in/mapped/0?{platform}"


@pytest.fixture
def shown(wave: Cohort) -> Cohort:
    """Gelombang 12 after its deadline: two of fifty are revoked."""
    carry_out(wave)
    figures.refresh(NOW)
    return wave


@pytest.fixture
def client(shown: Cohort) -> Client:
    def looking(*, rows: bool = False, people: bool = False) -> TestClient:
        outer = FastAPI()
        outer.mount("/prakerja", app.application(lambda: app.Viewer("siti", rows, people), Runs()))
        return TestClient(outer, base_url="http://airflow/prakerja", follow_redirects=False)

    return looking


# -- figures -----------------------------------------------------------------------------------------------------------


def test_days_and_regions_add_up_to_the_cohort(shown: Cohort) -> None:
    found = figures.of_cohorts()[12]
    assert found.by_day == {date(2021, 3, 8): {"tokopedia": PEOPLE - 2}}
    (region,) = figures.regions_of(12)
    assert region["selected"] == PEOPLE == found.counts["selected"]
    assert region["purchased"] == PEOPLE - 2 == found.counts["purchased"]
    assert (region["revoked"], region["reinstated"]) == (2, 0)
    assert (found.counts["status"], found.counts["revoked"]) == ("decided", 2)


def test_counted_again_where_something_has_changed_and_only_there(home: Path, shown: Cohort) -> None:
    assert figures.refresh(NOW) == []
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])  # the second has bought after all
    assert figures.refresh(NOW) == [12]
    assert figures.of_cohorts()[12].counts["reinstatements_proposed"] == 1


def test_who_counts_does_not_wait_for_ever_and_leaves_nobody_else_impatient(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "PATIENCE_SECONDS", 1)
    with warehouse.exclusive("monitor"), pytest.raises(warehouse.UnavailableError):
        figures.refresh(NOW)
    for _ in range(3):  # every connection that the pool may give
        with warehouse.exclusive("another", 1), warehouse.transaction() as connection:
            assert connection.exec_driver_sql("show lock_timeout").scalar_one() == "0"


def test_an_open_cohort_is_counted_by_its_latest_intake(wave: Cohort) -> None:
    day = date(2021, 3, 10)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("update deliveries set arrived_on = '2021-03-09' where business_date = '2021-03-08'")
        connection.exec_driver_sql("update rosters set arrived_on = '2021-03-05'")
    standing.refresh_standings(day)
    assert figures.refresh(NOW) == [12]
    found = figures.of_cohorts()[12]
    assert (found.counts["as_of"], found.counts["at_risk"]) == ("2021-03-10", 2)
    assert curves.curve(cohort(12), found)[-1] == curves.Point(4, date(2021, 3, 9), PEOPLE - 2, (PEOPLE - 2) / PEOPLE)


# -- curves ------------------------------------------------------------------------------------------------------------


def figures_of(number: int, bought_by_days_left: dict[int, int], selected: int = 100) -> CohortFigures:
    wave = calendar()[number]
    by_day = {wave.deadline_on - timedelta(days=left): {"x": count} for left, count in bought_by_days_left.items()}
    last = min(bought_by_days_left)
    as_of = wave.deadline_on - timedelta(days=last - 1)
    return CohortFigures(number, NOW, {"selected": selected, "as_of": as_of.isoformat()}, by_day)


def test_the_forecast_goes_on_as_earlier_cohorts_did(home: Path) -> None:
    known = {
        12: figures_of(12, {8: 60, 3: 20, 0: 10}),  # of 20 who had not bought three days before, 10 had not at the end
        13: figures_of(13, {8: 40, 3: 20}, selected=200),
    }
    wave = cohort(13)
    before = curves.earlier(wave, curves.every(known))
    assert list(before) == [12]
    expected = curves.forecast(curves.curve(wave, known[13]), 200, before)
    assert expected == curves.Forecast(low=70, middle=70, high=70, cohorts=1, not_bought_now=140, days_left=3)


def test_without_earlier_cohorts_nothing_is_forecast(home: Path) -> None:
    points = curves.curve(cohort(12), figures_of(12, {8: 10, 3: 5}))
    assert curves.forecast(points, 100, {}) is None


@given(st.lists(st.lists(st.integers(0, 3), min_size=9, max_size=9), min_size=1, max_size=14))
def test_a_cohort_that_goes_on_as_one_of_the_earlier_lies_within_the_range_of_few(made: list[list[int]]) -> None:
    """And the range is never the wrong way around."""
    earlier = {}
    for number, per_day in enumerate(made):
        total, points = 0, []
        for left, count in zip(range(8, -1, -1), per_day, strict=True):
            total += count
            points.append(curves.Point(left, date(2021, 3, 13) - timedelta(days=left), total, total / 30))
        earlier[number] = points
    now = earlier[0][:5]
    expected = curves.forecast(now, 30, earlier)
    assert expected is not None
    assert 0 <= expected.low <= expected.middle <= expected.high <= expected.not_bought_now
    if len(earlier) < curves.MANY:
        assert expected.low <= 30 - earlier[0][-1].bought <= expected.high


# -- statistics and report ---------------------------------------------------------------------------------------------


COUNT = st.one_of(st.integers(0, 12), st.integers(0, 2000))


@given(st.lists(st.tuples(COUNT, COUNT, COUNT, COUNT, COUNT, COUNT), min_size=1, max_size=6))
def test_no_small_count_is_told_nor_can_be_told_from_the_others(
    made: list[tuple[int, int, int, int, int, int]],
) -> None:
    """Of what lacks in a sum that is told, two lack at least, and ten people; no sum that lacks can be added up."""
    rows = [
        {
            "purchased": purchased, "held": held, "not_bought": left, "excluded": excluded,
            "selected": purchased + held + left + excluded, "revoked": freed + again, "reinstated": again,
            "freed": freed,
        }
        for purchased, held, left, excluded, freed, again in made
    ]  # fmt: skip
    *told, total = statistics.suppressed(rows, 10)
    true = [*rows, {name: sum(row[name] for row in rows) for name in statistics.COUNTS}]
    shown = [*told, total]
    for row, of_row in zip(true, shown, strict=True):
        for name in statistics.COUNTS:
            assert of_row[name] in (None, row[name])
            assert of_row[name] is None or not 0 < of_row[name] < 10
        for whole, parts in (
            ("selected", ("purchased", "held", "not_bought", "excluded")), ("revoked", ("freed", "reinstated")),
        ):  # fmt: skip
            assert_untold([(row[part], of_row[part]) for part in parts], of_row[whole])
    for name in statistics.COUNTS:
        assert_untold([(row[name], of_row[name]) for row, of_row in zip(rows, told, strict=True)], total[name])


def assert_untold(parts: list[tuple[int, int | None]], whole: int | None) -> None:
    lacking = [value for value, shown in parts if shown is None]
    if whole is None:
        assert lacking
    elif lacking:
        assert len(lacking) > 1
        assert sum(lacking) >= 10


def test_statistics_are_published_for_anybody(home: Path, shown: Cohort) -> None:
    statistics.publish()
    folder = home / "publish" / "statistics"
    told = json.loads((folder / "statistics.json").read_text())
    assert told["as_of"] == "2021-03-16"
    (row,) = told["cohorts"]
    assert (row["selected"], row["revoked"], told["total"]["revoked"]) == (PEOPLE, None, None), "two are too few"
    assert f"<td>{PEOPLE}</td>" in (folder / "index.html").read_text()


def test_an_extension_that_is_not_announced_yet_is_told_to_nobody(home: Path, shown: Cohort) -> None:
    (home / "calendar.yaml").write_text(
        "cohorts:\n- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-13, note: short, extensions: ["
        "{announced_on: 2021-03-20, deadline_on: 2021-03-31, because: flood}]}\n"
    )
    for now in (NOW, NOW + timedelta(days=10)):  # nor does it move what was carried out
        figures.refresh(now)
        (row,) = statistics.page()["cohorts"]
        assert (row["deadline_on"], row["is_decided"]) == ("2021-03-13", True)


def test_statistics_are_as_old_as_the_oldest_figure_that_may_change(home: Path, wave: Cohort) -> None:
    standing.refresh_standings(date(2021, 3, 15))
    figures.refresh(NOW - timedelta(days=2))
    with warehouse.transaction(as_owner=True) as connection:  # another cohort, counted since
        connection.exec_driver_sql(
            "insert into cohort_figures select 13, %s, '', figures from cohort_figures where cohort = 12", (NOW,)
        )
    assert statistics.page()["as_of"] == "2021-03-14"


def test_without_a_roster_no_statistics_are_published(home: Path) -> None:
    statistics.publish()
    assert not (home / "publish" / "statistics").exists()


def test_a_report_tells_what_could_be_told_then(home: Path, shown: Cohort) -> None:
    before = report.as_of(DECIDED_ON)
    assert (before.total("revoked"), before.total("reinstated")) == (2, 0)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])
    from prakerja.revocations import reinstatement

    reinstatement.reinstate(DECIDED_ON + timedelta(days=2), "Siti")
    assert report.as_of(DECIDED_ON).as_mapping() == before.as_mapping()
    after = report.as_of(DECIDED_ON + timedelta(days=2))
    assert (after.total("revoked"), after.total("reinstated"), after.total("freed")) == (2, 1, 1)
    assert "kepesertaan 2 dari 50 penerima (4,0 %) dicabut" in after.as_text("id")
    assert "2 of 50 recipients (4.0 %) were revoked" in after.as_text("en")
    assert {figure.query for figure in after.figures} == {report.QUERY}
    asked = report.as_of(DECIDED_ON).cohorts[0] | {"stage": "asked", "revoked": 0}
    told = report.Report(DECIDED_ON, [asked], after.figures).as_text("en")
    assert "Nobody is revoked: their revocations wait for an approval." in told
    with pytest.raises(PrakerjaError, match="nothing can be told as of 2021-01-01"):
        report.as_of(date(2021, 1, 1))


def test_a_reports_charts_are_drawn(home: Path, shown: Cohort, tmp_path: Path) -> None:
    drawn = list(drawing.draw_curves(tmp_path / "charts", [12]))
    assert [path.name for path in drawn] == ["gelombang-12.svg", "gelombang-12.png"]
    assert drawn[0].read_text().startswith("<svg")
    assert drawn[1].read_bytes()[:4] == b"\x89PNG"


# -- charts ------------------------------------------------------------------------------------------------------------


def test_what_draws_in_the_browser_is_what_the_wheel_bundles() -> None:
    bundled = vl_convert.javascript_bundle(vl_version=drawing.VEGA_LITE)
    assert (Path(app.__file__).parent / "static" / "vega.js").read_text() == bundled, "make bundle"


@pytest.mark.parametrize("file", sorted(path.stem for path in charts.SPECIFICATIONS.glob("*.json")))
def test_every_specification_is_one(file: str) -> None:
    if file == "config":
        return
    compiled = vl_convert.vegalite_to_vega(charts.Chart(file, "", "", {}, []).specification(), drawing.VEGA_LITE)
    assert compiled["marks"]


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
        raise warehouse.UnavailableError("the warehouse broke off")

    monkeypatch.setattr(story.warehouse, "execute", refused)
    answer = looking.get("/person/1?language=id")
    assert answer.status_code == 503
    assert "tokopedia" not in answer.text


@pytest.mark.parametrize(
    ("field", "delivered", "shown"),
    [
        ("occurred_at", "2021-03-08T12:00:00+07:00", "2021-03-08T12:00:00+07:00"),
        ("amount_idr", "500000", "500000"),
        ("course_id", "KLS-0042", "KLS-0042"),
        ("course_id", "08123456789", "•••••••6789"),
        ("course_id", "317301-010203-0001", "••••••-••••••-0001"),
        ("transaction_id", "for budi@example.com", "for •@example.com"),
        ("course_id", card(1), "••••••••••••0001"),
        ("course_id", "1000 0000 0000 0001", "•••• •••• •••• 0001"),
        ("card_number", card(1), "••••••••••••0001"),
    ],
)
def test_a_damaged_row_shows_what_is_wrong_and_nobodys_number(field: str, delivered: str, shown: str) -> None:
    """Also where columns were mixed up."""
    assert mask(field, delivered) == shown


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


def test_nobodys_number_stands_on_a_page(client: Client, home: Path) -> None:
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
    ],
)  # fmt: skip
def test_what_is_asked_wrongly_gets_a_line(client: Client, path: str, status: int) -> None:
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
    kinds = {"reinstatement_proposed", "hold_resolvable", "purchase_gone", "damaged_row", "spared", "late_purchase"}
    kinds |= {"paid", "cancelled", "refunded", "listed", "withdrawn_from_list", "appeal_upheld", "appeal_dismissed"}
    kinds |= {
        name
        for name in ("selected", "doubtful_row", "reminded", "suspended", "suspension_lifted", "withdrawn", "decided",
                     "deadline_extended", "approved", "revoked", "reinstated", "appealed", "hold_resolved")
        if f"'{name}'" in told
    }  # fmt: skip
    assert set(words["events"]) == kinds
    for texts in (*words["states"].values(), *words["reasons"].values(), *words["page"].values()):
        assert set(texts) == {"id", "en"}
    for event in words["events"].values():
        assert set(event["title"]) == {"id", "en"} == set(event.get("told", event["title"]))


def test_the_story_is_the_one_that_explain_tells(shown: Cohort) -> None:
    (told,) = explanation.explain([card(1)])
    page = story.page(1, "siti", "en")
    assert [event["what"] for event in page["events"]] == [event["what"] for event in told["events"]]
    assert (page["state"], page["cohort"]) == (told["state"], told["cohort"])
    assert json.dumps(page, default=str).count(card(1)) == 0
