"""A platform's file: an error is reported with file, line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from prakerja.errors import PrakerjaError
from prakerja.platforms import Platform
from prakerja.settings import INCLUDE

TEXT = (INCLUDE / "platforms" / "tokopedia.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("layout: csv", "layout: CSV", "line 8: `layout`: Input should be 'csv', 'json', 'jsonl' or 'xlsx'"),
        ("layout: csv", "lay_out: csv", "line 8: `lay_out`: Extra inputs are not permitted"),
        ("CANCELLED: CANCELLED", "CANCELLED: CANCELED", "line 18: `events.CANCELLED`: Input should be 'PAID'"),
        ("  course_id: course_id\n", "", "columns must map exactly transaction_id, event"),
        ("active_from: 2020-04-11", "active_from: 2020-04-31", "line 4: `active_from`: Input should be a valid date"),
        ("occurred_at: {form: iso8601}", "occurred_at: {zone: Asia/Jakarta}", "must name a form"),
        (
            "share_least: 0.34",
            "share_least: 34",
            "line 24: `volume.share_least`: Input should be less than or equal to 1",
        ),
        ("days: 28, ", "days: 28, days: 7, ", "`volume.days` stands there twice"),
        ("platform: tokopedia", "platform: other", "is named tokopedia, but says platform: other"),
        ("columns:", "columns: [", "is not YAML at line"),
    ],
)
def test_an_invalid_platform_file_is_reported_by_line_and_field(tmp_path: Path, was: str, now: str, told: str) -> None:
    assert TEXT.count(was) == 1
    text = TEXT.replace(was, now)
    path = tmp_path / "tokopedia.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PrakerjaError) as refused:
        Platform.from_file(path)
    found = str(refused.value)
    assert told in found
    assert "\n" not in found
    assert found.startswith(f"the platform file {path}")
