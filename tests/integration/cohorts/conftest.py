"""Recipients whose names and addresses are sealed by keys of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from prakerja import warehouse
from prakerja.cohorts.roster import take_in_rosters
from prakerja.keys import KeyStore
from tests.conftest import day
from tests.support.landing_zone import deliver_roster
from tests.support.small_cohort import card


@pytest.fixture
def people(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three recipients, and one message to each of two."""
    server = warehouse.url(login="warehouse").render_as_string(hide_password=False)
    monkeypatch.setenv("PRAKERJA_HOME", str(home / "own"))  # for its keys alone
    KeyStore.from_environment().load_contact_keys()
    monkeypatch.setenv("PRAKERJA_DATABASE_URL", server)
    lines = [f"{card(n)},{31 * 10**14 + n},Siti{n} Aminah,08123456{n:04},s{n}@example.id,31" for n in (1, 2, 3)]
    deliver_roster(home / "landing", 12, lines, "2021-03-05", "2021-03-13")
    assert take_in_rosters(day("2021-03-15")).rejected == []
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "insert into reminder_runs (cohort, remind_on, deadline_on, audience, texts, texts_sha256, begun_at)"
            " values (12, '2021-03-06', '2021-03-13', 'all', 'v1', 'x', now())"
        )
        connection.exec_driver_sql(
            "insert into reminders (recipient_id, cohort, remind_on, channel, address, template, send_before)"
            " select recipient_id, 12, date '2021-03-06', 'sms', nullif(phone_token, case recipient_id when 2 then"
            " phone_token else '' end), 'not_purchased', now() from recipients where recipient_id < 3"
        )
    return home
