"""Sealed contacts: bound to their card, and a phone's token is the same however it is written."""

from __future__ import annotations

import pytest

from prakerja.cohorts.contacts import Contact, ContactKey, Contacts
from prakerja.errors import PrakerjaError
from tests.support.contact_keys import KEY, SITI


def test_what_is_sealed_is_opened_for_its_card_alone() -> None:
    sealed = KEY.seal(1, SITI)
    assert KEY.open(1, sealed) == SITI
    assert KEY.seal(1, SITI) != sealed, "two seals tell nothing of each other"
    with pytest.raises(PrakerjaError, match="was changed in the warehouse"):
        KEY.open(2, sealed)
    with pytest.raises(PrakerjaError, match="was changed in the warehouse"):
        KEY.open(1, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(PrakerjaError, match=r"sealed by the key .{8}, which is not here"):
        Contacts([ContactKey(b"another" * 5)]).open(1, sealed)


def test_the_same_phone_has_the_same_token_however_it_is_written() -> None:
    assert SITI.number == "+6281234567890"
    assert KEY.token(SITI.number) == KEY.token(Contact("", "+6281234567890", "").number)
    assert KEY.token(SITI.number) != ContactKey(b"another" * 5).token(SITI.number)
    assert KEY.token("") == ""
