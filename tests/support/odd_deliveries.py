"""Odd files of every dialect: from a grammar of what its contract allows and nearly allows, or good with splinters."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from random import Random
from typing import Any
from xml.sax.saxutils import escape

from prakerja.platforms import FIELDS, Platform
from tests.support import odd_values
from tests.support.plain_judgement import total_idr
from tests.support.plain_reading import Composite, DateCell, Number, read_plainly

MARK = "\ufeff"

#: What breaks files in the field, and what parsers stumble over.
SPLINTERS = [
    b"", b'"', b'"', b'""', b",", b";", b"|", b"\t", b"\r", b"\n", b"\r\n", b"\n\n", b"\0", b"\xff", b"\xe9", b"\xc3",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xef\xbb\xbf", b"\xe2\x80\x8b", b"\xe2\x80\xa8", b"\\", b"\\u0000", b"\\ud800",
    b"\\n", b"{", b"}", b"[", b"]", b"null", b"true", b"NaN", b'"x":1,', b"1e999", b"-0", b"9" * 16, b"0" * 20,
    b"1.5E+15", b"E+15", b"Rp", b"-", b".", b".000", b"T|1|1", b":60", b"24:00:00", b"30/02/2021", b"2021-02-30",
    b"+14:60", "\u0663".encode(), "\u00e9".encode(), b"<", b"&", b"]]>", b" ", b"'", b"=", b"/", b"PK\x03\x04",
]  # fmt: skip


def build_odd_file(platform: Platform, chance: Random) -> bytes:
    """A file from the platform's grammar, two in three; else a good one with splinters in it."""
    build = {"csv": _csv, "jsonl": _json_lines, "json": _json, "xlsx": _workbook}[platform.layout]
    if chance.random() < 0.66:
        return _packed(platform, build(platform, chance, _rows(platform, chance, odd_values.row)), chance)
    good = build(platform, Random(0), _rows(platform, chance, _good_row))
    if platform.layout == "xlsx":
        return _wounded_workbook(good, chance)
    if platform.compression and chance.random() < 0.05:
        return _wounded(_packed(platform, good, chance), chance)
    return _packed(platform, _wounded(good, chance), chance)


def with_true_trailer(platform: Platform, data: bytes) -> bytes:
    """The text with its last line, if that is a trailer, stating what the rows come to."""
    head, mark, last = data.rpartition(b"T|0|0")
    if not platform.trailer or not mark or last.strip():
        return data
    plain = read_plainly(platform, data)
    return head + f"T|{len(plain.rows)}|{total_idr(plain)}".encode() + last


def _packed(platform: Platform, data: bytes, chance: Random) -> bytes:
    """The text as it is delivered; where it is packed, now and then in several members, with something behind them."""
    data = with_true_trailer(platform, data)
    if not platform.compression:
        return data
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice([0, 0, 0, 1, 3])))
    parts = (data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True))
    behind = chance.choice([b""] * 30 + [b"\0" * 5, b"\0" * 700, b"\n", b"\0x", b"\x1f", b"\x1f\x8b\x08"])
    return b"".join(gzip.compress(part, 1, mtime=0) for part in parts) + behind


def _rows(platform: Platform, chance: Random, build: Callable[..., list[Any]]) -> list[list[Any]]:
    """Rows; some of them are an earlier one again, whole or but for one value."""
    rows: list[list[Any]] = []
    for number in range(chance.choice([0, 1, 2, 3, 4, 5, 6, 8])):
        row = build(chance, platform, number)
        if rows and chance.random() < 0.12:
            again = list(chance.choice(rows))
            if chance.random() < 0.5:
                at = chance.randrange(7)
                again[at] = row[at]
            row = again
        rows.append(row)
    return rows


def _good_row(chance: Random, platform: Platform, number: int) -> list[Any]:
    """A row that is good, but for what chance has in store."""
    while True:
        row = odd_values.row(chance, platform, number)
        row[0], row[1], row[6] = f"t-{number}", next(iter(platform.events)), ""
        if isinstance(row[3], str) and len(row[3]) == 16 and row[3].isascii() and row[3].isdigit():
            row[4] = "KLS-1"
            return row


