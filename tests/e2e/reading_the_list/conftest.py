"""A published version, and the documented reader beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from prakerja.blacklist.publisher import publishing
from tests.integration.blacklist import conftest as blacklist
from tests.support.documented_reader import Reader
from tests.support.published_list import AT, DAY

listed = blacklist.listed


@pytest.fixture
def reader(listed: Path, home: Path) -> Reader:
    publishing.publish("first", AT, DAY)
    return Reader(home / "reader", listed)
