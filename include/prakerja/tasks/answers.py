"""Answers to requests for an approval that people give in Airflow."""

from __future__ import annotations

from datetime import date

from prakerja.errors import PrakerjaError


def record_approval(cohort: int, digest: str, login: str, on: date) -> str:
    """Record that an Airflow user approves the batch that they were shown, and return a sentence that says so.

    Raise `PrakerjaError` if the user may not approve it, or has approved it before.
    """
    from prakerja import warehouse
    from prakerja.revocations import approval

    person_id = _find_approver(login)
    _, batch = approval.find_waiting(cohort, digest)
    with warehouse.transaction("decide") as connection:
        is_new = approval.approve(connection, batch, person_id, on)
    approval.require_new(is_new, batch, person_id)
    return f"{person_id} approves {batch.described} of gelombang-{cohort}"


def record_rejection(cohort: int, digest: str, login: str, on: date) -> str:
    """Record that an Airflow user rejects the batch that they were shown, and return a sentence that says so.

    Raise `PrakerjaError` if the user may not approve it, or if the batch no longer waits.
    """
    from prakerja import warehouse
    from prakerja.revocations import approval, rejections

    person_id = _find_approver(login)
    _, batch = approval.find_waiting(cohort, digest)
    with warehouse.transaction("decide") as connection:
        rejections.reject(connection, batch, person_id, on)
    return f"{person_id} rejects {batch.described} of gelombang-{cohort}"


def _find_approver(login: str) -> str:
    """Return the id of the person who has an Airflow login. Raise `PrakerjaError` if their answer does not count."""
    from prakerja.people import load_people

    people = load_people()
    if people.must_sign:
        raise PrakerjaError("approvals are signed here: an answer in Airflow does not count")
    return people.find_by_airflow_login(login, "approve").id


def is_approval_missing(cohort: int, digest: str) -> bool:
    """Return whether a batch still lacks an approval. A batch that is no longer proposed lacks none."""
    from prakerja import warehouse
    from prakerja.revocations import approval
    from prakerja.revocations.decision import find_decision

    with warehouse.transaction() as connection:
        made = find_decision(connection, cohort)
        return made is not None and any(batch.digest == digest for batch in approval.waiting(connection, made))
