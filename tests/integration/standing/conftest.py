"""One recipient of gelombang 12, straight in the tables."""

from __future__ import annotations

import pytest

from prakerja import warehouse
from tests.support.standing_world import World


@pytest.fixture
def world(connection: warehouse.Connection) -> World:
    world = World(connection)
    world.recipient()
    return world
