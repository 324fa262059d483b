"""The reminders' texts: their length and their alphabet."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from prakerja.programme import programme
from prakerja.reminders import texts


def test_every_text_fits_and_has_neither_a_number_nor_a_link() -> None:
    version = texts.Texts(programme().reminders.texts)
    version.require_whole(date(2021, 9, 30))
    for template in texts.TEMPLATES:
        for lacks in texts.LACKS:
            sms = version.render("sms", template, lacks, "Wolfeschlegelsteinhausen", date(2021, 9, 30))
            assert sms.segments == texts.segments(sms.body) <= 2
            assert set(sms.body) <= texts.GSM_7 | texts.GSM_7_EXTENDED
            email = version.render("email", template, lacks, "Putri", date(2021, 9, 30))
            for text in (sms.body, email.body, str(email.subject)):
                assert not re.search(r"\d{5}|https?:|bit\.ly|s\.id", text)
    assert len({version.render("sms", "early", lacks, "A", date(2021, 9, 30)).body for lacks in texts.LACKS}) == 4


@pytest.mark.parametrize(
    ("text", "count"),
    [("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2), ("ł" * 70, 1),
     ("ł" * 71, 2), ("😀" * 35, 1), ("😀" * 36, 2)],
)  # fmt: skip
def test_segments_are_those_of_the_standard(text: str, count: int) -> None:
    assert texts.segments(text) == count


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_digests_of_used_versions_do_not_change(version: str) -> None:
    assert texts.Texts(version).sha256 == "31255f5b80ea8444ec6617961c6f97e842d5df5355cc2d563c4595c111501461"


def test_a_version_takes_missing_files_from_the_version_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "texts_folder", lambda: tmp_path)
    monkeypatch.setattr(texts, "_environment", texts._environment.__wrapped__)
    monkeypatch.setattr(texts, "_text", texts._text.__wrapped__)
    for name, text in {
        "v1/sms/held": "one",
        "v1/sms/early": "one",
        "v2/sms/held": "two",
        "v10/sms/early": "ten",
    }.items():
        path = tmp_path / f"{name}.txt.j2"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def read(version: str, template: str) -> str:
        return texts.Texts(version).render("sms", template, "nothing", "Siti", date(2021, 9, 30)).body

    assert [read(version, "held") for version in ("v1", "v2", "v10")] == ["one", "two", "two"]
    assert [read(version, "early") for version in ("v1", "v2", "v10")] == ["one", "one", "ten"]
    (tmp_path / "v10" / "email").mkdir()
    (tmp_path / "v10" / "email" / "held.txt.j2").write_text("A subject\nten", encoding="utf-8")
    mail = texts.Texts("v1").render("email", "held", "nothing", "Siti", date(2021, 9, 30))
    assert mail.body == "ten\n", "a channel that was added since has the texts of the version that added it"
    before = [texts.Texts(version).sha256 for version in ("v1", "v2", "v10")]
    (tmp_path / "v10" / "sms" / "held.txt.j2").write_text("ten", encoding="utf-8")
    after = [texts.Texts(version).sha256 for version in ("v1", "v2", "v10")]
    assert after[:2] == before[:2]
    assert after[2] != before[2]
