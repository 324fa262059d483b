"""Statistics for anybody, and the report of a day."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from prakerja import warehouse
from prakerja.blacklist.service.app import build_application
from prakerja.blacklist.service.state import Service
from prakerja.calendar import Cohort
from prakerja.cohorts import standing
from prakerja.errors import PrakerjaError
from prakerja.monitor import drawing, figures, report, statistics
from tests.support.monitor_viewer import NOW, Client
from tests.support.small_cohort import DECIDED_ON, PEOPLE, bought, reinstate, restate


def test_statistics_are_published_for_anybody(home: Path, shown: Cohort) -> None:
    statistics.publish()
    folder = home / "publish" / "statistics"
    told = json.loads((folder / "statistics.json").read_text())
    assert told["as_of"] == "2021-03-16"
    (row,) = told["cohorts"]
    assert (row["selected"], row["revoked"], told["total"]["revoked"]) == (PEOPLE, None, None), "two are too few"
    assert f"<td>{PEOPLE}</td>" in (folder / "index.html").read_text()


def test_the_file_the_service_and_the_monitor_show_the_same_counts(
    home: Path, shown: Cohort, client: Client, service: Service
) -> None:
    """Also once a reinstatement is there: it shows nowhere before a run has counted, and small counts never do."""
    for _ in range(2):
        statistics.publish()
        service.refresh_keys()
        told = json.loads((home / "publish" / "statistics" / "statistics.json").read_text())
        served = TestClient(build_application(service)).get("/v1/statistics").json()
        assert [*served["cohorts"][0]] == ["cohort", "selected", "purchased", "held", "revoked", "reinstated"]
        assert served["cohorts"] == [{name: row[name] for name in served["cohorts"][0]} for row in told["cohorts"]]
        assert served["cohorts"][0]["revoked"] is None, "two are too few"
        assert client().get("/statistics.json").json() == told
        restate(home, [bought(n) for n in range(2, PEOPLE + 1)])
        reinstate(DECIDED_ON + timedelta(days=2))
        before = service.statistics
        service.refresh_keys()
        assert service.statistics == before
        figures.refresh(NOW + timedelta(days=2))


def test_a_service_shows_no_statistics_before_a_run_has_counted(home: Path, service: Service) -> None:
    service.refresh_keys()
    answer = TestClient(build_application(service)).get("/v1/statistics")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:prakerja:problem:no-statistics")


def test_an_extension_that_is_not_announced_yet_is_not_published(home: Path, shown: Cohort) -> None:
    (home / "calendar.yaml").write_text(
        "cohorts:\n- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-13, note: short, extensions: ["
        "{announced_on: 2021-03-20, deadline_on: 2021-03-31, because: flood}]}\n"
    )
    for now in (NOW, NOW + timedelta(days=10)):  # nor does it move what was carried out
        figures.refresh(now)
        (row,) = statistics.page()["cohorts"]
        assert (row["deadline_on"], row["is_decided"]) == ("2021-03-13", True)


def test_statistics_are_as_old_as_the_oldest_figure_that_may_change(home: Path, cohort: Cohort) -> None:
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


def test_a_report_has_what_was_known_then(home: Path, shown: Cohort) -> None:
    before = report.build_report(DECIDED_ON)
    assert (before.total("revoked"), before.total("reinstated")) == (2, 0)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])
    reinstate(DECIDED_ON + timedelta(days=2))
    assert report.build_report(DECIDED_ON).as_mapping() == before.as_mapping()
    after = report.build_report(DECIDED_ON + timedelta(days=2))
    assert (after.total("revoked"), after.total("reinstated"), after.total("freed")) == (2, 1, 1)
    assert "kepesertaan 2 dari 50 penerima (4,0 %) dicabut" in after.as_text("id")
    assert "2 of 50 recipients (4.0 %) were revoked" in after.as_text("en")
    assert {figure.query for figure in after.figures} == {report.QUERY}
    asked = report.build_report(DECIDED_ON).cohorts[0] | {"stage": "asked", "revoked": 0}
    told = report.Report(DECIDED_ON, [asked], after.figures).as_text("en")
    assert "Nobody is revoked: their revocations wait for an approval." in told
    with pytest.raises(PrakerjaError, match="there is nothing to report as of 2021-01-01"):
        report.build_report(date(2021, 1, 1))


def test_a_reports_charts_are_drawn(home: Path, shown: Cohort, tmp_path: Path) -> None:
    drawn = list(drawing.draw_curves(tmp_path / "charts", [12]))
    assert [path.name for path in drawn] == ["gelombang-12.svg", "gelombang-12.png"]
    assert drawn[0].read_text().startswith("<svg")
    assert drawn[1].read_bytes()[:4] == b"\x89PNG"
