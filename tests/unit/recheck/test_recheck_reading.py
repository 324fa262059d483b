"""Rows as they were delivered: strict CSV and JSON, the trailer, and every text of a file."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja.platforms import platforms
from prakerja.recheck.files import Evidence, EvidenceError
from prakerja.recheck.reading import DeliveredRow, read_csv, read_text_rows

HEADER = "transaction_id,event,occurred_at,card_number,course_id,amount_idr,voucher_code\n"
ROW = {"id": "a", "type": "paid", "ts": 1, "payment": {"card": "c", "amount": 5}, "course": {"id": "k"}, "voucher": "v"}


def read(platform: str, content: bytes | str, rows: int = 0, amount_idr: int = 0) -> list[DeliveredRow]:
    """Return the rows of a file of a platform."""
    content = content.encode() if isinstance(content, str) else content
    return list(read_text_rows(Evidence("f", content, rows, amount_idr), platforms()[platform]))


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("1,2\n", [(2, ("1", "2"), True)]),
        ('"1","2"\r\n', [(2, ("1", "2"), True)]),
        ('"1,","2"""\n3,4', [(2, ("1,", '2"'), True), (3, ("3", "4"), True)]),
        ('"a\r\nb",2\n3,4\n', [(2, ("a\r\nb", "2"), True), (4, ("3", "4"), True)]),
        ("\n1,2\n\r\n3,4\n\n", [(3, ("1", "2"), True), (5, ("3", "4"), True)]),
        (",\n", [(2, ("", ""), True)]),
        ("1\n", [(2, (None, None), False)]),
        ("1,2,3\n", [(2, (None, None), False)]),
        ('""\n', [(2, (None, None), False)]),
        ('"1"x,2\n', [(2, (None, "2"), False)]),
        ('1,"2" \n', [(2, ("1", None), False)]),
        ('a"b,2\n', [(2, (None, "2"), False)]),
        (' "1",2\n', [(2, (None, "2"), False)]),
        ('"a"b"c,2\n3,4\n', [(2, (None, "2"), False), (3, ("3", "4"), True)]),
    ],
)
def test_csv_is_rfc_4180(body: str, rows: list[tuple[int, Any, bool]]) -> None:
    found = list(read_csv("f", "a,b\n" + body, ",", ["a", "b"]))
    assert [(row.line, row.cells, row.is_readable) for row in found] == rows


@pytest.mark.parametrize("body", ['"1,2\n', '1,"2\n3,4\n', '"1"x,"2\n', '"'])
def test_quote_open_at_the_end_rejects_the_file(body: str) -> None:
    with pytest.raises(EvidenceError, match="a quote is still open"):
        list(read_csv("f", "a,b\n" + body, ",", ["a", "b"]))


@pytest.mark.parametrize("header", ["", "a\n", "a,B\n", "a, b\n", "a,b,a\n", '"a"x,b\n'])
def test_header_without_each_column_once_rejects_the_file(header: str) -> None:
    with pytest.raises(EvidenceError):
        list(read_csv("f", header, ",", ["a", "b"]))


def test_columns_are_found_by_name_and_extra_ones_ignored() -> None:
    [row] = read_csv("f", "x,b,a\n1,2,3\n", ",", ["a", "b"])
    assert row.cells == ("3", "2")


@given(st.text('ab,"\n', max_size=40))
def test_csv_of_any_text_is_read_or_refused(body: str) -> None:
    try:
        rows = list(read_csv("f", "a,b\n" + body, ",", ["a", "b"]))
    except EvidenceError:
        return
    assert "".join(row.raw for row in rows).replace("\n", "") == body.replace("\n", "")
    strict = re.compile('(?:"(?:[^"]|"")*"|[^",\n]*)(,(?:"(?:[^"]|"")*"|[^",\n]*))\n?')
    assert all(bool(strict.fullmatch(row.raw)) == row.is_readable for row in rows)


@pytest.mark.parametrize("content", [b"a\xffb", b"\xef\xbb\xbf\xef\xbb", b"a\0b", b"a\rb\n", b"a\r\r\n", b"a\r"])
@pytest.mark.parametrize("platform", ["tokopedia", "pintaria", "sekolahmu", "pijar-mahir"])
def test_bytes_that_are_no_text_reject_the_file(platform: str, content: bytes) -> None:
    content = gzip.compress(content) if platform == "pijar-mahir" else content
    with pytest.raises(EvidenceError, match="the file is no"):
        read(platform, content)


