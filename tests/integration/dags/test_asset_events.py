"""Each version of the list and each delivery is announced once and in order, however often a run is repeated."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from prakerja.settings import PROJECT, WIB, Settings
from tests.support.published_list import write_people
from tests.support.publisher import published as publish
from tests.support.tried_run import PublishedList, Tried

BLACKLIST = "prakerja://blacklist/latest"

pytestmark = pytest.mark.usefixtures("nothing_told")


def told(uri: str = BLACKLIST) -> list[Any]:
    """The events of an asset, in order."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    with create_session() as session:
        query = session.query(AssetEvent.extra).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        return [extra for (extra,) in query.filter(AssetModel.uri == uri).order_by(AssetEvent.id)]


def versions() -> list[int]:
    return [extra["version"] for extra in told()]


def feeds_of_the_day(tried: Callable[..., Tried], monkeypatch: pytest.MonkeyPatch, does: Callable[[], Any]) -> Tried:
    """Do the night's last task, as a run of `platform_feeds` without deliveries comes to it."""
    from prakerja import tasks

    monkeypatch.setattr(tasks.feeds, "apply_late_evidence", lambda _: does())
    run = tried("platform_feeds", "daily")
    run.forge("take_in_rosters", {})
    run.forge("list_platforms", [])
    run.drive()
    return run


def deadline(tried: Callable[..., Tried], monkeypatch: pytest.MonkeyPatch, does: Callable[[], Any]) -> Tried:
    """Do the last task of a decided cohort's run."""
    from prakerja import tasks

    monkeypatch.setattr(tasks.deadline, "publish_blacklist", lambda _: does())
    run = tried("cohort_deadline")
    for task_id in run.dag.task_ids:
        if task_id != "publish_blacklist":
            run.end(task_id, sentence=None)
    run.drive()
    return run


