"""A home where nothing has been done yet."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Instance


@pytest.fixture(scope="module")
def fresh(instances: Any) -> Instance:
    """A home where nothing has been done yet."""
    instance: Instance = instances(is_empty=True)
    return instance
