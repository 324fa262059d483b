"""The reminders' texts: their length and their alphabet."""

from __future__ import annotations

import re
from datetime import date

import pytest

from prakerja.programme import programme
from prakerja.reminders import texts


def test_every_text_fits_and_carries_no_number_of_a_person_and_no_short_link() -> None:
    version = texts.Texts(programme().reminders.texts)
    version.require_whole(date(2021, 9, 30))
    for template in texts.TEMPLATES:
        for lacks in texts.LACKS:
            sms = version.sms(template, lacks, "Wolfeschlegelsteinhausen", date(2021, 9, 30))
            assert sms.segments == texts.segments(sms.body) <= 2
            assert set(sms.body) <= texts.GSM_7 | texts.GSM_7_EXTENDED
            email = version.email(template, lacks, "Putri", date(2021, 9, 30))
            for told in (sms.body, email.body, str(email.subject)):
                assert not re.search(r"\d{5}|https?:|bit\.ly|s\.id", told)
    assert len({version.sms("early", lacks, "A", date(2021, 9, 30)).body for lacks in texts.LACKS}) == 4


@pytest.mark.parametrize(
    ("text", "count"),
    [("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2), ("ł" * 70, 1),
     ("ł" * 71, 2), ("😀" * 35, 1), ("😀" * 36, 2)],
)  # fmt: skip
def test_segments_are_those_of_the_standard(text: str, count: int) -> None:
    assert texts.segments(text) == count
