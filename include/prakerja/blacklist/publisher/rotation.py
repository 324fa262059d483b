"""Key rotation: a signing key is announced first, so that readers know it in time; a subject key changes at once.

This is for keys that the home has generated. Keys in the environment are rotated there (docs/runbooks/blacklist.md).
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta

from prakerja.blacklist.publisher import list_keys, publishing, root_ceremony
from prakerja.blacklist.publisher.configured_keys import load_next_signing_key, load_signing_key, load_subject_key
from prakerja.errors import PrakerjaError
from prakerja.keys import new_random_key
from prakerja.programme import programme
from prakerja.settings import WIB
from prakerja_blacklist.format.contract import parse_instant
from prakerja_blacklist.format.subject_keys import SubjectKey


def rotate_signing_key(
    at: datetime, *, because: str, answered_by: str, at_once: bool = False, without_root: bool = False
) -> str:
    """Announce a new key, or let it sign once readers have had time to learn it. Return what was done.

    Where root keys are in use, their holders sign for the announcement first, unless it is to be `without_root`.
    """
    store = list_keys.require_generated("PRAKERJA_SIGNING_KEY", "PRAKERJA_SIGNING_KEY_NEXT")
    standby, before = load_next_signing_key(), load_signing_key().public.key_id
    if standby and standby.public.key_id == before:  # an earlier rotation died before it removed the announced key
        store.drop("signing_key_next.pem")
        return f"{before} signs from the next version on"
    if list_keys.signer_id() not in (None, before):
        raise PrakerjaError(f"no version is signed by {before} yet: publish one first (clear a task that publishes)")
    if standby is None:
        standby = list_keys.generate_standby(store, because=because, answered_by=answered_by)
    if not without_root and (proposal := root_ceremony.propose_announcement(standby.public.key_id, at)):
        return (
            f"{standby.public.key_id} is announced once holders of root keys have signed {proposal}: publish it then "
            "(prakerja blacklist root publish FILE)"
        )
    publishing.announce(at, without_root=without_root)  # again, in case an earlier rotation died before it
    announced = list_keys.announced_at(standby.public.key_id)
    if announced is None:
        raise PrakerjaError("the new key is in no keyring yet: publish a list first")
    may_sign = parse_instant(announced) + timedelta(days=programme().blacklist.key_overlap_days)
    if at < may_sign and not at_once:
        return (
            f"{standby.public.key_id} is announced, and may sign from {may_sign.astimezone(WIB):%Y-%m-%d} on: "
            "say this again then"
        )
    list_keys.record_rotation("signing_changed", standby.public.key_id, because=because, answered_by=answered_by)
    pem = store.load_next_signing_key()
    assert pem is not None  # noqa: S101 - it was just read
    store.replace("signing_key.pem", pem, f"signing_key_retired_{before}.pem")
    store.drop("signing_key_next.pem")
    return f"{standby.public.key_id} signs from the next version on; {before} is retired with it"


def rotate_subject_key(at: datetime, *, because: str, answered_by: str, at_once: bool = False) -> str:
    """Make a new key of the subjects, keep the one before, which overlaps, and return what was done.

    Raise `PrakerjaError` while an earlier key overlaps, whose readers would be cut off, unless it is to be `at_once`.
    """
    store = list_keys.require_generated("PRAKERJA_SUBJECT_KEY", "PRAKERJA_SUBJECT_KEY_PREVIOUS")
    before, new_key = load_subject_key(), new_random_key()
    if list_keys.listed_key_id() not in (None, before.key_id):
        raise PrakerjaError(f"the list is not issued under {before.key_id} yet: publish it first")
    if not at_once and (until := publishing.overlaps_until()) and at < until:
        raise PrakerjaError(
            f"readers of the key before this one may use it until {until.astimezone(WIB):%Y-%m-%d}: wait, or say --now "
            "where the key has leaked"
        )
    after = SubjectKey(base64.b64decode(new_key))
    list_keys.record_rotation("subject_changed", after.key_id, because=because, answered_by=answered_by)
    store.replace("subject_key.b64", new_key, f"subject_key_retired_{before.key_id}.b64")
    days = programme().blacklist.key_overlap_days
    return (
        f"the next version is issued under {after.key_id}; {before.key_id} overlaps for {days} days. "
        f"Give the new key to the readers: {store.folder / 'subject_key.b64'}"
    )
