"""Airflow's approval operator, for a batch: an answer is for the very batch that the person was shown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.exceptions import HITLRejectException
from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk.exceptions import AirflowRescheduleException, TaskAwaitingInput

from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja_alerts import APPROVAL, Alert

if TYPE_CHECKING:
    from airflow.sdk import Context

#: So often a waiting task looks whether the batch was approved on the command line.
LOOKS_EVERY = timedelta(seconds=30)


class AskedBeforeError(PrakerjaError):
    """The run has asked about something else, or others; Airflow would show that request again."""

    def __init__(self) -> None:
        super().__init__(
            "this run has asked about another batch, by other figures, before a rejection, or other approvers, and "
            "Airflow would show that request again: trigger the cohort's deadline anew; or say `prakerja approve`, "
            "then clear the task choose"
        )


class BatchApprovalOperator(ApprovalOperator):
    """Asks people to approve a batch, until it has the approvals that it needs, here or on the command line.

    `request` returns what is asked (`prakerja.revocations.requests.Request` as a mapping), or None where no approval is
    missing. `record` keeps that an Airflow user approves a digest, `reject` that they reject it; each returns that in a
    sentence, or raises `PrakerjaError`. `is_missing` says whether the batch of a digest still waits. Where approvals
    are signed nobody is asked: the task waits, and its log shows the command.

    While an answer is awaited, or after it was given, an upstream task that is cleared may propose other people: an
    answer must not slide over to them. So the digest waits with the request, and is not looked up when answered. And
    neither request nor answer goes through XComs, which whoever may write them could forge.
    """

    template_fields = ()  # what is asked has reasons in it, as people wrote them, and a template runs code

    def __init__(
        self,
        *,
        request: Callable[[], Mapping[str, Any] | None],
        record: Callable[[str, str], str],
        reject: Callable[[str, str], str],
        is_missing: Callable[[str], bool],
        patience: timedelta,
        **kwargs: Any,
    ) -> None:
        super().__init__(subject="a batch", fail_on_reject=True, **kwargs)
        self.request, self.record, self.reject = request, record, reject
        self.is_missing, self.patience = is_missing, patience

    def execute(self, context: Context) -> Any:
        """Ask. Airflow calls this once per request, and `execute_complete` with each answer."""
        asked = self.request()
        if asked is None:
            return
        for notifier in self.notifiers:
            notifier.text = f"{asked['title']} {asked['command']}"
        if asked["must_sign"]:
            self._await_signatures(context, asked)
        self._describe(asked)
        shown = self._open(context)
        if _ids(shown.assigned_users) != _ids(self.assigned_users):
            raise AskedBeforeError
        for notifier in self.notifiers:
            notifier(context)
        self._park(asked["digest"], datetime.now(UTC), _said(asked["text"]))

    def execute_complete(
        self, context: Context, event: dict[str, Any], digest: str = "", asked_at: str = "", said: str = ""
    ) -> Any:
        """Record a person's answer. A rejection that counts fails; else go on waiting while approvals are missing."""
        began = datetime.fromisoformat(asked_at)
        if event.get("error_type") != "timeout":
            self._take(context, event, digest, said)
            if self.is_missing(digest) and (asked := self.request()) and asked["digest"] == digest:
                self._describe(asked)
                self._open(context)  # takes the answer away, so that the next person can give one
        if not self.is_missing(digest):
            self.log.info("nothing is missing any more: this batch is approved, or another stands by now")
            return
        if datetime.now(UTC) > began + self.patience:
            raise HITLRejectException(f"nobody has approved within {self.patience}: clear the task to ask again")
        self._park(digest, began, said)

    def _take(self, context: Context, event: dict[str, Any], digest: str, said: str) -> None:
        """Record an answer to what was shown. Airflow's own words for it, before it is recorded, would say too much."""
        given = HITLOperator.execute_complete(self, context=context, event=event)
        login, is_approval = (event["responded_by_user"] or {}).get("id", ""), self.APPROVE in given["chosen_options"]
        asked = self.request() if is_approval and said else None
        if asked and asked["digest"] == digest and _said(asked["text"]) != said:
            raise AskedBeforeError
        try:
            told = (self.record if is_approval else self.reject)(digest, login)
        except PrakerjaError as refused:
            self.log.warning("this answer does not count: %s", refused)
            return
        self.hitl_summary_extra["approved"] = is_approval
        if not is_approval:
            raise HITLRejectException(f"{told}: settle why; whoever is asked again is shown it")
        self.log.info("%s", told)

    def _describe(self, asked: Mapping[str, Any]) -> None:
        self.subject, self.body = asked["title"], asked["text"]
        self.assigned_users = [{"id": user, "name": user} for user in asked["answered_by"]] or None

    def _open(self, context: Context) -> Any:
        """Write the request, without an answer, and return what Airflow shows.

        Raises `AskedBeforeError` where that is not what is asked.
        """
        from airflow.sdk.api.datamodels._generated import HITLUser
        from airflow.sdk.execution_time.comms import CreateHITLDetailPayload
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        shown = SUPERVISOR_COMMS.send(
            msg=CreateHITLDetailPayload(
                ti_id=context["ti"].id,
                options=self.options,
                subject=self.subject,
                body=self.body,
                defaults=None,
                multiple=self.multiple,
                params=self.serialized_params,
                assigned_users=[HITLUser(**user) for user in self.assigned_users or []],
            )
        )
        if (shown.subject, _said(shown.body)) != (self.subject, _said(self.body)):
            # Airflow 3.3 keeps a task's first request when it is cleared and asks anew (apache/airflow#73235).
            raise AskedBeforeError
        return shown

    def _park(self, digest: str, asked_at: datetime, said: str) -> None:
        kwargs = {"digest": digest, "asked_at": asked_at.isoformat(), "said": said}
        raise TaskAwaitingInput(method_name="execute_complete", kwargs=kwargs, timeout=LOOKS_EVERY)

    def _await_signatures(self, context: Context, asked: Mapping[str, Any]) -> None:
        now = datetime.now(UTC)
        began = context["ti"].get_first_reschedule_date(context)
        self.log.info("%s: awaiting signatures: %s", asked["title"], asked["command"])
        if began is None:
            for notifier in self.notifiers:
                notifier(context)
        elif now > began + self.patience:
            raise HITLRejectException(f"nobody has signed within {self.patience}: clear the task to wait again")
        raise AirflowRescheduleException(now + LOOKS_EVERY)


def ask_approval(
    request: Callable[[], Mapping[str, Any] | None],
    record: Callable[[str, str], str],
    reject: Callable[[str, str], str],
    is_missing: Callable[[str], bool],
) -> BatchApprovalOperator:
    """Return the task that asks for a batch's approvals, the same in each DAG that has one."""
    return BatchApprovalOperator(
        task_id="ask_approval",
        task_display_name="Ask for an approval",
        request=request,
        record=record,
        reject=reject,
        is_missing=is_missing,
        patience=timedelta(hours=programme().approvals.answer_within_hours),
        notifiers=[Alert(event=APPROVAL)],
    )


def _ids(users: Any) -> set[str]:
    return {user["id"] if isinstance(user, dict) else user.id for user in users or []}


def _said(body: str | None) -> str:
    """Return a digest of what a request says of its batch.

    Without the table, whose earlier cohorts go on changing, and without how many must approve: the warehouse counts.
    """
    lines = [line for line in (body or "").splitlines() if not line.startswith(("|", "It takes "))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
