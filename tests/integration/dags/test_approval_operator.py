"""The task that asks for approvals: of whom, about what, for how long, and what it makes of the answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from tests.support.approval_requests import ASKED, Airflow


@pytest.mark.parametrize(
    ("subject", "users", "is_new"),
    [
        ("gelombang-12: ab12", ["siti"], True),
        ("gelombang-12: cd34", ["siti"], False),
        ("gelombang-12: ab12", ["siti", "left"], False),
        ("gelombang-12: ab12", None, False),
    ],
)
def test_an_answer_is_for_the_batch_that_was_shown(
    airflow: Airflow, subject: str, users: list[str] | None, is_new: bool
) -> None:
    """Airflow shows a cleared task's first request again, whatever it asks now."""
    from prakerja_approval_operator import AskedBeforeError

    airflow.kept = SimpleNamespace(
        subject=subject, body=ASKED["text"], assigned_users=users and [SimpleNamespace(id=u) for u in users]
    )
    if not is_new:
        with pytest.raises(AskedBeforeError):
            airflow.operator.execute(airflow.context)
        return
    parked = airflow.ask()
    airflow.asked = {**ASKED, "digest": "another batch, by now"}
    airflow.answer("7", **parked)
    assert airflow.recorded == [("ab12cd", "7")], "the user's id, of the batch that was asked about"


def test_an_answer_without_a_user_approves_nothing(airflow: Airflow) -> None:
    from airflow.sdk.exceptions import TaskAwaitingInput

    parked = airflow.ask()
    airflow.refused = "this is not a person's id"
    with pytest.raises(TaskAwaitingInput):
        airflow.answer(None, **parked)
    assert airflow.recorded == []


def test_a_second_person_is_asked_by_the_same_task(airflow: Airflow) -> None:
    from airflow.sdk.exceptions import TaskAwaitingInput

    airflow.missing = 2
    parked = airflow.ask()
    with pytest.raises(TaskAwaitingInput) as again:
        airflow.answer("siti", **parked)
    assert again.value.kwargs == parked, "the patience counts from the first request"
    assert len(airflow.sent) == 2, "the first answer is taken away"
    airflow.answer("budi", **parked)
    assert airflow.recorded == [("ab12cd", "siti"), ("ab12cd", "budi")]


