"""The list under corrected NIKs: one version exchanges them, and every version of the past is as it was."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher import audit, configured_keys, pending, publishing, rotation, verification
from prakerja.blacklist.publisher.storage import folder_under_key
from prakerja.cli import app
from prakerja.settings import WIB
from prakerja_blacklist.format.contract import FIRST_CONTRACT
from prakerja_blacklist.reader.sources import Folder
from tests.support.corrections import approve, correct, correct_nik
from tests.support.killed_publisher import steps, watched
from tests.support.published_list import AT, reinstate, revoke, tree
from tests.support.publisher import NEXT, pick, published, reader, undisturbed, verified, versions

NIK = 31 * 10**14
CARD = "{:016}".format
NEW = 99


def changes(version: int) -> list[tuple[str, int, str]]:
    return pick(
        f"select c.op, c.recipient_id, c.reason from blacklist_changes c where version = {version}"
        " order by c.recipient_id, c.op"
    )


def today_published(occasion: str, **how: Any) -> int | None:
    """Publish as of today: a correction is of the day on which it was made."""
    now = datetime.now(WIB)
    return publishing.publish(occasion, now, now.date(), **how)


def listed_niks(root: Path, version: int | None = None) -> set[int]:
    """Which of the NIKs that occur in these tests a version lists, by its files."""
    number = version or max(each for each, _ in versions())
    key = configured_keys.load_subject_key()
    lines = verification.snapshot_of(UPath(root), number)
    subjects = {line[:64] for line in lines[len(FIRST_CONTRACT.header) :].splitlines()}
    return {n for n in range(1, 120) if key.subject(f"{NIK + n}").encode() in subjects}


def check(*niks: int) -> list[str]:
    asked = "".join(f"{NIK + n}\n" for n in niks)
    return CliRunner().invoke(app, ["blacklist", "check"], input=asked).stdout.split("\n")[:-1]


def whole(root: Path) -> None:
    assert verified(root) == [number for number, _ in versions()]
    # All but the decision, which these tests write by hand, is sealed and true.
    assert not [told for told in audit.verify().problems if "blacklist_changes" in told or "correction" in told]


def test_one_version_exchanges_the_nik_of_somebody_who_is_listed(sealed: Path, home: Path) -> None:
    published("first")
    client = reader(home / "reader")
    client.sync(Folder(UPath(sealed)), AT)
    correct_nik(CARD(1), f"{NIK + NEW}")
    assert today_published("second") == 2
    assert changes(2) == [("ADD", 1, "NO_FIRST_PURCHASE"), ("WITHDRAW", 1, "REINSTATED")]
    assert listed_niks(sealed) == {2, 3, 4, 5, NEW}
    assert listed_niks(sealed, 1) == {1, 2, 3, 4, 5}
    assert check(1, NEW) == ["not listed", "listed"]
    assert today_published("second") == 2, "once"
    assert len(versions()) == 2
    whole(sealed)
    assert tree(home / "publish") == undisturbed(home / "undisturbed", "second", NEXT)


def test_a_correction_that_waits_changes_nothing(sealed: Path) -> None:
    published("first")
    correct({"card_number": CARD(1), "nik": f"{NIK + NEW}"})
    assert today_published("second") == 2
    assert changes(2) == []
    approve()
    assert today_published("second") == 3
    assert listed_niks(sealed) == {2, 3, 4, 5, NEW}


def test_corrected_before_ever_listed_and_corrected_twice(sealed: Path) -> None:
    correct_nik(CARD(1), f"{NIK + NEW}")
    published("first")
    assert listed_niks(sealed) == {2, 3, 4, 5, NEW}
    assert changes(1)[0] == ("ADD", 1, "NO_FIRST_PURCHASE")
    correct_nik(CARD(1), f"{NIK + NEW + 1}")
    correct_nik(CARD(1), f"{NIK + NEW + 2}")
    today_published("second")
    assert listed_niks(sealed) == {2, 3, 4, 5, NEW + 2}
    correct_nik(CARD(1), f"{NIK + 1}")
    today_published("third")
    assert listed_niks(sealed) == {1, 2, 3, 4, 5}
    correct_nik(CARD(1), f"{NIK + NEW}")
    correct_nik(CARD(1), f"{NIK + 1}")
    assert today_published("fourth") == 4
    assert changes(4) == [], "there and back is no change"
    assert [listed_niks(sealed, version) - {2, 3, 4, 5} for version in (1, 2, 3, 4)] == [{NEW}, {NEW + 2}, {1}, {1}]
    whole(sealed)


def test_somebody_who_was_reinstated_is_withdrawn_and_not_added_again(sealed: Path) -> None:
    published("first")
    reinstate(1)
    correct_nik(CARD(1), f"{NIK + NEW}")
    today_published("second")
    assert changes(2) == [("WITHDRAW", 1, "REINSTATED")]
    reinstate(2)
    today_published("third")
    correct_nik(CARD(2), f"{NIK + NEW + 1}")
    today_published("fourth")
    assert changes(4) == []
    correct_nik(CARD(3), f"{NIK + NEW + 2}")
    today_published("fifth")
    reinstate(3)
    today_published("sixth")
    assert listed_niks(sealed) == {4, 5}
    whole(sealed)


def test_the_owner_of_the_old_nik_is_listed_for_his_own_revocation_in_the_same_version_too(sealed: Path) -> None:
    """Recipient 6 is he: his own NIK was wrong as well, and is set right once it is free."""
    published("first")
    correct_nik(CARD(1), f"{NIK + NEW}")
    correct_nik(CARD(6), f"{NIK + 1}")
    revoke([6])
    today_published("second")
    assert changes(2) == [
        ("ADD", 1, "NO_FIRST_PURCHASE"),
        ("WITHDRAW", 1, "REINSTATED"),
        ("ADD", 6, "NO_FIRST_PURCHASE"),
    ]
    assert listed_niks(sealed) == {1, 2, 3, 4, 5, NEW}
    whole(sealed)


def test_two_who_are_listed_exchange_their_niks(sealed: Path) -> None:
    published("first")
    correct(
        {"card_number": CARD(1), "nik": f"{NIK + 2}"},
        {"card_number": CARD(2), "nik": f"{NIK + 1}"},
    )
    approve()
    today_published("second")
    assert len(changes(2)) == 4
    assert listed_niks(sealed) == {1, 2, 3, 4, 5}
    whole(sealed)


def test_another_nik_is_neither_growth_nor_shrinking(sealed: Path, bound: Any) -> None:
    published("first")
    bound(grows_free=0, shrinks_free=0)
    correct_nik(CARD(1), f"{NIK + NEW}")
    revoke([6])
    with pytest.raises(pending.OutOfBoundsError):
        today_published("second")
    assert [change[:2] for change in changes(2)] == [("ADD", 1), ("WITHDRAW", 1)]


def test_whoever_stays_listed_keeps_the_owner_of_their_nik_waiting(sealed: Path, bound: Any) -> None:
    """Who is reinstated cannot be withdrawn yet, since too many are: nobody else is listed under that subject."""
    published("first")
    for number in (1, 2):
        reinstate(number)
    correct_nik(CARD(1), f"{NIK + NEW}")
    correct_nik(CARD(6), f"{NIK + 1}")
    revoke([6, 7])
    bound(shrinks_free=1)
    with pytest.raises(pending.OutOfBoundsError):
        today_published("second")
    assert [change[:2] for change in changes(2)] == [("ADD", 7)]
    (waiting,) = pending.list_unusual_changes(AT.date() + timedelta(days=1))
    pending.approve_unusual_change(waiting.digest, AT.date() + timedelta(days=1), because="drill", approved_by="siti")
    today_published("second")
    assert listed_niks(sealed) == {1, 3, 4, 5, 7}
    whole(sealed)


def test_a_new_key_of_the_subjects_and_an_earlier_list_are_of_the_niks_of_their_time(
    own_keys: Path, sealed: Path, home: Path
) -> None:
    published("first")
    earlier = configured_keys.load_subject_key()
    correct_nik(CARD(1), f"{NIK + NEW}")
    today_published("second")
    rotation.rotate_subject_key(NEXT, because="drill", answered_by="siti")
    today_published("third")
    correct_nik(CARD(2), f"{NIK + NEW + 1}")
    today_published("fourth")
    assert verified(sealed) == [1, 2, 3, 4]
    assert verified(folder_under_key(UPath(sealed), earlier.key_id), UPath(sealed)) == [3, 4]
    assert listed_niks(sealed, 4) == {3, 4, 5, NEW, NEW + 1}


@pytest.mark.parametrize("step", steps("later", halves=False))
def test_a_publisher_that_dies_while_it_exchanges_a_nik_is_finished_by_the_next(sealed: Path, step: str) -> None:
    class DiedError(BaseException):
        pass

    def reached(now: str) -> None:
        if now == step:
            raise DiedError

    published("first")
    correct_nik(CARD(1), f"{NIK + NEW}")
    with watched(reached), pytest.raises(DiedError):
        today_published("second")
    today_published("second")
    assert listed_niks(sealed) == {2, 3, 4, 5, NEW}
    whole(sealed)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into blacklist_changes (version, op, recipient_id, reason) values (1, 'WITHDRAW', 1, 'REINSTATED')",
        "insert into blacklist_changes (version, op, recipient_id, reason, nik_correction_id)"
        " values (1, 'WITHDRAW', 1, 'REINSTATED', 0), (1, 'ADD', 1, 'NO_FIRST_PURCHASE', 1)",
        "insert into blacklist_changes (version, op, recipient_id, reason, nik_correction_id)"
        " values (1, 'ADD', 6, 'NO_FIRST_PURCHASE', 7)",
    ],
    ids=["withdrawn alone", "exchanged by what nobody has approved", "added by no correction"],
)
def test_the_database_lets_a_nik_change_only_by_an_approved_correction(sealed: Path, statement: str) -> None:
    published("first")
    revoke([6])
    correct({"card_number": CARD(1), "nik": f"{NIK + NEW}"})
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "insert into blacklist_versions (version, occasion, created_at, changed_at, data_as_of)"
            " values (2, 'x', now(), now(), '{}')"
        )
    with pytest.raises(warehouse.RefusedError), warehouse.transaction("publish") as connection:
        connection.exec_driver_sql(statement.replace("(1, '", "(2, '"))


def test_nobody_is_listed_under_two_niks(sealed: Path) -> None:
    published("first")
    correct_nik(CARD(1), f"{NIK + NEW}")
    ((number,),) = pick("select correction_id from corrections")
    with pytest.raises(warehouse.RefusedError), warehouse.transaction("publish") as connection:
        connection.exec_driver_sql(
            "insert into blacklist_changes (version, op, recipient_id, reason, nik_correction_id)"
            f" values (1, 'ADD', 1, 'NO_FIRST_PURCHASE', {number})"
        )


def test_how_many_are_listed_and_the_digest_are_right_at_every_version(sealed: Path) -> None:
    published("first")
    correct_nik(CARD(1), f"{NIK + NEW}")
    today_published("second")
    reinstate(1)
    today_published("third")
    with warehouse.transaction() as connection:
        entries = [
            (
                warehouse.execute(connection, "blacklist/count_listed", version=version).scalar_one(),
                len(warehouse.rows(connection, "blacklist/list_entries", version=version)),
            )
            for version in (1, 2, 3)
        ]
    assert entries == [(5, 5), (5, 5), (4, 4)]
