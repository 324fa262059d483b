"""Ten people of gelombang 12 in the warehouse, some of them revoked, as publishing finds them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from prakerja import warehouse

AT = datetime(2021, 3, 15, tzinfo=UTC)
DAY = date(2021, 3, 15)


def write_people() -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "insert into rosters (cohort, fingerprint, status, announced_on, deadline_on, arrived_on)"
            " values (12, '', 'accepted', '2021-03-05', '2021-03-13', '2021-03-05')"
        )
        connection.exec_driver_sql(
            "insert into recipients (roster_id, cohort, card_number, nik, contact, phone_token, email_token,"
            " region_code)"
            " select 1, 12, n, 3100000000000000 + n, '', '', '', '31' from generate_series(1, 10) as n"
        )
        connection.exec_driver_sql(
            "insert into decisions (decision_id, cohort, roster_id, status, announced_on, deadline_on,"
            " settlement_days, as_of,"
            " selected, purchased, held, overdue, excluded) values ('gelombang-12-' || repeat('a', 24), 12, 1, 'made',"
            " '2021-03-05', '2021-03-13', 1, '2021-03-15', 10, 0, 0, 10, 0)"
        )
        connection.exec_driver_sql(
            "insert into outcomes select n, 12, '2021-03-13', 'overdue', 'no_purchase' from generate_series(1, 10) as n"
        )
        connection.exec_driver_sql("delete from went_live")  # a replay has decided
    revoke(range(1, 6))


def revoke(recipients: Any) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql(
            "insert into revocations (recipient_id, decision_id, reason, effective_at, approved_by, revoked_on)"
            " select n, 'gelombang-12-' || repeat('a', 24), 'NO_FIRST_PURCHASE', '2021-03-13 17:00Z', 'Siti',"
            " '2021-03-15'"
            " from unnest(cast(%s as bigint[])) as n", (list(recipients),),
        )  # fmt: skip


def reinstate(recipient: int) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql(
            "insert into reinstatements (recipient_id, because, approved_by, reinstated_on)"
            " values (%s, 'purchase', 'Siti', '2021-03-16')",
            (recipient,),
        )


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
