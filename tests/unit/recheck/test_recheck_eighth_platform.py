"""A platform is data: an eighth one is read by its configuration alone."""

from __future__ import annotations

from datetime import date

import pytest

from prakerja.platforms import platforms
from prakerja.recheck import files, rows, rule
from tests.unit.recheck import conftest
from tests.unit.recheck.conftest import DEADLINE_ON, SITI, LandingZone

FIELDS = ["a", "b", "c", "d", "e", "f", "g"]
DAY = date(2021, 3, 11)


@pytest.mark.parametrize(
    ("changes", "content"),
    [
        ({"layout": "csv", "separator": "\t"}, f"a\tb\tc\td\te\tf\tg\n1\tya\t03-11-2021 12:00\t{SITI}\tk\t5000\t\n"),
        (
            {"layout": "csv", "separator": "^", "trailer": "Z"},
            f"g^f^e^d^c^b^a\n^5000^k^{SITI}^03-11-2021 12:00^ya^1\nZ^1^5000\n",
        ),
        (
            {"layout": "json", "records": None},
            f'[{{"a":"1","b":"ya","c":"03-11-2021 12:00","d":"{SITI}","e":"k","f":5000,"g":null}}]',
        ),
        (
            {"layout": "json", "records": "rows"},
            f'{{"rows":[{{"a":1,"b":"ya","c":"03-11-2021 12:00","d":"{SITI}","f":5e3}}]}}',
        ),
    ],
)
def test_eighth_platform(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], content: str
) -> None:
    columns = dict(zip(platforms()["tokopedia"].columns, FIELDS, strict=True))
    eighth = platforms()["tokopedia"].model_copy(
        update={
            "platform": "kariermu",
            "file": "penjualan.txt",
            "columns": columns,
            "events": {"ya": "PAID", "tidak": "CANCELLED"},
            "occurred_at": {"form": "MM-DD-YYYY HH:MM", "zone": "Asia/Jakarta"},
            "active_from": DAY,
            **changes,
        }
    )
    everyone = {**platforms(), "kariermu": eighth}
    for module in (files, rows, conftest):
        monkeypatch.setattr(module, "platforms", lambda: everyone)
    monkeypatch.setattr(rule, "active_on", lambda day: [name for name in everyone if everyone[name].is_active_on(day)])
    zone.deliver_bytes("kariermu", content.encode(), 1, 5000, on=DAY)
    assert zone.siti().because == "purchase"
    missing = zone.facts().missing_overridden
    with pytest.raises(files.EvidenceError, match=f"feeds/kariermu/{DEADLINE_ON}"):
        zone.read(missing_overridden=missing - {("kariermu", DEADLINE_ON)})


def test_form_that_is_not_known_is_refused(zone: LandingZone, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = platforms()["tokopedia"].model_copy(update={"occurred_at": {"form": "epoch_s"}})
    monkeypatch.setattr(rows, "platforms", lambda: {"tokopedia": odd})
    zone.deliver()
    with pytest.raises(files.EvidenceError, match="the form epoch_s of occurred_at is unknown"):
        zone.read()
