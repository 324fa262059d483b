"""Mutants of the delivered cases whose fault is in text: CSV, JSON, and values that any dialect may carry."""

from __future__ import annotations

import random
import string

from tests.support import dialects, workbooks
from tests.support.dialects import csv_file, csv_header, csv_line, json_file, json_record
from tests.support.mutants import (
    GOODS,
    Generator,
    Mutant,
    Ranges,
    accepted,
    bad_row,
    card,
    digits,
    quarantined,
    rejected,
    runs_of_16,
    write_with,
)

PLATFORMS = ("tokopedia", "pintaria", "sekolahmu", "mau-belajar-apa", "sisnaker", "pijar-mahir", "bukalapak")
CSV = ("tokopedia", "bukalapak", "pijar-mahir", "sisnaker")


# -- long fields -------------------------------------------------------------------------------------------------------

LONG = (
    ("tokopedia", "transaction_id", 2_713, string.ascii_letters),
    ("pintaria", "transaction_id", 8_001, string.ascii_letters + string.digits),
    ("sekolahmu", "transaction_id", 20_000, string.ascii_letters),
    ("mau-belajar-apa", "transaction_id", 32_767, string.ascii_letters),
    ("sisnaker", "transaction_id", 100_000, string.ascii_letters),
    ("pijar-mahir", "transaction_id", 3_000, "éßñøåü한字"),
    ("bukalapak", "course", 50_000, string.ascii_letters),
    ("tokopedia", "voucher", 200_000, string.ascii_letters),
    ("pintaria", "transaction_id", 1_000_000, string.ascii_letters),
    ("sekolahmu", "course", 8_191, "éßñøåü한字"),
)


def with_a_long_field(chance: random.Random, ordinal: int) -> Mutant:
    """A cancellation or refund with a field of thousands of characters, which nothing compresses: it loads."""
    platform, field, length, alphabet = LONG[ordinal]
    event = chance.choice(["CANCELLED", "REFUNDED"])
    row = bad_row(event=event, **{field: "".join(chance.choices(alphabet, k=length))})
    return accepted(platform, write_with(chance, platform, row), rows=GOODS + 1)


# -- times -------------------------------------------------------------------------------------------------------------

OFFSETS = ("+{h}:{m}", "+{h}{m}", "-{h}:{m}", "-00:{m}", "-{h}{m}")


