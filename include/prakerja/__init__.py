"""Kartu Prakerja's purchase deadlines: reminders, revocations and the published blacklist."""

__version__ = "0.2.0"
