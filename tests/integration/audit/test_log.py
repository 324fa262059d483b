"""A log that its warehouse's owner rewrote, with every hash right, does not agree with the anchors."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from prakerja import schema, warehouse
from prakerja.blacklist.publisher import audit
from tests.support.audit_log import (
    Rows,
    anchors_of_the_log,
    as_owner,
    forget_after,
    pick,
    problems,
    rewrite_log,
    sign_anchor,
    to_earlier_form,
)


def drop(rows: Rows) -> Rows:
    return rows[:3] + rows[4:]


def reorder(rows: Rows) -> Rows:
    return [*rows[:2], rows[3], rows[2], *rows[4:]]


def edit(rows: Rows) -> Rows:
    rows[2]["actor"] = rows[2]["login"] = "somebody else"
    return rows


def insert(rows: Rows) -> Rows:
    return [*rows[:3], rows[3] | {"entry": -1, "facts": {}}, *rows[3:]]


def cut(rows: Rows) -> Rows:
    return rows[:4]


@pytest.mark.parametrize("bend", [drop, reorder, edit, insert, cut])
def test_a_rewritten_log_is_found(told: Path, bend: Callable[[Rows], Rows]) -> None:
    rewrite_log(lambda rows: rows)
    assert problems() == "", "rewriting alone changes nothing"
    rewrite_log(bend)
    found = problems()
    assert "the anchor v000002.json has position" in found
    assert "which the log lacks" in found
    assert "was edited" not in found


def test_an_older_log_with_its_facts_is_found(told: Path) -> None:
    forget_after(1)
    assert pick("select max(version) from blacklist_versions") == [(1,)]
    found = problems()
    assert "the anchor v000002.json has position" in found
    assert re.search(r"v000002 lies in .*, but this warehouse lacks that version", found)
    for name in ("v000002.json", "v000002.json.sig"):
        (told / name).unlink()
    assert "v000002 lies in" in problems(), "though its anchor is gone"


def test_only_a_copy_reveals_an_older_log_that_was_restored_with_its_folder(told: Path, home: Path) -> None:
    shutil.copytree(told, home / "copies")
    forget_after(1)
    for name in ("v000002.json", "v000002.json.sig"):
        (told / name).unlink()
    shutil.rmtree(told.parent / "blacklist" / "v000002")
    assert problems() == ""
    found = problems(copies=str(home / "copies"))
    assert "the copy v000002.json has position" in found
    assert "the anchor v000002.json is missing, of which somebody has kept a copy" in found


def test_an_entry_cannot_be_taken_back_to_the_form_without_a_login(told: Path) -> None:
    with warehouse.transaction("remind") as connection:
        connection.exec_driver_sql(
            "insert into opt_outs (recipient_id, channel, is_opted_out, chosen_on, recorded_by)"
            " values (1, 'sms', true, '2021-03-10', 'x')"
        )
    assert problems() == ""
    rewrite_log(lambda rows: [*rows[:-1], *to_earlier_form(rows[-1:])])
    assert re.fullmatch(r"position \d+ of the log does not say which login wrote it", problems())


def test_entries_and_anchors_from_before_logins_were_recorded_stay_valid(told: Path) -> None:
    rewrite_log(to_earlier_form)
    for anchor in anchors_of_the_log():
        earlier = {name: value for name, value in anchor.items() if name != "warehouse_id"}
        sign_anchor(earlier | {"contract": "prakerja.anchor/1"})
    assert "does not say which login wrote it" in problems()
    assert "the anchor v000002.json does not say which warehouse it belongs to" in problems()
    as_owner("update audit_baseline set last_position = (select max(position) from audit_log), last_version = 2")
    assert problems() == ""
    with warehouse.transaction() as connection:
        assert audit.list_entries(1)[0]["login"] is None
        assert warehouse.warehouse_id(connection) == str(pick("select warehouse_id from warehouse_identity")[0][0])
    as_owner("update audit_baseline set last_position = 0, last_version = 0")


#: Functions with which an owner could have a verification find nothing wrong.
LIES = {
    "digest_of(fact text, of_entry bigint, columns text[])": "returns table (rows bigint, sha256 bytea) language sql"
    " as $$ select 1::bigint, ''::bytea $$",
    "audit_problems()": "returns table (problem text) language sql as $$ select '' where false $$",
    "sha256(bytea)": "returns bytea language sql as $$ select ''::bytea $$",
    "to_char(timestamp, text)": "returns text language sql as $$ select 'then' $$",
}


def test_functions_that_the_owner_replaced_are_not_believed(told: Path) -> None:
    as_owner("update revocations set approvers = '{budi}' where recipient_id = 1")
    before = problems()
    assert "revocations of position" in before
    as_owner(
        *(f"drop function if exists public.{name} cascade" for name in LIES),
        *(f"create function public.{name} {body}" for name, body in LIES.items()),
        "alter database warehouse set search_path = public, pg_catalog",
    )
    warehouse.close_connections()
    try:
        assert problems() == before
    finally:
        as_owner(
            "alter database warehouse reset search_path",
            *(f"drop function public.{name}" for name in LIES),
        )
        warehouse.close_connections()
        schema.upgrade()


def test_tables_of_another_schema_are_not_believed(told: Path) -> None:
    """The owner can set a search path by which logins see other tables first."""
    (told / "v000001.json").unlink()
    as_owner(
        "create schema other",
        "create table other.blacklist_versions (like public.blacklist_versions)",
        "grant usage on schema other to prakerja_read",
        "grant select on other.blacklist_versions to prakerja_read",
        "alter database warehouse set search_path = other, public",
    )
    warehouse.close_connections()
    try:
        assert "the anchor v000001.json is missing" in problems()
    finally:
        as_owner("alter database warehouse reset search_path", "drop schema other cascade")
        warehouse.close_connections()


def test_a_hidden_fact_is_found_although_its_table_was_removed_from_the_list(told: Path) -> None:
    as_owner(
        "delete from audited where fact = 'waivers'",
        "insert into waivers (delivery_id, accepted_by, because, entry) values (1, 'x', 'x', 99)",
    )
    found = problems()
    as_owner("insert into audited (fact, ordered_by) values ('waivers', '{delivery_id}')")
    assert found == "1 rows of waivers are in no entry of the log"


def test_facts_that_may_be_hidden_from_the_verification_are_reported(told: Path) -> None:
    as_owner(
        "insert into waivers (delivery_id, accepted_by, because, entry) values (1, 'x', 'x', 99)",
        "alter table waivers enable row level security",
        "create policy hidden on waivers to prakerja_read using (entry <> 99)",
    )
    try:
        assert "waivers is not the table any more that the log was sealed over: it has row-level security" in problems()
    finally:
        as_owner("drop policy hidden on waivers", "alter table waivers disable row level security")


def test_a_table_that_was_replaced_by_a_view_is_found(told: Path) -> None:
    as_owner("alter table waivers rename to other_waivers", "create view waivers as select * from other_waivers")
    as_owner("alter table appeals rename to other_appeals", "create view appeals as select * from other_appeals")
    found = problems()
    for table in ("waivers", "appeals"):
        as_owner(f"drop view {table}", f"alter table other_{table} rename to {table}")
    assert "appeals is not the table any more that the log was sealed over: it is a view" in found
    assert "waivers is not the table any more that the log was sealed over: it is a view" in found, "though it is empty"


def test_what_the_log_says_of_versions_must_rise(told: Path) -> None:
    as_owner("update blacklist_versions set entry = (select entry from blacklist_versions where version = 1)")
    assert "version 2 was recorded at position" in problems()


def test_the_upgrade_of_a_warehouse_with_an_entry_that_is_not_sealed(new_database: Callable[[str], None]) -> None:
    from alembic import command

    new_database("upgraded")
    config = schema._config(schema.VERSIONS)
    with warehouse.transaction(as_owner=True) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0016")
        connection.exec_driver_sql(
            "insert into audit_pending (entry, actor) values (1, 'Ani'); "
            "insert into audit_pending_facts values (1, 'freezes'); "
            "insert into freezes (starts_on, because, frozen_by, frozen_on, entry)"
            " values ('2021-03-10', 'x', 'Ani', '2021-03-10', 1)"
        )
    schema.upgrade()
    assert audit.verify().problems == []
    (entry,) = audit.list_entries(10)
    assert (entry["actor"], entry["login"], entry["role"]) == ("Ani", "not recorded", "not recorded")
    assert pick("select last_position, last_version from audit_baseline") == [(0, 0)]
