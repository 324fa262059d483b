"""Another programme is data: the rules of 2023 are played end to end from a folder, with no line of code changed.

Fifteen days to buy, two days of settlement, two platforms of its own, other reminder days, texts, prices and approvals.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from tests.e2e.conftest import Instance

PROGRAMME = Path(__file__).with_name("programme_2023")
#: From the first reminder to the day of both decisions: deadline, two days of settlement, and the day after.
FIRST, DECIDED = "2023-03-12", "2023-03-20"


def test_a_programme_of_fifteen_days_is_simulated_replayed_and_published(tmp_path: Path) -> None:
    instance = Instance(
        tmp_path / "home", tmp_path / "world" / "landing", PROGRAMME / "cohorts.yaml", more={"PRAKERJA_CALENDAR": ""}
    )
    instance.command = [*instance.command, "--programme", str(PROGRAMME)]
    made = instance.run(
        "simulate", "--cohorts", "48,49", "--scale", "0.02", "--seed", "3", "--out", str(tmp_path / "world")
    )
    assert made.returncode == 0, made.stderr
    try:
        play(instance, json.loads((tmp_path / "world" / "expected.json").read_text()))
    finally:
        instance.run("db", "stop")


def play(instance: Instance, foreseen: dict[str, object]) -> None:
    """Play the days without an approval, and the day of the decisions again with one."""
    truths = {truth["cohort"]: truth for truth in foreseen["cohorts"]}  # type: ignore[attr-defined]
    played = instance.run("replay", "--from", FIRST, "--to", DECIDED)
    assert "6 revocations of 200 selected, by one person" in played.stderr
    assert "16 revocations of 160 selected, by two people" in played.stderr
    table = instance.cohorts()
    for cohort, truth in truths.items():
        names = ("selected", "purchased", "held", "overdue", "excluded")
        assert {name: table[cohort][name] for name in names} == {name: truth[name] for name in names}
        assert (table[cohort]["status"], table[cohort]["revoked"]) == ("awaiting_approval", 0)
        assert [(run["days_before"], run["texts"]) for run in table[cohort]["reminder_runs"]] == [
            (5, "v2023"),
            (2, "v2023"),
        ]
        assert all(
            run["cost_idr"] == 350 * run["segments"] + 15 * run["email"] for run in table[cohort]["reminder_runs"]
        )
    require_own_texts(instance)
    require_own_platforms(instance)

    played = instance.run("replay", "--from", DECIDED, "--to", DECIDED, "--approve-as", "Ani")
    assert played.returncode == 0, played.stderr
    table = instance.cohorts()
    for cohort, truth in truths.items():
        assert (table[cohort]["status"], table[cohort]["revoked"]) == ("decided", truth["overdue"])
    assert instance.run("blacklist", "verify").returncode == 0
    assert instance.list_of_cards() == sorted(card for truth in truths.values() for card in truth["cards"]["overdue"])


def require_own_texts(instance: Instance) -> None:
    with sqlite3.connect(instance.home / "inbox.sqlite") as inbox:
        texts = [text for (text,) in inbox.execute("select text from messages where subject is null")]
    assert texts
    assert all(text.startswith("Prakerja 2023: ") for text in texts)


def require_own_platforms(instance: Instance) -> None:
    deliveries = json.loads(instance.run("feeds", "--json").stdout)
    assert {row["platform"] for row in deliveries} == {"kariermu", "skillhub"}
    assert {row["status"] for row in deliveries} == {"accepted"}
    with instance.database("warehouse") as connection:
        dearest = connection.execute("select max(amount_idr) from transactions").fetchone()
    assert dearest is not None
    assert 1_000_000 < dearest[0] <= 3_500_000