def _wounded(data: bytes, chance: Random) -> bytes:
    """The bytes with splinters in them, each in place of some."""
    for _ in range(chance.choice([1, 1, 2, 3])):
        at = chance.randrange(len(data) + 1)
        splinter = chance.choice([*SPLINTERS, bytes(chance.randrange(256) for _ in range(3))])
        data = data[:at] + splinter + data[at + chance.choice([0, 0, 1, 2, 16]) :]
    return data


# -- CSV ---------------------------------------------------------------------------------------------------------------


def _csv(platform: Platform, chance: Random, rows: Sequence[Sequence[Any]]) -> bytes:
    separator = platform.separator
    end = "\r\n" if platform.trailer else chance.choice(["\n", "\n", "\r\n"])
    extra = chance.choice([[], [], ["kota"], ["kota", ""], ["kota", "kota"]])
    names = [platform.columns[name] for name in FIELDS] + extra
    order = list(range(len(names)))
    if chance.random() < 0.5:
        chance.shuffle(order)
    # In half of the files nothing is quoted, which the fast way reads; in some everything.
    quoted_share = chance.choice([0, 0, 0, 0.08, 0.08, 1])
    odd = dict.fromkeys(map(ord, '"\n' + separator)) if not quoted_share else {}
    lines = [separator.join(_csv_cell(names[at], separator, chance, quoted_share) for at in order)]
    for row in rows:
        kota = chance.choice(["Bandung", "Bandung", "", "Sao", 'x"y', "\n\n", "z" * 40])
        cells = [str(value or "").translate(odd) for value in [*row, *[kota] * len(extra)]]
        written = [_csv_cell(cells[at], separator, chance, quoted_share) for at in order]
        lines.append(_bent_row(chance, written, separator, has_quotes=bool(quoted_share)))
        if chance.random() < 0.03:
            lines.append(
                chance.choice(["", "", separator * (len(names) - 1), " ", '""' if quoted_share else ".", MARK])
            )
    if len(lines) > 1 and chance.random() < 0.08:
        lines[1] = MARK + lines[1]
    if platform.trailer:
        lines.append("T|0|0")
    return _bent_text(platform, chance, lines, end)


def _csv_cell(text: str, separator: str, chance: Random, quoted_share: float) -> str:
    if any(mark in text for mark in (separator, '"', "\n", "\r")) or chance.random() < quoted_share:
        return '"' + text.replace('"', '""') + '"'
    return text


def _bent_row(chance: Random, cells: list[str], separator: str, *, has_quotes: bool) -> str:
    """The row; now and then with too few or too many cells, or with quotes where none may be."""
    at = chance.randrange(len(cells))
    if chance.random() < (0.85 if has_quotes else 0.95):
        return separator.join(cells)
    if not has_quotes:
        return separator.join(chance.choice([cells[:-1], cells[1:], [*cells, ""], [*cells, "x"]]))
    bare = cells[at].replace('"', "").replace("\n", "")
    half = len(bare) // 2
    return separator.join(
        chance.choice(
            [
                cells[:-1],
                cells[1:],
                [*cells, ""],
                [*cells, "x"],
                [*cells[:at], f'"{bare[:half]}"{bare[half:]}', *cells[at + 1 :]],
                [*cells[:at], f'"{bare}" ', *cells[at + 1 :]],
                [*cells[:at], f' "{bare}"', *cells[at + 1 :]],
                [*cells[:at], f'{bare[:half]}"{bare[half:]}', *cells[at + 1 :]],
                [*cells[:at], f'{bare}"{bare}"', *cells[at + 1 :]],
                [*cells[:at], f'"{bare}""', *cells[at + 1 : -1], '"'],
                [f'"{separator.join(cells).replace(chr(34), chr(39))}"'],
            ]
        )
    )


