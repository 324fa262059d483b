"""Names of folders as nobody should choose them, each made to be read as more than a name by some exit."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.landing_zone import deliver

#: By what would read them.
NAMES = {
    "a spreadsheet": '=HYPERLINK("www.evil.example","click")',
    "another spreadsheet": "@SUM(1+1)*cmd|' -C calc'!A0",
    "a spreadsheet, wide": "\uff1d1+1",
    "a terminal": "\x1b]0;owned\x07\x1b[31mred\x1b[2J",
    "an old terminal": "\x9b31mred",
    "a reader of text": "\u202eoipakot",
    "Rich": "[red]owned[/red]".replace("/", ""),
    "Rich's links": "[link=evil.example]owned",
    "a reader of lines": "x\nrejected tokopedia 2021-03-05 r1: owned",
    "a browser": "<img src=x onerror=alert(1)>",
    "a browser's script": '"><script>alert(1)<!--',
    "Markdown": "![x](www.evil.example) **owned** `x`",
    "Jinja": "{{ 7*7 }}{% raw %}",
    "a format": "%s%n{0}{name}",
    "a URL": "x?y=1#z&%2e..",
    "SQL": "'; drop table deliveries; --",
    "an option": "--help",
    "Vega": "datum['x'];alert(1)",
    "a label": 'x",y="z\\',
    "whoever has little room": "ä" * 120,
}
NO_TEXT = b"\xff\xfe-no-text"


def plant(landing: Path, business_date: str) -> None:
    """Lay a delivery down under each name, and a folder whose name is no text."""
    for name in NAMES.values():
        (landing / "feeds" / name).mkdir(parents=True)
        folder = deliver(landing, "tokopedia", business_date, [])
        target = landing / "feeds" / name / business_date
        target.mkdir(parents=True)
        folder.rename(target / "r1")
    (landing / "feeds" / os.fsdecode(NO_TEXT)).mkdir()
