"""Between any two published versions the deltas are the difference."""

from __future__ import annotations

import gzip
import itertools
import random
from datetime import timedelta
from pathlib import Path

import pytest

from prakerja.blacklist.publisher import rotation
from prakerja_blacklist.format.contract import FIRST_CONTRACT
from prakerja_blacklist.format.snapshot import apply_changes, hash_list, merge_deltas, parse_delta
from tests.support.published_list import AT, reinstate, revoke
from tests.support.publisher import WHO, manifest, published, verified


@pytest.mark.parametrize("seed", range(3))
def test_between_any_two_published_versions_the_deltas_are_the_difference(
    listed: Path, own_keys: Path, seed: int
) -> None:
    """Whatever happens between them: revocations, reinstatements, other keys, nothing."""
    chance, revoked, reinstated, at, last = random.Random(seed), set(range(1, 6)), set[int](), AT, 9
    published("1")
    for number in range(2, last):
        fresh = {person for person in range(6, 11) if person not in revoked and chance.random() < 0.3}
        if fresh:
            revoke(fresh)
            revoked |= fresh
        for person in sorted(revoked - reinstated):
            if chance.random() < 0.12:
                reinstate(person)
                reinstated.add(person)
        if chance.random() < 0.3:
            rotation.rotate_subject_key(at, at_once=True, **WHO)
        if chance.random() < 0.3:
            rotation.rotate_signing_key(at, at_once=True, **WHO)
        at += timedelta(days=1)
        published(str(number), at)
    read = {
        name: {n: gzip.decompress((listed / f"v{n:06d}" / f"{name}.csv.gz").read_bytes()) for n in range(1, last)}
        for name in ("snapshot", "delta")
    }
    lists = {0: FIRST_CONTRACT.header, **read["snapshot"]}
    deltas = {number: parse_delta(data, FIRST_CONTRACT) for number, data in read["delta"].items()}
    for earlier, later in itertools.combinations_with_replacement(range(last), 2):
        between = merge_deltas(deltas[number] for number in range(earlier + 1, later + 1))
        assert b"".join(apply_changes(lists[earlier], between)) == lists[later], (earlier, later)
        if later:
            assert hash_list(lists[earlier], between) == manifest(listed, later).result_sha256
    assert len(revoked - reinstated) == lists[last - 1].count(b"\n") - 1
    assert verified(listed) == list(range(1, last))
