"""What comes from outside is text wherever it ends up."""

from __future__ import annotations

import pytest

from prakerja.escaping import csv_cell, label, markdown, markdown_code, one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("gelombang-12, 3 < 4; Siti Rahma, S.H.; Ḥusayn; 東京 \U0001f600", None),
        ("\x1b]0;owned\x07\x1b[31mred", r"\x1b]0;owned\x07\x1b[31mred"),
        ("a\r\nb\tc\x7f\x9b31m", r"a\r\nb\tc\x7f\x9b31m"),
        ("\u202egnp.exe\u2028x\u200b\ufeff", r"\u202egnp.exe\u2028x\u200b\ufeff"),
        ("\udcff", r"\udcff"),
        ("[red]x[/red]", None),
    ],
)
def test_a_line_has_no_control_characters(text: str, shown: str | None) -> None:
    assert one_line(text) == (text if shown is None else shown)
    assert printable(f"{text}\nnext").endswith("\nnext")


@pytest.mark.parametrize("text", [
    '=HYPERLINK("http://evil.example","x")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1",
    "|x", "%x", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201",
])  # fmt: skip
def test_a_cell_that_a_spreadsheet_would_calculate_gets_a_quote(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["tokopedia", "2021-04-08", "", "-5", "+1,000.5", -5, 0.3, None, "a=b"])
def test_any_other_cell_stays(value: object) -> None:
    assert csv_cell(value) == value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2021-04-08: 7 deliveries of 7 platforms, 1,234 rows; gelombang-13__deadline__2021-04-08 | red: Revoke", None),
        ("[x](javascript:alert)", r"\[x\](javascript:alert)"),
        ("![x](//evil.example)", r"!\[x\](//evil.example)"),
        ("<img src=x>`a`*b*_c_~d~", r"\<img src=x\>\`a\`\*b\*\_c\_\~d\~"),
        (
            "www.evil.example http://evil.example a@evil.example",
            r"www\.evil.example http:\/\/evil.example a\@evil.example",
        ),
        ("a\n# b\\", r"a\\n# b" + "\\\\"),
        ("&#x202e;", r"\&#x202e;"),
        ("__init__ _x_", r"\_\_init\_\_ \_x\_"),
    ],
)
def test_a_note_is_text(text: str, shown: str | None) -> None:
    assert markdown(text) == (text if shown is None else shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("closed 'that' [day](x)\n# now", "`closed 'that' [day](x) # now`"),
        ("a`b``c", "`a'b''c`"),
        ("\u202egnp\u2066 x\u200b\ufeff\x00\x1b[2J\x7f", r"`\u202egnp\u2066 x\u200b\ufeff\x00\x1b[2J\x7f`"),
        ("Siti Rahma, S.H.; 東京", "`Siti Rahma, S.H.; 東京`"),
    ],
)
def test_a_reason_is_code_of_one_line(text: str, shown: str) -> None:
    assert markdown_code(text) == shown


def test_a_label_is_one_that_is_known() -> None:
    assert label("tokopedia", {"tokopedia": 1}) == "tokopedia"
    assert label('x",y="z', {"tokopedia": 1}) == "other"
