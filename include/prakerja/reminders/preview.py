"""A look at a reminder before it is sent: whom it would reach, what they would read, what it would cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from prakerja import warehouse
from prakerja.calendar import Cohort
from prakerja.cohorts import evidence
from prakerja.cohorts.standing import window_of
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.reminders.texts import Texts, template_for

SOMEBODY = "Siti Aminah"


@dataclass(frozen=True)
class Row:
    """People who would read the same; `refused` says why some would read nothing."""

    channel: str
    template: str
    lacks: str
    refused: str | None
    people: int
    segments: int | None
    cost_idr: int


@dataclass(frozen=True)
class Preview:
    """The rows, and each text once, as it would be read by somebody."""

    texts: str
    rows: list[Row]
    texts_shown: dict[str, str]

    @property
    def people(self) -> int:
        """Everybody who is meant."""
        return sum(row.people for row in self.rows)

    @property
    def messages(self) -> int:
        """What would be sent."""
        return sum(row.people for row in self.rows if row.refused is None)

    @property
    def cost_idr(self) -> int:
        """By the prices in `program.yaml`."""
        return sum(row.cost_idr for row in self.rows)


def preview(cohort: Cohort, remind_on: date, as_of: date) -> Preview:
    """By what is known on a day. Raises `PrakerjaError` for a date that is none of the cohort's reminder dates."""
    dates = {event.on: event.kind for event in cohort.events() if event.kind != "deadline"}
    if remind_on not in dates:
        known = ", ".join(f"{kind} on {on}" for on, kind in dates.items())
        raise PrakerjaError(f"gelombang-{cohort.number} has no reminder on {remind_on}: it has {known}")
    rules = programme().reminders
    texts = Texts(rules.texts)
    days_left = (cohort.deadline_on - remind_on).days
    with warehouse.transaction("remind") as connection:
        evidence.refresh(connection, window_of(cohort), as_of, is_decided=False)
        found = warehouse.rows(
            connection,
            "reminders/count_targets",
            cohort=cohort.number,
            deadline_on=cohort.deadline_on,
            as_of=as_of,
            audience=cohort.reminded_audience,
        )
    rows, shown = [], {}
    for each in found:
        cost, segments = 0, None
        if each["refused"] is None:
            template = template_for(each["template"], days_left)
            text = texts.render(each["channel"], template, each["lacks"], SOMEBODY, cohort.deadline_on)
            segments = text.segments
            cost = each["people"] * (segments or 1) * rules.channels[each["channel"]].price_idr
            title = f"{each['channel']}, {each['template'].replace('_', ' ')}, lacks {each['lacks']}"
            shown[title] = text.body if text.subject is None else f"{text.subject}\n\n{text.body}"
        rows.append(Row(**each, segments=segments, cost_idr=cost))
    return Preview(texts.version, rows, shown)