def test_byte_order_mark_and_crlf_are_tolerated() -> None:
    assert read("tokopedia", "\ufeff" + HEADER.replace("\n", "\r\n")) == []
    assert read("pintaria", "\ufeff" + json.dumps(ROW) + "\r\n")[0].is_readable
    assert read("sekolahmu", '\ufeff{\r\n"platform":"sekolah.mu","data":[\r\n]}\r\n') == []


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"a" * 99, mtime=0)[:-9], gzip.compress(b"a", mtime=0) + b"junk"],
    ids=["none", "cut off", "junk behind it"],
)
def test_broken_gzip_rejects_the_file(content: bytes) -> None:
    with pytest.raises(EvidenceError, match="not gzip, or is cut off"):
        read("pijar-mahir", content)


def test_gzip_may_have_several_members() -> None:
    head = "trx_id,status,timestamp_utc,card,course,amount,voucher\n"
    assert len(read("pijar-mahir", gzip.compress(head.encode()) + gzip.compress(b"1,2,3,4,5,6,7\n"))) == 1


def test_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prakerja.recheck.files.MOST_BYTES", 10)
    with pytest.raises(EvidenceError, match="opens to more than"):
        read("pijar-mahir", gzip.compress(b"a" * 11))


@pytest.mark.parametrize(
    ("trailer", "is_right"),
    [
        ("T|1|5000\r\n", True),
        ("T|1|5000", True),
        ("T|000001|000005000\r\n\r\n", True),
        ("", False),
        ("T|2|5000\r\n", False),
        ("T|1|5001\r\n", False),
        ('"T"|"1"|"5000"\r\n', True),
        ('"T|1|5000\r\n', False),
        ('T"|1|5000\r\n', False),
        ("T|1|5000|5000\r\n", False),
        ("T|1|x\r\n", False),
        ("t|1|5000\r\n", False),
        ("T|1|5000|\r\n", False),
        ("T|1|5000\r\nx\r\n", False),
    ],
)
def test_trailer_agrees_with_the_manifest(trailer: str, is_right: bool) -> None:
    content = "TRX_ID|JENIS|WAKTU|NO_KARTU|KODE_KURSUS|NILAI|VOUCHER\r\na|1|x|y|z|000005000|\r\n" + trailer
    if is_right:
        assert len(read("sisnaker", content, 1, 5000)) == 1
    else:
        with pytest.raises(EvidenceError, match="trailer"):
            read("sisnaker", content, 1, 5000)


def test_json_line_is_read_as_it_stands() -> None:
    [row] = read("pintaria", json.dumps({**ROW, "ts": 1e15, "extra": [1]}))
    assert row.cells == ("a", "paid", "1000000000000000.0", "c", "k", "5", "v")
    assert row.is_readable


@pytest.mark.parametrize(
    "line",
    [
        "{", "{} {}", "nothing", "5", "[]", '"a"', '{"id":NaN}', '{"id":01}', '{"id":"a\tb"}', "{'id':1}", '{"id":1,}',
        '{"id":1,"id":1}', '{"payment":{"a":1,"a":1}}', '{"x":[{"a":1,"a":1}]}', "\u00a0", "\v",
    ],
)  # fmt: skip
def test_broken_json_line_is_unreadable(line: str) -> None:
    [row] = read("pintaria", line + "\n\n")
    assert (row.is_readable, row.raw) == (False, line)


def test_line_of_spaces_is_not_a_row() -> None:
    assert [row.line for row in read("pintaria", f" \t\r\n{json.dumps(ROW)}\n \n\n")] == [2]
    assert read("pintaria", "\n \t") == read("pintaria", " \t") == read("pintaria", " \n") == []


def test_what_no_text_holds_is_replaced() -> None:
    [row] = read("pintaria", r'{"id":"a\ud800","type":"\ud83d\ude00\u0000"}')
    assert row.cells[:2] == ("a\ufffd", "\U0001f600\ufffd")
    assert row.is_readable


def test_json_of_257_levels_is_unreadable() -> None:
    for levels, is_readable in ((255, True), (256, False), (100_000, False)):
        [row] = read("pintaria", '{"x":' + "[" * levels + "]" * levels + "}")
        assert row.is_readable == is_readable
        [row, _] = read(
            "sekolahmu", '{"platform":"sekolah.mu","data":[{"x":' + "[" * levels + "]" * levels + '}, {"}":"]"}]}'
        )
        assert row.is_readable == is_readable


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert read("pintaria", json.dumps({"x": [[]] * 500}))[0].is_readable


