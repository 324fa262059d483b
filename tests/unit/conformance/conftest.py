"""A folder in memory for each case: a run of the kit is thousands of small files."""

from __future__ import annotations

from tests.unit.reader import conftest as reading

memory, tmp_path = reading.memory, reading.tmp_path
