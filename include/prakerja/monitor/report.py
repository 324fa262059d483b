"""The figures of a press statement as of a day, each with the query and the versions that it came from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from prakerja import warehouse
from prakerja.calendar import calendar, deadlines
from prakerja.errors import PrakerjaError

Language = Literal["id", "en"]
QUERY, LIST_QUERY = "monitor/list_report", "monitor/list_as_of"


@dataclass(frozen=True)
class Figure:
    """A number that is told: of which cohort (none: of all), its name, and the query and versions behind it."""

    cohort: int | None
    name: str
    value: int
    query: str
    versions: str


@dataclass(frozen=True)
class Report:
    """What could be told at the end of a WIB day: its cohorts, and every figure by where it came from."""

    as_of: date
    cohorts: list[dict[str, Any]]
    figures: list[Figure]

    def total(self, name: str) -> int:
        """A figure of all cohorts."""
        return next(figure.value for figure in self.figures if figure.cohort is None and figure.name == name)

    def as_text(self, language: Language) -> str:
        """The statement, in Indonesian or English."""
        from babel.dates import format_date
        from babel.numbers import format_decimal
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        locale = {"id": "id_ID", "en": "en_GB"}[language]
        environment = Environment(  # noqa: S701 - plain text
            loader=FileSystemLoader(Path(__file__).parent),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {
            "number": lambda value: format_decimal(value, locale=locale),
            "share": lambda value: format_decimal(100 * value, format="#,##0.0", locale=locale) + " %",
            "day": lambda on: format_date(on, "EEEE, d MMMM yyyy", locale=locale),
            "date": lambda on: format_date(on, "d MMMM yyyy", locale=locale),
        }
        return environment.get_template(f"report.{language}.j2").render(report=self)

    def as_mapping(self) -> dict[str, Any]:
        """For programs: `as_of`, and the figures."""
        return {"as_of": self.as_of.isoformat(), "figures": [asdict(figure) for figure in self.figures]}


def as_of(day: date) -> Report:
    """What the facts told at the end of a WIB day, whatever came later. Raises `PrakerjaError` before any roster."""
    with warehouse.transaction("show", one_snapshot=True) as connection:
        known = deadlines(cohort.as_known_on(day) for cohort in calendar().values())
        rows = warehouse.rows(connection, QUERY, day=day, **known)
        listed = warehouse.rows(connection, LIST_QUERY, day=day)
    cohorts = [_with_stage(dict(row), day) for row in rows if row["cohort"] in calendar()]
    if not cohorts:
        raise PrakerjaError(f"nothing can be told as of {day}: no roster had arrived by then")
    figures: list[Figure] = []
    for row in cohorts:
        standing = f"standing as of {row['standing_as_of']}" if row["standing_as_of"] else "no standing yet"
        decided = f"decision {row['decision_id']} as of {row['decided_as_of']}" if row["decision_id"] else standing
        figures += [
            Figure(row["cohort"], "selected", row["selected"], QUERY, f"roster of gelombang-{row['cohort']}"),
            *(
                Figure(row["cohort"], name, row[name], QUERY, decided)
                for name in ("purchased", "held", "still_held", "not_bought", "excluded", "revoked", "reinstated")
                if row[name] is not None
            ),
        ]
    together = f"{len(cohorts)} cohorts, facts up to {day}"
    for name in ("selected", "revoked", "reinstated"):
        figures.append(Figure(None, name, sum(row[name] for row in cohorts), QUERY, together))
    freed = sum(row["revoked"] - row["reinstated"] for row in cohorts)
    figures.append(Figure(None, "freed", freed, QUERY, together))
    if listed:
        figures.append(Figure(None, "listed", listed[0]["entries"], LIST_QUERY, f"version {listed[0]['version']}"))
    return Report(day, cohorts, figures)


def _with_stage(row: dict[str, Any], day: date) -> dict[str, Any]:
    """With `deadline_on`, and `stage`: `unknown`, `open`, `undecided` (its deadline is over), `asked` or `decided`."""
    cohort = calendar()[row["cohort"]].as_known_on(day)
    if row["decision_id"]:
        stage = "decided" if row["is_carried_out"] else "asked"
    elif row["standing_as_of"] is None:
        stage = "unknown"
    else:
        stage = "open" if day <= cohort.deadline_on else "undecided"
    return row | {"deadline_on": row["decided_deadline_on"] or cohort.deadline_on, "stage": stage}
