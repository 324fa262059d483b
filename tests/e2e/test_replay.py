"""The main job, end to end: a nasty world through the real DAGs, killed, repeated, doubled, without approval."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import LAST, Instance

Replayed = tuple[Instance, subprocess.CompletedProcess[str]]


def test_the_counts_are_those_that_the_world_was_made_to_give(replayed: Replayed, foreseen: dict[str, Any]) -> None:
    instance, _ = replayed
    table = instance.cohorts()
    for truth in foreseen["cohorts"]:
        row = table[truth["cohort"]]
        names = ("status", "selected", "purchased", "held", "overdue", "excluded", "reinstated")
        assert {name: row[name] for name in names} == {name: truth[name] for name in names}
        assert row["revoked"] == truth["overdue"]
        assert row["cases"] == truth["cases"] + truth["held_later"]
        assert row["holds_resolvable"] == truth["resolved"]
        assert (row["at_risk"], row["reinstatements_proposed"], row["missing_feeds"]) == (0, 0, [])
        assert row["reminded"] > 0


def test_every_delivery_is_counted_as_it_was_made(replayed: Replayed, foreseen: dict[str, Any]) -> None:
    instance, _ = replayed
    found = {
        f"feeds/{row['platform']}/{row['business_date']}/r{row['revision']}": row
        for row in json.loads(instance.ask("feeds", "--json").stdout)
    }
    assert set(found) == {delivery["path"] for delivery in foreseen["deliveries"]}
    for delivery in foreseen["deliveries"]:
        row = found[delivery["path"]]
        assert (row["status"] == "accepted") == delivery["accepted"], delivery
        for name in ("rows", "loaded", "quarantined", "duplicates"):
            assert row[name] == delivery[name], (name, delivery)
    assert f"{foreseen['unmatched_cards']:,} cards are in no loaded roster" in instance.ask("feeds").stdout


def test_asset_events_announce_every_accepted_delivery_whatever_was_rejected(replayed: Replayed) -> None:
    instance, _ = replayed
    deliveries = json.loads(instance.ask("feeds", "--json").stdout)
    accepted = {
        (row["platform"], row["business_date"], row["revision"]): row["restates"] is not None
        for row in deliveries
        if row["status"] == "accepted"
    }
    with instance.database("airflow") as connection:
        extras = connection.execute(
            "select e.extra from asset_event e join asset a on a.id = e.asset_id where a.uri like 'prakerja://feeds/%'"
        ).fetchall()
    told = [delivery for (extra,) in extras for delivery in extra["deliveries"]]
    keys = [(one["platform"], one["business_date"], one["revision"]) for one in told]
    assert sorted(keys) == sorted(accepted)
    assert dict(zip(keys, (one["is_restatement"] for one in told), strict=True)) == accepted
    assert any(one["is_late"] for one in told)


def test_asset_events_announce_each_version_once_and_in_order(replayed: Replayed) -> None:
    instance, _ = replayed
    with instance.database("airflow") as connection:
        extras = connection.execute(
            "select e.extra from asset_event e join asset a on a.id = e.asset_id"
            " where a.name = 'blacklist' order by e.id"
        ).fetchall()
    assert [extra["version"] for (extra,) in extras] == [1, 2, 3, 4, 5]


def test_every_judged_delivery_has_its_page(replayed: Replayed) -> None:
    instance, _ = replayed
    deliveries = json.loads(instance.ask("feeds", "--json").stdout)
    pages = [Path(row["data_docs"]) for row in deliveries if row["data_docs"]]
    assert len(pages) == len(set(pages)) >= sum(row["status"] == "accepted" for row in deliveries)
    assert all(page.is_file() for page in pages)
    assert (pages[0].parents[1] / "index.html").is_file()


def test_every_person_ends_where_they_were_made_to(replayed: Replayed, foreseen: dict[str, Any]) -> None:
    instance, _ = replayed
    cards = [person["card_number"] for person in instance.people()]
    answers = [
        json.loads(line) for line in instance.ask("explain", "-", "--json", given="\n".join(cards)).stdout.splitlines()
    ]
    states = {card: answer["state"] for card, answer in zip(cards, answers, strict=True)}
    for truth in foreseen["cohorts"]:
        reinstated = set(truth["cards"].get("reinstated", []))
        for card in truth["cards"]["overdue"]:
            assert states.pop(card) == ("reinstated" if card in reinstated else "revoked")
        for card in truth["cards"]["held"]:
            assert states.pop(card) == "held"
    assert Counter(states.values()) == {"purchased": sum(truth["purchased"] for truth in foreseen["cohorts"])}


def test_every_story_is_told_at_the_instants_that_were_played(replayed: Replayed, foreseen: dict[str, Any]) -> None:
    """All of it was recorded within minutes of today, and nothing of today is in it."""
    instance, _ = replayed
    for truth in foreseen["cohorts"]:
        cards = [card for kind in ("overdue", "held") for card in truth["cards"][kind]]
        given = "\n".join(cards)
        for line in instance.ask("explain", "-", "--json", given=given).stdout.splitlines():
            events = json.loads(line)["events"]
            instants = [event["at"] for event in events]
            assert instants == sorted(instants)
            assert {at[:5] for at in instants} == {"2021-"}
            at = {event["what"]: event["at"] for event in events}
            assert at["decided"][11:] == "06:00:00+07:00"
            leads_to = ("selected", "decided", "approved", "revoked", "listed", "reinstated", "withdrawn_from_list")
            told = [event["what"] for event in events if event["what"] in leads_to]
            assert sorted(set(told), key=leads_to.index) == list(dict.fromkeys(told))


def test_the_list_is_who_is_revoked_and_not_reinstated(replayed: Replayed, foreseen: dict[str, Any]) -> None:
    instance, _ = replayed
    listed = sorted(
        card
        for truth in foreseen["cohorts"]
        for card in truth["cards"]["overdue"]
        if card not in truth["cards"].get("reinstated", [])
    )
    assert instance.list_of_cards() == listed
    verified = instance.ask("blacklist", "verify")
    assert verified.returncode == 0
    assert "5 versions are whole and signed" in verified.stdout, "one a day from the first on, one for each deadline"


def test_each_rejection_is_a_line_and_the_exit_code_is_one(replayed: Replayed, foreseen: dict[str, Any]) -> None:
    _, done = replayed
    rejected = [delivery["path"].split("/") for delivery in foreseen["deliveries"] if not delivery["accepted"]]
    assert done.returncode == (1 if rejected else 0)
    for _, platform, day, revision in rejected:
        assert f"{platform} {day} {revision}: size_mismatch" in done.stderr


def test_reminders_were_sent_once_each_and_only_before_the_deadline(replayed: Replayed) -> None:
    instance, _ = replayed
    import sqlite3

    with instance.database("warehouse") as connection:
        sent = connection.execute(
            "select count(*) filter (where state = 'delivered' or channel = 'email' and state = 'accepted'),"
            " count(distinct provider_id), count(*) from reminders"
        ).fetchone()
        late = connection.execute(
            "select count(*) from reminders m join rosters r using (cohort) where m.remind_on > r.deadline_on"
        ).fetchone()
    with sqlite3.connect(instance.home / "inbox.sqlite") as inbox:
        received = inbox.execute("select count(*) from messages").fetchone()
    assert sent is not None
    assert received is not None
    assert sent[0] == sent[1] == sent[2] == received[0] > 0
    assert late == (0,)


def test_runs_say_what_they_are_and_every_run_has_tasks(replayed: Replayed) -> None:
    instance, _ = replayed
    with instance.database("airflow") as connection:
        runs = dict(
            connection.execute(
                "select r.run_id, count(t.*) from dag_run r left join task_instance t using (dag_id, run_id)"
                " where r.dag_id = 'cohort_deadline' group by r.run_id"
            ).fetchall()
        )
        feeds = connection.execute("select count(*) from dag_run where dag_id = 'platform_feeds'").fetchone()
    assert set(runs) == {
        f"gelombang-{cohort}__{kind}__2021-03-{day:02}"
        for cohort, days in ((12, (6, 10, 12, 13)), (13, (7, 11, 13, 14)))
        for kind, day in zip(("H-7", "H-3", "H-1", "deadline"), days, strict=True)
    }
    assert set(runs.values()) == {14}
    assert feeds == (13,)


@pytest.mark.soak
def test_played_again_it_changes_nothing(replayed: Replayed) -> None:
    instance, first = replayed
    state, published = instance.state(), instance.published()
    again = instance.replay("--approve-as", "Siti")
    assert again.returncode == first.returncode
    assert [line for line in again.stderr.splitlines() if "mismatch" in line] == [
        line for line in first.stderr.splitlines() if "mismatch" in line
    ]
    assert instance.state() == state
    assert instance.published() == published


@pytest.mark.soak
def test_without_an_approval_nothing_is_revoked_and_with_one_it_is_as_if_never_without(
    replayed: Replayed, instances: Any, foreseen: dict[str, Any]
) -> None:
    reference, _ = replayed
    instance = instances()
    done = instance.replay()
    assert done.returncode == 1
    for truth in foreseen["cohorts"]:
        row = instance.cohorts()[truth["cohort"]]
        assert (row["status"], row["overdue"], row["revoked"]) == ("awaiting_approval", truth["overdue"], 0)
        assert f"gelombang-{truth['cohort']} awaits approval: {truth['overdue']} revocations" in done.stderr
    assert not (instance.home / "publish" / "blacklist").exists()
    instance.replay("--approve-as", "Siti")
    assert instance.state() == reference.state()
    assert instance.list_of_cards() == reference.list_of_cards()


def test_a_backup_restored_into_an_empty_home_is_the_same_state_and_vouches_for_the_list(
    replayed: Replayed, instances: Any, tmp_path: Path
) -> None:
    reference, _ = replayed
    made = reference.run("backup", str(tmp_path / "backup"), "--with-keys")
    assert made.returncode == 0, made.stderr
    again = reference.ask("backup", str(tmp_path / "backup"))
    assert (again.returncode, again.stderr.splitlines()[1:]) == (
        1, [f"{tmp_path / 'backup'} already exists: name a new folder"],
    )  # fmt: skip
    restored = instances(is_empty=True)
    restored.more["PRAKERJA_PUBLISH"] = str(reference.home / "publish")

    dump = tmp_path / "backup" / "warehouse.dump"
    whole = dump.read_bytes()
    dump.write_bytes(whole[:-1])
    refused = restored.ask("restore", str(tmp_path / "backup"))
    assert (refused.returncode, refused.stderr.strip()) == (
        1, f"{dump} was changed after the backup: use another backup",
    )  # fmt: skip
    dump.write_bytes(whole)

    done = restored.run("restore", str(tmp_path / "backup"))
    assert done.returncode == 0, done.stderr
    assert re.search(r"compared them with [1-9]\d* anchors and [1-9]\d* published lists", done.stdout)
    assert restored.state() == reference.state()
    assert restored.cohorts() == reference.cohorts()
    assert restored.list_of_cards() == reference.list_of_cards()
    before = reference.published()
    restored.run("replay", "--from", LAST, "--to", LAST, "--approve-as", "Siti")
    assert restored.state() == reference.state()
    assert reference.published() == before, "a run goes on from the restored state"

    full = restored.ask("restore", str(tmp_path / "backup"))
    assert (full.returncode, full.stderr.splitlines()[1:]) == (
        1,
        [f"the database warehouse at {restored.home}/postgres is not empty: restore into an empty home or database"],
    )  # fmt: skip


def test_a_missing_feed_blocks_the_cohorts_whose_window_it_is_in(
    replayed_world: Path, instances: Any, tmp_path: Path
) -> None:
    shutil.copytree(replayed_world / "landing", tmp_path / "landing")
    shutil.rmtree(tmp_path / "landing" / "feeds" / "pintaria" / "2021-03-15")
    shutil.rmtree(tmp_path / "landing" / "feeds" / "sisnaker" / "2021-03-14")
    instance = instances(tmp_path / "landing")
    day = ("--from", "2021-03-16", "--to", "2021-03-16")  # it takes in whatever has come, and decides
    done = instance.run("replay", *day, "--approve-as", "Siti", "--cohorts", "13")
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if "blocked" in line]
    assert said == ["gelombang-13 is blocked: feeds_missing: pintaria 2021-03-15; sisnaker 2021-03-14"], done.stderr
    row = instance.cohorts()[13]
    assert (row["status"], row["missing_feeds"]) == ("blocked", ["pintaria 2021-03-15", "sisnaker 2021-03-14"])
    assert row["revoked"] == 0
    assert not (instance.home / "publish" / "blacklist").exists()
    assert "missing" in instance.ask("feeds").stdout
    with instance.database("airflow") as connection:
        red = connection.execute(
            "select task_id, rendered_map_index from task_instance"
            " where state = 'failed' and task_id = 'take_in' order by 2"
        ).fetchall()
    assert ("take_in", "pintaria") in red


@pytest.mark.parametrize("kind", ["card_number", "nik", "phone", "email", "full_name"])
def test_nothing_personal_is_in_what_leaves_or_is_logged(
    replayed: Replayed, searched: dict[str, str], kind: str
) -> None:
    """Every log, every Airflow table, every published byte and every word on the screen, searched for every person."""
    instance, _ = replayed
    secrets = {person[kind] for person in instance.people()} - {""}
    if kind == "card_number":
        secrets |= {card.lstrip("0") for card in secrets}
    assert len(searched) > 60
    for where, text in searched.items():
        found = [secret for secret in secrets if secret in text]
        assert not found, (where, len(found))
