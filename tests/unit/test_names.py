"""What a message calls its reader: a name whole, in letters that its channel carries, or `Peserta`; never a part."""

from __future__ import annotations

import hashlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja.programme import programme
from prakerja.reminders import names, texts

DEADLINE = date(2021, 9, 30)
TEXTS = texts.Texts(programme().reminders.texts)


def called(full_name: str) -> tuple[str, str]:
    """Return the name in the SMS and in the e-mail to somebody, as they read it."""
    sms = TEXTS.render("sms", "early", "nothing", full_name, DEADLINE)
    email = TEXTS.render("email", "early", "nothing", full_name, DEADLINE)
    assert sms.segments == texts.segments(sms.body) <= 2
    assert set(sms.body) <= texts.GSM_7 | texts.GSM_7_EXTENDED, "one character beside it makes it twice as dear"
    in_email = email.body.partition("Halo ")[2].partition(",\n")[0]
    return sms.body.removeprefix("Kartu Prakerja: ").partition(",")[0], in_email


@pytest.mark.parametrize(
    ("full_name", "in_sms", "in_email"),
    [
        ("Łukasz Nowak", "Lukasz", "Łukasz"),
        ("Øystein Berg", "Øystein", "Øystein"),
        ("Đorđe", "Dorde", "Đorđe"),
        ("Zoë", "Zoe", "Zoë"),
        ("Zoe\u0308 Putri", "Zoe", "Zoë"),
        ("René", "René", "René"),
        ("Çağrı", "Cagri", "Çağrı"),
        ("Nguyễn Văn", "Nguyen", "Nguyễn"),
        ("Ｓｉｔｉ", "Siti", "Siti"),
        ("ﬁtri", "fitri", "fitri"),
        ("Дмитрий", "Dmitriy", "Дмитрий"),
        ("ΔΗΜΟΣ", "DIMOS", "ΔΗΜΟΣ"),
    ],
)
def test_no_letter_of_a_name_is_lost(full_name: str, in_sms: str, in_email: str) -> None:
    assert called(full_name) == (in_sms, in_email)


@pytest.mark.parametrize("full_name", ["ꦧꦪꦸ", "ᬩᬬᬸ", "محمد", "علی\u200cرضا", "李明", "陈", "สมชาย", "たろう"])
def test_an_sms_says_participant_if_the_letters_do_not_determine_the_name(full_name: str) -> None:
    assert called(full_name) == (texts.PARTICIPANT, full_name.replace("\u200c", ""))


@pytest.mark.parametrize(
    ("full_name", "name"),
    [
        ("M. Rizki", "Rizki"),
        ("M.Rizki", "Rizki"),
        ("M Rizki", "Rizki"),
        ("I Made Sukarta", "Made"),
        ("H. Ahmad", "Ahmad"),
        ("Hj Aminah", "Aminah"),
        ("H.M. ALI", "ALI"),
        ("Prof. Dr. Siti Rahma, S.H., M.Hum.", "Siti"),
        ("DRA SITI", "SITI"),
        ("Muh. Rizki", "Rizki"),
        ("Muh. R.", "Muh"),
        ("Siti.", "Siti"),
        ("Ng Siau Tjhin", "Ng"),
        ("A", "Peserta"),
        ("M. R.", "Peserta"),
        ("Dr.", "Peserta"),
        (", S.Pd", "Peserta"),
    ],
)
def test_nobody_is_called_by_an_initial_or_a_title(full_name: str, name: str) -> None:
    assert called(full_name) == (name, name)


@pytest.mark.parametrize(
    ("full_name", "name"),
    [
        ("Nur’aini", "Nur'aini"),
        ("Nurʼaini", "Nur'aini"),
        ("Nurʻaini", "Nur'aini"),
        ("Nur´aini", "Nur'aini"),
        ("Nur`aini", "Nur'aini"),
        ("D'Ari-Jo", "D'Ari-Jo"),
        ("Siti‐Nur", "Siti-Nur"),
        ("Siti\u2011Nur", "Siti-Nur"),
        ("'Siti", "Siti"),
        ("Isra'", "Isra'"),
        ("“Siti”", "Siti"),
        ("*Siti*", "Siti"),
        ("Si\u200bti", "Siti"),
        ("\u202eSiti\u2066", "Siti"),
        ("\ufeffSiti", "Siti"),
        ("😀Siti❤\ufe0f", "Siti"),
        ("😀 Siti", "Siti"),
        ("Siti\u00a0Aminah", "Siti"),
        ("Siti123", "Siti"),
        ("1000000000000001 Siti", "Siti"),
        ("bit.ly Siti", "Siti"),
        ("siti@x.example", "Peserta"),
        ("https://x.example", "Peserta"),
        ("D'Ari-Jo {{ 7*7 }}", "D'Ari-Jo"),
        ("\u0301\u0301", "Peserta"),
        ("\u3164\u3164", "Peserta"),
        ("😀", "Peserta"),
        ("  ", "Peserta"),
        ("", "Peserta"),
        ("Z" + "\u0335" * 200 + "oe", "Peserta"),
        ("A" * 30, "A" * 30),
        ("A" * 31, "Peserta"),
        ("Ł" * 31, "Peserta"),
    ],
)
def test_characters_around_a_name_are_left_out(full_name: str, name: str) -> None:
    assert called(full_name) == (name, name)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_no_message_carries_more_than_letters_of_a_name(full_name: str) -> None:
    in_sms, in_email = called(full_name)
    assert in_sms == texts.PARTICIPANT or all(c.isalpha() or c in "'-" for c in in_sms)
    assert in_email == texts.PARTICIPANT or not set(in_email) & set(".:/@0123456789 \n\u200b\u202e")


def test_a_version_that_was_used_keeps_its_names() -> None:
    """What is submitted again under a message's key is the same text. If this differs, write another version."""
    v1, v2 = texts.Texts("v1"), texts.Texts("v2")
    assert v1.sha256.startswith("31255f5b")
    assert v2.sha256.startswith("31255f5b")
    assert " ukasz," in v1.render("sms", "early", "nothing", "Łukasz", DEADLINE).body
    assert "Halo M,\n" in v1.render("email", "early", "nothing", "M. Rizki", DEADLINE).body
    blocks = ("\u00c0-\u024f", "\u0370-\u03ff", "\u0400-\u04ff", "\u1e00-\u1eff")
    letters = (chr(n) for block in blocks for n in range(ord(block[0]), ord(block[2]) + 1) if chr(n).isalpha())
    plain = "\n".join(names.transliterate(f"Aa{letter}") or "" for letter in letters)
    assert hashlib.sha256(plain.encode()).hexdigest().startswith("493b0bf5")
