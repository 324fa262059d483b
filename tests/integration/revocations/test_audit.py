"""The log of every fact: edits, deletions, reordering and truncation are found, and nobody else may add."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from prakerja import warehouse
from prakerja.blacklist.publisher import audit
from prakerja.calendar import Cohort
from prakerja.reminders import overview
from prakerja.revocations import decision, states
from prakerja.settings import PROJECT
from prakerja.warehouse import RefusedError, transactions
from tests.support.small_cohort import DECIDED_ON, card, carry_out, revoked


def problems() -> str:
    return "\n".join(audit.verify().problems)


def as_owner(statement: str) -> None:
    """Do what the owner of the database can do: the triggers belong to the owner."""
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql(statement)


def test_every_fact_is_in_the_log_with_who_added_it(told: Path) -> None:
    found = audit.verify()
    assert found.anchors == 2
    assert found.rows > 100
    facts: dict[str, int] = {}
    for row in audit.list_entries(1000):
        for fact, value in row["facts"].items():
            facts[fact] = facts.get(fact, 0) + value["rows"]
    some = {"outcomes": 50, "revocations": 2, "approvals": 1, "appeals": 1, "blacklist_versions": 2}
    assert {name: facts[name] for name in some} == some
    assert {row["actor"] for row in audit.list_entries(3)} == {"gelombang-12__deadline revoke"}
    assert card(1) not in str(audit.list_entries(1000))


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("update outcomes set outcome = 'overdue' where recipient_id = 3", "outcomes of position"),
        ("update revocations set approvers = '{budi}' where recipient_id = 1", "that are not the same"),
        ("delete from approvals", "approvals of position"),
        ("update appeals set text = 'x'", "appeals of position"),
        ("update deliveries set arrived_on = '2021-03-01' where platform = 'sisnaker'", "deliveries of position"),
        ("insert into waivers (delivery_id, accepted_by, because, entry) values (1, 'x', 'x', 99)", "1 rows of w"),
        ("update audit_log set actor = 'somebody' where position = 4", "position 4 of the log was edited"),
        ("update audit_log set facts = '{}' where position = 4", "position 4 of the log was edited"),
        ("delete from audit_log where position = 4", "entries are missing before position 5"),
        ("delete from audit_log where position > 3", "which the log lacks"),
        (
            "update audit_log as l set entry = -o.entry, facts = o.facts, actor = o.actor from audit_log as o"
            " where (l.position, o.position) in ((3, 4), (4, 3))",
            "position 3 of the log was edited",
        ),
        (
            "with recursive anew as (select position, hash from audit_log where position = 1 union all"
            " select l.position,"
            " audit_hash(l.position, l.entry, l.at, 'x', l.login, l.role, l.xact_id, l.facts, a.hash)"
            " from anew a join audit_log l on l.position = a.position + 1)"
            " update audit_log as l set actor = 'x', hash = a.hash, previous = coalesce("
            " (select b.hash from anew b where b.position = l.position - 1), '')"
            " from anew a where a.position = l.position and l.position > 1",
            "which the log lacks",
        ),
    ],
    ids=[
        "an edited outcome", "an edited approver", "a deleted approval", "an edited appeal", "an edited delivery",
        "a row on the sly", "an edited actor", "edited contents", "a deleted entry", "a cut tail", "another order",
        "a log written anew",
    ],
)  # fmt: skip
def test_changed_facts_are_found(told: Path, statement: str, found: str) -> None:
    as_owner(statement)
    assert found in problems()


def test_a_changed_anchor_is_found(told: Path) -> None:
    anchor = told / "v000001.json"
    anchor.write_bytes(anchor.read_bytes().replace(b'"position":', b'"position": '))
    assert "the anchor v000001.json has another signature" in problems()
    (told / "v000002.json.sig").unlink()
    assert "the anchor v000002.json is damaged" in problems()


@pytest.mark.parametrize(
    "statement",
    [
        "update revocations set approvers = '{budi}'",
        "delete from revocations",
        "truncate outcomes",
        "update decisions set overdue = 0",
        "delete from hold_resolutions",
        "update suspensions set because = 'x'",
        "insert into audit_log select * from audit_log",
        "delete from audit_log",
        "update audit_log set actor = 'x'",
        "delete from audit_pending",
        "insert into transitions values ('purchased', 'revocations', 'revoked')",
        "alter table revocations disable trigger all",
        "delete from transactions",
        "update recipients set cohort = 13",
    ],
)
def test_the_application_can_only_add(told: Path, statement: str) -> None:
    for duty in get_args(warehouse.DatabaseRole):
        with (
            pytest.raises(RefusedError, match="may not do this in the warehouse"),
            warehouse.transaction(duty) as connection,
        ):
            connection.exec_driver_sql(statement)
    assert problems() == ""


#: Whose duty it is to add to a table; whatever is not here nobody may add to.
ADDS = {
    "ingest": "cohort_days cohort_figures cohort_regions deliveries"
    " extensions quarantine recipients restatements rosters standings transactions waivers",
    "decide": "appeal_decisions appeals approvals batch_members batches carried_out correction_decisions"
    " correction_values corrections decision_deliveries decisions"
    " extensions freeze_lifts freezes hold_resolutions late_findings"
    " outcomes overrides proposal_lapses proposals reading_differences reinstatements rejections revocations"
    " second_readings standings suspension_lifts"
    " suspensions"
    " went_live withdrawals",
    "recheck": "",
    "remind": "hindrances opt_outs provider_pace reminder_runs reminders",
    "receive": "odd_receipts opt_outs",
    "publish": "api_key_revocations api_keys blacklist_changes blacklist_versions contract_ends publication_approvals"
    " published_documents published_lists rotations",
    "serve": "lookups",
    "show": "looks",
    "read": "",
}


@pytest.mark.parametrize("duty", get_args(warehouse.DatabaseRole))
def test_each_duty_adds_its_own_facts_and_no_other(home: Path, duty: warehouse.DatabaseRole) -> None:
    with warehouse.transaction(duty) as connection:
        added, changed, seen = (
            {
                table
                for (table,) in connection.exec_driver_sql(
                    "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
                    " and has_table_privilege(oid, %s)", (privilege,),
                )
            }
            for privilege in ("insert", "update, delete, truncate", "select")
        )  # fmt: skip
    added, changed = ({table for table in tables if not table.endswith("_locks")} for tables in (added, changed))
    assert added == set(ADDS[duty].split())
    counted = {"cohort_days", "cohort_regions", "cohort_figures"} if duty == "ingest" else set()
    assert changed <= {"standings", "evidence_bases", "reminders", "provider_pace", "odd_receipts"} | counted
    with warehouse.transaction(duty) as connection:
        compares = connection.exec_driver_sql(
            "select has_function_privilege('differences(bigint, bigint)', 'execute')"
        ).scalar_one()
    assert compares == (duty in ("ingest", "show", "read"))
    if duty in ("serve", "receive"):  # the processes that others reach know of no person
        assert not seen & {"recipients", "transactions", "quarantine", "outcomes", "evidence", "appeals"}
    if duty == "serve":  # the public statistics are counted for it
        assert seen == {"alembic_version", "api_keys", "api_key_revocations", "lookups", "audited", "cohort_figures"}


def test_the_next_process_seals_after_one_was_killed(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(transactions, "_seal", lambda _: None)
        decision.decide(cohort, DECIDED_ON)
    before = audit.list_entries(1000)
    assert "outcomes" not in {fact for row in before for fact in row["facts"]}
    assert audit.verify().problems == []
    assert "outcomes" in {fact for row in audit.list_entries(1000) for fact in row["facts"]}


REVOKE = (
    "insert into revocations (recipient_id, decision_id, reason, effective_at, approvers, revoked_on)"
    " select {}, decision_id, 'NO_FIRST_PURCHASE', now(), '{{x}}', '2021-03-15' from decisions"
)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (REVOKE.format(3), "somebody who has bought"),
        (REVOKE.format(999), "somebody who was never decided"),
        (
            "insert into reinstatements (recipient_id, because, approvers, reinstated_on)"
            " values (1, 'appeal', '{x}', '2021-03-15')",
            "somebody who is not revoked",
        ),
        (
            "insert into hold_resolutions (recipient_id, deadline_on, is_purchased, because, resolved_by, resolved_on)"
            " values (3, '2021-03-13', false, 'x', 'x', '2021-03-15')",
            "somebody who is not held",
        ),
        (
            "insert into late_findings (recipient_id, kind, deadline_on, found_on)"
            " values (3, 'spared', '2021-03-13', '2021-03-15')",
            "somebody who is not overdue",
        ),
    ],
)
def test_the_warehouse_refuses_what_may_not_follow(cohort: Cohort, statement: str, why: str) -> None:
    decision.decide(cohort, DECIDED_ON)
    with (
        pytest.raises(RefusedError, match=r"transitions|Foreign|approved|in_a_batch"),
        warehouse.transaction("decide") as connection,
    ):
        connection.exec_driver_sql(statement)
    assert revoked() == [], why


def test_a_temporary_table_does_not_deceive_the_triggers(cohort: Cohort) -> None:
    decision.decide(cohort, DECIDED_ON)
    own = (
        "create temp table transitions as select 'purchased' as from_state, 'revocations' as fact,"
        " 'revoked' as to_state; "
    )
    with (
        pytest.raises(RefusedError, match="may not do this in the warehouse"),
        warehouse.transaction("decide") as connection,
    ):
        connection.connection.driver_connection.execute(own)
    with (
        pytest.raises(RefusedError, match=r"transitions|in_a_batch"),
        warehouse.transaction(as_owner=True) as connection,
    ):
        connection.connection.driver_connection.execute(own + REVOKE.format(3))


def test_nobody_is_revoked_without_an_approved_batch(cohort: Cohort) -> None:
    decision.decide(cohort, DECIDED_ON)
    with pytest.raises(RefusedError, match="revocations_in_a_batch"), warehouse.transaction("decide") as connection:
        connection.exec_driver_sql(REVOKE.format(1))


def test_nobody_is_decided_again_once_revoked(cohort: Cohort) -> None:
    carry_out(cohort)
    with warehouse.transaction("decide") as connection:
        connection.exec_driver_sql(
            "insert into decisions (decision_id, cohort, roster_id, status, announced_on, deadline_on, settlement_days,"
            " as_of, selected, purchased, held, overdue, excluded)"
            " select decision_id || 'x', cohort, roster_id, status, announced_on, deadline_on + 7, settlement_days,"
            " as_of, selected, purchased, held, overdue, excluded from decisions"
        )
    with pytest.raises(RefusedError, match="transitions"), warehouse.transaction("decide") as connection:
        connection.exec_driver_sql(
            "insert into outcomes (recipient_id, cohort, deadline_on, outcome, because)"
            " select recipient_id, cohort, deadline_on + 7, 'overdue', 'no_purchase' from outcomes"
        )


def test_each_fact_is_kept_by_what_the_docs_say_that_it_is_about(home: Path) -> None:
    """A comment names the columns, a unique key has them, and the document lists the table."""
    told = (PROJECT / "docs" / "states.md").read_text(encoding="utf-8").partition("# What a fact is about")[2]
    with warehouse.transaction(as_owner=True) as connection:
        rows = connection.exec_driver_sql(
            "select c.relname, substr(obj_description(c.oid, 'pg_class'), 8), array(select array(select attname::text"
            " from unnest(i.indkey) as k join pg_attribute on attrelid = c.oid and attnum = k order by attname)::text"
            " from pg_index i where i.indrelid = c.oid and i.indisunique and i.indpred is null)"
            " from pg_class c where starts_with(obj_description(c.oid, 'pg_class'), 'about: ')"
        ).all()
    assert len(rows) >= 15
    for table, about, keys in rows:
        assert "{" + ",".join(sorted(about.split(", "))) + "}" in keys, table
        assert f"`{table}`" in told


def test_the_picture_in_the_docs_is_the_warehouses(home: Path) -> None:
    drawn = (PROJECT / "docs" / "states.md").read_text(encoding="utf-8")
    for diagram in (states.diagram(), overview.draw_transitions()):
        assert f"```mermaid\n{diagram}\n```" in drawn
