"""Senders that are killed at ever later moments, and many at once: nobody is reminded twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta

from prakerja import warehouse
from prakerja.reminders import channels, outbox, overview, sending
from prakerja.settings import PROJECT
from tests.support.reminder_desk import H7, MANY, NINE, Desk, person, phone

SENDER = """
import json
import sys
from datetime import date, datetime
from threading import Thread
from prakerja.calendar import find_cohort
from prakerja.reminders import sending
from prakerja.reminders.channels import Accounts
from prakerja.reminders.traffic import Traffic
def send():
    at = datetime.fromisoformat("2021-03-06T09:00:00+07:00")
    sending.send_reminders(find_cohort(12), date(2021, 3, 6), Accounts(json.loads(sys.argv[2])), lambda: at)
threads = [Thread(target=send) for _ in range(int(sys.argv[1]))]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def sender(desk: Desk, tasks: int = 1) -> subprocess.Popen[bytes]:
    """Start several tasks of a worker in one process, with the login of workers."""
    url = warehouse.url(login="warehouse_worker").render_as_string(hide_password=False)
    return subprocess.Popen(
        [sys.executable, "-c", SENDER, str(tasks), json.dumps(desk.at.urls)], cwd=PROJECT,
        env=os.environ | {"PRAKERJA_DATABASE_URL": url}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_senders_killed_at_any_moment_send_nobody_two_messages(desk: Desk) -> None:
    """Processes are killed with SIGKILL at later and later moments, and the next continues. The sandbox counts."""
    crowd = 300
    desk.roster([person(n, phone(n)) if n % 3 else person(n, email=f"a{n}@x.example") for n in range(1, crowd + 1)])
    desk.mood("first", seconds=0.05)
    for taken in (1, 50, 120, 190):
        process = sender(desk)
        waits = time.monotonic() + 600
        while len(desk.messages()) < taken and process.poll() is None and time.monotonic() < waits:
            time.sleep(0.005)
        process.kill()
        process.wait()
    assert 0 < len(desk.messages()) < crowd, "killed in the middle"
    try:
        ended = desk.until_done()
    except sending.PartialError:  # an e-mail in flight at a kill: nobody knows, and it is not sent again
        ended = overview.count_ends(12, H7)
    assert max(Counter(to for _, to, _ in desk.messages()).values()) == 1
    unknown = [row for row in desk.rows() if row[1] == "unknown"]
    assert ended["targeted"] == crowd
    assert {row[0] for row in unknown} <= {"email"}
    assert len(unknown) <= 4 * channels.MailServer.in_flight_max
    assert {row[1] for row in desk.rows()} <= {"delivered", "accepted", "unknown"}
    assert len(desk.messages()) + len(unknown) >= crowd
    # Nobody will ever know, once its time is over: that counts as not reached.
    outbox.close_overdue_and_forget(NINE + timedelta(days=3))
    assert overview.count_ends(12, H7)["unsettled"] == 0
    assert overview.count_ends(12, H7).get("permanently_failed", 0) == len(unknown)


def test_fifty_at_once_send_once(many: Desk) -> None:
    processes = [sender(many, tasks=10) for _ in range(5)]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert all(line.startswith(b"waiting for the lock `reminders 12") for line in said.splitlines())
    assert len(many.messages()) == MANY
