"""A nasty world and its complete replay, with which killed replays are compared."""

from __future__ import annotations

from tests.e2e import conftest as e2e

replayed_world, instances, replayed = e2e.replayed_world, e2e.instances, e2e.replayed
prepared_home_with_airflow = e2e.prepared_home_with_airflow