def _bent_text(platform: Platform, chance: Random, lines: list[str], end: str) -> bytes:
    """The lines as bytes; now and then what is wrong with them concerns the whole file."""
    if chance.random() < 0.05:
        at = chance.randrange(len(lines) + 1)
        lines[at:at] = [""] * chance.choice([1, 2, 40])
    ends = [end] * len(lines)
    if chance.random() < 0.1:
        ends = [chance.choice(["\n", "\r\n"]) for _ in lines]
    if chance.random() < 0.2:
        ends[-1] = ""
    text = "".join(line + each for line, each in zip(lines, ends, strict=True))
    if chance.random() < 0.1:
        text = MARK + text
    data = text.encode()
    fault = chance.randrange(100)
    if fault < 10:  # whichever column it is in
        data = data.replace(b"Sao", b"S\xe3o").replace(b"Bandung", b"Bandung\xff")
    elif fault < 12:
        data = data.replace(b"KLS-1", b"KLS\r1")
    elif fault < 14:
        data = data.replace(b"Bandung", b"Band\rung")
    elif fault < 15:
        data = data.replace(b"V1", b"V\0001")
    elif fault < 17:
        data += b'"'
    elif fault < 18:
        data = data.replace(b"KLS-1", b'"KLS-1')
    elif fault < 19:
        data = data[: chance.randrange(len(data) + 1)]
    elif fault < 21:
        name = chance.choice(list(platform.columns.values())).encode()
        data = data.replace(name, chance.choice([b"", name.swapcase(), b" " + name, name + b'"', b'"' + name]), 1)
    elif fault < 22:
        data = MARK.encode() * 2 + data
    elif fault < 25 and platform.trailer:
        data = data.replace(
            b"T|0|0",
            chance.choice([b"T|1|5000", b"T|0|0|0", b"T|0", b"t|0|0", b'"T"|0|0', b"T|0|0\r\n\r\n", b" T|0|0"]),
        )
    elif fault < 27:
        data += chance.choice([end.encode() * 3, b" ", b" \n", b"\r", MARK.encode()])
    elif fault < 29 and chance.random() < 0.4:  # a text at the bound of one, and just above
        long = "x" * (1 << 20) + chance.choice(["x", "", "\n", "é"])
        wide = f'"{long}"' if "\n" in long else long
        data = data.replace(chance.choice([b"V1", b"KLS-0042", b"t-0"]), wide.encode(), 1)
    return data


# -- JSON --------------------------------------------------------------------------------------------------------------


def _json_lines(platform: Platform, chance: Random, rows: Sequence[Sequence[Any]]) -> bytes:
    lines = []
    for row in rows:
        lines.append(_bent_json(chance, _record(platform, chance, row)))
        if chance.random() < 0.04:
            lines.append(
                chance.choice(["", " ", "\t \t", "\u00a0", "\x0b", MARK, "null", "[]", "{}", '"x"', "0000000000000001"])
            )
    if not lines:
        lines = [""]
    return _bent_text(platform, chance, lines, chance.choice(["\n", "\n", "\r\n"]))


def _json(platform: Platform, chance: Random, rows: Sequence[Sequence[Any]]) -> bytes:
    items = []
    for row in rows:
        items.append(_record(platform, chance, row))
        if chance.random() < 0.04:
            items.append(
                chance.choice(
                    ["null", "[]", "{}", '"x 0000000000000001"', "0000", "1", '[{"a":1,"a":2}]', "1000000000000001"]
                )
            )
    space = chance.choice(["", "", " ", "\n", "\r\n", "\t\n"])
    members = [f'"platform":{space}"sekolah.mu"', f'"data":{space}[{space}' + f",{space}".join(items) + f"{space}]"]
    fault = chance.randrange(60)
    if fault < 2:
        members.append(
            chance.choice(['"data":[]', '"platform":"sekolah.mu"', '"x":{"a":1,"a":2}', '"x":[{"a":1,"a":1}]'])
        )
    elif fault < 3:
        members[0] = chance.choice(
            ['"platform":"sekolahmu"', '"platform":null', '"platform":["sekolah.mu"]', '"Platform":"sekolah.mu"']
        )
    elif fault < 4:
        members[1] = chance.choice(['"data":{}', '"data":null', '"Data":[]', '"data":"[]"', '"dat\\u0061":[]'])
    elif fault < 12:
        members.append(
            chance.choice(['"total":3', '"meta":{"a":{"b":[1.5e3,true]}}', '"x":[[],{}]', '"data2":[]', '"":""'])
        )
    chance.shuffle(members)
    text = "{" + space + f"{space},".join(members) + space + "}"
    if fault in (12, 13):
        text = chance.choice(
            [
                text[:-1],
                text + "}",
                f"[{text}]",
                text.replace(":", ",", 1),
                text.replace("}", ",}", 1),
                "",
                "null",
                "[]",
            ]
        )
    return _bent_text(platform, chance, [text], "\n")


