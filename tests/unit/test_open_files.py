"""How many connections a server may have open, by the system's limit on files."""

from __future__ import annotations

import resource

import pytest

from prakerja.errors import PrakerjaError
from prakerja.serving.running import CONNECTIONS_AT_ONCE, RESERVED_FILES, allow_connections

FREE = resource.RLIM_INFINITY
PLENTY = CONNECTIONS_AT_ONCE + RESERVED_FILES


@pytest.mark.parametrize(
    ("soft", "hard", "files", "connections", "raised"),
    [
        (FREE, FREE, 1, CONNECTIONS_AT_ONCE, None),
        (65_536, 65_536, 1, CONNECTIONS_AT_ONCE, None),
        (PLENTY, PLENTY, 1, CONNECTIONS_AT_ONCE, None),
        (256, 65_536, 1, CONNECTIONS_AT_ONCE, PLENTY),
        (256, FREE, 2, CONNECTIONS_AT_ONCE, 2 * CONNECTIONS_AT_ONCE + RESERVED_FILES),
        (256, PLENTY - 1, 1, CONNECTIONS_AT_ONCE - 1, PLENTY - 1),
        (1_024, 1_024, 1, 1_024 - RESERVED_FILES, 1_024),
        (1_024, 1_024, 2, (1_024 - RESERVED_FILES) // 2, 1_024),
    ],
)
def test_the_limit_on_files_is_raised_and_bounds_the_connections(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, files: int, connections: int, raised: int | None
) -> None:
    limits = [(soft, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: limits.append(given))
    assert allow_connections(files) == connections
    assert limits[-1] == ((raised, hard) if raised else (soft, hard))


def test_a_system_that_allows_too_few_files_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    with pytest.raises(PrakerjaError, match=r"may open only 256 files: allow it 500 or more \(ulimit -n\)"):
        allow_connections(1)
