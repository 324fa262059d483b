"""The delivered cases, decided by an intake without the mend that each has led to: nobody who paid is overdue.

Whoever paid is held, for the second reading reads the case as the contract says, or the decision is not made at all.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prakerja import warehouse
from prakerja.calendar import find_cohort
from prakerja.feeds import intake
from prakerja.programme import programme
from prakerja.revocations import decision, second_reading
from prakerja.revocations.decision import BlockedError
from tests.integration.feeds.test_delivered_cases import CASES_EXPECTED
from tests.support.planted import Bug, planted
from tests.support.small_cohort import DECIDED_ON

FORMS = "prakerja/feeds/forms.py"
JSON_READER = "prakerja/feeds/json_reader.py"
WORKBOOK = "prakerja/feeds/workbook.py"
QUARANTINE = "prakerja/feeds/quarantine.py"
CSV = "prakerja/strict_csv.py"

#: Cases whose mend, taken back, lets the first reading go wrong about somebody: the person is held.
HELD: dict[str, tuple[Bug, ...]] = {
    # Digits go through a float.
    "01": (
        Bug(
            WORKBOOK,
            "        return Number(digits)\n\n    def _count_other",
            "        return Number(str(int(float(digits))))\n\n    def _count_other",
        ),
    ),
    "02": (
        Bug(FORMS, "if whole is None or abs(whole) >= 10**ID_DIGITS_MAX:", "if whole is None:"),
        Bug(FORMS, "    return str(whole), False", "    return str(int(float(whole))), False"),
    ),
    # An hour has as many minutes as there are.
    "09": (Bug("prakerja/landing.py", r"(?::?[0-5]\d)?)", r"(?::?\d\d)?)"),),
    # Of a key that is there twice the last one counts.
    "10": (
        Bug(
            "prakerja/feeds/json_reader.py",
            "if raw.count('\"') == 2 * _texts_in(document) else None",
            "if raw else None",
        ),
    ),
    # An invisible character makes a rounded number some digits.
    "13": (
        Bug(QUARANTINE, 'if unicodedata.category(character) != "Cf"', 'if character != ""'),
        Bug(QUARANTINE, "return character.isspace() or character in AROUND_NUMBERS", 'return character in " \'"'),
    ),
    # The last group is taken off.
    "16": (Bug(QUARANTINE, "if len(all_digits) == 16:", "if not all_digits:"),),
    # A byte-order mark before the first row is dropped.
    "23": (Bug(CSV, " or data.startswith(BYTE_ORDER_MARK):", ":"),),
    "24": (Bug(CSV, "chunk.data.decode(), 0", 'chunk.data.decode().removeprefix("\\ufeff"), 0'),),
}

#: Cases whose mend, taken back, gives a delivery that the second reading refuses to read.
UNREADABLE: dict[str, tuple[Bug, ...]] = {
    # A text of the number -1 is the last, and one without a number the first.
    "05": (
        Bug(
            WORKBOOK,
            "if plain.isascii() and plain.isdecimal() and len(plain) < 9 and int(plain) < len(self._texts):",
            "if plain:",
        ),
        Bug(
            WORKBOOK,
            "text = self._texts[int(plain)]",
            'text = self._texts[int(plain) if plain.lstrip("-").isdecimal() else 0]',
        ),
    ),
    # Columns that nobody wants are not looked at.
    "12": (Bug(CSV, "    if not data.isascii():\n        data.decode()\n", ""),),
    # An error is an empty cell, and a row of them none.
    "19": (Bug(WORKBOOK, "            return plain  # `#REF!`", "            return None  # `#REF!`"),),
    # Of two parts whose names differ in case alone the last counts.
    "25": (Bug("prakerja/feeds/package.py", "if name in parts:", "if not name:"),),
}

#: Cases whose mend, taken back, keeps the delivery out: it is missing, and the gate is shut.
MISSING: dict[str, tuple[Bug, ...]] = {
    "03": (Bug(WORKBOOK, "    if not SERIAL.fullmatch(digits):", "    if not digits:"),),
    "04": (Bug(WORKBOOK, "    if not SERIAL.fullmatch(digits):", "    if not digits:"),),
    # An id of 6,000 characters was too long for an index.
    "08": (
        Bug(
            "prakerja/feeds/ledger.py",
            '    table = pa.table(\n        {\n            "delivery_id": pa.repeat(delivery_id, len(good)),',
            '    if (pc.max(pc.utf8_length(good["transaction_id"])).as_py() or 0) > 2704:\n        raise ValueError\n'
            '    table = pa.table(\n        {\n            "delivery_id": pa.repeat(delivery_id, len(good)),',
        ),
    ),
    # A row without a value is one.
    "14": (
        Bug(
            WORKBOOK,
            "        if not self._row:\n            return\n",
            "        if not self._row and not self._line:\n            return\n",
        ),
    ),
}

#: Cases that cannot be taken back in the intake, and why.
NOT_TAKEN_BACK = {
    "06": "rejected by design: too large; without the bound it has no columns of the contract, and is rejected too",
    "07": "rejected by design, as 06",
    "11": "rejected by design: a quote is open at its end; the row that is never closed is not there, and is missed",
    "15": "the reader opens one sheet alone: there is no line that would look for formulas on another",
    "17": "rejected by design: not a workbook of this format, for which there is no reader",
    "18": "nobody's outcome hangs on it: what an error cell is kept as is shown, and judged to be damaged anyway",
    "20": "as 15",
    "21": "as 17",
    "22": "as 17",
}
PLACES = {**dict.fromkeys(HELD, "held"), **dict.fromkeys(UNREADABLE, "unreadable"), **dict.fromkeys(MISSING, "missing")}


def people_of(number: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return who is held by a case, and who is overdue though they might look it."""
    return CASES_EXPECTED[number].held, CASES_EXPECTED[number].overdue


