"""The service's range answers: of one size, and filled up with what no reader can tell from people."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest

from prakerja.blacklist.service import ranges as service_ranges
from prakerja.blacklist.service.list_store import ListStore
from prakerja.blacklist.service.ranges import RENEWED_AFTER, Ranges, derive_padding_key, read_cohorts
from prakerja_blacklist.format.snapshot import Subjects
from prakerja_blacklist.reader.kept_lines import LINES
from prakerja_blacklist.reader.sync import Client
from tests.support.simulated_publisher import HEADER, Repository, line_of, list_of, subject_key

KEY = b"of the service alone"
PREFIXES = [f"{number:05x}" for number in (0, 1, 77, 4095, 2**20 - 1)]
People = Mapping[str, int]  # the cohort of each subject


def build(people: People, version: int = 1, key: bytes = KEY) -> Ranges:
    """The ranges of a list."""
    subjects = sorted(people)
    cohorts = np.array([people[subject] for subject in subjects], dtype=np.uint32)
    return Ranges(Subjects(b"".join(map(bytes.fromhex, subjects))), cohorts, key, version)


def subject(number: int, prefix: str = "") -> str:
    """A subject as evenly spread as all are, or one of a range."""
    return prefix + hashlib.sha256(str(number).encode()).hexdigest()[len(prefix) :]


def cohort_of(number: int, size: int = 200) -> dict[str, int]:
    """So many people of a cohort."""
    return {subject(number * 10**6 + each): number for each in range(size)}


def answers(ranges: Ranges, prefixes: Iterable[str] = PREFIXES) -> dict[str, set[str]]:
    """What is answered to each prefix; its size is checked."""
    found = {prefix: ranges.answer(prefix)[0] for prefix in prefixes}
    assert {len(suffixes) for suffixes in found.values()} == {ranges.suffixes}
    assert all(suffixes == sorted(set(suffixes)) for suffixes in found.values())
    return {prefix: set(suffixes) for prefix, suffixes in found.items()}


def test_every_answer_has_one_size_and_holds_who_is_listed() -> None:
    people = cohort_of(12) | {subject(each, "00000"): 12 for each in range(40)} | {"f" * 64: 13}
    ranges = build(people)
    assert (ranges.smallest, ranges.largest) == (0, 40)
    assert ranges.suffixes == 16 + 64 + 4
    prefixes = {each[:5] for each in people} | {*PREFIXES}
    told = answers(ranges, prefixes)
    for prefix in prefixes:
        own = {each[5:] for each in people if each.startswith(prefix)}
        assert own <= told[prefix]
        assert ranges.answer(prefix)[1] == len(own)
        assert {len(suffix) for suffix in told[prefix]} == {59}


def test_an_empty_list_has_ranges_too() -> None:
    ranges = build({})
    assert (ranges.smallest, ranges.largest, ranges.suffixes) == (0, 0, 16)
    assert ranges.answer("00000")[1] == 0
    assert len(answers(ranges)) == len(PREFIXES)


def test_who_has_the_key_of_the_subjects_cannot_make_the_padding() -> None:
    """As the service made it before, and with the key itself: each reader of ranges has it."""
    shown = subject_key("first")
    known = (shown.key, shown.digest("padding of ranges"), shown.digest(KEY.decode()), b"")
    for prefix, suffixes in answers(build({}, key=derive_padding_key(KEY, shown.key_id))).items():
        for key in known:
            guessed = {
                hashlib.blake2b(f"{prefix} {each}".encode(), key=key, digest_size=32).hexdigest()[5:]
                for each in range(100)
            }
            assert not guessed & suffixes
            for derived in (key, derive_padding_key(key, shown.key_id)):
                assert not answers(build({}, key=derived), [prefix])[prefix] & suffixes


def test_asking_again_or_another_service_reveals_nothing() -> None:
    people = cohort_of(12)
    assert answers(build(people)) == answers(build(people))


def test_with_a_new_key_of_the_subjects_decoys_change_as_people_do() -> None:
    before, after = (build({}, key=derive_padding_key(KEY, subject_key(name).key_id)) for name in ("first", "second"))
    for prefix, suffixes in answers(before).items():
        assert not suffixes & answers(after)[prefix]


def test_a_cohort_that_gets_listed_adds_as_many_to_every_range() -> None:
    """To those of its people as to all others; and nothing goes."""
    people, more = cohort_of(12), cohort_of(13)
    prefixes = [*PREFIXES, *(each[:5] for each in more)]
    before, after = answers(build(people), prefixes), answers(build(people | more), prefixes)
    assert {(len(before[prefix] - after[prefix]), len(after[prefix] - before[prefix])) for prefix in prefixes} == {
        (0, 4)
    }


def test_a_cohort_that_is_withdrawn_goes_from_every_range_alike() -> None:
    people, fewer = cohort_of(12) | cohort_of(13), cohort_of(12)
    prefixes = [*PREFIXES, *(each[:5] for each in people)]
    before, after = answers(build(people), prefixes), answers(build(fewer), prefixes)
    assert {(len(before[prefix] - after[prefix]), len(after[prefix] - before[prefix])) for prefix in prefixes} == {
        (4, 0)
    }


@pytest.mark.parametrize("number", [12, 13])
def test_one_person_is_exchanged_with_a_decoy_and_nobody_else_changes(number: int) -> None:
    people = cohort_of(12) | cohort_of(13)
    late = subject(1, "0004d")
    before, after = build(people), build(people | {late: number})
    told, then = answers(before), answers(after)
    changed = {prefix for prefix in PREFIXES if told[prefix] != then[prefix]}
    assert changed == {"0004d"}
    assert then["0004d"] - told["0004d"] == {late[5:]}
    (decoy,) = told["0004d"] - then["0004d"]
    later = answers(build(people | {late: number} | cohort_of(14)))["0004d"]
    assert decoy not in later, "it came back, so that the other one must be a person"


def test_a_block_that_grows_brings_no_decoy_back(monkeypatch: pytest.MonkeyPatch) -> None:
    people, late = cohort_of(12), {subject(1, "0004d"): 12}
    before, exchanged = answers(build(people)), answers(build(people | late))
    monkeypatch.setattr(service_ranges, "_block_size", lambda *_: 8)
    after = answers(build(people | late))
    assert not (before["0004d"] - exchanged["0004d"]) & after["0004d"]
    assert {
        (len(exchanged[prefix] - after[prefix]), len(after[prefix] - exchanged[prefix])) for prefix in PREFIXES
    } == {(0, 4)}


def test_decoys_are_exchanged_in_every_version_and_never_come_back() -> None:
    """Each once in so many versions, in one of its own: a single exchange says nothing."""
    people = cohort_of(12)
    prefixes = [f"{number:05x}" for number in range(400)]
    exchanged, gone = 0, set[str]()
    before = answers(build(people, 5), prefixes)
    for version in range(6, 16):
        after = answers(build(people, version), prefixes)
        for prefix in prefixes:
            went, came = before[prefix] - after[prefix], after[prefix] - before[prefix]
            assert len(went) == len(came)
            assert not came & gone
            gone |= went
            exchanged += len(went)
        before = after
    expected = 10 * len(prefixes) * 20 / RENEWED_AFTER
    assert expected / 3 < exchanged < expected * 3
    assert not gone & {each[5:] for each in people}


def test_every_decoy_is_exchanged_once_in_its_period() -> None:
    first, last = (build({}, version).answer("00000")[0] for version in (1, 1 + RENEWED_AFTER))
    assert not set(first) & set(last)
    middle = set(build({}, 1 + RENEWED_AFTER // 2).answer("00000")[0])
    assert 0 < len(middle & set(first)) < len(first)


@pytest.mark.parametrize(("entries", "size"), [(1, 4), (30_000, 4), (34_747, 4), (120_000, 8), (650_000, 16)])
def test_a_block_keeps_its_size_while_a_few_come_and_go(entries: int, size: int) -> None:
    assert {service_ranges._block_size(max(entries + few, 1), 1) for few in range(-5_000, 5_000, 500)} == {size}


def test_the_cohort_of_each_line_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_ranges, "CHUNK_BYTES", 500)
    lines = sorted(line_of(subject(number), cohort) for number, cohort in enumerate([1, 12, 123, 9, 1000, 7] * 20))
    found = read_cohorts(list_of({line: line for line in lines}))
    assert found.tolist() == [int(line.split(b",")[1]) for line in lines]
    assert read_cohorts(HEADER).tolist() == []


def open_store(repository: Repository, folder: Path) -> ListStore:
    """A store of a repository's list."""
    client = Client(folder, [repository.signer.public], repository.subject_keys, takes_expired=True)
    return ListStore(client, lambda: repository.source, KEY)


def test_ranges_wait_for_lines_that_were_lost_and_lookups_do_not(tmp_path: Path) -> None:
    """As a power cut may leave them: the subjects are on the disk, and the lines are not."""
    repository = Repository(tmp_path / "published")
    repository.publish([1, 2])
    open_store(repository, tmp_path / "list").refresh()
    (path,) = (tmp_path / "list").glob(f"v*/{LINES}")
    path.write_bytes(bytes(len(path.read_bytes())))
    lists = open_store(repository, tmp_path / "list")
    lists.refresh()
    assert lists.current().ranges is None
    assert len(lists.current().listed.subjects) == 2
    lists.refresh()
    ranges = lists.current().ranges
    assert ranges is not None
    assert ranges.suffixes == 20
