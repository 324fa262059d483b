"""Odd values of delivered fields, near every edge of the contract: half of them are good, the rest nearly so."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from prakerja.platforms import Platform
from tests.support.plain_reading import Composite, DateCell, Number

DAY = date(2021, 3, 10)
#: The bounds of what the day may report, WIB: seven days back, and its end.
FIRST, END = datetime(2021, 3, 2, 17, tzinfo=UTC), datetime(2021, 3, 10, 17, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Characters that nobody sees, and the first digit of other scripts.
INVISIBLE = "\u200b\u200d\u2060\ufeff\u00ad\u202a\u2066\U000e0030"
ZEROS = "٠۰०０๐\U0001d7ce\U0001d7f6"
GOOD_SHARE = 0.75


def is_good(chance: Random) -> bool:
    """Whether to make a value that is good."""
    return chance.random() < GOOD_SHARE


def other_digits(chance: Random, text: str, share: float = 0.5) -> str:
    """The text with some of its digits in another script."""
    zero = ord(chance.choice(ZEROS))
    return "".join(
        chr(zero + int(each)) if each.isascii() and each.isdigit() and chance.random() < share else each
        for each in text
    )


def with_invisible(chance: Random, text: str) -> str:
    """The text with a character in it that nobody sees."""
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(INVISIBLE) + text[at:]


def digits(chance: Random, count: int) -> str:
    """As many digits, often with zeros at an end."""
    text = "".join(chance.choice("0123456789") for _ in range(count))
    zeros = chance.randrange(count + 1)
    return chance.choice([text, text, "0" * zeros + text[zeros:], text[zeros:] + "0" * zeros])


# -- transaction ids, events, courses, vouchers ------------------------------------------------------------------------


def transaction_id(chance: Random, number: int, *, has_numbers: bool) -> Any:
    """An id of the delivery's own; now and then none, or that of another row."""
    if is_good(chance):
        return f"t-{number}"
    own = digits(chance, chance.choice([1, 3, 14, 15, 16, 17, 20])).lstrip("0") or "1"
    odd: list[Any] = ["", " ", f"t-{number - 1}", f"t-{number - 1}", "t-1", f" t-{number}", f'"t-{number}"', own]
    odd += [
        with_invisible(chance, f"t-{number}"),
        f"é{number}",
        f"a,b;c|{number}",
        "\n\n\n",
        f"t\n{number}",
        f"=-{number}",
    ]
    if has_numbers:
        odd += [None, Number(own), Number(own), Number(own), Number("-" + own)]
    return chance.choice(odd)


def event(chance: Random, platform: Platform, *, has_numbers: bool) -> Any:
    """A word of the platform; now and then of another, or nearly one."""
    word = chance.choice(list(platform.events))
    if chance.random() < 0.9:
        return word
    odd: list[Any] = [word.swapcase(), f" {word}", f"{word}\n", "", "PAID", "paid", "1", "4", f"{word}\u200b", "٣"]
    return chance.choice([*odd, None, Number("1"), Composite("true")] if has_numbers else odd)


def text(chance: Random, *, has_numbers: bool) -> Any:
    """A course or voucher: whatever it is, it is text."""
    if is_good(chance):
        return chance.choice(["KLS-1", "KLS-0042", "", "V1"])
    odd: list[Any] = [
        'a,"b";c|d',
        "é",
        "😀",
        "\n",
        "\n" * 70,
        " ",
        "\t",
        "''",
        '"',
        '""',
        "NULL",
        "null",
        "nan",
        "N/A",
        "#REF!",
    ]
    odd += [
        "\u2028",
        "\x0b",
        "\x7f",
        "\ufeff",
        "x" * 90,
        "0",
        "1e5",
        "2021-03-10",
        "-1",
        "\\",
        "\\n",
        "T",
        "{}",
        "</v>&amp;",
    ]
    return chance.choice([*odd, None, Number("5"), Number("0.50"), Number("1E5")] if has_numbers else odd)


# -- cards -------------------------------------------------------------------------------------------------------------


