"""Publishing where the clock, the pointer or the warehouse is not as it was."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from prakerja import warehouse
from prakerja.blacklist.publisher import publishing
from prakerja.cli import app
from prakerja.errors import PrakerjaError
from prakerja.settings import WIB
from tests.support.published_list import AT, revoke, tree
from tests.support.publisher import NEXT, daily, published, versions


def test_a_version_of_a_time_to_come_is_not_made(listed: Path) -> None:
    published("first")
    before = tree(listed)
    with pytest.raises(PrakerjaError, match="this is of a time to come"):
        publishing.publish("second", datetime.now(WIB) + timedelta(days=2), AT.date() + timedelta(days=1))
    assert (tree(listed), versions()) == (before, [(1, "first")])


def test_after_a_version_of_a_time_to_come_nothing_seems_fresh(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = datetime.now(WIB) + timedelta(days=3650)
    with monkeypatch.context() as patch:
        patch.setattr("prakerja.blacklist.publisher.versions.CLOCK_SKEW", timedelta(days=5000))
        published("first", far)
    revoke([6])
    for act in (lambda: daily(NEXT), lambda: published("second", NEXT)):
        with pytest.raises(PrakerjaError, match="the newest version is of a time to come"):
            act()
    told = CliRunner().invoke(app, ["blacklist", "status"])
    assert told.exit_code == 1
    assert "stale" in told.output


def test_a_row_that_is_none_is_told_without_it(listed: Path) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql("update revocations set decision_id = 'gelombang-12,x' where recipient_id = 1")
    with pytest.raises(warehouse.RefusedError) as told:
        published("first")
    assert "31000000" not in str(told.value)
