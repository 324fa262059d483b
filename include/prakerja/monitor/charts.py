"""Charts: each is a Vega-Lite specification from `charts/` with the rows that it draws, which are also its table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from prakerja.escaping import csv_cell

SPECIFICATIONS = Path(__file__).parent / "charts"


@dataclass(frozen=True)
class Chart:
    """A chart: the file of its specification, its title, its rows with the columns of its table, and other data.

    `summary` describes in a sentence what the chart shows, for people who do not see it.
    """

    name: str
    title: str
    summary: str
    columns: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    more: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    file: str = ""

    def specification(self) -> dict[str, Any]:
        """Return the Vega-Lite specification with its data."""
        return {
            **_file(self.file or self.name),
            "config": _file("config"),
            "description": f"{self.title}. {self.summary}",
            "datasets": {"rows": list(self.rows), **{name: list(rows) for name, rows in self.more.items()}},
        }

    def as_json(self) -> str:
        """Return the specification as JSON that is safe within a page."""
        return json.dumps(self.specification(), separators=(",", ":")).replace("<", "\\u003c")

    def as_csv(self) -> str:
        """Return the rows with the columns of the table. A spreadsheet reads no cell as a formula."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.columns), extrasaction="ignore", lineterminator="\n")
        writer.writerow(dict(self.columns))
        writer.writerows({key: csv_cell(value) for key, value in row.items()} for row in self.rows)
        return text.getvalue()


@cache
def _file(name: str) -> Any:
    return json.loads((SPECIFICATIONS / f"{name}.json").read_text(encoding="utf-8"))