def card(chance: Random, *, has_numbers: bool) -> Any:
    """A card; now and then damaged as spreadsheets, people and programs damage it."""
    whole = digits(chance, 16)
    if is_good(chance):
        return whole
    kind = chance.randrange(8 if has_numbers else 6)
    if kind == 0:
        found = digits(chance, chance.choice([1, 13, 14, 15, 15, 16, 17, 17, 18, 20]))
    elif kind == 1:
        found = whole + chance.choice([".0", ",0", ".00", ",00", ".000", ".", ".5", ",50", ".0.0", ".0 ", "'", "\n"])
    elif kind == 2:
        found = scientific(chance)
    elif kind == 3:
        found = grouped(chance, chance.choice([whole, whole, digits(chance, 13) + "000", whole[1:], whole + "000"]))
    elif kind == 4:
        found = chance.choice(
            ["", " ", "gratis", "#REF!", "E+15", "nan", "-", ".", "0", "-" + whole, f"{whole} {whole}"]
        )
    elif kind == 5:
        found = whole
    else:
        return number(chance)
    return decorated(chance, found) if kind == 5 or chance.random() < 0.4 else found


def scientific(chance: Random) -> str:
    """A number as spreadsheets write one that is too long for its column."""
    places = chance.choice([0, 1, 2, 5, 5, 14, 15, 16, 18])
    fraction = "".join(chance.choice("0123456789") for _ in range(places))
    fraction = chance.choice([fraction, fraction, "0" * places, "9" * places, fraction[:1].ljust(places, "0")])
    whole = chance.choice(
        ["1", "1", "2", "9", chance.choice("3456789"), "12", "10", "0" if fraction.strip("0") else "1"]
    )
    point = chance.choice([".", ".", ","]) if places else chance.choice(["", "", "."])
    power = chance.choice(["+15", "+15", "15", "+14", "+16", "+13", "+1", "+0", "-5", "+015", "+17", "+300"])
    sign = chance.choice(["", "", "", "", "+"])
    return f"{sign}{whole}{point}{fraction}{chance.choice('Ee')}{power}"


def grouped(chance: Random, whole: str) -> str:
    """Digits in groups, from the left or from the right."""
    size, mark = chance.choice([3, 3, 4]), chance.choice([".", ".", ",", " ", "-", "\u00a0", "\u202f"])
    start = chance.choice([0, len(whole) % size])
    groups = [whole[:start], *(whole[at : at + size] for at in range(start, len(whole), size))]
    return mark.join(group for group in groups if group)


def decorated(chance: Random, found: str) -> str:
    """The text with what is to be overlooked: quotes, white space, format characters, another script's digits."""
    for _ in range(chance.choice([1, 1, 2])):
        found = chance.choice(
            [
                with_invisible(chance, found),
                with_invisible(chance, found),
                other_digits(chance, found),
                other_digits(chance, found, 1),
                f'"{found}"',
                f'="{found}"',
                f"'{found}",
                f"\u2018{found}\u2019",
                f"\u201e{found}\u201c",
                f"\u00ab{found}\u00bb",
                f"\uff07{found}",
                f" {found}",
                f"{found}\t",
                f"\u00a0{found}\u3000",
                f"={found}",
                found[:5] + "\n" + found[5:],
            ]
        )
    return found


def number(chance: Random) -> Number:
    """A card as a JSON number or a number cell."""
    whole = digits(chance, chance.choice([1, 12, 14, 15, 15, 16, 16, 16, 17, 18, 20])).lstrip("0") or "0"
    return chance.choice(
        [Number(whole), Number(whole), DateCell(whole), Number(f"{whole}.0"), Number(f"{whole}.5"), Number(f"-{whole}"),
         Number(scientific(chance).replace(",", ".").replace(".E", "E").replace(".e", "e").removeprefix("+"))]
    )  # fmt: skip


# -- times -------------------------------------------------------------------------------------------------------------


def instant(chance: Random) -> datetime:
    """An instant, often at a bound of what may be reported, or a microsecond beside it."""
    bound = chance.choice([FIRST, END])
    return chance.choice(
        [
            FIRST + timedelta(seconds=chance.randrange(8 * 86_400)),
            FIRST + timedelta(seconds=chance.randrange(8 * 86_400)),
            FIRST + timedelta(microseconds=chance.randrange(8 * 86_400 * 10**6)),
            bound + timedelta(microseconds=chance.choice([-1, 0, 1, -1_000_000, 1_000_000, -1000])),
            bound + timedelta(microseconds=chance.choice([-1, 0, 1, -1_000_000, 1_000_000, -1000])),
        ]
    )


