"""What the operations of the service share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from prakerja.blacklist.format.contract import format_instant
from prakerja.blacklist.service.access import Access
from prakerja.blacklist.service.answers import CohortStatistics, Statistics
from prakerja.blacklist.service.files import VerifiedFiles
from prakerja.blacklist.service.list_store import ListStore
from prakerja.blacklist.service.lookups import Lookups


@dataclass
class Service:
    """The list, the record of lookups, verified files, API keys and statistics."""

    lists: ListStore
    lookups: Lookups
    count_cohorts: Callable[[], list[dict[str, Any]]]
    files: VerifiedFiles
    access: Access = field(default_factory=Access)
    statistics: Statistics | None = None

    def refresh_keys(self) -> None:
        """Load API keys and statistics anew. Raise `PrakerjaError` if the warehouse is away."""
        self.access.refresh()
        rows = [row for row in self.count_cohorts() if row["status"] != "no_roster"]
        self.statistics = Statistics(
            counted_at=format_instant(datetime.now(UTC)),
            cohorts=[CohortStatistics(**{name: row[name] for name in CohortStatistics.model_fields}) for row in rows],
        )


def service_of(request: Request) -> Service:
    """Return the service that a request's application answers for."""
    service: Service = request.app.state.service
    return service