def _record(platform: Platform, chance: Random, row: Sequence[Any]) -> str:
    """The row as one JSON object: keys in any order, a key missing, of another kind, twice, or more than are ours."""
    tree: dict[str, Any] = {}
    for name, value in zip(FIELDS, row, strict=True):
        *path, key = platform.columns[name].split(".")
        inner = tree
        for step in path:
            inner = inner.setdefault(step, {})
        if value is not None or chance.random() < 0.7:
            inner[key] = value
    if chance.random() < 0.05:
        key = chance.choice(list(tree))
        tree[key] = chance.choice([None, {}, [], "x", Number("7"), True])
    return _written(chance, tree, twice=chance.random() < 0.06)


def _written(chance: Random, tree: dict[str, Any], *, twice: bool = False) -> str:
    colon, comma = chance.choice([(":", ","), (": ", ", "), (" :\t", " , ")])
    members = []
    inner = [key for key, value in tree.items() if isinstance(value, dict)]
    is_deeper = twice and bool(inner) and chance.random() < 0.5
    for key, value in tree.items():
        if isinstance(value, dict):
            text = _written(chance, value, twice=is_deeper and key == inner[0] and bool(value))
        else:
            text = _json_value(chance, value)
        members.append((key, text))
    if twice and not is_deeper:
        key, text = chance.choice(members or [("x", "1")])
        members += [(key, text)] if not members else []
        members.append((key, chance.choice([text, '"1234567890123456"', "null", "7000"])))
    if chance.random() < 0.1:
        members.append(("catatan", chance.choice(['"é\\n"', "1.5", "null", '{"id":"x"}', "[1,[2]]", '{"a":1,"a":2}'])))
    if chance.random() < 0.3:
        chance.shuffle(members)
    return "{" + comma.join(f"{_json_key(chance, key)}{colon}{text}" for key, text in members) + "}"


def _json_key(chance: Random, key: str) -> str:
    return f'"\\u{ord(key[0]):04x}{key[1:]}"' if chance.random() < 0.02 else json.dumps(key)


def _json_value(chance: Random, value: Any) -> str:
    if isinstance(value, Number | Composite):
        return str(value)
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5)
    if not isinstance(value, str) or chance.random() < 0.9:
        return text
    if value.isascii() and value.isalnum() and chance.random() < 0.4:
        return f'"\\u{ord(value[0]):04X}{value[1:]}"'
    return text[:-1] + chance.choice(["\\u0000", "\\ud800", "\\udc00", "\\ud83d\\ude00", "\\/", "\\b", "\\u200b"]) + '"'


def _bent_json(chance: Random, text: str) -> str:
    """The line; now and then no JSON."""
    if chance.random() < 0.93:
        return text
    cut = chance.randrange(len(text))
    broken = [
        text[:cut],
        text[1:],
        text + "}",
        text + ",",
        text + " {}",
        text.replace('"', "'"),
        text.replace("}", ",}", 1),
    ]
    broken += [
        text.replace(":", ":NaN,", 1),
        text.replace(":", ":Infinity,", 1),
        f"[{text}]",
        MARK + text,
        text + "//x",
    ]
    broken += [
        text.replace("1", "\t1", 1),
        text.replace('"', '"\\x', 1),
        text.replace(",", ", ,", 1),
        f"/**/{text}",
        f" {text} ",
    ]
    broken += [
        text.replace(":", ":01,", 1),
        text.replace(":", ":+", 1),
        text.replace(":", ":.5,", 1),
        text.replace(":", ":1.,", 1),
    ]
    return chance.choice(broken)


# -- workbooks ---------------------------------------------------------------------------------------------------------

