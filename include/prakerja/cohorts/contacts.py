"""Names, phones and e-mail addresses at rest: sealed, with a token wherever the warehouse must compare them.

AES-256-GCM, bound to the card number, so that no seal can be moved to another person's row; tokens are keyed hashes.
The warehouse never holds the key. Sealing one person takes a few microseconds.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from prakerja import warehouse
from prakerja.errors import PrakerjaError
from prakerja.keys import KeyStore
from prakerja.programme import programme

log = logging.getLogger(__name__)

KEY_ID_BYTES, NONCE_BYTES, TOKEN_BYTES = 4, 12, 16
#: The prefix of a phone number in a roster: 08... and +62... are the same phone.
COUNTRY = re.compile(r"^(\+62|0)")
ROWS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Contact:
    """How to reach a recipient, as delivered in the roster. A missing value is an empty string."""

    full_name: str
    phone: str
    email: str

    @property
    def number(self) -> str:
        """The phone in international form (+62...), or an empty string."""
        return COUNTRY.sub("+62", self.phone) if self.phone else ""

    def address_on(self, channel: str) -> str:
        """Return the phone or the e-mail address that a channel reaches; empty where the roster has none."""
        return self.number if programme().reminders.channels[channel].reaches == "phone" else self.email


NO_CONTACT = Contact("", "", "")


class DamagedError(PrakerjaError):
    """A sealed contact was changed, or was sealed for another card."""


class ContactKey:
    """One key: it seals contacts, and derives the tokens of phones and addresses."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.key_id = self._derived(b"id")[:KEY_ID_BYTES]
        self._token_key = self._derived(b"token")

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self._derived(b"seal"))

    def _derived(self, purpose: bytes) -> bytes:
        return hmac.digest(self.secret, b"prakerja contact " + purpose, "sha256")

    def seal(self, card_number: int, contact: Contact) -> bytes:
        """Return a contact sealed for a card."""
        nonce = os.urandom(NONCE_BYTES)
        plain = json.dumps([contact.full_name, contact.phone, contact.email], ensure_ascii=False).encode()
        return self.key_id + nonce + self._cipher.encrypt(nonce, plain, b"%016d" % card_number)

    def open(self, card_number: int, sealed: bytes) -> Contact:
        """Return a sealed contact. Raise `DamagedError` if it was not sealed by this key for this card."""
        nonce, kept = sealed[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES], sealed[KEY_ID_BYTES + NONCE_BYTES :]
        try:
            return Contact(*json.loads(self._cipher.decrypt(nonce, kept, b"%016d" % card_number)))
        except InvalidTag:
            raise DamagedError("a recipient's contact was changed in the warehouse: restore it from a backup") from None

    def seal_values(self, card_number: int, values: bytes) -> bytes:
        """Return a correction's values sealed for a card. A sealed contact cannot be passed off as one."""
        nonce = os.urandom(NONCE_BYTES)
        return self.key_id + nonce + self._cipher.encrypt(nonce, values, b"%016d correction" % card_number)

    def open_values(self, card_number: int, sealed: bytes) -> bytes:
        """Return what `seal_values` sealed. Raise `DamagedError` if it was changed."""
        nonce, kept = sealed[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES], sealed[KEY_ID_BYTES + NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, kept, b"%016d correction" % card_number)
        except InvalidTag:
            raise DamagedError(
                "a correction's values were changed in the warehouse: restore it from a backup"
            ) from None

    def token(self, address: str) -> str:
        """Return the token of a phone or an address, always the same one; an empty string for an empty address."""
        return hmac.digest(self._token_key, address.encode(), "sha256")[:TOKEN_BYTES].hex() if address else ""


