"""The bugs that are planted in the first reading, and in the second: what is changed, and what has to run again."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.planted import Bug


@dataclass(frozen=True)
class Plant:
    """A bug, the platforms that are taken in again with it, and whether it always stops the decision."""

    bugs: tuple[Bug, ...]
    retaken: tuple[str, ...] = ()
    is_final: bool = False


def _in(file: str, text: str, becomes: str, *retaken: str, is_final: bool = False) -> Plant:
    return Plant((Bug(file, text, becomes),), retaken, is_final)


WINDOW = "sql/definitions/cohorts/is_in_window.sql"
MIDNIGHT = "sql/definitions/calendar/wib_midnight.sql"
EVIDENCE = "sql/definitions/cohorts/evidence_of.sql"
UNDOING = "sql/definitions/cohorts/is_undoing.sql"
REFRESH = "sql/definitions/cohorts/refresh_evidence.sql"
SEEN = "sql/cohorts/refresh_evidence.sql"
IN_FORCE = "sql/definitions/feeds/deliveries_in_force.sql"
STANDING = "sql/definitions/cohorts/standing.sql"
BECAUSE = "sql/definitions/cohorts/because_of.sql"
OUTCOME = "sql/definitions/cohorts/outcome_of.sql"
SUSPENDED = "sql/definitions/cohorts/suspended_at.sql"
FORMS = "prakerja/feeds/forms.py"
CANONICAL = "prakerja/feeds/canonical.py"
EXPECTATIONS = "prakerja/feeds/expectations.py"
QUARANTINE = "prakerja/feeds/quarantine.py"
LEDGER = "prakerja/feeds/ledger.py"
WORKBOOK = "prakerja/feeds/workbook.py"

CLOSES = "at < wib_midnight(deadline_on + 1)"
UNDONE = "and u.occurred_at < evidence_of.undone_before"
NAIVE = 'plain = _in_zone(local, platform.occurred_at["zone"])'
IN_UTC = 'plain = _in_zone(local, "UTC")'
OFFSET = 'plain = _cast(_matching(_texts(column), PLAIN_ISO8601), pa.timestamp("us", "UTC"))'
NO_OFFSET = 'plain = _cast(pc.utf8_slice_codeunits(_texts(column), 0, 19), pa.timestamp("us"))'
IN_WIB = 'plain = _in_zone(_cast(pc.utf8_slice_codeunits(_texts(column), 0, 19), pa.timestamp("us")), "Asia/Jakarta")'
DOUBTS = "between evidence_of.announced_on and evidence_of.deadline_on + evidence_of.settlement_days"
DAMAGED = 'might_be.append(cards_like(row["card_number"], is_number=row["card_is_number"]))'
SEEN_BEFORE = (
    'seen = _transactions.__dict__.setdefault("seen", set())\n'
    '    keys = list(zip(good["transaction_id"].to_pylist(), good["event"].to_pylist(), strict=True))\n'
    "    good = good.filter(pa.array([not (key in seen or seen.add(key)) for key in keys], pa.bool_()))\n    "
)
INSTANTS = 'instants = good["occurred_at"].cast(pa.timestamp("us")).cast(pa.string())'

#: Bugs of the first reading.
FIRST: dict[str, Plant] = {
    # the window
    "the window opens a microsecond late": _in(WINDOW, "at >= wib", "at > wib"),
    "the window opens a second early": _in(
        WINDOW, "at >= wib_midnight(announced_on)", "at >= wib_midnight(announced_on) - interval '1 second'"
    ),
    "the window opens a day late": _in(WINDOW, "wib_midnight(announced_on)", "wib_midnight(announced_on + 1)"),
    "the window closes a microsecond late": _in(WINDOW, CLOSES, CLOSES.replace("<", "<=")),
    "the window closes a microsecond early": _in(WINDOW, CLOSES, f"{CLOSES} - interval '1 microsecond'"),
    "the deadline day does not count": _in(WINDOW, CLOSES, "at < wib_midnight(deadline_on)"),
    "a day begins at midnight in UTC": _in(MIDNIGHT, "Asia/Jakarta", "UTC"),
    "a day begins at midnight in Makassar": _in(MIDNIGHT, "Asia/Jakarta", "Asia/Makassar"),
    # instants, by dialect
    "bukalapak's times are read as UTC": _in(FORMS, NAIVE, IN_UTC, "bukalapak"),
    "sisnaker's times are read as UTC": _in(FORMS, NAIVE, IN_UTC, "sisnaker"),
    "a workbook's texts are read as UTC": _in(FORMS, NAIVE, IN_UTC, "mau-belajar-apa"),
    "a workbook's date cells are read as UTC": _in(
        FORMS, "value.instant.replace(tzinfo=zone)", "value.instant.replace(tzinfo=UTC)", "mau-belajar-apa"
    ),
    "a workbook counts its days from 1904": _in(
        WORKBOOK, "datetime(1899, 12, 30), datetime", "datetime(1900, 1, 1), datetime", "mau-belajar-apa"
    ),
    "tokopedia's offsets are forgotten": _in(FORMS, OFFSET, NO_OFFSET, "tokopedia 2021-03-05", "tokopedia 2021-03-10"),
    "sekolahmu's offsets are forgotten": _in(FORMS, OFFSET, NO_OFFSET, "sekolahmu"),
    "pijar-mahir's UTC is read as WIB": _in(FORMS, OFFSET, IN_WIB, "pijar-mahir"),
    "pintaria's milliseconds are those of WIB": _in(
        FORMS,
        "pc.multiply(_wholes(column), 1000)",
        "pc.multiply(pc.subtract(_wholes(column), 25_200_000), 1000)",
        "pintaria",
    ),
    "a seventh fractional digit is rounded up": _in(
        FORMS,
        "        return _microseconds(datetime.fromisoformat(value))\n    except",
        '        return _microseconds(datetime.fromisoformat(value)) + (len(fraction or "") > 7)\n    except',
        "pijar-mahir",
    ),
    # undoings
    "any platform's cancellation undoes": _in(EVIDENCE, "and n.platform = k.platform\n", "\n"),
    "a cancellation undoes by the card": _in(EVIDENCE, UNDONE, f"{UNDONE} and u.card_number = t.card_number"),
    "a cancellation undoes what came before it": _in(EVIDENCE, UNDONE, f"{UNDONE} and u.occurred_at >= t.occurred_at"),
    "a cancellation at the deadline's end undoes": _in(EVIDENCE, UNDONE, UNDONE.replace("<", "<=")),
    "a cancellation undoes at any time": _in(EVIDENCE, UNDONE, ""),
    "a refund undoes nothing": _in(UNDOING, "in ('CANCELLED', 'REFUNDED')", "= 'CANCELLED'"),
    "a cancellation undoes nothing": _in(EVIDENCE, UNDONE, "and false"),
    "a cancellation undoes in any case of letters": _in(
        EVIDENCE, "u.transaction_id = t.transaction_id", "lower(u.transaction_id) = lower(t.transaction_id)"
    ),
    "a cancellation undoes everything of its card": _in(
        EVIDENCE, "u.transaction_id = t.transaction_id", "u.card_number = t.card_number"
    ),
    # deliveries in force
    "revisions are ordered as text": _in(IN_FORCE, "d.revision desc", "d.revision::text desc", is_final=True),
    "the lowest revision is in force": _in(IN_FORCE, "d.revision desc", "d.revision", is_final=True),
    "every revision is in force": _in(
        IN_FORCE,
        "distinct on (d.platform, d.business_date)",
        "distinct on (d.platform, d.business_date, d.revision)",
        is_final=True,
    ),
    "a rejected revision is in force": _in(IN_FORCE, "d.status = 'accepted' and", "", is_final=True),
    "a delivery of the day after is known": _in(
        IN_FORCE,
        "d.arrived_on <= deliveries_in_force.as_of",
        "d.arrived_on <= deliveries_in_force.as_of + 1",
        is_final=True,
    ),
    "the settlement day is not seen": _in(SEEN, "+ :settlement_days end", "end"),
    "the day after the settlement day is seen": _in(SEEN, "+ :settlement_days end", "+ :settlement_days + 1 end"),
    "a cohort settles at once": _in(
        "prakerja/calendar.py", "return programme().settlement_days", "return 0", is_final=True
    ),
    # evidence that is kept from day to day
    "evidence is never refreshed": _in(
        REFRESH, "if cardinality(entering || leaving) = 0 and", "if base.generation is not null or"
    ),
    "what a restated day takes away stays": _in(
        REFRESH, "where t.delivery_id = any(entering || leaving) and", "where t.delivery_id = any(entering) and"
    ),
    "what a restated day adds is not seen": _in(
        REFRESH, "where t.delivery_id = any(entering || leaving) and", "where t.delivery_id = any(leaving) and"
    ),
    "a damaged row that is restated away goes on holding": _in(
        REFRESH, "where q.delivery_id = any(entering || leaving)", "where q.delivery_id = any(entering)"
    ),
    "a damaged row that comes holds nobody": _in(
        REFRESH, "where q.delivery_id = any(entering || leaving)", "where q.delivery_id = any(leaving)"
    ),
    "a later day's cancellation is not looked for": _in(REFRESH, "u.delivery_id = any(entering)\n", "false\n"),
    "a cancellation that is restated away goes on undoing": _in(REFRESH, "u.delivery_id = any(leaving)\n", "false\n"),
    # damaged rows: which days, and whose
    "the settlement day's damaged rows hold nobody": _in(EVIDENCE, DOUBTS, DOUBTS.partition(" +")[0]),
    "the first day's damaged rows hold nobody": _in(
        EVIDENCE, DOUBTS, DOUBTS.replace("announced_on", "announced_on + 1")
    ),
    "the damaged rows of the day before hold": _in(
        EVIDENCE, DOUBTS, DOUBTS.replace("announced_on", "announced_on - 1")
    ),
    "a range holds its first card alone": _in(
        EVIDENCE, "r.card_number >= lower(cards) and r.card_number < upper(cards)", "r.card_number = lower(cards)"
    ),
    "a range does not hold its last card": _in(
        EVIDENCE, "r.card_number < upper(cards)", "r.card_number < upper(cards) - 1"
    ),
    "damaged purchases alone hold": _in(
        LEDGER, DAMAGED, f'{DAMAGED[:-1]} if row["event"] == "PAID" else [])', "tokopedia 2021-03-10"
    ),
    "rows with a right card hold nobody": _in(
        LEDGER, DAMAGED, f'{DAMAGED[:-1]} if len(row["card_number"]) != 16 else [])', "tokopedia 2021-03-10"
    ),
    "a number in scientific notation is its digits": _in(
        QUARANTINE,
        "if found := SCIENTIFIC.fullmatch(text):",
        "if (found := SCIENTIFIC.fullmatch(text)) and not text:",
        "bukalapak 2021-03-12",
    ),
    "a comma is not read in scientific notation": _in(
        QUARANTINE, r"(\d*)(?:[.,](\d*))?[eE]", r"(\d*)(?:\.(\d*))?[eE]", "bukalapak 2021-03-12"
    ),
    "the range of a rounded number is too narrow": _in(
        QUARANTINE, "math.ceil(value - below / 2)", "math.ceil(value - below / 2) + 1", "bukalapak 2021-03-12"
    ),
    "the range of a rounded number is half": _in(
        QUARANTINE, "math.floor(value + unit / 2)", "math.floor(value)", "bukalapak 2021-03-12"
    ),
    "quotes make a number none": _in(
        QUARANTINE,
        "return character.isspace() or character in AROUND_NUMBERS",
        "return character.isspace()",
        "bukalapak 2021-03-12",
    ),
    "hidden signs count": _in(
        QUARANTINE, 'if unicodedata.category(character) != "Cf"', 'if character != ""', "bukalapak 2021-03-12"
    ),
    "a number cell is the card that it shows": _in(
        QUARANTINE, "return first, first + 9", "return int(digits), int(digits)", "mau-belajar-apa", "pintaria"
    ),
    "a card that came as a number is taken for a text": _in(
        LEDGER, 'is_number=row["card_is_number"]', "is_number=False", "mau-belajar-apa"
    ),
    "zeros lost at the front stay lost": _in(
        QUARANTINE, "1 <= len(whole) <= 16", "len(whole) == 16", "bukalapak 2021-03-12"
    ),
    "final zeros behind a comma stay": _in(
        QUARANTINE, 're.compile(r"[.,]0+$")', 're.compile(r"\\.0+$")', "bukalapak 2021-03-12"
    ),
    "a last group of zeros is always dropped": _in(
        QUARANTINE, "if len(all_digits) == 16:", "if not all_digits:", "bukalapak 2021-03-12"
    ),
    "a last group of zeros is never dropped": _in(
        QUARANTINE, 'FINAL_ZEROS.sub("", text), text)', "text, text)", "bukalapak 2021-03-12"
    ),
    "Arabic digits are none": _in(
        QUARANTINE,
        "str(unicodedata.decimal(character)) if character.isdecimal() else character",
        "character",
        "bukalapak 2021-03-12",
    ),
    "unreadable rows hold nobody": _in(
        LEDGER,
        'might_be.append(cards_in(row["raw"], is_json=rows.is_json))',
        "might_be.append([])",
        "tokopedia 2021-03-11",
    ),
    "an unreadable row holds by sixteen of seventeen digits": _in(
        QUARANTINE,
        r're.compile(r"(?<!\d)\d{16}(?!\d)", re.ASCII)',
        r're.compile(r"\d{16}(?!\d)", re.ASCII)',
        "tokopedia 2021-03-11",
    ),
    # what is damaged
    "a row of no rupiah counts": _in(
        EXPECTATIONS, 'amount_idr", min_value=1,', 'amount_idr", min_value=0,', "tokopedia 2021-03-10"
    ),
    "two rows of one id are both right": _in(
        CANONICAL,
        "is_conflicting[at] = is_conflicting[first] = True",
        "pass",
        "sekolahmu 2021-03-11",
        "bukalapak 2021-03-11",
    ),
    "of two rows of one id the first is right": _in(
        CANONICAL,
        "is_conflicting[at] = is_conflicting[first] = True",
        "is_conflicting[at] = True",
        "sekolahmu 2021-03-11",
    ),
    "a repeated row contradicts itself": _in(
        CANONICAL, "if digest in seen:", "if digest in seen and event is None:", "bukalapak 2021-03-11"
    ),
    "a row may be eight days old": _in(
        EXPECTATIONS, "feeds.days_back)", "feeds.days_back + 1)", "tokopedia 2021-03-10"
    ),
    "a time without an offset is WIB": _in(
        FORMS,
        "ISO8601.fullmatch(value))",
        'ISO8601.fullmatch(value := value if value[-6:-5] in "+-" or value[-1:] == "Z" else f"{value}+07:00"))',
        "tokopedia 2021-03-10",
    ),
    "a malformed id is taken as it is": _in(
        EXPECTATIONS,
        'on(RowToBeInSet, "transaction_id_malformed", "transaction_id_is_malformed", value_set=[False])',
        'on(RowToBeInSet, "transaction_id_malformed", "transaction_id_is_malformed", value_set=[False, True])',
        "sekolahmu 2021-03-10",
    ),
    # the ledger
    "a purchase is booked on the next card": _in(
        LEDGER,
        'good["card_number"].cast(pa.int64())',
        'pc.add(good["card_number"].cast(pa.int64()), 10)',
        "sekolahmu 2021-03-0",
    ),
    "a row that another delivery has told is dropped": _in(
        LEDGER, INSTANTS, SEEN_BEFORE + INSTANTS, "tokopedia 2021-03-07", "tokopedia 2021-03-08"
    ),
    "the first row of each delivery is dropped": _in(
        LEDGER, INSTANTS, f"good = good.slice(1)\n    {INSTANTS}", "sekolahmu 2021-03-0"
    ),
    "cancellations are not loaded": _in(
        LEDGER, INSTANTS, f'good = good.filter(pc.equal(good["event"], "PAID"))\n    {INSTANTS}', "tokopedia 2021-03-09"
    ),
    "instants are rounded up to the second": _in(
        LEDGER,
        'good["occurred_at"].cast(pa.timestamp("us"))',
        'pc.ceil_temporal(good["occurred_at"].cast(pa.timestamp("us")), unit="second")',
        "tokopedia 2021-03-05",
        "tokopedia 2021-03-13",
    ),
    "each purchase has its neighbour's instant": _in(
        LEDGER,
        INSTANTS,
        f"good = good.set_column(good.column_names.index('occurred_at'), 'occurred_at',"
        f' good["occurred_at"].take(pa.array([*range(1, len(good)), 0][: len(good)], pa.int64())))\n    {INSTANTS}',
        "tokopedia 2021-03-05",
    ),
    # facts of people, and the order in which they count
    "suspensions are ignored": _in(BECAUSE, "when is_suspended then 'suspended'", "when false then 'suspended'"),
    "a suspension of the deadline day is ignored": _in(SUSPENDED, "s.suspended_on <= least", "s.suspended_on < least"),
    "a suspension of the day after holds": _in(
        SUSPENDED, "least(suspended_at.deadline_on, suspended_at.as_of)", "suspended_at.as_of"
    ),
    "lifts are ignored": _in(SUSPENDED, "l.lifted_on is null or", "true or"),
    "a lift of any day ends a suspension": _in(SUSPENDED, "l.lifted_on > suspended_at.deadline_on", "false"),
    "a withdrawal of the deadline day does not count": _in(
        STANDING, "w.withdrawn_on <= least", "w.withdrawn_on < least"
    ),
    "a withdrawal of the day after counts": _in(
        STANDING,
        "w.withdrawn_on <= least(standing.deadline_on, standing.as_of)",
        "w.withdrawn_on <= standing.as_of",
    ),
    "a purchase counts before a withdrawal": _in(
        BECAUSE, "when is_withdrawn then 'withdrawn'\n", "when is_withdrawn and not is_purchased then 'withdrawn'\n"
    ),
    "a suspension counts before a purchase": _in(
        BECAUSE, "when is_purchased then", "when is_purchased and not is_suspended then"
    ),
    "a damaged row counts before a purchase": _in(
        BECAUSE, "when is_purchased then", "when is_purchased and not is_doubtful then"
    ),
    "a damaged row is no reason to hold": _in(
        OUTCOME, "when 'no_purchase'", "when 'damaged_row' then 'overdue'\n    when 'no_purchase'"
    ),
    "a suspension is no reason to hold": _in(
        OUTCOME, "when 'no_purchase'", "when 'suspended' then 'overdue'\n    when 'no_purchase'"
    ),
    # the decision
    "the evidence is that of the day before": _in(
        "prakerja/cohorts/evidence.py",
        "as_of=as_of, is_decided",
        "as_of=as_of - as_of.resolution, is_decided",
    ),
    "the evidence is that of a later announcement": _in(
        "prakerja/cohorts/standing.py",
        '"announced_on": cohort.announced_on,',
        '"announced_on": cohort.announced_on + timedelta(days=1),',
    ),
    "the evidence is that of an earlier deadline": _in(
        "prakerja/cohorts/standing.py",
        '"deadline_on": cohort.deadline_on,\n        "settlement',
        '"deadline_on": cohort.deadline_on - timedelta(days=1),\n        "settlement',
    ),
    "the evidence is that of a decided cohort": _in(
        "prakerja/cohorts/evidence.py", "is_decided=is_decided", "is_decided=True"
    ),
}

RULE = "prakerja/recheck/rule.py"
ROWS = "prakerja/recheck/rows.py"
KNOWN = "prakerja/recheck/known.py"
IN_WINDOW = "self.opens_at <= row.occurred_at < self.closes_at"

#: Bugs of the second reading.
SECOND: dict[str, Plant] = {
    "the window opens a microsecond late": _in(RULE, IN_WINDOW, IN_WINDOW.replace("<=", "<")),
    "the window closes a microsecond late": _in(RULE, IN_WINDOW, IN_WINDOW.replace("< self", "<= self")),
    "a day begins at midnight in Makassar": _in(
        "prakerja/recheck/files.py", "timedelta(hours=7)", "timedelta(hours=8)"
    ),
    "times of dialects without an offset are UTC": _in(
        ROWS, 'ZoneInfo(platform.occurred_at["zone"])', 'ZoneInfo("UTC")'
    ),
    "milliseconds are those of WIB": _in(ROWS, "timedelta(milliseconds=", "timedelta(hours=-7, milliseconds="),
    "a workbook's days are counted one too many": _in(
        "prakerja/recheck/workbook.py", "epoch + timedelta(days=day", "epoch + timedelta(days=day + 1"
    ),
    "a cancellation undoes nothing": _in(RULE, "if purchase.transaction_id not in self.undone:", "if purchase:"),
    "a cancellation undoes at any time": _in(RULE, "if self.is_later or row.occurred_at < self.closes_at:", "if row:"),
    "a cancellation by a strange card undoes nothing": _in(
        RULE,
        "elif row.card_number in self.cohort or EFFECTS[row.event] is not Effect.PURCHASE:",
        "elif row.card_number in self.cohort:",
    ),
    "a refund is a purchase": _in(RULE, '"REFUNDED": Effect.UNDOING', '"REFUNDED": Effect.PURCHASE'),
    "revisions are ordered as text": _in(
        RULE,
        "delivery.revision > highest[key].revision",
        "str(delivery.revision) > str(highest[key].revision)",
        is_final=True,
    ),
    "a rejected revision is in force": _in(
        "sql/recheck/list_deliveries.sql", "where status = 'accepted' and", "where", is_final=True
    ),
    "the settlement day is not seen": _in(
        RULE,
        "return facts.deadline_on + timedelta(days=facts.settlement_days)",
        "return facts.deadline_on",
        is_final=True,
    ),
    "damaged rows hold nobody": _in(RULE, "for each in might_be:", "for each in ():"),
    "a range holds its first card alone": _in(
        RULE, "heappush(begun, (row, last))", "heappush(begun, (row, waiting[position][0][0]))"
    ),
    "the settlement day's damaged rows hold nobody": _in(
        RULE,
        "<= delivery.business_date <= last_date(self.facts):\n            return",
        "<= delivery.business_date <= self.facts.deadline_on:\n            return",
    ),
    "two rows of one id are both right": _in(ROWS, "self._keys.add(key)", "pass"),
    "a number in scientific notation is its digits": _in(
        ROWS, "if scientific := SCIENTIFIC.fullmatch(text):", "if scientific := None:"
    ),
    "a number cell is the card with its last digit lost": _in(ROWS, "(first, first + 9)", "(first, first)"),
    "Arabic digits are none": _in(ROWS, "str(unicodedata.decimal(sign)) if sign.isdecimal() else sign", "sign"),
    "final zeros stay": _in(ROWS, 're.sub("[.,]0+\\\\Z", "", text)', "text"),
    "unreadable rows hold nobody": _in(ROWS, "find_cards_in_text(raw, has_escapes=self.is_json)", "()"),
    "a row of no rupiah counts": _in(ROWS, "not 1 <= amount <= MOST_IDR", "not 0 <= amount <= MOST_IDR"),
    "a row may be eight days old": _in(ROWS, "timedelta(days=7)", "timedelta(days=8)"),
    "a malformed id is taken as it is": _in(ROWS, "abs(number) >= 10**15", "number < 0"),
    "suspensions are ignored": _in(
        RULE, "for each in facts.suspensions if", "for each in facts.suspensions if not each and"
    ),
    "lifts are ignored": _in(
        RULE,
        "return not is_lift_known or (suspension.lifted_on is not None and suspension.lifted_on > facts.deadline_on)",
        "return True",
    ),
    "lifted suspensions alone are known": _in("sql/recheck/list_suspensions.sql", "left join", "inner join"),
    "a withdrawal of the deadline day does not count": _in(
        RULE, "each.withdrawn_on <= min(", "each.withdrawn_on < min("
    ),
    "a withdrawal is not known": _in(KNOWN, 'for row in rows["withdrawals"])', 'for row in rows["withdrawals"][1:])'),
    "nobody has bought": _in(RULE, "purchases.get(card_number)", 'purchases.get("")'),
    "everybody has bought": _in(
        RULE, "by_card[card_number] = NO_PURCHASE", 'by_card[card_number] = Reading("purchased", "purchase")'
    ),
    "the last row of a file is not read": _in(
        "prakerja/recheck/reading.py",
        "if not raw:",
        "if not raw or lines.position >= len(text):",
        is_final=True,
    ),
    "the roster loses somebody": _in(
        "prakerja/recheck/roster.py",
        "return dict(sorted(nik_of.items()))",
        "return dict(sorted(nik_of.items())[1:])",
        is_final=True,
    ),
    "the roster gains somebody": _in(
        "prakerja/recheck/roster.py",
        "return dict(sorted(nik_of.items()))",
        'return dict(sorted([*nik_of.items(), ("0" * 16, "0" * 16)]))',
        is_final=True,
    ),
}