def take_in() -> None:
    """Take in what lies there of the platforms of the cases."""
    for platform in ("mau-belajar-apa", "tokopedia", "pintaria"):
        intake.take_in(platform, DECIDED_ON)


def outcomes() -> dict[int, tuple[str, str]]:
    """Return the outcomes that were decided, and why."""
    with warehouse.transaction(as_owner=True) as connection:
        found = connection.exec_driver_sql(
            "select card_number, outcome::text, because from outcomes join recipients using (recipient_id)"
        )
        return {card: (outcome, because) for card, outcome, because in found}


def test_each_case_is_taken_back_or_is_said_not_to_be() -> None:
    assert sorted([*PLACES, *NOT_TAKEN_BACK]) == sorted(CASES_EXPECTED)


@pytest.mark.parametrize("number", HELD)
def test_a_recipient_who_paid_is_held(
    lay_down: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    paid = lay_down(number, *people_of(number))
    with planted(*HELD[number]):
        take_in()
        with pytest.raises(BlockedError, match="readings_disagree"):
            decision.decide(find_cohort(12), DECIDED_ON)
        assert outcomes() == {}
        monkeypatch.setattr(programme().revocations, "readings_disagree_share_max", 1)
        decision.decide(find_cohort(12), DECIDED_ON)
    found = outcomes()
    assert "overdue" not in {found[card][0] for card in paid}
    assert ("held", "readings_disagree") in found.values()
    again = second_reading.read(12, find_cohort(12).announced_on, DECIDED_ON).reading
    assert again is not None
    case = CASES_EXPECTED[number]
    assert {again.by_card[f"{card:016}"].outcome for card in case.held} == {"held"}
    assert {again.by_card[f"{card:016}"].outcome for card in case.overdue} <= {"overdue"}


@pytest.mark.parametrize("number", UNREADABLE)
def test_what_the_second_reading_refuses_stops(lay_down: Callable[..., list[int]], number: str) -> None:
    lay_down(number, *people_of(number))
    with planted(*UNREADABLE[number]):
        take_in()
        with pytest.raises(BlockedError, match=r"evidence_unreadable: feeds/\S+/2021-03-10/r1"):
            decision.decide(find_cohort(12), DECIDED_ON)
    assert outcomes() == {}


@pytest.mark.parametrize("number", MISSING)
def test_what_is_kept_out_is_missed(lay_down: Callable[..., list[int]], number: str) -> None:
    lay_down(number, *people_of(number))
    with planted(*MISSING[number]):
        take_in()
        with pytest.raises(BlockedError, match="feeds_missing: "):
            decision.decide(find_cohort(12), DECIDED_ON)
    assert outcomes() == {}


@pytest.mark.parametrize("number", NOT_TAKEN_BACK)
def test_a_case_with_its_fix_is_decided_as_the_contract_says(lay_down: Callable[..., list[int]], number: str) -> None:
    paid = lay_down(number, *people_of(number))
    take_in()
    if any(expected.reason for expected in CASES_EXPECTED[number].deliveries.values()):
        with pytest.raises(BlockedError, match="feeds_missing: "):
            decision.decide(find_cohort(12), DECIDED_ON)
        assert outcomes() == {}
    else:
        decision.decide(find_cohort(12), DECIDED_ON)
        assert "overdue" not in {outcomes()[card][0] for card in paid}