def test_each_version_is_announced_once_whatever_runs_again(
    tried: Callable[..., Tried], published: PublishedList, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = feeds_of_the_day(tried, monkeypatch, lambda: published.publish(1))
    decided = deadline(tried, monkeypatch, lambda: published.publish(2))
    assert (night.states("notice_late_truth"), decided.states("publish_blacklist")) == (["success"], ["success"])
    assert versions() == [1, 2]

    feeds_of_the_day(tried, monkeypatch, lambda: published.publish(3))
    feeds_of_the_day(tried, monkeypatch, lambda: 3)  # a second run of the day finds the day's version
    decided.clear("publish_blacklist")
    decided.drive()
    assert decided.states("publish_blacklist") == ["success"]
    assert versions() == [1, 2, 3]


def test_a_version_whose_task_died_is_announced_by_the_next_run_in_order(
    tried: Callable[..., Tried], published: PublishedList, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(version: int) -> int:
        published.publish(version)
        raise SystemExit("killed")

    feeds_of_the_day(tried, monkeypatch, lambda: published.publish(1))
    deadline(tried, monkeypatch, lambda: killed(2))
    published.publish(3)  # by a command, which tells of nothing
    assert versions() == [1]
    feeds_of_the_day(tried, monkeypatch, lambda: published.publish(4))
    assert versions() == [1, 2, 3, 4]


def test_a_night_that_publishes_nothing_announces_what_is_left(
    tried: Callable[..., Tried], published: PublishedList, monkeypatch: pytest.MonkeyPatch
) -> None:
    feeds_of_the_day(tried, monkeypatch, lambda: None)
    assert versions() == []
    published.publish(1)
    feeds_of_the_day(tried, monkeypatch, lambda: None)
    assert versions() == [1]


def test_an_event_created_by_hand_announces_no_version(
    tried: Callable[..., Tried], published: PublishedList, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who may write asset events in Airflow cannot keep versions from being announced."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    feeds_of_the_day(tried, monkeypatch, lambda: published.publish(1))
    with create_session() as session:
        asset_id = session.query(AssetModel.id).filter(AssetModel.uri == BLACKLIST).scalar()
        session.add(AssetEvent(asset_id=asset_id, extra={"version": 10**9, "from_rest_api": True}))
    feeds_of_the_day(tried, monkeypatch, lambda: published.publish(2))
    assert versions() == [1, 10**9, 2]


def test_publishers_take_turns(dags: dict[str, Any]) -> None:
    """Two at once would both find the same versions untold: until a task's events are recorded, no other begins."""
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session

    from prakerja_assets import BLACKLIST as LIST
    from prakerja_assets import PUBLISHED

    publishers = [task for dag in dags.values() for task in dag.tasks if PUBLISHED in task.outlets]
    assert {task.task_id for task in publishers} == {"notice_late_truth", "publish_blacklist", "carry_out"}
    assert not [task for dag in dags.values() for task in dag.tasks if LIST in task.outlets]
    assert {task.pool for task in publishers} == {"publishing"}
    with create_session() as session:
        assert session.query(Pool.slots).filter(Pool.pool == "publishing").scalar() == 1
    assert "airflow pools set publishing 1 " in (PROJECT / "docker-compose.yaml").read_text()


def test_a_reader_that_is_woken_twice_does_nothing_twice(tried: Callable[..., Tried], home: Path) -> None:
    """Each run as an asset event begins it; the second is about a version that the reader has."""
    from airflow.models.xcom import XComModel

    from prakerja.blacklist.publisher.configured_keys import load_subject_key
    from prakerja_blacklist.reader.registration import Registration

    write_people()
    publish("first", datetime.now(WIB))
    folder = Settings.from_environment().make_home() / "readers" / "registration"
    registration, key = Registration(folder / "registration.sqlite"), load_subject_key()
    for number in (1, 9):  # of whom the first is listed
        registration.apply(key.subject(f"{31 * 10**14 + number}"), key.key_id)
    reacted, states = [], []
    for run_id in ("first", "second"):
        run = tried("blacklist_readers", run_id)
        run.drive()
        (found,) = (
            run.session.query(XComModel.value).filter_by(run_id=run_id, task_id="react", key="return_value").one()
        )
        reacted.append(found)
        states.append(registration.states())
    nobody = {"refused": 0, "taken_up_again": 0, "under_another_key": 0}
    assert reacted == [{**nobody, "refused": 1}, nobody]
    assert states[0] == states[1]
    assert sorted(states[0].values()) == ["open", "refused"]
    shutil.rmtree(folder)


def test_an_accepted_delivery_is_announced_once(
    tried: Callable[..., Tried], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task that tells is cleared alone: what was accepted is what it was."""
    from prakerja import tasks

    delivery = {"platform": "tokopedia", "business_date": "2021-03-14", "revision": 1}
    run = tried("platform_feeds", "daily")
    run.forge("take_in_rosters", {})
    run.forge("list_platforms", ["tokopedia"])
    run.expand()
    run.forge("take_in", None, map_index=0)
    monkeypatch.setattr(tasks.feeds, "build_data_docs", lambda: "")
    accepted = [{"platform": "tokopedia", "deliveries": [delivery]}]
    monkeypatch.setitem(
        run.dag.task_dict["tell_of_feeds"].python_callable.__globals__, "pull_all_signed", lambda *_: accepted
    )
    run.drive()
    assert told("prakerja://feeds/tokopedia") == [{"deliveries": [delivery]}]
    run.clear("tell_of_feeds")
    run.drive()
    assert run.states("tell_of_feeds") == ["success"]
    assert told("prakerja://feeds/tokopedia") == [{"deliveries": [delivery]}]
    # A run that is cleared takes in what has come since, and tells that.
    later = {**delivery, "revision": 2}
    accepted[0]["deliveries"] = [later]
    run.clear("tell_of_feeds")
    run.drive()
    assert told("prakerja://feeds/tokopedia") == [{"deliveries": [delivery]}, {"deliveries": [later]}]
