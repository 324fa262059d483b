"""The timetable of the cohorts: one run for each reminder date and each deadline, exactly once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.exceptions import AirflowTimetableInvalid
from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo, DataInterval, Timetable

from prakerja.calendar import CohortEvent

if TYPE_CHECKING:
    from airflow.timetables.base import TimeRestriction
    from airflow.utils.types import DagRunType

    from prakerja.calendar import Cohort


class CohortTimetable(Timetable):
    """Schedules each event of the calendar once, in order. The events are stored with the DAG when it is parsed."""

    run_ordering = ("logical_date",)

    def __init__(self, events: Iterable[CohortEvent]) -> None:
        self.events = sorted(events)
        self._logical_dates = [pendulum.instance(event.logical_date) for event in self.events]
        self.description = f"{len(self.events)} runs of {len({event.cohort for event in self.events})} cohorts"

    @classmethod
    def from_cohorts(cls, cohorts: Iterable[Cohort]) -> CohortTimetable:
        """Return the timetable of these cohorts."""
        return cls(event for cohort in cohorts for event in cohort.events())

    @property
    def summary(self) -> str:
        return f"{len(self.events)} cohort events"

    def validate(self) -> None:
        names = {event.name for event in self.events}
        if not len(set(self._logical_dates)) == len(names) == len(self.events):
            raise AirflowTimetableInvalid("two events share a logical date or a run id")

    def serialize(self) -> dict[str, Any]:
        return {"events": [[e.run_at.isoformat(), e.cohort, e.kind, e.on.isoformat()] for e in self.events]}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> CohortTimetable:
        return cls(
            CohortEvent(datetime.fromisoformat(at), cohort, kind, date.fromisoformat(on))
            for at, cohort, kind, on in data["events"]
        )

    def event_at(self, logical_date: datetime | None) -> CohortEvent | None:
        """Return the event of a logical date, or None. Run ids do not matter: a backfill chooses its own."""
        if logical_date is None:
            return None
        position = bisect_left(self._logical_dates, logical_date)
        has_it = position < len(self.events) and self._logical_dates[position] == logical_date
        return self.events[position] if has_it else None

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        position = 0
        if last_automated_data_interval is not None:
            position = bisect_right(self._logical_dates, last_automated_data_interval.start)
        earliest = restriction.earliest
        if not restriction.catchup:
            now = pendulum.now("UTC")
            earliest = max(earliest, now) if earliest else now
        if earliest is not None:
            position = max(position, bisect_left(self._logical_dates, earliest))
        if position >= len(self.events):
            return None
        logical_date = self._logical_dates[position]
        if restriction.latest is not None and logical_date > restriction.latest:
            return None
        return DagRunInfo.exact(logical_date)

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        return DataInterval.exact(run_after)

    def generate_run_id(
        self, *, run_type: DagRunType, run_after: pendulum.DateTime, data_interval: DataInterval | None, **extra: Any
    ) -> str:
        event = self.event_at(data_interval.start if data_interval else None)
        if event is not None:
            return event.name
        return super().generate_run_id(run_type=run_type, run_after=run_after, data_interval=data_interval, **extra)


class CohortTimetablePlugin(AirflowPlugin):
    """Registers the timetable, so that every component can deserialize it."""

    name = "prakerja_timetable"
    timetables = [CohortTimetable]  # noqa: RUF012 - Airflow's interface
