"""A few rows, straight in the tables, and the outcome that the warehouse gives for them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from prakerja import warehouse
from prakerja.feeds.quarantine import cards_like, multirange

MICROSECOND = timedelta(microseconds=1)
START = datetime(2021, 3, 4, 17, tzinfo=UTC)  # 5 March 00:00 WIB
END = datetime(2021, 3, 13, 17, tzinfo=UTC)  # 14 March 00:00 WIB
INSIDE = datetime(2021, 3, 8, 5, tzinfo=UTC)
WINDOW = {"cohort": 12, "announced_on": date(2021, 3, 5), "deadline_on": date(2021, 3, 13), "settlement_days": 1}


@dataclass
class World:
    """A few rows, straight in the tables."""

    connection: warehouse.Connection
    lines: Any = field(default_factory=lambda: itertools.count(1))

    def recipient(self, card: int = 1, cohort: int = 12) -> int:
        roster = self._one(
            "insert into rosters (cohort, fingerprint, status, announced_on, deadline_on, sha256, rows, arrived_on)"
            " values (%s, %s, 'accepted', '2021-03-05', '2021-03-13', 'x', 1, '2021-03-05')"
            " on conflict (cohort, fingerprint) do update set sha256 = 'x' returning roster_id",
            cohort, f"roster {cohort}",
        )  # fmt: skip
        return self._one(
            "insert into recipients (roster_id, cohort, card_number, nik, contact, phone_token, email_token,"
            " region_code)"
            " values (%s, %s, %s, %s, '', '', '', '31') returning recipient_id", roster, cohort, card, card,
        )  # fmt: skip

    def delivery(
        self,
        day: str,
        platform: str = "tokopedia",
        revision: int = 1,
        arrived_on: str = "2021-03-15",
        status: str = "accepted",
    ) -> int:
        return self._one(
            "insert into deliveries (platform, business_date, revision, fingerprint, status, reason, arrived_on, rows)"
            " values (%s, %s, %s, '', %s, case when %s = 'rejected' then 'x' end, %s, 0) returning delivery_id",
            platform, day, revision, status, status, arrived_on,
        )  # fmt: skip

    def row(self, delivery: int, at: datetime = INSIDE, card: int = 1, event: str = "PAID", tid: str = "t") -> None:
        self.connection.exec_driver_sql(
            "insert into transactions values (%s, %s, %s, %s, %s, 5000, %s, 'K', '')",
            (delivery, next(self.lines), event, at, card, tid),
        )

    def damaged(self, delivery: int, text: str, *, is_number: bool = False) -> None:
        self.connection.exec_driver_sql(
            "insert into quarantine values (%s, %s, '{card_number_malformed}', '{}', %s)",
            (delivery, next(self.lines), multirange(cards_like(text, is_number=is_number))),
        )

    def outcome(self, as_of: str = "2021-03-15", last: str = "2021-03-14", undone_before: Any = END) -> str:
        self.connection.exec_driver_sql(
            "select refresh_evidence(12, '2021-03-05', '2021-03-13', 1, %s, %s, %s)", (last, as_of, undone_before)
        )
        rows = self.connection.exec_driver_sql(
            "select outcome::text from standing(12, '2021-03-13', %s)", (as_of,)
        ).scalars().all()  # fmt: skip
        assert len(rows) == 1
        return str(rows[0])

    def _one(self, sql: str, *parameters: Any) -> int:
        return int(self.connection.exec_driver_sql(sql, parameters).scalar_one())
