"""Every command of `prakerja` with the login of its user, in the order of a story over a replayed world.

Gelombang 12 is decided, and its overdue recipients are revoked; gelombang 13 is stopped by a breaker. Words in braces
are known of the world, or were said by an earlier command (`SAID`).
"""

from __future__ import annotations

from dataclasses import dataclass

OWNER, OPERATOR, READER = "warehouse", "warehouse_operator", "warehouse_reader"
SERVICE, RECEIPTS, MONITOR = "warehouse_service", "warehouse_receipts", "warehouse_monitor"
SITI, BUDI = ("--as", "siti"), ("--as", "budi")
WHY = ("--because", "looked at with the platform")
NOW = "2021-03-15T09:00:00Z"
CORRECTION = '{{"card_number": "{doubted}", "nik": "3199999999999999"}}'


@dataclass(frozen=True)
class Use:
    """A command with its arguments, the login that uses it, and what it must say; and a login that is refused."""

    command: str
    arguments: tuple[str, ...]
    says: str
    login: str | None = OPERATOR
    refused: str | None = READER
    code: int = 0
    given: str = ""

    @property
    def id(self) -> str:
        """The command with its arguments."""
        return " ".join([self.command, *self.arguments])


#: What later commands repeat, by the word for it: the last that matches.
SAID = {
    "digest": r"--digest ([0-9a-f]{16})",
    "attempt": r"--attempt (\S+)",
    "appeal": r"appeal (\d+) is open",
    "freeze": r"freeze (\d+): nobody",
    "key": r"^(\w+)\.\S{20,}$",
    "signing_key": r"own key \((\w+)\)",
}