def occurred_at(chance: Random, platform: Platform) -> Any:
    """A time in the platform's form; now and then in none."""
    form = platform.occurred_at["form"]
    at = instant(chance)
    if chance.random() < 0.04:
        odd = ["", " ", "yesterday", "0", "24:00:00", "2021-03-10", "1615352400000", "44265.5", "20210310T120000Z"]
        return chance.choice([*odd, None, Number("1615352400"), Composite("[]")] if platform.layout != "csv" else odd)
    if form == "iso8601":
        return iso8601(chance, at)
    if form == "epoch_ms":
        return epoch_ms(chance, at)
    if platform.layout == "xlsx" and chance.random() < 0.5:
        return date_cell(chance, at)
    local = at + timedelta(hours=7)
    written = {
        "DD/MM/YYYY HH:MM:SS": f"{local:%d/%m/%Y %H:%M:%S}",
        "YYYY-MM-DD HH:MM:SS": f"{local:%Y-%m-%d %H:%M:%S}",
        "YYYYMMDDHHMMSS": f"{local:%Y%m%d%H%M%S}",
    }[form]
    return written if chance.random() < 0.75 else bent_date(chance, written)


def bent_date(chance: Random, written: str) -> str:
    """A time in nearly the platform's form."""
    return chance.choice(
        [
            f" {written}",
            f"{written} ",
            f"{written}\n",
            f"{written}Z",
            f"{written}.5",
            written.replace(" ", "T"),
            written.replace(" ", "  "),
            written.replace("/", "-"),
            written.replace(":", "."),
            other_digits(chance, written, chance.choice([0.1, 1])),
            with_invisible(chance, written),
            written[:-1],
            written[1:],
            f"{written}0",
            written[:-2] + "60",
            written.replace("03", "02").replace("2021", "2021").replace("10", "30"),
            written.replace("2021", "0000"),
            written.replace("2021", "0001"),
            written.replace("2021", "9999"),
            written.replace("03", "13"),
        ]
    )


def iso8601(chance: Random, at: datetime) -> str:
    """An ISO 8601 time, of any offset and precision."""
    offset, name = chance.choice(
        [(7, "+07:00"), (7, "+07:00"), (0, "Z"), (9, "+09:00"), (-5.5, "-05:30"), (7, "+0700"), (7, "+07"),
         (0, "-00:00"), (0, "+00:00"), (14, "+14:00"), (-12, "-12:00"), (23, "+23:00"), (-23, "-23:59")]
    )  # fmt: skip
    if chance.random() < 0.12:
        odd = "+07:60 +07:60 -00:90 +06:99 -07:60 +0760 +24:00 +25:00 -24:00 z +7:00 +07:0 +07:00:00 +07:00:30 +070 WIB"
        name = chance.choice([*odd.split(), "", " +07:00", "+07:00Z", "Z07:00", "−07:00", "+０7:00"])
    local = at + timedelta(hours=offset)
    clock = f"{local:%Y-%m-%dT%H:%M:%S}"
    if local.microsecond or chance.random() < 0.2:
        places = f"{local.microsecond:06}"
        more = chance.choice(["", "", "9", "0", "999", "1" * 12, "٣"]) if chance.random() < 0.5 else ""
        less = places.rstrip("0") or "0"
        clock += chance.choice([".", ".", ","]) + chance.choice([places + more, less, places])
    elif local.second == 0 and chance.random() < 0.3:
        clock = clock[:-3]
    if chance.random() < 0.1:
        day, other = clock[:11], "2021-02-30T10:00:00 2021-W10-3T10:00:00 2021-069T10:00:00 0001-01-01T00:00:00"
        odd_clocks = [
            day + "24:00:00",
            day + "23:59:60",
            day + "12:60:00",
            day + "10",
            *other.split(),
            "9999-12-31T23:59:59",
        ]
        odd_clocks += [clock.replace("2021", year) for year in ("0000", "0001", "9999", "٢021")]
        odd_clocks += [clock.replace("T", mark) for mark in (" ", "t", "", "  ")]
        odd_clocks += [f" {clock}", clock[1:], clock[:10], f"+{clock}", f"{clock}.", clock.replace("-", "")]
        clock = chance.choice([*odd_clocks, other_digits(chance, clock, 0.1), with_invisible(chance, clock)])
    return clock + name + ("\n" if chance.random() < 0.01 else "")


