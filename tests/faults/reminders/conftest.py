"""Reminders over real HTTP and SMTP, to a sandbox."""

from __future__ import annotations

from tests.integration.reminders import conftest as reminders

desk, many = reminders.desk, reminders.many