XMLNS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
STYLES = [
    ("0", ""), ("164", "yyyy-mm-dd hh:mm:ss"), ("165", r'_-[$Rp-3809]* #,##0_-;\-[$Rp-3809]* #,##0_-;_-@_-'),
    ("14", ""), ("22", ""), ("166", r"[$-421]dd\ mmmm\ yyyy;@"), ("49", ""), ("167", '0.00" hari dan sd"'),
    ("168", "[Red]0"), ("1", ""), ("11", ""), ("169", "dd/mm/yyyy"),
]  # fmt: skip
DATES, PLAIN = [1, 3, 4, 5, 11], [0, 2, 6, 7, 8, 9, 10]


def _workbook(platform: Platform, chance: Random, rows: Sequence[Sequence[Any]]) -> bytes:
    names: list[Any] = [platform.columns[name] for name in FIELDS] + chance.choice([[], [], ["Kota"], ["Kota", "Kota"]])
    order = list(range(len(names)))
    if chance.random() < 0.4:
        chance.shuffle(order)
    fault = chance.randrange(60)
    if fault == 0:
        names[chance.randrange(7)] = chance.choice(["x", "waktu", "Waktu", None, Number("5")])
    shared: list[str] = []
    number, lines = chance.choice([0, 0, 0, 3]), []
    for row in [names, *rows]:
        if number > 3 and chance.random() < 0.08:
            lines.append(
                f'<row r="{number + 1}"/>'
                + chance.choice(["", f'<row r="{number + 2}" ht="3"><c r="A{number + 2}" s="1"/></row>'])
            )
            number += 2
        number += 1
        filled = [*row, *["Bandung"] * (len(names) - len(row))]
        cells = [(at, filled[place]) for at, place in enumerate(order, 1)]
        lines.append(_sheet_row(chance, number, cells, shared))
    sheet = f'<worksheet {XMLNS}><dimension ref="A1:G9"/><sheetData>{"".join(lines)}</sheetData></worksheet>'
    parts = _parts(platform, sheet, shared, chance)
    if fault == 1:
        parts["xl/worksheets/sheet1.xml"] = sheet.replace("<v>", "<f>1+1</f><v>", 1)
    elif fault == 2:
        parts["xl/worksheets/Sheet1.xml"] = sheet
    elif fault == 3:
        parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(str(platform.sheet), str(platform.sheet).lower())
    elif fault == 4:
        parts["xl/worksheets/sheet1.xml"] = sheet.replace(
            't="s"><v>', 't="s"><v>' + chance.choice(["-", "9999", "a"]), 1
        )
    elif fault == 5:
        parts["xl/worksheets/sheet1.xml"] = sheet.replace("</v>", "<", 1)
    return _zip(parts)


def _sheet_row(chance: Random, number: int, cells: list[tuple[int, Any]], shared: list[str]) -> str:
    written = []
    is_placed = chance.random() < 0.9
    for column, value in cells:
        place = f' r="{chr(64 + column)}{number}"' if is_placed else ""
        written.append(_sheet_cell(chance, place, value, shared))
    return f'<row r="{number}">{"".join(written)}</row>' if is_placed else f"<row>{''.join(written)}</row>"


def _sheet_cell(chance: Random, place: str, value: Any, shared: list[str]) -> str:
    if value is None or (value == "" and chance.random() < 0.5):
        return chance.choice([f"<c{place}/>", f'<c{place} s="1"></c>'])
    if isinstance(value, Composite):
        return f'<c{place} t="b"><v>1</v></c>'
    if isinstance(value, Number):
        style = chance.choice(DATES if isinstance(value, DateCell) else PLAIN)
        return f'<c{place} s="{style}"{chance.choice(["", " t=" + chr(34) + "n" + chr(34)])}><v>{value}</v></c>'
    text = escape("".join(each for each in str(value) if each >= " " or each in "\t\n"))
    kept = chance.choice(["", ' xml:space="preserve"']) if text == text.strip() else ' xml:space="preserve"'
    if value.startswith("#") and chance.random() < 0.5:
        return f'<c{place} t="e"><v>{text}</v></c>'
    half = len(text) // 2 if "&" not in text else 0
    runs = f"<r><t{kept}>{text[:half]}</t></r><r><rPr/><t{kept}>{text[half:]}</t></r>"
    string = chance.choice([f"<t{kept}>{text}</t>", f"<t{kept}>{text}</t>", runs + '<rPh sb="0" eb="1"><t>x</t></rPh>'])
    kind = chance.randrange(10)
    if kind < 4:
        shared.append(f"<si>{string}</si>")
        return f'<c{place} t="s"><v>{len(shared) - 1}</v></c>'
    return f'<c{place} t="str"><v>{text}</v></c>' if kind == 4 else f'<c{place} t="inlineStr"><is>{string}</is></c>'