USES = (
    # What is looked at. The login that reads sees nobody's numbers.
    Use("cohorts", (), "13", login=READER, refused=RECEIPTS),
    Use("cohorts", ("--json",), '"decided"', refused=SERVICE),
    Use("report", ("--lang", "en"), "gelombang", login=READER, refused=SERVICE),
    Use("freeze list", (), "because", login=READER, refused=RECEIPTS),
    Use("reminders list", ("12",), "H-1", login=READER, refused=SERVICE),
    Use("keys list", (), "consumer", login=READER, refused=RECEIPTS),
    Use("db states", (), "stateDiagram", login=READER, refused=SERVICE),
    Use("explain", ("{revoked}",), "revoked"),
    Use("explain", ("-", "--json"), '"revoked"', given="{revoked}\n"),
    Use("feeds", (), "cards are in no loaded roster"),
    Use("feeds quarantine", ("--json",), '"reasons"'),
    Use("feeds docs", (), "index.html", refused=RECEIPTS),
    Use("reminders unreachable", (), "invalid"),
    Use("reminders preview", ("12", "--on", "2021-03-12"), "messages, Rp"),
    Use("recheck", ("12",), "the list agrees with the files"),
    Use("audit verify", (), "entries are whole and in order"),
    Use("audit list", (), "stated actor"),
    Use("blacklist approve", (), "no change of the list waits for approval"),
    # What needs no warehouse.
    Use("settings", (), "PRAKERJA_DATABASE_URL", refused=None),
    Use("reminders answers", (), "| receipt |", login=None, refused=None),
    Use("blacklist verify", (), "versions are whole and signed", login=None, refused=None),
    Use("blacklist check", (), "listed", login=None, refused=None, given="{nik}\n"),
    Use("blacklist sync", ("{folder}/reader", "--at", NOW), "by the whole list", login=None, refused=None),
    Use("blacklist status", (), "expired", login=None, refused=None, code=1),
    Use("blacklist root status", (), "no root keys", login=None, refused=None),
    Use("blacklist witness-key", ("{folder}/witness.pem",), "is private", login=None, refused=None),
    Use(
        "blacklist witness",
        ("{folder}/witness", "--pin", "{pin}", "--key", "{folder}/witness.pem", "--out", "{folder}/witnessed"),
        "signed: ",
        login=None,
        refused=None,
    ),
    # What people do.
    Use("override", ("13",), "overdue_share_implausible", refused=SERVICE),
    Use("override", ("13", "--attempt", "{attempt}", *WHY, *SITI), "siti overrides the breaker of gelombang-13"),
    Use("feeds accept", ("tokopedia", "2021-03-02", *WHY, *SITI), "accepted tokopedia 2021-03-02 r1"),
    Use("holds list", ("12",), "36 held, 36 of them unresolved"),
    Use("holds resolve", ("{held}", *WHY, *SITI, "--not-purchased"), "another person must approve"),
    Use("approve", ("12",), "proposed by siti", refused=SERVICE),
    Use("approve", ("12", "--digest", "{digest}", *BUDI), "budi approves"),
    Use("holds resolve", ("-", *WHY, *SITI, "--purchased"), "the hold is lifted", given="{doubted}\n"),
    Use("appeal open", ("{revoked}", "--text-file", "-", *BUDI), "is open", given="I have bought in time."),
    Use("appeal list", (), "open"),
    Use("appeal decide", ("{appeal}", "--uphold", *WHY, "--as", "citra"), "upheld"),
    Use("correct", ("-", *WHY, *SITI), "1 person corrected", given=CORRECTION),
    Use("correct", (), "another person must approve"),
    Use("correct", ("--digest", "{digest}", *BUDI), "budi approves 1 corrected NIK"),
    Use("freeze start", (*WHY, *SITI), "nobody of any cohort is revoked"),
    Use("freeze lift", ("{freeze}", *WHY, *BUDI), "is lifted"),
    Use("suspend start", ("{suspected}", *WHY, *SITI, "--on", "2021-03-15"), "suspended from 2021-03-15 on"),
    Use("suspend lift", ("{suspected}", *WHY, *SITI), "the suspension ends"),
    Use("withdraw", ("{suspected}", *WHY, *SITI), "withdrawn from"),
    Use("reminders opt-out", ("{suspected}", *BUDI), "no more reminders by sms and email"),
    Use("reminders lacks", ("{folder}/lacks.csv",), "1 rows, 1 changes"),
    Use("reminders retry", ("12", "--on", "2021-03-12"), "delivered", refused=SERVICE),
    Use("keys create", ("registration", "--scope", "check", *SITI), "this key is not shown again"),
    Use("keys revoke", ("{key}", *WHY, *SITI), "is revoked"),
    Use("blacklist root propose", (), "there are no root keys yet", code=1),
    Use("blacklist root publish", ("{folder}/nothing.json", *WHY, *SITI), "cannot be read", refused=None, code=1),
    Use(
        "blacklist end-contract",
        ("prakerja.blacklist/1", "--from", "2099-01-01", *WHY, *SITI),
        "no list by another contract has the newest version",
        refused=None,
        code=1,
    ),
    Use("blacklist restore", (), "the folder has what was published"),
    Use("blacklist republish", (*WHY, *SITI), "set PRAKERJA_PUBLISH to an empty folder", code=1),
    Use("blacklist rotate-subject-key", (*WHY, *SITI), ""),
    Use("blacklist rotate-signing-key", (*WHY, *SITI), ""),
    Use("blacklist rotate-signing-key", (*WHY, *SITI, "--now"), ""),
    Use("blacklist revoke-key", ("{signing_key}", *WHY, *SITI), "is revoked"),
    # What the owner of the schema does.
    Use("db reseal", (), "recipients are sealed with the present key", login=OWNER, refused=OPERATOR),
    Use("db upgrade", (), "the warehouse is at revision", login=OWNER, refused=OPERATOR),
    Use("backup", ("{folder}/backup",), "2 files,", login=OWNER, refused=OPERATOR),
    Use("db stop", (), "the embedded PostgreSQL", login=None, refused=None),
)
#: What runs until it is stopped, or needs what runs; what makes the world; and what needs a database of its own.
ELSEWHERE = {
    "up", "down", "status", "logs", "sandbox", "receipts", "serve", "db serve", "simulate", "replay", "restore",
}  # fmt: skip
