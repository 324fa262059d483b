"""Gelombang 12 where deliveries are missing on the day of its decision."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from prakerja import warehouse
from prakerja.settings import WIB, Settings

NOON = datetime(2021, 3, 15, 12, tzinfo=WIB)
MISSING = ("sisnaker", "2021-03-10"), ("pintaria", "2021-03-12")


def remove(which: str) -> None:
    """Take deliveries away as if they had never come, also those that a decision cites."""
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        gone = connection.exec_driver_sql(
            f"delete from deliveries where {which} returning platform, business_date"
        ).all()
    for platform, business_date in gone:
        shutil.rmtree(Path(Settings.from_environment().landing) / "feeds" / platform / f"{business_date}")
