"""Airflow's API in the containers, as one of its users."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx

from tests.support.containers.composition import PATIENCE, Composition
from tests.support.containers.podman import ContainerError

ENDED = ("success", "failed")


class Airflow:
    """The API server at its published port, with the passwords of the secrets' folder. Begins as `admin`."""

    def __init__(self, composition: Composition) -> None:
        self.composition = composition
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{composition.settings['AIRFLOW_PORT']}", timeout=60)
        self.login("admin")

    def token(self, user: str) -> str:
        passwords = json.loads((self.composition.project / "secrets" / "simple_auth_passwords.txt").read_text())
        answer = self.http.post("/auth/token", json={"username": user, "password": passwords[user]})
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def login(self, user: str) -> None:
        self.http.headers["authorization"] = f"Bearer {self.token(user)}"

    def call(self, method: str, path: str, **how: Any) -> Any:
        """Return an answer of the API as JSON. Raises ContainerError for one that is an error."""
        answer = self.http.request(method, f"/api/v2{path}", **how)
        if answer.status_code >= 400:
            raise ContainerError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def unpause(self, dag_id: str) -> None:
        self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def await_dag(self, dag_id: str) -> None:
        """Wait until the DAG processor has read a DAG."""
        self.composition.until(
            lambda: self.http.get(f"/api/v2/dags/{dag_id}").status_code == 200, f"the DAG {dag_id} is there"
        )

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        return list(self.call("GET", f"/dags/{dag_id}/dagRuns", params={"limit": 100})["dag_runs"])

    def tasks(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Return the state of each task of a run; of a mapped task, of one of its instances."""
        found = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 100})
        return {each["task_id"]: each["state"] for each in found["task_instances"]}

    def await_run(self, dag_id: str, run_id: str) -> str:
        """Wait until a run has ended, and return how."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}"
        self.composition.until(lambda: self.call("GET", path)["state"] in ENDED, f"the end of {dag_id} {run_id}")
        return str(self.call("GET", path)["state"])

    def trigger(self, dag_id: str, **conf: Any) -> str:
        made = self.call("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf})
        return str(made["dag_run_id"])

    def await_question(self, dag_id: str, run_id: str) -> None:
        """Wait until a run asks for an approval, and its scheduler has recorded that it waits."""
        told = f"TaskInstance Finished: dag_id={dag_id}, task_id=ask_approval, run_id={run_id},"

        def is_asked() -> bool:
            waits = self.tasks(dag_id, run_id).get("ask_approval") == "awaiting_input"
            return waits and told in self.composition.logs("airflow-scheduler")

        self.composition.until(is_asked, f"the question of {dag_id} {run_id}", PATIENCE)
        time.sleep(2)

    def answer(self, dag_id: str, run_id: str, option: str) -> None:
        """Answer a run's question as the user who is logged in."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/ask_approval/-1/hitlDetails"
        self.call("PATCH", path, json={"chosen_options": [option], "params_input": {}})
