"""The list as its own bytes: deltas, one after another or as one, lead from any version to any later one."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja_blacklist.format import snapshot
from prakerja_blacklist.format.contract import FIRST_CONTRACT
from prakerja_blacklist.format.snapshot import (
    LINE_BYTES_MAX,
    Change,
    Lines,
    NotCanonicalError,
    Subjects,
    apply_changes,
    hash_list,
    merge_deltas,
    parse_delta,
    sha256,
)
from tests.support.simulated_publisher import DELTA_HEADER, HEADER, change_of, changes_between, line_of, list_of

#: Subjects as HMACs are, all in one corner, at both ends, and next to each other.
POOL = sorted(
    {hashlib.sha256(bytes([n])).hexdigest() for n in range(12)}
    | {"ab" * 20 + f"{n:024x}" for n in range(8)}
    | {"0" * 63 + digit for digit in "012"}
    | {"f" * 63 + digit for digit in "def"}
)
LISTS = st.dictionaries(st.sampled_from(POOL), st.sampled_from([12, 13]), max_size=len(POOL))
NEARS = st.sampled_from([0, 1, 3, 100])


def listed(people: dict[str, int]) -> dict[bytes, bytes]:
    """Lines by subject."""
    return {subject.encode(): line_of(subject, cohort) for subject, cohort in people.items()}


def delta_between(before: dict[bytes, bytes], after: dict[bytes, bytes]) -> list[Change]:
    return parse_delta(DELTA_HEADER + b"".join(changes_between(before, after)), FIRST_CONTRACT)


def subjects_of(lines: dict[bytes, bytes]) -> Subjects:
    return Subjects(b"".join(bytes.fromhex(subject.decode()) for subject in sorted(lines)))


def delta_of(*changes: bytes) -> bytes:
    return DELTA_HEADER + b"".join(changes)


# -- from any version to any later one ---------------------------------------------------------------------------------


@given(st.lists(LISTS, min_size=2, max_size=6), NEARS)
def test_every_version_follows_from_every_earlier_one_byte_for_byte(versions: list[dict[str, int]], near: int) -> None:
    lists = [listed(version) for version in versions]
    deltas = [delta_between(before, after) for before, after in pairwise(lists)]
    with mock.patch.object(snapshot, "NEAR_DEVIATIONS", near):
        for first in range(len(lists)):
            for last in range(first, len(lists)):
                changes = merge_deltas(deltas[first:last])
                base = list_of(lists[first])
                assert b"".join(apply_changes(base, changes)) == list_of(lists[last])
                assert hash_list(base, changes) == sha256(list_of(lists[last]))
                subjects = b"".join(subjects_of(lists[first]).apply_changes(changes))
                assert subjects == subjects_of(lists[last]).buffer


@given(st.lists(LISTS, min_size=2, max_size=6))
def test_deltas_one_after_another_lead_where_their_net_does(versions: list[dict[str, int]]) -> None:
    lists = [listed(version) for version in versions]
    lines, subjects = list_of(lists[0]), subjects_of(lists[0])
    for before, after in pairwise(lists):
        delta = delta_between(before, after)
        lines, subjects = b"".join(apply_changes(lines, delta)), Subjects(b"".join(subjects.apply_changes(delta)))
        assert lines == list_of(after)
        assert list(subjects) == list(subjects_of(after))


@given(st.lists(LISTS, min_size=2, max_size=6))
def test_a_net_change_says_no_more_than_it_must(versions: list[dict[str, int]]) -> None:
    lists = [listed(version) for version in versions]
    changes = merge_deltas(delta_between(before, after) for before, after in pairwise(lists))
    before, after = lists[0], lists[-1]
    assert [change.subject for change in changes] == sorted(change.subject for change in changes)
    by_subject: dict[bytes, list[str]] = {}
    for change in changes:
        by_subject.setdefault(change.subject, []).append(change.op)
    for subject in {*before, *after}:
        expected = {
            (False, True): [["ADD"]],
            (True, False): [["WITHDRAW"]],
            (True, True): [["WITHDRAW", "ADD"], *([[]] if before.get(subject) == after.get(subject) else [])],
        }[subject in before, subject in after]
        assert by_subject.pop(subject, []) in expected
    assert not by_subject


def test_a_list_of_thousands_follows_as_one_of_few_does() -> None:
    chance = random.Random(1)
    people = {chance.randbytes(32).hex(): 12 for _ in range(8_000)}
    before = listed(people)
    assert len(before) > 4 * snapshot.NEAR_DEVIATIONS**2
    for _ in range(3):
        for subject in chance.sample(sorted(people), 40):
            del people[subject]
        for subject in chance.sample(sorted(people), 40):
            people[subject] = 13
        people |= {chance.randbytes(32).hex(): 13 for _ in range(40)}
        after = listed(people)
        delta = delta_between(before, after)
        assert b"".join(apply_changes(list_of(before), delta)) == list_of(after)
        assert b"".join(subjects_of(before).apply_changes(delta)) == subjects_of(after).buffer
        assert hash_list(list_of(before), delta) == sha256(list_of(after))
        before = after


# -- at the ends -------------------------------------------------------------------------------------------------------

LOW, MIDDLE, HIGH = "0" * 64, "8" * 64, "f" * 64


@pytest.mark.parametrize("near", [0, 1, snapshot.NEAR_DEVIATIONS])
@pytest.mark.parametrize("before", [[], [MIDDLE], [LOW, HIGH], [LOW, MIDDLE, HIGH], [LOW], [HIGH]], ids=len)
@pytest.mark.parametrize("after", [[], [MIDDLE], [LOW, HIGH], [LOW, MIDDLE, HIGH], [LOW], [HIGH]], ids=len)
def test_the_first_the_last_and_the_only_line_come_and_go(
    monkeypatch: pytest.MonkeyPatch, near: int, before: list[str], after: list[str]
) -> None:
    monkeypatch.setattr(snapshot, "NEAR_DEVIATIONS", near)
    old, new = listed(dict.fromkeys(before, 12)), listed(dict.fromkeys(after, 13))
    changes = delta_between(old, new)
    assert b"".join(apply_changes(list_of(old), changes)) == list_of(new)
    assert b"".join(subjects_of(old).apply_changes(changes)) == subjects_of(new).buffer


@given(LISTS, st.sampled_from(POOL), NEARS)
def test_a_subjects_place_is_its_line_or_where_it_would_begin(people: dict[str, int], subject: str, near: int) -> None:
    base, key = list_of(listed(people)), subject.encode()
    with mock.patch.object(snapshot, "NEAR_DEVIATIONS", near):
        start, end = snapshot._place(base, key, b"", len(HEADER))
    lines = sorted(listed(people).items())
    assert start == len(HEADER) + sum(len(line) for other, line in lines if other < key)
    assert base[start:end] == dict(lines).get(key, b"")


# -- who is listed -----------------------------------------------------------------------------------------------------

CROWDS: dict[str, Callable[[random.Random], set[bytes]]] = {
    "nobody": lambda _: set(),
    "one": lambda chance: {chance.randbytes(32)},
    "the lowest": lambda _: {bytes(32)},
    "the highest": lambda _: {b"\xff" * 32},
    "spread evenly": lambda chance: {chance.randbytes(32) for _ in range(3_000)},
    "the same first bytes": lambda chance: {b"\xab" * 8 + chance.randbytes(24) for _ in range(500)},
    "all at the beginning": lambda chance: {bytes(6) + chance.randbytes(26) for _ in range(500)},
    "all at the end": lambda chance: {b"\xff" * 6 + chance.randbytes(26) for _ in range(500)},
    "at both ends": lambda chance: {end * 6 + chance.randbytes(26) for end in (b"\0", b"\xff") for _ in range(250)},
    "one apart": lambda _: {number.to_bytes(32, "big") for number in range(500)},
    "few, and a crowd": lambda chance: (
        {chance.randbytes(32) for _ in range(9)} | {b"\x10" + chance.randbytes(31) for _ in range(500)}
    ),
}


@pytest.mark.parametrize("crowd", CROWDS)
def test_who_is_listed_is_found_and_nobody_else(crowd: str) -> None:
    chance = random.Random(1)
    people = CROWDS[crowd](chance)
    subjects = Subjects(b"".join(sorted(people)))
    assert len(subjects) == len(people)
    assert list(subjects) == sorted(people)
    near = {(int.from_bytes(each, "big") + step) % 2**256 for each in people for step in (-1, 1)}
    others = {number.to_bytes(32, "big") for number in near} | {bytes(32), b"\xff" * 32, chance.randbytes(32)}
    assert all(each in subjects for each in people)
    assert {each for each in others if each in subjects} == others & people


@given(st.sets(st.binary(min_size=32, max_size=32)), st.binary(min_size=32, max_size=32))
def test_subjects_agree_with_a_set(people: set[bytes], other: bytes) -> None:
    subjects = Subjects(b"".join(sorted(people)))
    assert (other in subjects) == (other in people)
    assert {each for each in people if each in subjects} == people
    place = subjects.place(other)
    assert sorted(people)[:place] == sorted(each for each in people if each < other)


@pytest.mark.parametrize("nothing", [b"", b"\0", bytes(31), bytes(33), "0" * 64, bytearray(32), 0, None])
def test_what_is_no_subject_is_not_listed(nothing: Any) -> None:
    assert nothing not in Subjects(bytes(32) + b"\xff" * 32)
    assert nothing not in Subjects(b"")


def test_subjects_are_a_sequence() -> None:
    subjects = Subjects(b"".join(bytes([n]) * 32 for n in range(5)))
    assert subjects[1:3] == [b"\1" * 32, b"\2" * 32]
    assert subjects[4] == b"\4" * 32
    with pytest.raises(IndexError):
        subjects[5]


def test_a_subject_that_is_spread_evenly_is_found_in_few_looks() -> None:
    chance = random.Random(1)
    looks = 0

    class Counted(Subjects):
        def __getitem__(self, position: Any) -> Any:
            nonlocal looks
            looks += 1
            return super().__getitem__(position)

    people = sorted(chance.randbytes(32) for _ in range(20_000))
    subjects = Counted(b"".join(people))
    for each in people[::200]:
        assert each in subjects
    assert looks < 100 * 14, "bisection alone takes 15 and the comparison"


# -- lines in chunks ---------------------------------------------------------------------------------------------------


def taken_in(data: bytes, sizes: Sequence[int]) -> tuple[bytes, int, str]:
    """What `Lines` makes of data that comes in chunks of these sizes, over and over."""
    lines, subjects = Lines(FIRST_CONTRACT), b""
    for chunk in chunks_of(data, sizes):
        subjects += lines.read_chunk(chunk)
    lines.require_end()
    return subjects, lines.rows, lines.digest.hexdigest()


def chunks_of(data: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    position, turn = 0, 0
    while position < len(data):
        size = sizes[turn % len(sizes)]
        yield data[position : position + size]
        position, turn = position + size, turn + 1


SIZES = st.lists(st.integers(1, 400), min_size=1, max_size=6)


@given(LISTS, SIZES)
def test_lines_that_come_in_chunks_are_those_that_come_at_once(people: dict[str, int], sizes: list[int]) -> None:
    data = list_of(listed(people))
    assert taken_in(data, sizes) == taken_in(data, [len(data)])
    assert taken_in(data, sizes) == (subjects_of(listed(people)).buffer, len(people), sha256(data))


def test_lines_may_be_cut_anywhere() -> None:
    lines = listed(dict.fromkeys(POOL[:3], 12))
    for size in range(1, len(list_of(lines))):
        assert taken_in(list_of(lines), [size, 1 << 20])[0] == subjects_of(lines).buffer


ROW = line_of("8" * 64)
UNFIT_ROWS: dict[str, bytes] = {
    "empty": b"\n",
    "a carriage return": ROW[:-1] + b"\r\n",
    "a NUL": ROW[:-1] + b"\0\n",
    "a space before": b" " + ROW,
    "a space behind": ROW[:-1] + b" \n",
    "upper case": b"A" * 64 + ROW[64:],
    "no hex": b"g" * 64 + ROW[64:],
    "a short subject": ROW[1:],
    "a long subject": b"8" + ROW,
    "a column less": ROW.replace(b",12,", b","),
    "a column more": ROW[:-1] + b",\n",
    "an empty column": ROW.replace(b",12,", b",,"),
    "cohort 0": ROW.replace(b",12,", b",0,"),
    "cohort 012": ROW.replace(b",12,", b",012,"),
    "cohort 10000": ROW.replace(b",12,", b",10000,"),
    "a negative cohort": ROW.replace(b",12,", b",-1,"),
    "other digits": ROW.replace(b",12,", ",١٢,".encode()),
    "a quoted reason": ROW.replace(b"NO_FIRST_PURCHASE", b'"NO_FIRST_PURCHASE"'),
    "another reason": ROW.replace(b"NO_FIRST_PURCHASE", b"REINSTATED"),
    "an instant without a zone": ROW.replace(b"17:00:00Z", b"17:00:00"),
    "an instant in part": ROW.replace(b"17:00:00Z", b"17:00Z"),
    "a decision of no gelombang": ROW.replace(b"gelombang-12-", b"gelombang--"),
    "a short decision": ROW[:-2] + b"\n",
    "two in one": ROW[:-1] + ROW,
    "longer than any": ROW.replace(b"gelombang-12-", b"gelombang-" + b"1" * LINE_BYTES_MAX + b"-"),
}


@pytest.mark.parametrize("sizes", [[1 << 20], [7], [1]], ids=["at once", "in sevens", "in ones"])
@pytest.mark.parametrize("unfit", UNFIT_ROWS)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_line_that_does_not_fit_is_refused_wherever_it_stands(unfit: str, place: int, sizes: list[int]) -> None:
    before, after = [line_of(digit * 64) for digit in "12"][:place], [line_of(digit * 64) for digit in "9a"][place:]
    lines = [*before, UNFIT_ROWS[unfit], *after]
    with pytest.raises(NotCanonicalError):
        taken_in(HEADER + b"".join(lines), sizes)


@pytest.mark.parametrize("sizes", [[1 << 20], [7], [200]], ids=["at once", "in sevens", "in two hundreds"])
@pytest.mark.parametrize("order", [[1, 0, 2], [0, 2, 1], [0, 0, 1], [0, 1, 1], [2, 1, 0]], ids=str)
def test_lines_that_are_not_sorted_or_name_one_twice_are_refused(order: list[int], sizes: list[int]) -> None:
    lines = [line_of(POOL[index], 12 + place) for place, index in enumerate(order)]
    with pytest.raises(NotCanonicalError, match="not sorted"):
        taken_in(HEADER + b"".join(lines), sizes)


@pytest.mark.parametrize(
    "data",
    [b"", HEADER[:1], HEADER[:-1], HEADER.replace(b"cohort", b"wave"), b"\xef\xbb\xbf" + HEADER, ROW, HEADER + ROW[:-1],
     HEADER + ROW[:9], DELTA_HEADER],
)  # fmt: skip
def test_a_list_that_breaks_off_or_has_other_columns_is_refused(data: bytes) -> None:
    for sizes in ([1 << 20], [3]):
        with pytest.raises(NotCanonicalError):
            taken_in(data, sizes)


def test_a_line_without_end_is_not_waited_for() -> None:
    lines = Lines(FIRST_CONTRACT)
    lines.read_chunk(HEADER)
    lines.read_chunk(b"8" * LINE_BYTES_MAX)
    with pytest.raises(NotCanonicalError, match="longer than the contract"):
        lines.read_chunk(b"8")


@given(LISTS, st.data())
def test_a_list_with_any_byte_changed_is_refused_or_another_list(people: dict[str, int], data: st.DataObject) -> None:
    right = list_of(listed(people))
    place = data.draw(st.integers(0, len(right) - 1))
    bent = right[:place] + bytes([data.draw(st.integers(0, 255))]) + right[place + 1 :]
    try:
        subjects, rows, digest = taken_in(bent, [data.draw(st.integers(1, 400))])
    except NotCanonicalError:
        return
    assert digest == sha256(bent)
    assert rows == bent.count(b"\n") - 1
    assert list(Subjects(subjects)) == sorted({bytes.fromhex(line[:64].decode()) for line in bent.splitlines()[1:]})


# -- deltas that do not do ---------------------------------------------------------------------------------------------

ADDED, WITHDRAWN = change_of("ADD", ROW), change_of("WITHDRAW", ROW)
UNFIT_DELTAS: dict[str, bytes] = {
    "nothing": b"",
    "no header": ADDED,
    "a list": HEADER + ROW,
    "a header in part": DELTA_HEADER[:-1],
    "another header": DELTA_HEADER.upper() + ADDED,
    "another operation": delta_of(ADDED.replace(b"ADD", b"UPDATE")),
    "a lower-case operation": delta_of(ADDED.replace(b"ADD", b"add")),
    "no operation": delta_of(ROW),
    "no last line break": delta_of(ADDED)[:-1],
    "an empty line": delta_of(ADDED, b"\n"),
    "CRLF": delta_of(ADDED).replace(b"\n", b"\r\n"),
    "not sorted": delta_of(change_of("ADD", line_of(HIGH)), change_of("ADD", line_of(LOW))),
    "a reason that is none": delta_of(change_of("WITHDRAW", ROW, "SORRY")),
    "an addition for a withdrawal's reason": delta_of(change_of("ADD", ROW, "REINSTATED")),
    "an addition that another key was the reason of": delta_of(change_of("ADD", ROW, "KEY_ROTATED")),
    "one added twice": delta_of(ADDED, ADDED),
    "one withdrawn twice": delta_of(WITHDRAWN, WITHDRAWN),
    "one added, then withdrawn": delta_of(ADDED, WITHDRAWN),
    "one added between two withdrawals": delta_of(WITHDRAWN, ADDED, WITHDRAWN),
    **{f"{name} in a line": delta_of(b"ADD," + row) for name, row in UNFIT_ROWS.items()},
}


@pytest.mark.parametrize("unfit", UNFIT_DELTAS)
def test_a_delta_that_does_not_fit_is_refused(unfit: str) -> None:
    with pytest.raises(NotCanonicalError):
        parse_delta(UNFIT_DELTAS[unfit], FIRST_CONTRACT)


def test_a_delta_is_its_changes_in_order() -> None:
    low = line_of(LOW)
    assert parse_delta(DELTA_HEADER, FIRST_CONTRACT) == []
    assert parse_delta(delta_of(change_of("ADD", low), WITHDRAWN, ADDED), FIRST_CONTRACT) == [
        Change("ADD", LOW.encode(), low),
        Change("WITHDRAW", MIDDLE.encode(), ROW.replace(b"NO_FIRST_PURCHASE", b"REINSTATED")),
        Change("ADD", ROW[:64], ROW),
    ]


ADD, WITHDRAW = Change("ADD", ROW[:64], ROW), Change("WITHDRAW", ROW[:64], ROW)


@pytest.mark.parametrize(
    ("is_listed", "changes"),
    [
        (True, [ADD]),
        (False, [WITHDRAW]),
        (False, [ADD, ADD]),
        (True, [WITHDRAW, WITHDRAW]),
        (True, [WITHDRAW, ADD, ADD]),
        (False, [ADD, WITHDRAW, WITHDRAW]),
    ],
)
@pytest.mark.parametrize("others", [0, 60])
def test_who_is_listed_is_not_added_and_who_is_not_is_not_withdrawn(
    is_listed: bool, changes: list[Change], others: int
) -> None:
    """Few changes to a long list are looked up in it, many to a short one taken apart."""
    lines = listed({hashlib.sha256(bytes([n])).hexdigest(): 12 for n in range(others)})
    base = list_of(lines | ({ROW[:64]: ROW} if is_listed else {}))
    with pytest.raises(NotCanonicalError):
        b"".join(apply_changes(base, changes))
    with pytest.raises(NotCanonicalError):
        hash_list(base, changes)


@given(LISTS, st.lists(st.tuples(st.sampled_from(["ADD", "WITHDRAW"]), st.sampled_from(POOL)), max_size=6))
def test_the_two_ways_to_a_result_agree_on_what_is_refused_too(
    people: dict[str, int], steps: list[tuple[str, str]]
) -> None:
    base = list_of(listed(people))
    rows = [change_of(op, line_of(subject)) for op, subject in sorted(steps, key=lambda step: step[1])]
    try:
        changes = parse_delta(delta_of(*rows), FIRST_CONTRACT)
    except NotCanonicalError:
        return
    with mock.patch.object(snapshot, "LINE_BYTES_MAX", 0):
        looked_up = outcome(lambda: hash_list(base, changes))
    with mock.patch.object(snapshot, "LINE_BYTES_MAX", 1 << 40):
        taken_apart = outcome(lambda: hash_list(base, changes))
    assert looked_up == taken_apart
    assert looked_up == outcome(lambda: sha256(b"".join(apply_changes(base, changes))))


def outcome(job: Callable[[], str]) -> str:
    try:
        return job()
    except NotCanonicalError:
        return "refused"


@pytest.mark.parametrize(
    "deltas",
    [
        [[ADD], [ADD]],
        [[WITHDRAW], [WITHDRAW]],
        [[WITHDRAW, ADD], [ADD]],
        [[ADD], [WITHDRAW], [WITHDRAW, ADD], [ADD]],
        [[ADD, ADD]],
        [[WITHDRAW, WITHDRAW]],
    ],
)
def test_deltas_in_a_row_that_contradict_each_other_are_refused(deltas: list[list[Change]]) -> None:
    with pytest.raises(NotCanonicalError):
        merge_deltas(deltas)


@pytest.mark.parametrize(
    ("deltas", "changes"),
    [
        ([], []),
        ([[]], []),
        ([[ADD]], [ADD]),
        ([[ADD], [WITHDRAW]], []),
        ([[ADD], [WITHDRAW], [ADD]], [ADD]),
        ([[WITHDRAW], [ADD]], [WITHDRAW, ADD]),
        ([[WITHDRAW], [ADD], [WITHDRAW]], [WITHDRAW]),
        ([[WITHDRAW, ADD], [WITHDRAW, ADD]], [WITHDRAW, ADD]),
        ([[ADD], [WITHDRAW, ADD]], [ADD]),
    ],
)
def test_deltas_in_a_row_are_one(deltas: list[list[Change]], changes: list[Change]) -> None:
    assert merge_deltas(deltas) == changes
