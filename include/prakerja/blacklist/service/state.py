"""What the operations of the service share."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from starlette.requests import Request

from prakerja.blacklist.service.access import Access
from prakerja.blacklist.service.answers import CohortStatistics, Statistics
from prakerja.blacklist.service.files import VerifiedFiles
from prakerja.blacklist.service.list_store import ListStore
from prakerja.blacklist.service.lookups import Lookups
from prakerja.blacklist.service.places import Places
from prakerja.cohorts.public_statistics import NoStatisticsError, load_public_statistics
from prakerja_blacklist.format.contract import format_instant


@dataclass
class Service:
    """The list, the record of lookups, verified files, API keys and statistics."""

    lists: ListStore
    lookups: Lookups
    files: VerifiedFiles
    access: Access = field(default_factory=Access)
    statistics: Statistics | None = None
    places: Places = field(default_factory=Places)

    def refresh_keys(self) -> None:
        """Load API keys and statistics anew. Raise `PrakerjaError` if the warehouse is away."""
        self.access.refresh()
        with contextlib.suppress(NoStatisticsError):
            known = load_public_statistics("serve")
            self.statistics = Statistics(
                counted_at=format_instant(known.counted_at),
                cohorts=[
                    CohortStatistics(**{name: row[name] for name in CohortStatistics.model_fields})
                    for row in known.cohorts
                ],
            )


def service_of(request: Request) -> Service:
    """Return the service that a request's application answers for."""
    service: Service = request.app.state.service
    return service
