"""What running tasks tell of themselves: metrics, and which data they made from which.

Metrics go out by Airflow's own OpenTelemetry (`[metrics] otel_on`), lineage by the OpenLineage client: to a file in the
home, unless its settings (`OPENLINEAGE_URL`, `OPENLINEAGE_CONFIG`, ...) name another place. Both say counts and the
names of data, never of people; and what cannot be told fails no task.
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
    from prakerja.workflow import TakenIn

log = logging.getLogger(__name__)

PRODUCER = "https://github.com/prakerja-deadlines"


# -- what the tasks tell -----------------------------------------------------------------------------------------------


def of_intake(platform: str, taken: TakenIn) -> None:
    """A platform's deliveries were taken in."""
    counts = taken.counts()
    measure("feed", counts, platform=label(platform, platforms()))
    if taken.accepted:
        lineage([_landing(f"feeds/{platform}")], [_table("transactions")], rows=counts["rows"])


def of_standing(standings: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """The open cohorts were counted."""
    for cohort, counts in standings.items():
        measure("cohort", counts, cohort=cohort)
    return standings


def of_decision(about: RunContext, counts: dict[str, Any]) -> dict[str, Any]:
    """A cohort was decided; what a rehearsal comes to is nobody's figure."""
    if counts and about.kind == "deadline" and not about.is_rehearsal:
        measure("cohort", counts, cohort=f"gelombang-{about.cohort}")
        lineage([_table("transactions"), _table("recipients")], [_table("outcomes")], rows=counts["selected"])
    return counts


def of_reminders(about: RunContext, counts: dict[str, int]) -> dict[str, int]:
    """Messages were sent."""
    measure("reminders", counts, cohort=f"gelombang-{about.cohort}", kind=about.kind)
    return counts


def of_revocation(about: RunContext, revoked: int) -> int:
    """People were revoked."""
    measure("cohort", {"revoked": revoked}, cohort=f"gelombang-{about.cohort}")
    lineage([_table("outcomes")], [_table("revocations")], rows=revoked)
    return revoked


def of_list(listed: Mapping[str, float]) -> None:
    """A version was published."""
    measure("blacklist", listed)
    lineage([_table("revocations")], [(_place(Settings.from_environment().publish), "blacklist")])


# ----------------------------------------------------------------------------------------------------------------------


def measure(area: str, counts: Mapping[str, float], **tags: str | int) -> None:
    """Tell the numbers among `counts` as gauges `prakerja.<area>.<name>`; `tags` say of which platform, cohort, ..."""
    of = {name: str(value) for name, value in tags.items()}
    for name, value in counts.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                stats.gauge(f"prakerja.{area}.{name}", value, tags=of)
            except Exception as error:  # whatever a metrics client raises
                log.warning("%s.%s is not told (%s)", area, name, type(error).__name__)


def lineage(reads: Sequence[tuple[str, str]], writes: Sequence[tuple[str, str]], *, rows: int | None = None) -> None:
    """Tell which data the running task has read and written, each a pair of namespace and name, as OpenLineage does."""
    try:
        _emit(reads, writes, rows)
    except Exception as error:  # whatever a transport raises
        log.warning("lineage is not told (%s)", type(error).__name__)


def _emit(reads: Sequence[tuple[str, str]], writes: Sequence[tuple[str, str]], rows: int | None) -> None:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import output_statistics_output_dataset, parent_run

    context: Any = get_current_context()
    ti = context["ti"]
    of_run = f"{ti.dag_id}/{context['run_id']}"
    parent = parent_run.ParentRunFacet(
        run=parent_run.Run(str(uuid5(NAMESPACE_URL, of_run))), job=parent_run.Job("prakerja", ti.dag_id)
    )
    written = {} if rows is None else {
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
    }  # fmt: skip
    event = RunEvent(
        eventType=RunState.COMPLETE,
        eventTime=datetime.now(UTC).isoformat(),
        run=Run(str(uuid5(NAMESPACE_URL, f"{of_run}/{ti.task_id}/{ti.map_index}/{ti.try_number}")), {"parent": parent}),
        job=Job("prakerja", f"{ti.dag_id}.{ti.task_id}"),
        producer=PRODUCER,
        inputs=[InputDataset(namespace, name) for namespace, name in reads],
        outputs=[OutputDataset(namespace, name, outputFacets=dict(written)) for namespace, name in writes],
    )
    OpenLineageClient().emit(event)


def _landing(name: str) -> tuple[str, str]:
    return _place(Settings.from_environment().landing), name


def _table(name: str) -> tuple[str, str]:
    place = warehouse.url()
    return f"postgres://{place.host or 'localhost'}:{place.port or 5432}", f"{place.database}.public.{name}"


def _place(of: str) -> str:
    return of if "://" in of else f"file://{of}"
