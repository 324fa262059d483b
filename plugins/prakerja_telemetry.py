"""Metrics and data lineage of running tasks.

Metrics are emitted through Airflow's OpenTelemetry (`[metrics] otel_on`), lineage through the OpenLineage client, by
default to a file in the home (`OPENLINEAGE_URL`, `OPENLINEAGE_CONFIG` and others change that). Both contain counts and
names of datasets, never names of people. A failure to emit fails no task.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from airflow.sdk import get_current_context
from airflow.sdk.observability import stats

from prakerja import warehouse
from prakerja.escaping import label
from prakerja.platforms import platforms
from prakerja.settings import Settings

if TYPE_CHECKING:
    from prakerja.run_context import RunContext
    from prakerja.tasks.feeds import PlatformIntake

log = logging.getLogger(__name__)

PRODUCER = "https://github.com/prakerja-deadlines"


def record_intake(platform: str, intake: PlatformIntake) -> None:
    """Record an intake of a platform."""
    counts = intake.counts()
    measure("feed", counts, platform=label(platform, platforms()))
    if intake.accepted:
        lineage([_landing(f"feeds/{platform}")], [_table("transactions")], rows=counts["rows"])


def record_standing(standings: dict[str, dict[str, int]]) -> None:
    """Record the counts of each open cohort."""
    for cohort, counts in standings.items():
        measure("cohort", counts, cohort=cohort)


def record_decision(run: RunContext, counts: dict[str, Any]) -> None:
    """Record a cohort's decision. A rehearsal is not recorded."""
    if counts and run.kind == "deadline" and not run.is_rehearsal:
        measure("cohort", counts, cohort=f"gelombang-{run.cohort}")
        lineage([_table("transactions"), _table("recipients")], [_table("outcomes")], rows=counts["selected"])


def record_reminders(run: RunContext, counts: dict[str, int]) -> None:
    """Record the recipients of a reminder run by outcome."""
    measure("reminders", counts, cohort=f"gelombang-{run.cohort}", kind=run.kind)


def record_revocation(run: RunContext, revoked: int) -> None:
    """Record the number of people that a run has revoked."""
    measure("cohort", {"revoked": revoked}, cohort=f"gelombang-{run.cohort}")
    lineage([_table("outcomes")], [_table("revocations")], rows=revoked)


def record_list(measured: Mapping[str, float]) -> None:
    """Record the published version."""
    measure("blacklist", measured)
    lineage([_table("revocations")], [(_as_url(Settings.from_environment().publish), "blacklist")])


def measure(area: str, counts: Mapping[str, float], **tags: str | int) -> None:
    """Emit the numbers among `counts` as gauges `prakerja.<area>.<name>` with these tags."""
    texts = {name: str(value) for name, value in tags.items()}
    for name, value in counts.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                stats.gauge(f"prakerja.{area}.{name}", value, tags=texts)
            except Exception as error:  # whatever a metrics client raises
                log.warning("%s.%s was not emitted (%s)", area, name, type(error).__name__)


def lineage(reads: Sequence[tuple[str, str]], writes: Sequence[tuple[str, str]], *, rows: int | None = None) -> None:
    """Emit an OpenLineage event of the running task; each dataset is a pair of namespace and name."""
    try:
        _emit(reads, writes, rows)
    except Exception as error:  # whatever a transport raises
        log.warning("lineage was not emitted (%s)", type(error).__name__)


def _emit(reads: Sequence[tuple[str, str]], writes: Sequence[tuple[str, str]], rows: int | None) -> None:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import output_statistics_output_dataset, parent_run

    context: Any = get_current_context()
    ti = context["ti"]
    run_name = f"{ti.dag_id}/{context['run_id']}"
    parent = parent_run.ParentRunFacet(
        run=parent_run.Run(str(uuid5(NAMESPACE_URL, run_name))), job=parent_run.Job("prakerja", ti.dag_id)
    )
    facets = {} if rows is None else {
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
    }  # fmt: skip
    event = RunEvent(
        eventType=RunState.COMPLETE,
        eventTime=datetime.now(UTC).isoformat(),
        run=Run(
            str(uuid5(NAMESPACE_URL, f"{run_name}/{ti.task_id}/{ti.map_index}/{ti.try_number}")), {"parent": parent}
        ),
        job=Job("prakerja", f"{ti.dag_id}.{ti.task_id}"),
        producer=PRODUCER,
        inputs=[InputDataset(namespace, name) for namespace, name in reads],
        outputs=[OutputDataset(namespace, name, outputFacets=dict(facets)) for namespace, name in writes],
    )
    OpenLineageClient().emit(event)


def _landing(name: str) -> tuple[str, str]:
    return _as_url(Settings.from_environment().landing), name


def _table(name: str) -> tuple[str, str]:
    address = warehouse.url()
    host, port = warehouse.list_places(address)[0]
    host = "localhost" if host.startswith("/") else host or "localhost"
    return f"postgres://{host}:{port or 5432}", f"{address.database}.public.{name}"


def _as_url(place: str) -> str:
    return place if "://" in place else f"file://{place}"
