"""What the approval operator meets in Airflow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from prakerja.errors import PrakerjaError

ASKED = {
    "digest": "ab12cd",
    "title": "gelombang-12: ab12",
    "text": "...",
    "answered_by": ["siti"],
    "must_sign": False,
    "command": "prakerja approve 12 --digest ab12 --as ID",
}


class Airflow:
    """What the operator meets: the request that Airflow keeps, and the warehouse's approvals."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from airflow.sdk.execution_time import task_runner

        from prakerja_approval_operator import BatchApprovalOperator

        self.asked: dict[str, Any] | None = dict(ASKED)
        self.kept: Any = None
        self.sent: list[Any] = []
        self.recorded: list[tuple[str, str]] = []
        self.rejected: list[tuple[str, str]] = []
        self.refused: str | None = None
        self.missing = 1
        self.first_look: datetime | None = None
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(send=self.send), raising=False)
        self.operator = BatchApprovalOperator(
            task_id="ask", request=lambda: self.asked, record=self.record, reject=self.reject,
            is_missing=lambda _: self.missing > 0, patience=timedelta(hours=24),
        )  # fmt: skip
        ti = SimpleNamespace(id=uuid4(), get_first_reschedule_date=lambda _: self.first_look)
        self.context: Any = {"ti": ti, "task_instance": ti}

    def send(self, msg: Any) -> Any:
        self.sent.append(msg)
        return self.kept or msg

    def record(self, digest: str, login: str) -> str:
        if self.refused:
            raise PrakerjaError(self.refused)
        self.recorded.append((digest, login))
        self.missing -= 1
        return f"{login} approves {digest}"

    def reject(self, digest: str, login: str) -> str:
        if self.refused:
            raise PrakerjaError(self.refused)
        self.rejected.append((digest, login))
        return f"{login} rejects {digest}"

    def ask(self) -> dict[str, Any]:
        from airflow.sdk.exceptions import TaskAwaitingInput

        with pytest.raises(TaskAwaitingInput) as parked:
            self.operator.execute(self.context)
        assert parked.value.timeout == timedelta(seconds=30)
        return dict(parked.value.kwargs or {})

    def answer(self, by: str | None, option: str = "Approve", **kwargs: Any) -> Any:
        user = by and {"id": by, "name": f"the name of {by}"}
        given = {"chosen_options": [option], "params_input": {}, "responded_at": datetime.now(UTC)}
        return self.operator.execute_complete(self.context, given | {"responded_by_user": user}, **kwargs)

    def look(self, **kwargs: Any) -> Any:
        event = {"error": "The response timeout has passed", "error_type": "timeout"}
        return self.operator.execute_complete(self.context, event, **kwargs)
