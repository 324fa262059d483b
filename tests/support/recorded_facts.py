"""One fact of each kind that a person's story tells, straight in the tables, recorded when a test says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import psycopg

from prakerja.settings import WIB

Server = psycopg.Connection[Any]
PERSON, DIGEST = 1, "a" * 64
FINDINGS = ("reinstatement_proposed", "hold_resolvable", "purchase_gone", "damaged_row", "spared", "late_purchase")


def _insert(table: str, **values: Any) -> Callable[[Server], Any]:
    columns = ", ".join([*values, "entry"])
    places = ", ".join(["%s"] * len(values))
    return lambda server: server.execute(
        f"insert into {table} ({columns}) values ({places}, 0)",
        list(values.values()),
    )


def begin(server: Server, recorded_at: datetime, arrived_on: date) -> None:
    """A recipient of gelombang 12, and what other facts refer to. Triggers and references are off in this session."""
    server.execute("set session_replication_role = replica")
    _insert(
        "rosters", cohort=12, fingerprint="x", status="accepted", announced_on=date(2021, 3, 5),
        deadline_on=date(2021, 3, 13), sha256="x", rows=1, arrived_on=arrived_on, recorded_at=recorded_at,
    )(server)  # fmt: skip
    server.execute(
        "insert into recipients"
        " (recipient_id, roster_id, cohort, card_number, nik, contact, phone_token, email_token, region_code)"
        " overriding system value select 1, roster_id, 12, 1, 1, '', '', '', '31' from rosters"
    )


def facts(
    at: dict[str, datetime], about: date, took: timedelta = timedelta()
) -> dict[str, list[Callable[[Server], Any]]]:
    """What to insert for each kind, recorded at its instant; `about` is the day on which some of them take effect.

    A fact is recorded for the day on which its run began, so long (`took`) before.
    """

    def day_of(at: datetime) -> date:
        return (at - took).astimezone(WIB).date()

    def of(kind: str) -> dict[str, Any]:
        return {"recipient_id": PERSON, "recorded_at": at[kind]}

    window = {"announced_on": date(2021, 3, 5), "deadline_on": date(2021, 3, 13)}
    counts = {"selected": 1, "purchased": 0, "held": 0, "overdue": 1, "excluded": 0}
    found: dict[str, list[Callable[[Server], Any]]] = {
        "doubtful_row": [
            _insert(
                "deliveries", platform="tokopedia", business_date=about, revision=1, fingerprint="", status="accepted",
                rows=0, delivery_id=9, arrived_on=day_of(at["doubtful_row"]), recorded_at=at["doubtful_row"],
            ),
            lambda server: server.execute(
                "insert into quarantine (delivery_id, line, reasons, delivered, might_be)"
                " values (9, 1, '{card_number_malformed}', '{}', '{[1,2)}')"
            ),
        ],
        "suspended": [
            _insert("suspensions", **of("suspended"), suspended_on=about, because="b", is_permanent=False,
                    suspended_by="ani"),
        ],
        "suspension_lifted": [
            _insert("suspension_lifts", **of("suspension_lifted"), suspended_on=date(2021, 1, 1), lifted_on=about,
                    because="b", lifted_by="ani"),
        ],
        "withdrawn": [_insert("withdrawals", **of("withdrawn"), withdrawn_on=about, because="b", recorded_by="ani")],
        "deadline_extended": [
            _insert("extensions", cohort=12, deadline_on=date(2021, 3, 20), announced_on=about, because="b",
                    recorded_at=at["deadline_extended"]),
        ],
        "decided": [
            _insert("decisions", decision_id="d", cohort=12, roster_id=1, status="made", **window, settlement_days=1,
                    as_of=day_of(at["decided"]), **counts, recorded_at=at["decided"]),
            _insert("outcomes", recipient_id=PERSON, cohort=12, deadline_on=date(2021, 3, 13), outcome="overdue",
                    because="no_purchase"),
        ],
        "approved": [
            _insert("batch_members", digest=DIGEST, recipient_id=PERSON),
            _insert("approvals", decision_id="d", subject="revocation", approved_by="siti", digest=DIGEST,
                    approved_on=day_of(at["approved"]), is_recorded_in_advance=False, recorded_at=at["approved"]),
        ],
        "revoked": [
            _insert("revocations", **of("revoked"), decision_id="d", reason="NO_FIRST_PURCHASE", approvers=["siti"],
                    effective_at=at["decided"], revoked_on=day_of(at["revoked"]), digest=DIGEST),
        ],
        "reinstated": [
            _insert("reinstatements", **of("reinstated"), because="appeal", approvers=["budi"],
                    reinstated_on=day_of(at["reinstated"])),
        ],
        "appealed": [
            lambda server: server.execute(
                "insert into appeals (appeal_id, recipient_id, text, opened_by, opened_on, recorded_at, entry)"
                " overriding system value values (7, 1, 'x', 'ani', %s, %s, 0)",
                (day_of(at["appealed"]), at["appealed"]),
            ),
        ],
        "appeal_upheld": [
            _insert("appeal_decisions", appeal_id=7, is_upheld=True, because="b", decided_by="budi",
                    decided_on=day_of(at["appeal_upheld"]), recorded_at=at["appeal_upheld"]),
        ],
        "hold_resolved": [
            _insert("hold_resolutions", **of("hold_resolved"), deadline_on=about, is_purchased=False,
                    because="b", resolved_by="ani", resolved_on=day_of(at["hold_resolved"])),
        ],
    }  # fmt: skip
    given = {"recipient_id": PERSON, "digest": DIGEST, "because": "b", "corrected_by": "ani"}
    for kind, fields, request in (("correction_proposed", ["nik"], DIGEST), ("corrected", ["phone"], None)):
        found[kind] = [
            _insert("corrections", **given, fields=fields, request=request, corrected_on=day_of(at[kind]),
                    recorded_at=at[kind]),
        ]  # fmt: skip
    kind = "correction_dismissed"
    found[kind] = [
        _insert("correction_decisions", request=DIGEST, is_approved=False, because="b", decided_by="siti",
                decided_on=day_of(at[kind]), recorded_at=at[kind]),
    ]  # fmt: skip
    for version, (kind, op) in enumerate((("listed", "ADD"), ("withdrawn_from_list", "WITHDRAW")), 1):
        found[kind] = [
            _insert("blacklist_versions", version=version, occasion=kind, created_at=at[kind], changed_at=at[kind],
                    data_as_of="{}", recorded_at=at[kind]),
            _insert("blacklist_changes", version=version, op=op, recipient_id=PERSON, reason="x"),
        ]  # fmt: skip
    for kind in FINDINGS:
        found[kind] = [_insert("late_findings", **of(kind), deadline_on=about, kind=kind, found_on=day_of(at[kind]))]
    return found


#: Every kind of fact that is recorded, in the order in which one leads to the next.
KINDS = (
    "selected", "correction_proposed", "correction_dismissed", "corrected", "doubtful_row", "suspended",
    "suspension_lifted", "withdrawn", "deadline_extended", "decided",
    "hold_resolvable", "hold_resolved", "purchase_gone", "damaged_row", "late_purchase", "reinstatement_proposed",
    "approved", "revoked", "spared", "appealed", "appeal_upheld", "reinstated", "listed", "withdrawn_from_list",
)  # fmt: skip
#: Those of which only the day is given on which they take effect.
OF_A_DAY = ("suspended", "suspension_lifted", "withdrawn", "deadline_extended")