def _parts(platform: Platform, sheet: str, shared: list[str], chance: Random) -> dict[str, str]:
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    formats = "".join(
        f'<numFmt numFmtId="{n}" formatCode="{escape(code, {chr(34): "&quot;"})}"/>' for n, code in STYLES if code
    )
    xfs = "".join(f'<xf numFmtId="{n}"/>' for n, _ in STYLES)
    other = chance.random() < 0.3
    tabs = [f'<sheet name="{platform.sheet}" sheetId="1" r:id="rId1"/>']
    relations = [("rId1", "worksheet", "worksheets/sheet1.xml"), ("rId2", "styles", "styles.xml")]
    parts = {"[Content_Types].xml": "", "_rels/.rels": "", "xl/workbook.xml": "", "xl/_rels/workbook.xml.rels": ""}
    if other:
        tabs.insert(chance.randrange(2), '<sheet name="Ringkasan" sheetId="2" r:id="rId9"/>')
        relations.append(("rId9", "worksheet", "worksheets/sheet2.xml"))
        parts["xl/worksheets/sheet2.xml"] = (
            f'<worksheet {XMLNS}><sheetData><row r="1"><c r="A1"><f>1+1</f><v>2</v></c></row></sheetData></worksheet>'
        )
    if shared:
        relations.append(("rId3", "sharedStrings", "sharedStrings.xml"))
        parts["xl/sharedStrings.xml"] = f"<sst {XMLNS}>{''.join(shared)}</sst>"
    main = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts["[Content_Types].xml"] = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{main}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{main}.worksheet+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{main}.styles+xml"/></Types>'
    )
    package = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
    parts["_rels/.rels"] = (
        f"<Relationships {package}>"
        f'<Relationship Id="rId1" Type="{kinds}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    )
    parts["xl/workbook.xml"] = f'<workbook {XMLNS} xmlns:r="{kinds}"><sheets>{"".join(tabs)}</sheets></workbook>'
    parts["xl/_rels/workbook.xml.rels"] = (
        f"<Relationships {package}>"
        + "".join(
            f'<Relationship Id="{each}" Type="{kinds}/{kind}" Target="{target}"/>' for each, kind, target in relations
        )
        + "</Relationships>"
    )
    parts["xl/styles.xml"] = (
        f'<styleSheet {XMLNS}><numFmts count="{formats.count("<")}">{formats}</numFmts><fonts count="1"><font/></fonts>'
        '<fills count="1"><fill/></fills><borders count="1"><border/></borders>'
        '<cellStyleXfs count="1"><xf/></cellStyleXfs>'
        f'<cellXfs count="{len(STYLES)}">{xfs}</cellXfs></styleSheet>'
    )
    parts["xl/worksheets/sheet1.xml"] = sheet
    return parts


def _zip(parts: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return packed.getvalue()


def _wounded_workbook(data: bytes, chance: Random) -> bytes:
    """The workbook with splinters in the values of the sheet's cells."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    pieces = parts["xl/worksheets/sheet1.xml"].split(">")
    values = [at for at, piece in enumerate(pieces) if piece.partition("<")[0]]
    for _ in range(chance.choice([1, 1, 2])):
        at = chance.choice(values)
        value, _, rest = pieces[at].partition("<")
        splinter = chance.choice(SPLINTERS).decode(errors="replace")
        if not set(splinter) & set("\0\r<>&"):
            cut = chance.randrange(len(value) + 1)
            pieces[at] = value[:cut] + splinter + value[cut:] + "<" + rest
    parts["xl/worksheets/sheet1.xml"] = ">".join(pieces)
    return _zip(parts)
