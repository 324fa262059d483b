"""The outbox: reminders are written first, unique in the database, and then submitted, each once."""

from __future__ import annotations

import logging
from datetime import date
from functools import cache
from typing import Any

from prakerja import warehouse
from prakerja.calendar import Cohort
from prakerja.cohorts import evidence
from prakerja.cohorts.standing import window_of
from prakerja.errors import PrakerjaError
from prakerja.reminders.channels import Channel, SmsGateway
from prakerja.settings import INCLUDE, Settings

log = logging.getLogger(__name__)

BATCH = 200
MONTHS = (
    "Januari",
    "Februari",
    "Maret",
    "April",
    "Mei",
    "Juni",
    "Juli",
    "Agustus",
    "September",
    "Oktober",
    "November",
    "Desember",
)


def send_reminders(cohort: Cohort, remind_on: date, clock: date) -> dict[str, int]:
    """Remind everyone of the cohort who has not bought by the deliveries known at `clock`; gives counts by state.

    Twice is once, two at once take turns, and a killed run is taken up where it stopped. A date that is over sends
    nothing. Raises `PrakerjaError` where no gateway is set, `UnreachableError` where it does not answer.
    """
    import httpx

    if clock > remind_on:
        log.info("gelombang-%d: %s is over, nothing is sent", cohort.cohort, remind_on)
        return {}
    gateway = Settings.from_environment().sandbox_url
    if gateway is None:
        raise PrakerjaError("no gateway is set for reminders: start `prakerja sandbox` and set PRAKERJA_SANDBOX_URL")
    # trust_env: a proxy of the environment must not hear of phones and names.
    with (
        warehouse.exclusive(f"reminders {cohort.cohort} {remind_on}"),
        httpx.Client(base_url=gateway, trust_env=False) as client,
    ):
        channel = SmsGateway(client)
        with warehouse.transaction() as connection:
            evidence.refresh(connection, window_of(cohort), clock, is_decided=False)
            warehouse.execute(
                connection,
                "reminders/queue_reminders",
                cohort=cohort.cohort,
                deadline_on=cohort.deadline_on,
                clock=clock,
                remind_on=remind_on,
                channel=channel.name,
            )
        _submit(cohort, remind_on, channel)
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "reminders/count_reminders", cohort=cohort.cohort, remind_on=remind_on)
    counts = {row["state"]: row["reminders"] for row in rows}
    log.info("gelombang-%d on %s: %s", cohort.cohort, remind_on, counts or "nobody to remind")
    return counts


def _submit(cohort: Cohort, remind_on: date, channel: Channel) -> None:
    after = 0
    while True:
        with warehouse.transaction() as connection:
            claimed = warehouse.rows(
                connection,
                "reminders/claim_reminders",
                cohort=cohort.cohort,
                remind_on=remind_on,
                channel=channel.name,
                after=after,
                batch=BATCH,
            )
        if not claimed:
            return
        # No transaction is open while the gateway takes its time.
        for reminder in claimed:
            receipt = channel.submit(
                reminder["phone"],
                text_of(reminder["template"], reminder["full_name"], cohort, remind_on),
                str(reminder["idempotency_key"]),
            )
            with warehouse.transaction() as connection:
                warehouse.execute(
                    connection,
                    "reminders/settle_reminder",
                    reminder_id=reminder["reminder_id"],
                    state="failed" if receipt.failure else "accepted",
                    provider_id=receipt.provider_id,
                    failure=receipt.failure,
                )
        after = claimed[-1]["reminder_id"]


def text_of(template: str, full_name: str, cohort: Cohort, remind_on: date) -> str:
    """The text of a reminder, in Indonesian; it carries no card number and no NIK."""
    deadline = cohort.deadline_on
    return str(
        _template(template).render(
            first_name=full_name.split()[0] if full_name.split() else "Peserta",
            deadline=f"{deadline.day} {MONTHS[deadline.month - 1]} {deadline.year}",
            days_left=(deadline - remind_on).days,
        )
    ).strip()


@cache
def _template(name: str) -> Any:
    from jinja2 import Environment, StrictUndefined

    source = (INCLUDE / "messages" / f"{name}.txt.j2").read_text(encoding="utf-8")
    # Plain text for a phone: there is no HTML to escape.
    return Environment(undefined=StrictUndefined, autoescape=False).from_string(source)  # noqa: S701
