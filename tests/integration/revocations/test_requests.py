"""What approvers are asked: who has rejected it before, why somebody was held, who may answer; all of it text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prakerja import tasks, warehouse
from prakerja.calendar import Cohort
from prakerja.cli import app
from prakerja.errors import PrakerjaError
from prakerja.revocations import approval, decision, explanation, holds, revocation
from prakerja.run_context import RunContext
from prakerja.settings import WIB
from tests.support.small_cohort import AT, DECIDED_ON, card

ABOUT = RunContext("deadline", DECIDED_ON, AT.astimezone(WIB), 12)


def request(cohort: Cohort) -> dict[str, Any]:
    decision.decide(cohort, DECIDED_ON)
    asked = tasks.deadline.request_approval(ABOUT)
    assert asked is not None
    return asked


def shown(*arguments: str) -> str:
    return " ".join(CliRunner().invoke(app, list(arguments)).output.split())


def facts() -> list[tuple[Any, ...]]:
    with warehouse.transaction() as connection:
        rows = connection.exec_driver_sql("select digest, rejected_by, rejected_on, entry is not null from rejections")
        return [tuple(row) for row in rows]


def test_a_rejection_is_a_fact_and_whoever_is_asked_again_sees_it(cohort: Cohort) -> None:
    asked = request(cohort)
    assert "rejected" not in asked["text"]
    told = tasks.answers.record_rejection(12, asked["digest"], "Siti", DECIDED_ON)
    assert told == "siti rejects 2 revocations of gelombang-12"
    tasks.answers.record_rejection(12, asked["digest"], "siti", DECIDED_ON)
    assert facts() == [(asked["digest"], "siti", DECIDED_ON, True)], "once a day, and audited"
    again = tasks.deadline.request_approval(ABOUT)
    assert again is not None
    assert "- **rejected** by siti on 2021-03-15, and asked about again" in again["text"]
    assert "rejected by siti on 2021-03-15" in shown("approve", "12")
    (story,) = explanation.explain([card(1)])
    (event,) = [event for event in story["events"] if event["what"] == "rejected"]
    assert (event["rejected_by"], event["batch"]) == (["siti"], asked["digest"][:16])
    tasks.answers.record_approval(12, asked["digest"], "budi", DECIDED_ON)
    assert tasks.deadline.request_approval(ABOUT) is None, "it binds nobody"


def test_a_rejection_is_by_somebody_who_may_approve(cohort: Cohort, list_people: Callable[..., Path]) -> None:
    asked = request(cohort)
    list_people(siti=["approve"], budi=["look"])
    for login in ("budi", "stranger"):
        with pytest.raises(PrakerjaError):
            tasks.answers.record_rejection(12, asked["digest"], login, DECIDED_ON)
    with pytest.raises(PrakerjaError, match="no batch"):
        tasks.answers.record_rejection(12, "1" * 64, "siti", DECIDED_ON)
    assert facts() == []


def test_a_second_answer_of_one_person_is_refused_and_said(cohort: Cohort, two_approvers: None) -> None:
    asked = request(cohort)
    assert tasks.answers.record_approval(12, asked["digest"], "siti", DECIDED_ON).startswith(
        "siti approves 2 revocations"
    )
    with pytest.raises(PrakerjaError, match="siti has approved this batch already, and nothing was recorded"):
        tasks.answers.record_approval(12, asked["digest"], "SITI", DECIDED_ON)


def test_a_request_about_a_hold_says_why_and_what_was_found(held: decision.Decision) -> None:
    because = "the [platform](//x) says\u202e so\x1b[2J `{{ 7 }}`"
    batch = holds.resolve(card(1), is_purchased=False, because=because, resolved_by="budi", on=DECIDED_ON)
    assert batch is not None
    asked = tasks.batches.request_batch_approval({"cohort": 12, "digest": batch.digest})
    assert asked is not None
    lines = asked["text"].splitlines()
    assert "- `held: damaged row, in a row of tokopedia of 2021-03-09 (card number malformed)`" in lines
    found = r"- `found by budi on 2021-03-15: no purchase, because the [platform](//x) says\u202e so\x1b[2J '{{ 7 }}'`"
    assert found in lines
    assert card(1) not in asked["text"]
    assert "found by budi on 2021-03-15: no purchase" in shown("approve", "12")


def test_what_people_wrote_is_text(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    bad = {
        "overridden_by": "bu_di_*", "reason": "a\u200bb", "detail": "x\ny", "because": "\u2066evil\u2069 `code` \x00",
    }  # fmt: skip
    real = approval.review
    monkeypatch.setattr(approval, "review", lambda *given: {**real(*given), "overrides": [bad]})
    asked = revocation.request_approval(made, DECIDED_ON)
    assert asked is not None
    assert all(character.isprintable() or character == "\n" for character in asked.text)
    line = r"- **overridden** by bu_di\_\*: `a\u200bb` (`x y`), because `\u2066evil\u2069 'code' \x00`"
    assert line in asked.text.splitlines()


def test_a_request_that_airflow_gives_to_everybody_says_whose_answer_counts(
    cohort: Cohort, list_people: Callable[..., Path]
) -> None:
    assert "there is no list of people" in request(cohort)["text"]
    list_people(siti=["approve"])
    assert "counts" not in request(cohort)["text"], "it is given to siti alone"
    list_people(siti=["approve"], without_airflow=["siti"])
    assert "**No answer here counts**: siti may approve it, and have no login of Airflow" in request(cohort)["text"]
    list_people(siti=["look"])
    asked = request(cohort)
    assert asked["answered_by"] == []
    assert "**No answer here counts**: nobody may approve it. Give somebody else the right" in asked["text"]


def test_where_all_who_may_approve_had_a_part_they_are_named(
    held: decision.Decision, list_people: Callable[..., Path]
) -> None:
    batch = holds.resolve(card(1), is_purchased=False, because="asked", resolved_by="budi", on=DECIDED_ON)
    assert batch is not None
    list_people(budi=["approve"], ani=["propose"])
    asked = tasks.batches.request_batch_approval({"cohort": 12, "digest": batch.digest})
    assert asked is not None
    assert "nobody may approve it. budi had a part in it. Give somebody else the right to approve" in asked["text"]