class Contacts:
    """The keys in use: the current one seals; it and the previous ones open."""

    def __init__(self, keys: Iterable[ContactKey]) -> None:
        by_id = {key.key_id: key for key in keys}
        self._by_id, self.key = by_id, next(iter(by_id.values()))

    @classmethod
    def configured(cls) -> Contacts:
        """Return the keys of the settings. Raise `PrakerjaError` if there are none."""
        return cls(map(ContactKey, KeyStore.from_environment().load_contact_keys()))

    def open(self, card_number: int, sealed: bytes) -> Contact:
        """Return a contact sealed by any of the keys. Raise `PrakerjaError` if no key opens it."""
        return self._key_of(sealed).open(card_number, sealed)

    def open_values(self, card_number: int, sealed: bytes) -> bytes:
        """Return a correction's values sealed by any of the keys. Raise `PrakerjaError` if no key opens them."""
        return self._key_of(sealed).open_values(card_number, sealed)

    def _key_of(self, sealed: bytes) -> ContactKey:
        key = self._by_id.get(sealed[:KEY_ID_BYTES])
        if key is None:
            raise PrakerjaError(
                f"contacts are sealed by the key {sealed[:KEY_ID_BYTES].hex()}, which is not here: give it as "
                "PRAKERJA_CONTACT_KEY, or as PRAKERJA_CONTACT_KEY_PREVIOUS while it is replaced"
            )
        return key

    def opened(self, row: warehouse.Row, channel: str) -> dict[str, Any]:
        """Return a claimed message's row with the address and the name in place of the sealed contact."""
        contact = NO_CONTACT
        if row["state"] == "sending":
            try:
                contact = self.open(row["card_number"], bytes(row["contact"]))
            except DamagedError as damaged:  # one damaged contact must not hold up the other messages
                log.error("message %d cannot be sent: %s", row["reminder_id"], damaged)
        kept = {name: value for name, value in row.items() if name not in ("card_number", "contact")}
        return {**kept, "full_name": contact.full_name, "address": contact.address_on(channel)}

    def columns(self, people: Iterable[tuple[int, Contact]]) -> dict[str, list[Any]]:
        """Return the columns that the warehouse keeps: sealed contacts, and the tokens of phones and e-mails."""
        columns: dict[str, list[Any]] = {"contact": [], "phone_token": [], "email_token": []}
        for card_number, contact in people:
            columns["contact"].append(self.key.seal(card_number, contact))
            columns["phone_token"].append(self.key.token(contact.number))
            columns["email_token"].append(self.key.token(contact.email))
        return columns


def reseal(*, with_new_key: bool) -> int:
    """Seal every contact again with the current key, or with a new one; return the number of recipients.

    Runs as the warehouse's owner, because no other role may change a recipient, and in one transaction, so that an
    address has the same token everywhere. If it is killed, nothing has changed and the next attempt uses the same new
    key. Raise `PrakerjaError` if a contact cannot be opened.
    """
    keys = KeyStore.from_environment()
    first = [keys.load_next_contact_key()] if with_new_key else []
    contacts = Contacts(map(ContactKey, [*first, *keys.load_contact_keys()]))
    with warehouse.exclusive("reseal"), warehouse.transaction(as_owner=True) as connection:
        # Wait for a roster that is being loaded. The previous key still opens one that is loaded later.
        connection.exec_driver_sql("lock table recipients, correction_values, reminders in share row exclusive mode")
        count = reseal_rows(connection, contacts)
        reseal_corrections(connection, contacts)
    if with_new_key:
        keys.promote_contact_key()
    return count


def reseal_rows(connection: warehouse.Connection, contacts: Contacts) -> int:
    """Seal every recipient's contact with the current key and replace the tokens of messages; return how many."""
    count = after = 0
    while rows := warehouse.rows(connection, "cohorts/list_contacts", after=after, most=ROWS_AT_ONCE):
        people = [(row["card_number"], contacts.open(row["card_number"], bytes(row["contact"]))) for row in rows]
        warehouse.execute(
            connection, "cohorts/update_contacts", recipient_ids=[row["recipient_id"] for row in rows],
            **contacts.columns(people),
        )  # fmt: skip
        after, count = rows[-1]["recipient_id"], count + len(rows)
    return count


def reseal_corrections(connection: warehouse.Connection, contacts: Contacts) -> None:
    """Seal the values of corrections with the current key and replace their tokens in messages."""
    after = 0
    while rows := warehouse.rows(connection, "cohorts/list_correction_seals", after=after, most=ROWS_AT_ONCE):
        for row in rows:
            card_number = row["card_number"]
            columns = dict[str, Any].fromkeys(("contact", "phone_token", "email_token"))
            if row["contact"] is not None:
                contact = contacts.open(card_number, bytes(row["contact"]))
                columns = {name: values[0] for name, values in contacts.columns([(card_number, contact)]).items()}
            sealed = None
            if row["sealed"] is not None:
                values = contacts.open_values(card_number, bytes(row["sealed"]))
                sealed = contacts.key.seal_values(card_number, values)
            warehouse.execute(
                connection, "cohorts/update_correction", correction_id=row["correction_id"], sealed=sealed, **columns
            )
        after = rows[-1]["correction_id"]
