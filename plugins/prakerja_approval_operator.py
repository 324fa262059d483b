"""Airflow's approval operator for a batch. An answer counts only for the batch that the person was shown."""

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

#: A waiting task checks this often whether the batch was approved on the command line.
POLL_INTERVAL = timedelta(seconds=30)


class AskedBeforeError(PrakerjaError):
    """The run has sent another request before, or asked other people, and Airflow would show that request again."""

    def __init__(self) -> None:
        super().__init__(
            "this run has asked about another batch, with other figures, before a rejection, or other approvers, and "
            "Airflow would show that request again: trigger the cohort's deadline again; or run `prakerja approve`, "
            "then clear the task choose"
        )


class BatchApprovalOperator(ApprovalOperator):
    """Asks people to approve a batch, until it has the approvals that it needs, given here or on the command line.

    `request` returns the request (`prakerja.revocations.requests.Request` as a mapping), or None if no approval is
    missing. `record` records that an Airflow user approves a digest, `reject` that they reject it; each returns a
    sentence about it, or raises `PrakerjaError`. `is_missing` returns whether the batch of a digest still needs
    approvals. Where approvals are signed, nobody is asked: the task waits, and its log shows the command.

    While the task waits, a cleared upstream task may propose other people, and an answer must not count for them. The
    digest is therefore stored with the request, and not looked up when the answer arrives. Neither request nor answer
    is an XCom, which a user with the right to write XComs could forge.
    """

    template_fields = ()  # the request contains reasons that people wrote, and a template runs code

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
        """Send the request. Airflow calls this once per request, and `execute_complete` with each answer."""
        request = self.request()
        if request is None:
            return
        for notifier in self.notifiers:
            notifier.text = f"{request['title']} {request['command']}"
        if request["must_sign"]:
            self._await_signatures(context, request)
        self._set_request(request)
        shown = self._send_request(context)
        if _ids(shown.assigned_users) != _ids(self.assigned_users):
            raise AskedBeforeError
        for notifier in self.notifiers:
            notifier(context)
        self._await_answer(request["digest"], datetime.now(UTC), _text_digest(request["text"]))

    def execute_complete(
        self, context: Context, event: dict[str, Any], digest: str = "", asked_at: str = "", said: str = ""
    ) -> Any:
        """Record a person's answer, and wait for the next one while approvals are missing. Fail after a rejection.

        The names of `said` (the digest of the shown text) and `asked_at` are stored with waiting tasks.
        """
        began = datetime.fromisoformat(asked_at)
        if event.get("error_type") != "timeout":
            self._record_answer(context, event, digest, said)
            request = self.request() if self.is_missing(digest) else None
            if request and request["digest"] == digest:
                self._set_request(request)
                self._send_request(context)  # removes the answer, so that the next person can give one
        if not self.is_missing(digest):
            self.log.info("no approval is missing: the batch is approved, or another batch has replaced it")
            return
        if datetime.now(UTC) > began + self.patience:
            raise HITLRejectException(f"nobody has approved within {self.patience}: clear the task to ask again")
        self._await_answer(digest, began, said)

    def _record_answer(self, context: Context, event: dict[str, Any], digest: str, shown_text: str) -> None:
        """Record an answer to what was shown.

        The approval operator's own `execute_complete` would log the answer as valid before it is recorded.
        """
        answer = HITLOperator.execute_complete(self, context=context, event=event)
        login, is_approval = (event["responded_by_user"] or {}).get("id", ""), self.APPROVE in answer["chosen_options"]
        request = self.request() if is_approval and shown_text else None
        if request and request["digest"] == digest and _text_digest(request["text"]) != shown_text:
            raise AskedBeforeError
        try:
            sentence = (self.record if is_approval else self.reject)(digest, login)
        except PrakerjaError as refused:
            self.log.warning("this answer does not count: %s", refused)
            return
        self.hitl_summary_extra["approved"] = is_approval
        if not is_approval:
            raise HITLRejectException(f"{sentence}: resolve the reason; the next request shows the rejection")
        self.log.info("%s", sentence)

    def _set_request(self, request: Mapping[str, Any]) -> None:
        self.subject, self.body = request["title"], request["text"]
        self.assigned_users = [{"id": user, "name": user} for user in request["answered_by"]] or None

    def _send_request(self, context: Context) -> Any:
        """Write the request, without an answer, and return the one that Airflow shows.

        Raise `AskedBeforeError` if Airflow shows another request.
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
        if (shown.subject, _text_digest(shown.body)) != (self.subject, _text_digest(self.body)):
            # Airflow 3.3 keeps the first request of a task that is cleared and asks again (apache/airflow#73235).
            raise AskedBeforeError
        return shown

    def _await_answer(self, digest: str, asked_at: datetime, shown_text: str) -> None:
        kwargs = {"digest": digest, "asked_at": asked_at.isoformat(), "said": shown_text}
        raise TaskAwaitingInput(method_name="execute_complete", kwargs=kwargs, timeout=POLL_INTERVAL)

    def _await_signatures(self, context: Context, request: Mapping[str, Any]) -> None:
        now = datetime.now(UTC)
        began = context["ti"].get_first_reschedule_date(context)
        self.log.info("%s: awaiting signatures: %s", request["title"], request["command"])
        if began is None:
            for notifier in self.notifiers:
                notifier(context)
        elif now > began + self.patience:
            raise HITLRejectException(f"nobody has signed within {self.patience}: clear the task to wait again")
        raise AirflowRescheduleException(now + POLL_INTERVAL)


def ask_approval(
    request: Callable[[], Mapping[str, Any] | None],
    record: Callable[[str, str], str],
    reject: Callable[[str, str], str],
    is_missing: Callable[[str], bool],
) -> BatchApprovalOperator:
    """Return the task that asks for the approvals of a batch. It is the same in each DAG that has one."""
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


def _text_digest(body: str | None) -> str:
    """Return a digest of what a request says about its batch.

    The table is left out, because earlier cohorts in it change, and so is the number of missing approvals.
    """
    lines = [line for line in (body or "").splitlines() if not line.startswith(("|", "It takes "))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
