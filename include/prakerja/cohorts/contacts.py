"""Names, phones and e-mail addresses at rest: sealed, with a token in their place where the warehouse must compare.

AES-256-GCM, bound to the card number, so that no seal can be moved to another person's row; tokens are keyed hashes.
The warehouse never has the key. Sealing takes some microseconds a person.
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
from prakerja.programme import programme
from prakerja.settings import Settings

log = logging.getLogger(__name__)

KEY_ID_BYTES, NONCE_BYTES, TOKEN_BYTES = 4, 12, 16
#: Of a number as the roster has it: 08... and +62... are the same phone.
COUNTRY = re.compile(r"^(\+62|0)")
ROWS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Contact:
    """How to reach a recipient, as the roster has it; empty where it has nothing."""

    full_name: str
    phone: str
    email: str

    @property
    def number(self) -> str:
        """The phone, beginning with +62."""
        return COUNTRY.sub("+62", self.phone) if self.phone else ""

    def address_on(self, channel: str) -> str:
        """Return the phone or the e-mail address that a channel reaches; empty where the roster has none."""
        return self.number if programme().reminders.channels[channel].reaches == "phone" else self.email


NO_CONTACT = Contact("", "", "")


class DamagedError(PrakerjaError):
    """A contact is not what was sealed for this card."""


class ContactKey:
    """One key: what it seals, and what stands for a phone or an address."""

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
        """The contact of a card, to be kept."""
        nonce = os.urandom(NONCE_BYTES)
        plain = json.dumps([contact.full_name, contact.phone, contact.email], ensure_ascii=False).encode()
        return self.key_id + nonce + self._cipher.encrypt(nonce, plain, b"%016d" % card_number)

    def open(self, card_number: int, sealed: bytes) -> Contact:
        """What was sealed. Raises `PrakerjaError` where it was not by this key, for this card."""
        nonce, kept = sealed[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES], sealed[KEY_ID_BYTES + NONCE_BYTES :]
        try:
            return Contact(*json.loads(self._cipher.decrypt(nonce, kept, b"%016d" % card_number)))
        except InvalidTag:
            raise DamagedError("a recipient's contact was changed in the warehouse: restore it from a backup") from None

    def seal_values(self, card_number: int, values: bytes) -> bytes:
        """What a correction of a card is about, to be kept: no contact can pass for it."""
        nonce = os.urandom(NONCE_BYTES)
        return self.key_id + nonce + self._cipher.encrypt(nonce, values, b"%016d correction" % card_number)

    def open_values(self, card_number: int, sealed: bytes) -> bytes:
        """What was sealed by `seal_values`. Raises `DamagedError`."""
        nonce, kept = sealed[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES], sealed[KEY_ID_BYTES + NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, kept, b"%016d correction" % card_number)
        except InvalidTag:
            raise DamagedError(
                "a correction's values were changed in the warehouse: restore it from a backup"
            ) from None

    def token(self, address: str) -> str:
        """What stands for a phone or an address, the same each time; empty for none."""
        return hmac.digest(self._token_key, address.encode(), "sha256")[:TOKEN_BYTES].hex() if address else ""


class Contacts:
    """The present key seals; it and the ones before open."""

    def __init__(self, keys: Iterable[ContactKey]) -> None:
        by_id = {key.key_id: key for key in keys}
        self._by_id, self.key = by_id, next(iter(by_id.values()))

    @classmethod
    def configured(cls) -> Contacts:
        """By the settings' keys. Raises `PrakerjaError`."""
        return cls(map(ContactKey, Settings.from_environment().contact_keys()))

    def open(self, card_number: int, sealed: bytes) -> Contact:
        """What was sealed by any of the keys. Raises `PrakerjaError`."""
        return self._key_of(sealed).open(card_number, sealed)

    def open_values(self, card_number: int, sealed: bytes) -> bytes:
        """What a correction is about, sealed by any of the keys. Raises `PrakerjaError`."""
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
        """A claimed message's row, with address and name in the place of what the warehouse has of them."""
        contact = NO_CONTACT
        if row["state"] == "sending":
            try:
                contact = self.open(row["card_number"], bytes(row["contact"]))
            except DamagedError as damaged:  # one who cannot be reached must not keep the others waiting
                log.error("message %d cannot be sent: %s", row["reminder_id"], damaged)
        kept = {name: value for name, value in row.items() if name not in ("card_number", "contact")}
        return {**kept, "full_name": contact.full_name, "address": contact.address_on(channel)}

    def columns(self, people: Iterable[tuple[int, Contact]]) -> dict[str, list[Any]]:
        """What the warehouse keeps of people by their cards: `contact`, and the tokens of phone and e-mail."""
        made: dict[str, list[Any]] = {"contact": [], "phone_token": [], "email_token": []}
        for card_number, contact in people:
            made["contact"].append(self.key.seal(card_number, contact))
            made["phone_token"].append(self.key.token(contact.number))
            made["email_token"].append(self.key.token(contact.email))
        return made


def reseal(*, with_new_key: bool) -> int:
    """Seal everybody anew by the present key, or by one that is made now; gives how many.

    Done as the warehouse's owner, since nobody else may change a recipient; in one transaction, so that what stands for
    an address is the same everywhere. Killed in the middle, nothing has changed, and the new key waits for the next
    try. Raises `PrakerjaError`.
    """
    settings = Settings.from_environment()
    first = [settings.next_contact_key()] if with_new_key else []
    contacts = Contacts(map(ContactKey, [*first, *settings.contact_keys()]))
    with warehouse.exclusive("reseal"), warehouse.transaction(as_owner=True) as connection:
        # A roster that is being loaded is waited for; one that comes meanwhile is opened by the key before.
        connection.exec_driver_sql("lock table recipients, correction_values, reminders in share row exclusive mode")
        count = reseal_rows(connection, contacts)
        reseal_corrections(connection, contacts)
    if with_new_key:
        settings.promote_contact_key()
    return count


def reseal_rows(connection: warehouse.Connection, contacts: Contacts) -> int:
    """Seal every recipient's contact by the present key, and exchange the tokens that messages have."""
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
    """Seal what corrections keep by the present key, and exchange the tokens that messages have of it."""
    after = 0
    while rows := warehouse.rows(connection, "cohorts/list_correction_seals", after=after, most=ROWS_AT_ONCE):
        for row in rows:
            card_number, made = row["card_number"], dict[str, Any].fromkeys(("contact", "phone_token", "email_token"))
            if row["contact"] is not None:
                contact = contacts.open(card_number, bytes(row["contact"]))
                made = {name: values[0] for name, values in contacts.columns([(card_number, contact)]).items()}
            sealed = None
            if row["sealed"] is not None:
                values = contacts.open_values(card_number, bytes(row["sealed"]))
                sealed = contacts.key.seal_values(card_number, values)
            warehouse.execute(
                connection, "cohorts/update_correction", correction_id=row["correction_id"], sealed=sealed, **made
            )
        after = rows[-1]["correction_id"]
