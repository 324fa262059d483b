"""The preview of a reminder: whom it would reach, what they would read, and what it would cost."""

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

EXAMPLE_NAME = "Siti Aminah"


@dataclass(frozen=True)
class PreviewRow:
    """Recipients of the same text. `refused` says why they would get none, or is None."""

    channel: str
    template: str
    lacks: str
    refused: str | None
    people: int
    segments: int | None
    cost_idr: int


@dataclass(frozen=True)
class Preview:
    """The rows of a preview, and each text once, with an example's name."""

    texts: str
    rows: list[PreviewRow]
    texts_shown: dict[str, str]

    @property
    def people(self) -> int:
        """How many recipients the reminder is for."""
        return sum(row.people for row in self.rows)

    @property
    def messages(self) -> int:
        """How many messages would be sent."""
        return sum(row.people for row in self.rows if row.refused is None)

    @property
    def cost_idr(self) -> int:
        """The cost at the prices of `program.yaml`."""
        return sum(row.cost_idr for row in self.rows)


def preview(cohort: Cohort, remind_on: date, as_of: date) -> Preview:
    """Preview a reminder by what is known on a day.

    Raises `PrakerjaError` if the date is not one of the cohort's reminder dates.
    """
    dates = {event.on: event.kind for event in cohort.events() if event.kind != "deadline"}
    if remind_on not in dates:
        known = ", ".join(f"{kind} on {on}" for on, kind in dates.items())
        raise PrakerjaError(f"gelombang-{cohort.number} has no reminder on {remind_on}: it has {known}")
    rules = programme().reminders
    texts = Texts(rules.texts)
    days_left = (cohort.deadline_on - remind_on).days
    with warehouse.transaction("remind") as connection:
        evidence.refresh(connection, window_of(cohort), as_of, is_decided=False)
        targets = warehouse.rows(
            connection,
            "reminders/count_targets",
            cohort=cohort.number,
            deadline_on=cohort.deadline_on,
            as_of=as_of,
            audience=cohort.reminded_audience,
        )
    rows, texts_shown = [], {}
    for target in targets:
        cost, segments = 0, None
        if target["refused"] is None:
            template = template_for(target["template"], days_left)
            text = texts.render(target["channel"], template, target["lacks"], EXAMPLE_NAME, cohort.deadline_on)
            segments = text.segments
            cost = target["people"] * (segments or 1) * rules.channels[target["channel"]].price_idr
            title = f"{target['channel']}, {target['template'].replace('_', ' ')}, lacks {target['lacks']}"
            texts_shown[title] = text.body if text.subject is None else f"{text.subject}\n\n{text.body}"
        rows.append(PreviewRow(**target, segments=segments, cost_idr=cost))
    return Preview(texts.version, rows, texts_shown)
