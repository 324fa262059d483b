"""Airflow's approval operator, for a batch: an answer is for the very batch that the person was shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import TaskAwaitingInput

from prakerja.errors import PrakerjaError

if TYPE_CHECKING:
    from airflow.sdk import Context


class AskedBeforeError(PrakerjaError):
    """The run has asked about another batch, or others; Airflow would show that question again."""

    def __init__(self) -> None:
        super().__init__(
            "this run has asked about another batch, or other approvers, and Airflow would show that question again: "
            "trigger the cohort's deadline anew; or say `prakerja approve`, then clear the task choose"
        )


class BatchApprovalOperator(ApprovalOperator):
    """Asks a person to approve a batch. `question` gives `digest`, `title` and `text`, or nothing where none is needed.

    `record` keeps who has approved which digest. While an answer is awaited, or after it was given, an upstream task
    that is cleared may propose other people: an answer must not slide over to them. So the digest waits with the
    question, and is not looked up when answered. And neither question nor answer goes through XComs, which whoever may
    write them could forge.
    """

    def __init__(
        self,
        *,
        question: Callable[[], Mapping[str, str] | None],
        record: Callable[[str, str], object],
        **kwargs: Any,
    ) -> None:
        super().__init__(subject="a batch", **kwargs)
        self.question, self.record = question, record
        self.digest = ""

    def execute(self, context: Context) -> Any:
        """Ask. Airflow calls this once per question, and `execute_complete` with the answer."""
        asked = self.question()
        if asked is None:
            return None
        self.digest, self.subject, self.body = asked["digest"], asked["title"], asked["text"]
        for notifier in self.notifiers:
            notifier.text = asked["title"]
        self._require_new_question(context)
        try:
            return super().execute(context)
        except TaskAwaitingInput as awaiting:
            awaiting.kwargs = {"digest": self.digest}
            raise

    def execute_complete(self, context: Context, event: dict[str, Any], digest: str = "") -> Any:
        """Record an approval by a person. Where time ran out, nobody has approved: the default is to reject."""
        answer = super().execute_complete(context=context, event=event)
        by = event.get("responded_by_user")
        if by and event["chosen_options"] == [self.APPROVE]:
            self.record(digest, by["name"] or by["id"])
        return answer

    def _require_new_question(self, context: Context) -> None:
        """Airflow 3.3 keeps a task's first question when it is cleared and asks anew (apache/airflow#73235).

        Raises `AskedBeforeError` where that is another one than this.
        """
        from airflow.sdk.api.datamodels._generated import HITLUser
        from airflow.sdk.execution_time.comms import CreateHITLDetailPayload
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        users = [HITLUser(**user) for user in self.assigned_users or []]
        shown = SUPERVISOR_COMMS.send(
            msg=CreateHITLDetailPayload(
                ti_id=context["ti"].id,
                options=self.options,
                subject=self.subject,
                body=self.body,
                defaults=self.defaults,
                multiple=self.multiple,
                params=self.serialized_params,
                assigned_users=users,
            )
        )
        if shown.subject != self.subject or {user.id for user in shown.assigned_users or []} != {u.id for u in users}:
            raise AskedBeforeError
