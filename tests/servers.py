"""Where `tests/e2e/test_scaled_out.py` looks for servers."""

from tests.support.postgres_and_redis import Postgres, postgres, redis

__all__ = ["Postgres", "postgres", "redis"]
