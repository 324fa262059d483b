"""The look for secrets in a text finds each that is there."""

from __future__ import annotations

import pytest

from tests.support.leaks import leaked


def test_each_secret_is_found_wherever_it_stands() -> None:
    secrets = ["1234567", "1234568901", "Siti Aminah", "7654321"]
    assert leaked(secrets, "1234567 and 12345689012, Siti Aminah") == ["1234567", "1234568901", "Siti Aminah"]
    assert leaked(secrets, "123456 Siti Amina 765432") == []
    assert leaked(secrets, "") == []
    with pytest.raises(AssertionError, match="too short"):
        leaked(["123456"], "123456")
