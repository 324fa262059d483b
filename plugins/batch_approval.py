"""Airflow's approval operator, for a batch: an answer is for the very batch that the person was shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

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
    """Asks a person to approve the batch `digest`, named in the subject too; its XCom `digest` is what it asked about.

    While an answer is awaited, or after it was given, an upstream task that is cleared may propose other people: an
    answer must not slide over to them. So the digest is written down when asking, and not looked up when answered.
    """

    template_fields = (*ApprovalOperator.template_fields, "digest")

    def __init__(self, *, digest: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.digest = digest

    def execute(self, context: Context) -> Any:
        """Ask. Airflow calls this once per question, and `execute_complete` with the answer."""
        self._require_new_question(context)
        context["ti"].xcom_push(key="digest", value=self.digest)
        return super().execute(context)

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