def with_an_offset_that_is_none(chance: random.Random, ordinal: int) -> Mutant:
    """An ISO 8601 time whose offset has more than 59 minutes."""
    platform = ("tokopedia", "sekolahmu")[ordinal % 2]
    offset = OFFSETS[ordinal // 2].format(h=f"{chance.randrange(15):02}", m=f"{chance.randrange(60, 100)}")
    time = f"2021-03-10T{chance.randrange(24):02}:30:00" + chance.choice(["", ".5", ",25"])
    person = card(chance)
    row = bad_row(occurred_at=time + offset, card=f"{person}", event=chance.choice(["PAID", "CANCELLED", "REFUNDED"]))
    return quarantined(platform, write_with(chance, platform, row), {"occurred_at_invalid": 1}, [(person, person)])


# -- JSON --------------------------------------------------------------------------------------------------------------


def with_a_key_twice(chance: random.Random, ordinal: int) -> Mutant:
    """A key twice in an object of a record, or in the document around the records."""
    one, other = f"{card(chance)}", f"{card(chance)}"
    free = {"amount_idr": "0", "card_number": f'"{one}"'}  # unreadable or not, it adds nothing to the total
    records = [json_record("pintaria", n) for n in range(1, GOODS + 1)]
    if ordinal >= 7:
        platform = "sekolahmu"
        records = [json_record(platform, n) for n in range(1, GOODS + 1)]
        more = (f',"cardNumber":"{other}"', ',"data":[]', ',"pl\\u0061tform":"sekolah.mu"')[ordinal - 7]
        if ordinal > 7:
            return rejected(platform, json_file(platform, records, more=more), "file_undecodable")
        bad = json_record(platform, more=more, **free)
    else:
        platform = "pintaria"
        bad = (
            json_record(platform, more=f',"id":"{other}"', **free),
            json_record(platform, **(free | {"card_number": f'"{one}","card":"{other}"'})),
            json_record(platform, **(free | {"card_number": f'"{one}","card":"{one}"'})),
            json_record(platform, course_id=f'"{other}","id":"K"', **free),
            json_record(platform, more=f',"catatan":1,"catatan":"{other}"', **free),
            json_record(platform, more=f',"\\u0069d":"{other}"', **free),
            json_record(platform, more=f',"catatan":[{{"a":{{"b":"{other}","c":1,"b":2}}}}]', **free),
        )[ordinal]
    records.insert(chance.randrange(GOODS + 1), bad)
    return quarantined(platform, json_file(platform, records), {"row_unreadable": 1}, runs_of_16(bad), uncounted=1)


# -- CSV ---------------------------------------------------------------------------------------------------------------

NOTHING = {"tokopedia": "0", "bukalapak": "Rp0", "pijar-mahir": "0", "sisnaker": "000000000"}


def with_a_quote_amiss(chance: random.Random, ordinal: int) -> Mutant:
    """Text after a closing quote, which spoils its row; or a quote that nothing closes, which spoils the file."""
    platform = CSV[ordinal % 4]
    lines = [csv_line(platform, n) for n in range(1, GOODS + 1)]
    person, other = f"{card(chance)}", f"{card(chance)}"
    if ordinal < 5:
        at = chance.randrange(1, 16)
        field, written = (
            ("card_number", f'"{person[:at]}"{person[at:]}'),
            ("transaction_id", '"x"-1'),
            ("voucher_code", '"V1" '),
            ("course_id", '"K""LS" x'),
            ("event", '"PAID"PAID'),
        )[ordinal]
        fields = {"card_number": person, "course_id": other, "amount_idr": NOTHING[platform], field: written}
        bad = csv_line(platform, **fields)
        lines.insert(chance.randrange(GOODS + 1), bad)
        data = csv_file(platform, lines, amount_idr=5000 * GOODS)
        return quarantined(platform, data, {"row_unreadable": 1}, runs_of_16(bad), uncounted=1)
    field = ("voucher_code", "course_id", "transaction_id", "card_number", "occurred_at")[ordinal - 5]
    at = chance.randrange(GOODS) if ordinal % 2 else GOODS - 1
    lines[at] = csv_line(platform, at + 1, **{field: '"' + csv_line(platform, at + 1, order=(field,))})
    return rejected(platform, csv_file(platform, lines), "file_undecodable")


NO_UTF_8 = (
    b"Caf\xe9",  # Latin-1
    b"\xc3",  # the first byte of two
    b"\xc0\xaf",  # too long for what it says
    b"\xed\xa0\x80",  # half of a character
    b"\xf4\x90\x80\x80",  # past the last character
    b"\x80",
    b"\xff",
    b"\xe2\x82",
    b"\xa0x",
    b"\xfe",
)


def with_bytes_that_are_no_text(chance: random.Random, ordinal: int) -> Mutant:
    """Bytes that are no UTF-8, where nobody looks: in a column, a key or a cell that is ignored."""
    wrong = NO_UTF_8[ordinal]
    at = chance.randrange(GOODS)
    platform = (*CSV, "pintaria", "sekolahmu", "sekolahmu", "mau-belajar-apa", "tokopedia", "bukalapak")[ordinal]
    if platform in dialects.CSV:
        separator = dialects.CSV[platform].separator
        lines = [(csv_line(platform, n) + separator + "x").encode() for n in range(1, GOODS + 1)]
        column = csv_header(platform, more=separator) + "kota"
        if ordinal == 9:
            return rejected(
                platform, csv_file(platform, lines, header=column).replace(b"kota", wrong), "file_undecodable"
            )
        if ordinal == 8:  # told apart by the careful reading, for the quotes
            lines[0] = csv_line(platform, 1, voucher_code='"V"', more=separator + '"x"').encode()
        lines[at] = lines[at][:-1] + wrong
        return rejected(platform, csv_file(platform, lines, header=column), "file_undecodable")
    if platform == "mau-belajar-apa":
        rows = [[*workbooks.purchase(n), workbooks.text("x!")] for n in range(1, GOODS + 1)]
        parts = workbooks.build_parts(rows, columns=["Kota"])
        sheet = str(parts[workbooks.SHEET]).encode().replace(b"x!", wrong, 1)
        return rejected(platform, workbooks.pack(parts | {workbooks.SHEET: sheet}), "file_undecodable")
    records: list[str | bytes] = [json_record(platform, n).encode() for n in range(1, GOODS + 1)]
    if ordinal == 6:
        data = json_file(platform, records, more=',"catatan":"!"').replace(b"!", wrong)
    else:
        records[at] = json_record(platform, at + 1, more=',"catatan":"!"').encode().replace(b"!", wrong)
        data = json_file(platform, records)
    return rejected(platform, data, "file_undecodable")


# -- cards -------------------------------------------------------------------------------------------------------------

FULLWIDTH = str.maketrans(string.digits, "０１２３４５６７８９")
ARABIC = str.maketrans(string.digits, "٠١٢٣٤٥٦٧٨٩")
WRAPPED = (
    "\u200b{}",
    "{}\u2060",
    '"{}"',
    "'{}",
    '="{}"',
    "\u00a0{} ",
    "{}\u00ad\ufeff",
    "\u202a={}\u202c",
    "\u2066'{}'\u2069",
    " ' {} ' ",
)


def with_a_rounded_card(chance: random.Random, ordinal: int) -> Mutant:
    """A card in scientific notation, with something in it that nobody sees or that a spreadsheet puts around it."""
    platform = PLATFORMS[ordinal % len(PLATFORMS)]
    decimals = chance.randrange(3, 8)
    mantissa = digits(chance, decimals + 1, "23456789")  # not 1: just below a power of ten, rounding is finer
    text = f"{mantissa[0]}.{mantissa[1:]}E+15"
    if ordinal in (1, 6):
        text = text.replace(".", ",").replace("E+", "e")
    if ordinal in (3, 8):
        text = text.translate(FULLWIDTH if ordinal == 3 else ARABIC)
    elif ordinal == 9:
        text = text.replace("E", "\u200dE")
    unit = 10 ** (15 - decimals)
    value = int(mantissa) * unit
    row = bad_row(card=WRAPPED[ordinal].format(text))
    held = [(value - unit // 2, min(value + unit // 2, 10**16 - 1))]
    return quarantined(platform, write_with(chance, platform, row), {"card_number_malformed": 1}, held)


def with_a_grouped_card(chance: random.Random, ordinal: int) -> Mutant:
    """Sixteen digits whose last ones may be decimals: the card with and without them."""
    platform = PLATFORMS[ordinal % len(PLATFORMS)]
    decimals = (3, 3, 2, 1, 3, 2, 1, 3, 3, 3)[ordinal]
    whole = digits(chance, 16 - decimals, "23456789")
    point = ".,"[ordinal % 2]
    text = (f"{int(whole):,}".replace(",", point) if decimals == 3 else whole) + point + "0" * decimals
    text = ("{}", "{}", "'{}", "{}", '="{}"', "{}\u00a0", "\u200b{}", "{}", "{}", " {}")[ordinal].format(text)
    if ordinal in (7, 8):
        text = text.translate(FULLWIDTH if ordinal == 7 else ARABIC)
    held: Ranges = [(int(whole), int(whole)), (int(whole) * 10**decimals, int(whole) * 10**decimals)]
    row = bad_row(card=text)
    return quarantined(platform, write_with(chance, platform, row), {"card_number_malformed": 1}, held)


# -- marks -------------------------------------------------------------------------------------------------------------

MARKS = ("\ufeff", "\ufeff", "\ufeff\ufeff", "\u200b", "\u2060", "\u200e", "\ufeff", "\u00ad", "\U000e0041", "\ufeff")


def with_a_mark_before_a_row(chance: random.Random, ordinal: int, *, is_quoted: bool = False) -> Mutant:
    """A byte-order mark, or what is as invisible, before a row: its first field keeps it, and it is nobody's card."""
    mark, person = MARKS[ordinal], card(chance)
    if ordinal == 6:
        bad = mark + json_record("pintaria", amount_idr="0", card_number=f'"{person}"')
        voucher = '"\\u0056"' if is_quoted else '""'
        records = [json_record("pintaria", n, voucher_code=voucher) for n in range(1, GOODS + 1)]
        records.insert(chance.randrange(1, GOODS), bad)
        held = [(person, person)]
        return quarantined("pintaria", json_file("pintaria", records), {"row_unreadable": 1}, held, uncounted=1)
    platform = CSV[ordinal % 4]
    first = "transaction_id" if ordinal in (5, 9) else "card_number"
    order = (first, *(name for name in workbooks.FIELDS if name != first))
    lines = [csv_line(platform, n, order=order) for n in range(1, GOODS + 1)]
    at = 0 if ordinal < 4 else chance.randrange(GOODS)
    lines.insert(at, mark + csv_line(platform, order=order, card_number=f"{person}"))
    if is_quoted:
        lines[-1 if at < GOODS // 2 else 0] = csv_line(platform, 98, order=order, voucher_code='"V"')
    data = csv_file(platform, lines, header=csv_header(platform, order=order))
    if first == "transaction_id":
        return accepted(platform, data, rows=GOODS + 1)
    return quarantined(platform, data, {"card_number_malformed": 1}, [(person, person)])


def with_a_mark_and_a_quote(chance: random.Random, ordinal: int) -> Mutant:
    """The same, with a quoted field elsewhere in the file: the answer is the same."""
    return with_a_mark_before_a_row(chance, ordinal, is_quoted=True)


MUTANTS: dict[str, Generator] = {
    "08": with_a_long_field,
    "09": with_an_offset_that_is_none,
    "10": with_a_key_twice,
    "11": with_a_quote_amiss,
    "12": with_bytes_that_are_no_text,
    "13": with_a_rounded_card,
    "16": with_a_grouped_card,
    "23": with_a_mark_before_a_row,
    "24": with_a_mark_and_a_quote,
}