def test_an_answer_without_the_right_leaves_the_request_open(
    airflow: Airflow, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow.sdk.exceptions import TaskAwaitingInput

    parked = airflow.ask()
    airflow.refused = "budi proposed this batch: another person must approve it"
    with pytest.raises(TaskAwaitingInput):
        airflow.answer("budi", **parked)
    airflow.refused = None
    airflow.answer("siti", **parked)
    assert airflow.recorded == [("ab12cd", "siti")]


def test_a_rejection_fails(airflow: Airflow) -> None:
    from airflow.providers.standard.exceptions import HITLRejectException

    parked = airflow.ask()
    with pytest.raises(HITLRejectException):
        airflow.answer("siti", "Reject", **parked)
    assert airflow.recorded == []


def test_a_rejection_is_kept_with_its_person(airflow: Airflow) -> None:
    from airflow.providers.standard.exceptions import HITLRejectException

    parked = airflow.ask()
    with pytest.raises(HITLRejectException, match="siti rejects ab12cd: resolve the reason"):
        airflow.answer("siti", "Reject", **parked)
    assert airflow.rejected == [("ab12cd", "siti")]


def test_a_rejection_without_the_right_leaves_the_request_open(airflow: Airflow) -> None:
    from airflow.sdk.exceptions import TaskAwaitingInput

    parked = airflow.ask()
    airflow.refused = "the Airflow user viewer is nobody in people.yaml"
    with pytest.raises(TaskAwaitingInput):
        airflow.answer("viewer", "Reject", **parked)
    assert airflow.rejected == []
    assert len(airflow.sent) == 2, "the next person can answer"


def test_the_log_says_whether_an_answer_counts(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.exceptions import TaskAwaitingInput

    said: list[str] = []

    def say(text: str, *given: object, **_: object) -> None:
        said.append(text % given if given else text)

    monkeypatch.setattr(type(airflow.operator), "log", SimpleNamespace(info=say, warning=say))
    airflow.missing = 2
    parked = airflow.ask()
    airflow.refused = "siti has approved this batch before: another person must approve it, too"
    with pytest.raises(TaskAwaitingInput):
        airflow.answer("siti", **parked)
    assert "this answer does not count: siti has approved this batch before" in said[-1]
    assert "Approved" not in str(said), "as Airflow says before anything is recorded"
    airflow.refused = None
    with pytest.raises(TaskAwaitingInput):
        airflow.answer("siti", **parked)
    assert said[-1] == "siti approves ab12cd"


TABLE = "proposed by x\n\n| gelombang | selected |\n|---|--:|\n| 11 | 5 |\n\nIt takes one person; ...\n\nBatch `ab12cd`"


def test_other_figures_than_those_that_airflow_shows_are_not_asked_about(airflow: Airflow) -> None:
    """It keeps the first body of a task that is cleared. What earlier cohorts came to, and the rule, may change."""
    from prakerja_approval_operator import AskedBeforeError

    airflow.asked = {**ASKED, "text": TABLE}
    airflow.ask()
    airflow.kept = airflow.sent[0]
    changed = TABLE.replace("| 11 | 5 |", "| 11 | 6 |").replace("one person", "two people")
    airflow.asked = {**ASKED, "text": changed}
    airflow.ask()
    airflow.asked = {**ASKED, "text": TABLE.replace("by x", "by x\n- **rejected** by budi")}
    with pytest.raises(AskedBeforeError, match="with other figures, before a rejection"):
        airflow.operator.execute(airflow.context)


def test_an_approval_of_other_figures_than_were_shown_is_not_recorded(airflow: Airflow) -> None:
    from prakerja_approval_operator import AskedBeforeError

    airflow.asked = {**ASKED, "text": TABLE}
    parked = airflow.ask()
    airflow.asked = {**ASKED, "text": f"{TABLE}\n- **rejected** by budi in another run, meanwhile"}
    with pytest.raises(AskedBeforeError):
        airflow.answer("siti", **parked)
    assert airflow.recorded == []


def test_a_second_person_is_shown_the_current_figures(airflow: Airflow) -> None:
    from prakerja_approval_operator import AskedBeforeError

    airflow.missing = 2
    airflow.asked = {**ASKED, "text": TABLE}
    parked = {**airflow.ask(), "said": ""}  # as a task of an earlier version has parked
    airflow.kept = airflow.sent[0]
    airflow.asked = {**ASKED, "text": f"{TABLE}\n- **overridden** by budi"}
    with pytest.raises(AskedBeforeError):
        airflow.answer("siti", **parked)


def test_an_approval_on_the_command_line_ends_the_request(airflow: Airflow) -> None:
    from airflow.sdk.exceptions import TaskAwaitingInput

    parked = airflow.ask()
    with pytest.raises(TaskAwaitingInput) as again:
        airflow.look(**parked)
    assert again.value.kwargs == parked
    airflow.missing = 0
    assert airflow.look(**parked) is None
    assert len(airflow.sent) == 1, "a look leaves the request as it is"


def test_a_request_without_an_answer_fails_after_the_patience(airflow: Airflow) -> None:
    from airflow.providers.standard.exceptions import HITLRejectException

    parked = airflow.ask() | {"asked_at": (datetime.now(UTC) - timedelta(hours=24, seconds=1)).isoformat()}
    with pytest.raises(HITLRejectException, match="nobody has approved within 1 day"):
        airflow.look(**parked)


def test_without_a_batch_nobody_is_asked(airflow: Airflow) -> None:
    airflow.asked = None
    assert airflow.operator.execute(airflow.context) is None
    assert airflow.sent == []


def test_where_approvals_are_signed_nobody_is_asked_and_the_task_waits(airflow: Airflow) -> None:
    from airflow.providers.standard.exceptions import HITLRejectException
    from airflow.sdk.exceptions import AirflowRescheduleException

    airflow.asked = {**ASKED, "must_sign": True}
    with pytest.raises(AirflowRescheduleException):
        airflow.operator.execute(airflow.context)
    assert airflow.sent == []
    airflow.first_look = datetime.now(UTC) - timedelta(hours=25)
    with pytest.raises(HITLRejectException, match="nobody has signed within 1 day"):
        airflow.operator.execute(airflow.context)