def test_amount_of_an_unreadable_row_is_kept_if_legible() -> None:
    [row] = read("pintaria", '{"id":"a","id":"b","payment":{"amount":5}}')
    assert row.cells[5] == "5"
    [row] = read("pintaria", '{"id":"a","payment":{"amount":5,"amount":5}}')
    assert not isinstance(row.cells[5], str)
    [row] = read("tokopedia", HEADER + '"a"b,PAID,,,,5000,\n')
    assert (row.cells[5], row.is_readable) == ("5000", False)
    [row] = read("tokopedia", HEADER + 'a,PAID,,,,"50"00,\n')
    assert (row.cells[5], row.is_readable) == (None, False)


def test_json_document_numbers_its_records() -> None:
    text = (
        '{"n": {"a": [1]}, "data": [ {"transactionId": "a"} , 5, {"eventX":1,"eventX":2} ] , "platform":"sekolah.mu"} '
    )
    rows = read("sekolahmu", text)
    assert [(row.line, row.is_readable, row.raw) for row in rows] == [
        (1, True, '{"transactionId": "a"}'),
        (2, False, "5"),
        (3, False, '{"eventX":1,"eventX":2}'),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "5", '{"data":[]}', '{"platform":"tokopedia","data":[]}', '{"platform":"sekolah.mu"}',
        '{"platform":"Sekolah.mu","data":[]}', '{"platform":"sekolah.mu","data":{}}',
        '{"platform":"sekolah.mu","data":[]} x',
        '{"platform":"sekolah.mu","data":[],}', '{"platform":"sekolah.mu","data":[5,]}',
        '{"platform":"sekolah.mu","data":[5 5]}', '{"platform":"sekolah.mu","data":[{]}',
        '{"platform":"sekolah.mu","data":[]', '{"platform":"sekolah.mu","data":[5',
        '{"platform":"sekolah.mu","platform":"sekolah.mu","data":[]}', '{"platform":"sekolah.mu","data":[],"data":[]}',
        '{"platform":"sekolah.mu","data":[],"x":{"a":1,"a":1}}', '{"platform":"sekolah.mu" "data":[]}',
        '{"platform":"sekolah.mu","data":[' + "[" * 100_000,
    ],
)  # fmt: skip
def test_broken_json_document_rejects_the_file(text: str) -> None:
    with pytest.raises(EvidenceError):
        read("sekolahmu", text)


DOCUMENT = '{"platform":"sekolah.mu","data":['


@pytest.mark.parametrize(
    ("platform", "content"),
    [
        ("tokopedia", HEADER + "a," * 150),
        ("tokopedia", HEADER + '"' + "a,\n" * 100),
        ("tokopedia", HEADER + '"\n",' * 75),
        ("pintaria", "{}\n[" + "[]," * 100),
        ("sekolahmu", DOCUMENT + "[" + "[]," * 99 + "[]]]}"),
        ("sekolahmu", DOCUMENT + '"' + "a" * 300 + '"]}'),
        ("sekolahmu", DOCUMENT + "1" * 300 + "]}"),
        ("sekolahmu", '{"more":[' + "[]," * 99 + "[]]," + DOCUMENT[1:] + "]}"),
        ("sekolahmu", '{"' + "a" * 300 + '":1,' + DOCUMENT[1:] + "]}"),
        ("sekolahmu", "{" + "".join(f'"{n}":1,' for n in range(20)) + DOCUMENT[1:] + "]}"),
    ],
)
def test_record_that_fills_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch, platform: str, content: str) -> None:
    """It is refused before it is taken apart: a row of a file's whole size takes many times that in memory."""
    with contextlib.suppress(EvidenceError):
        read(platform, content)
    monkeypatch.setattr("prakerja.recheck.reading.LONGEST_RECORD", 250)
    monkeypatch.setattr("prakerja.recheck.reading.MOST_KEYS", 20)
    with pytest.raises(EvidenceError, match=r"a row has more than 250 characters|not JSON|one of too many"):
        read(platform, content)


@pytest.mark.parametrize("platform", ["tokopedia", "pintaria", "sekolahmu"])
def test_many_records_may_be_longer_than_any_of_them(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr("prakerja.recheck.reading.LONGEST_RECORD", len(HEADER))
    content = {
        "tokopedia": HEADER + '"1\n",2,3,4,5,6,7\n\n' * 20,
        "pintaria": '{"id":"a]"}\n\n' * 20,
        "sekolahmu": DOCUMENT + ",".join(['{"transactionId":"a]"}'] * 20) + "]}",
    }
    assert len(read(platform, content[platform])) == 20