def epoch_ms(chance: Random, at: datetime) -> Any:
    """Milliseconds since 1970, as a JSON number or nearly one."""
    whole = (at - EPOCH) // timedelta(milliseconds=1)
    if chance.random() < 0.75:
        return Number(str(whole))
    odd = [f"{whole}.0", f"{whole}.5", f"{whole}.000001", f"{whole / 1e12!r}e12", f"{whole}E0", f"{whole}0e-1"]
    odd += [f"-{whole}", "0", "-0", "1e400", "99999999999999", "100000000000000", "-62135596800000", "253402300799999"]
    odd += ["253402300800000", "1" * 25, f"{whole // 1000}", "1.6e12"]
    return chance.choice([*map(Number, odd), str(whole), None, Composite("true"), Composite(f"[{whole}]")])


def date_cell(chance: Random, at: datetime) -> DateCell | Number:
    """A date cell: days since 1899-12-30 as a spreadsheet writes them; now and then out of all bounds."""
    days = (at + timedelta(hours=7) - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1)
    if chance.random() < 0.7:
        return DateCell(chance.choice([repr(days), f"{days:.17g}", f"{days:.15g}", f"{days:.11f}", repr(round(days))]))
    odd = [
        "-1",
        "NaN",
        "INF",
        "-62135596800000",
        "2958465.5",
        "2958466",
        "1e10",
        "4_4265",
        "٤٤٢٦٥",
        "61",
        "44265",
        "4.42655E4",
        "x",
    ]
    return chance.choice([DateCell(chance.choice(odd)), Number(repr(days))])


# -- amounts -----------------------------------------------------------------------------------------------------------


def amount_idr(chance: Random, platform: Platform) -> Any:
    """An amount in the platform's form; now and then out of range, or in none."""
    form, width = platform.amount_idr["form"], platform.amount_idr.get("width")
    whole = chance.choice([1, 5000, 250_000, 999_999, 1_000_000, chance.randrange(1, 1_000_001)])
    if chance.random() < 0.1:
        whole = chance.choice([0, -1, -5000, 1_000_001, 10**9, 10**11, 10**12, 10**13, 10**14 - 1, 10**14, 10**17])
    if form == "rupiah":
        sign, rest = ("-", -whole) if whole < 0 else ("", whole)
        written = f"{sign}Rp{rest:,}".replace(",", ".")
        odd = [
            f"{sign}Rp{rest}",
            f"Rp{sign}{rest}",
            f"Rp {rest}",
            f"rp{rest}",
            f"{rest}",
            f"Rp0{rest}",
            f"{written},00",
        ]
        odd += [
            f"{written}.00",
            f"Rp{rest:,}",
            "Rp",
            "Rp-Rp5",
            "-Rp-5000",
            "Rp1.0000",
            "Rp1000.000",
            "Rp.500",
            "Rp5.",
            "",
        ]
        odd += [
            other_digits(chance, written),
            f" {written}",
            f"{written}\n",
            "gratis",
            f"IDR{rest}",
            with_invisible(chance, written),
        ]
        return written if is_good(chance) else chance.choice(odd)
    if form == "number":
        written = str(whole)
        odd = [
            Number(f"{whole}.0"),
            Number(f"{whole}.5"),
            Number(f"{whole}e0"),
            Number(f"{whole}0E-1"),
            Number("5e3"),
            Number("5E+3"),
        ]
        odd += [
            Number("5000.00000000000000001"),
            Number("-0"),
            Number("-0.0"),
            Number("0.1e1"),
            Number("1e6"),
            Number("1.5"),
        ]
        other: list[Any] = [*odd, *odd, written, "", "gratis", None, Composite("true"), Composite("[5000]")]
        return Number(written) if is_good(chance) else chance.choice(other)
    written = f"{whole:0{width}}" if width else str(whole)
    odd_texts = [
        str(whole),
        f"{whole:09}",
        f"0{written}",
        f"+{written}",
        f"{whole}.0",
        f"{whole:,}",
        f" {written}",
        f"{written}\n",
        "",
    ]
    odd_texts += [
        "5e3",
        "-0",
        "Rp5000",
        "gratis",
        other_digits(chance, written),
        with_invisible(chance, written),
        "1" * 30,
        "1_000",
        "0x1",
    ]
    return written if is_good(chance) else chance.choice(odd_texts)


def row(chance: Random, platform: Platform, number: int) -> list[Any]:
    """Seven values of one row."""
    has_numbers = platform.layout != "csv"
    return [
        transaction_id(chance, number, has_numbers=has_numbers),
        event(chance, platform, has_numbers=has_numbers),
        occurred_at(chance, platform),
        card(chance, has_numbers=has_numbers),
        text(chance, has_numbers=has_numbers),
        amount_idr(chance, platform),
        text(chance, has_numbers=has_numbers),
    ]
