"""The readers of the unit tests, to be killed."""

from __future__ import annotations

from tests.unit.reader import conftest as reading

memory, tmp_path, quick_disk = reading.memory, reading.tmp_path, reading.quick_disk
origin, repository, reader = reading.origin, reading.repository, reading.reader
chained, desk = reading.chained, reading.desk
