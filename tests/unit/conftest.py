"""What every unit test may ask for."""

from tests.small_wave import wave  # noqa: F401 - a fixture
