"""Changing keys: of signatures with an announcement, so that readers know the new one first; of subjects at once.

For keys that the home generated. Who sets them in the environment does the same there (docs/runbooks/blacklist.md).
"""

from __future__ import annotations

import base64
import os
from datetime import datetime, timedelta

from prakerja.blacklist.format import signing
from prakerja.blacklist.format.contract import instant
from prakerja.blacklist.format.signing import SubjectKey
from prakerja.blacklist.publisher import publishing
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.settings import WIB, Settings, new_random_key, new_signing_key


def rotate_signing_key(at: datetime, *, because: str, answered_by: str, at_once: bool = False) -> str:
    """Announce a new key; once readers have had time to learn it, let it sign. Gives what was done."""
    settings = _of_the_home("PRAKERJA_SIGNING_KEY", "PRAKERJA_SIGNING_KEY_NEXT")
    standby, before = signing.next_signing_key(), signing.signing_key().public.key_id
    if standby and standby.public.key_id == before:  # whoever let it sign died before the announcement was put away
        settings.drop_key("signing_key_next.pem")
        return f"{before} signs from the next version on"
    if publishing.signed_by() not in (None, before):
        raise PrakerjaError(f"no version is signed by {before} yet: publish one first (clear a task that publishes)")
    if standby is None:
        made = new_signing_key()
        standby = signing.signing_key_of(made)
        publishing.record_rotation("signing_announced", standby.public.key_id, because=because, answered_by=answered_by)
        settings.replace_key("signing_key_next.pem", made, None)
    publishing.announce(at)  # again, where somebody died before it was
    announced = publishing.announced_at(standby.public.key_id)
    if announced is None:
        raise PrakerjaError("the new key is in no keyring yet: publish a list first")
    may_sign = instant(announced) + timedelta(days=programme().blacklist.key_overlap_days)
    if at < may_sign and not at_once:
        return (
            f"{standby.public.key_id} is announced, and may sign from {may_sign.astimezone(WIB):%Y-%m-%d} on: "
            "say this again then"
        )
    publishing.record_rotation("signing_changed", standby.public.key_id, because=because, answered_by=answered_by)
    pem = settings.next_signing_key_pem()
    assert pem is not None  # noqa: S101 - it was just read
    settings.replace_key("signing_key.pem", pem, f"signing_key_retired_{before}.pem")
    settings.drop_key("signing_key_next.pem")
    return f"{standby.public.key_id} signs from the next version on; {before} is retired with it"


def rotate_subject_key(at: datetime, *, because: str, answered_by: str, at_once: bool = False) -> str:
    """Make a new key of the subjects; the one before is kept, and overlaps. Gives what was done.

    Raises `PrakerjaError` while an earlier key overlaps, whose readers would be cut off, unless it is to be `at_once`.
    """
    settings = _of_the_home("PRAKERJA_SUBJECT_KEY", "PRAKERJA_SUBJECT_KEY_PREVIOUS")
    before, made = signing.subject_key(), new_random_key()
    if publishing.listed_key_id() not in (None, before.key_id):
        raise PrakerjaError(f"the list is not issued under {before.key_id} yet: publish it first")
    if not at_once and (until := publishing.overlaps_until()) and at < until:
        raise PrakerjaError(
            f"readers of the key before this one may use it until {until.astimezone(WIB):%Y-%m-%d}: wait, or say --now "
            "where the key has leaked"
        )
    after = SubjectKey(base64.b64decode(made))
    publishing.record_rotation("subject_changed", after.key_id, because=because, answered_by=answered_by)
    settings.replace_key("subject_key.b64", made, f"subject_key_retired_{before.key_id}.b64")
    days = programme().blacklist.key_overlap_days
    return (
        f"the next version is issued under {after.key_id}; {before.key_id} overlaps for {days} days. "
        f"Give the new key to the readers: {settings.home / 'keys' / 'subject_key.b64'}"
    )


def _of_the_home(*variables: str) -> Settings:
    for variable in variables:
        if os.environ.get(variable):
            raise PrakerjaError(f"{variable} is set: rotate it where it is kept (docs/runbooks/blacklist.md)")
    return Settings.from_environment()
