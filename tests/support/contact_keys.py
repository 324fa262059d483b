"""A contact, and a key that seals it."""

from __future__ import annotations

from prakerja.cohorts.contacts import Contact, ContactKey

SITI = Contact("Siti Aminah", "081234567890", "siti@example.id")
KEY = ContactKey(b"k" * 32)
