"""Great Expectations as the judge of each row of a delivery: what fails an expectation is quarantined, with its reason.

The expectations are Great Expectations' own (in set, not null, between, match regex) and its own metrics decide. Only
their result is narrowed: in place of unexpected values, which would carry card numbers, each gives the positions of the
rows that fail. That also makes it fast (docs/adr/0003). Importing this takes seconds: import it where it is used.
"""

from __future__ import annotations

import gc
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any

import pandas as pd

for _name in ("great_expectations._docs_decorators", "great_expectations.expectations.registry"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # two hundred lines at import, otherwise

# The import makes a million objects that live for ever: collecting garbage meanwhile costs half as much again.
gc.disable()
import great_expectations.expectations as gxe  # noqa: E402
from great_expectations import ExpectationSuite  # noqa: E402
from great_expectations.core.batch import Batch  # noqa: E402
from great_expectations.execution_engine import PandasExecutionEngine  # noqa: E402
from great_expectations.expectations.expectation import Expectation  # noqa: E402
from great_expectations.expectations.registry import get_metric_kwargs  # noqa: E402
from great_expectations.expectations.row_conditions import Column  # noqa: E402
from great_expectations.validator.metric_configuration import MetricConfiguration  # noqa: E402
from great_expectations.validator.validator import Validator  # noqa: E402

gc.freeze()
gc.enable()

from prakerja.platforms import EVENTS, Platform  # noqa: E402
from prakerja.settings import WIB, program  # noqa: E402

# The dtypes that Great Expectations compares as whole columns; nullable or Arrow ones it walks through value by value.
DTYPES = {
    "is_readable": "bool",
    "transaction_id": "str",
    "event": "str",
    "occurred_at": "datetime64[us, UTC]",
    "card_number": "str",
    "amount_idr": "float64",
    "is_conflicting": "bool",
}


class RowVerdict:
    """Asks an expectation only for its failing-row condition; mixed into Great Expectations' column expectations."""

    def get_validation_dependencies(self, execution_engine: Any = None, runtime_configuration: Any = None) -> Any:
        needed = Expectation.get_validation_dependencies(self, execution_engine, runtime_configuration)
        name = f"{self.map_metric}.condition"  # type: ignore[attr-defined]
        kwargs = get_metric_kwargs(name, self.configuration, runtime_configuration)  # type: ignore[attr-defined]
        needed.set_metric_configuration(
            name,
            MetricConfiguration(
                name,
                metric_domain_kwargs=kwargs["metric_domain_kwargs"],
                metric_value_kwargs=kwargs["metric_value_kwargs"],
            ),
        )
        return needed

    def _validate(self, metrics: Any, runtime_configuration: Any = None, execution_engine: Any = None) -> Any:  # noqa: ARG002
        # True where a row of the domain fails; the domain leaves out nulls, but where nulls are the question.
        fails = metrics[f"{self.map_metric}.condition"][0]  # type: ignore[attr-defined]
        positions = fails.index.to_numpy()[fails.to_numpy(dtype=bool)]
        return {
            "success": positions.size == 0,
            "result": {
                "element_count": len(fails),
                "unexpected_count": int(positions.size),
                "unexpected_percent": 100.0 * positions.size / max(len(fails), 1),
                "unexpected_index_list": positions.tolist(),
            },
        }


class RowToBeInSet(RowVerdict, gxe.ExpectColumnValuesToBeInSet):
    """Each row's value is in the set."""


class RowToNotBeNull(RowVerdict, gxe.ExpectColumnValuesToNotBeNull):
    """Each row has a value."""


class RowToBeBetween(RowVerdict, gxe.ExpectColumnValuesToBeBetween):
    """Each row's value is within the bounds."""


class RowToMatchRegex(RowVerdict, gxe.ExpectColumnValuesToMatchRegex):
    """Each row's value matches."""


@dataclass(frozen=True)
class Verdict:
    """What a suite found. `reasons`: the failed rows' positions, each with all its reasons; `counts`: rows per reason.

    `summary` is the validation result for keeping: expectations, bounds and counts, no value of any row.
    """

    reasons: dict[int, list[str]]
    counts: dict[str, int]
    summary: dict[str, Any]


@cache
def suite(slug: str) -> ExpectationSuite:
    """The suite of one platform; the bounds of the business date are parameters of each validation."""

    def on(kind: type, reason: str, column: str, *, where_readable: bool = False, **rule: Any) -> Any:
        if where_readable:
            rule["row_condition"] = Column("is_readable") == True  # noqa: E712 - builds a condition
        return kind(column=column, meta={"reason": reason}, **rule)

    return ExpectationSuite(
        name=f"{slug} transactions",
        expectations=[
            on(RowToBeInSet, "row_unreadable", "is_readable", value_set=[True]),
            on(RowToNotBeNull, "transaction_id_missing", "transaction_id", where_readable=True),
            on(RowToNotBeNull, "event_unknown", "event", where_readable=True),
            on(RowToBeInSet, "event_unknown", "event", value_set=list(EVENTS)),
            on(RowToNotBeNull, "occurred_at_invalid", "occurred_at", where_readable=True),
            on(
                RowToBeBetween, "occurred_at_in_future", "occurred_at", max_value={"$PARAMETER": "end"}, strict_max=True
            ),
            on(RowToBeBetween, "occurred_at_too_old", "occurred_at", min_value={"$PARAMETER": "start"}),
            on(RowToNotBeNull, "card_number_malformed", "card_number", where_readable=True),
            # \Z, not $: a line break after the sixteenth digit is no card number.
            on(RowToMatchRegex, "card_number_malformed", "card_number", regex=r"^[0-9]{16}\Z"),
            on(RowToNotBeNull, "amount_invalid", "amount_idr", where_readable=True),
            on(RowToBeBetween, "amount_invalid", "amount_idr", min_value=1, max_value=1_000_000),
            on(RowToBeInSet, "transaction_conflict", "is_conflicting", value_set=[False]),
        ],
    )


def judge(frame: pd.DataFrame, platform: Platform, business_date: date) -> Verdict:
    """Judge the rows of a delivery (`dialects.canonical`, repeats dropped, indexed from 0) by the platform's suite.

    Raises whatever keeps an expectation from being evaluated: a rule that did not run is not a rule that was met.
    """
    rows = _for_judgement(frame)
    midnight = datetime.combine(business_date, time(), WIB)
    bounds = {
        "start": midnight - timedelta(days=int(program()["feeds"]["days_back"])),
        "end": midnight + timedelta(days=1),
    }
    rules = suite(platform.platform)
    validator = Validator(PandasExecutionEngine(), batches=[Batch(data=rows)])
    validator.metrics_calculator.show_progress_bars = False
    outcomes = validator.graph_validate(
        validator.process_expectations_for_validation(rules.expectation_configurations, bounds),
        runtime_configuration={
            "result_format": {"result_format": "COMPLETE", "partial_unexpected_count": 0},
            "catch_exceptions": False,
        },
    )
    if len(outcomes) != len(rules.expectations):
        raise RuntimeError("Great Expectations did not evaluate every expectation")
    reasons: dict[int, list[str]] = {}
    for outcome in outcomes:
        reason = outcome.expectation_config.meta["reason"]
        for position in outcome.result["unexpected_index_list"]:
            given = reasons.setdefault(position, [])
            if reason not in given:
                given.append(reason)
    counts = Counter(reason for given in reasons.values() for reason in given)
    return Verdict(reasons, dict(sorted(counts.items())), _summary(rules, rows, outcomes))


def _for_judgement(frame: pd.DataFrame) -> pd.DataFrame:
    is_readable = frame["raw"].isna()
    has_id = frame["transaction_id"].str.strip().astype(bool)
    event = frame["event"].fillna("as delivered: " + frame["event_delivered"])
    content = pd.DataFrame({"id": frame["transaction_id"], "event": event})
    # Repeats are gone: another row of the same transaction and event has other content, and nobody knows which is true.
    is_conflicting = is_readable & has_id & content.duplicated(keep=False)
    return pd.DataFrame(
        {
            "is_readable": is_readable,
            "transaction_id": frame["transaction_id"].where(has_id, None),
            "event": frame["event"],
            "occurred_at": pd.to_datetime(frame["occurred_at"], unit="us", utc=True),
            # A card that came as a number has lost digits: it is malformed, however it looks.
            "card_number": frame["card_number"].mask(frame["card_is_number"] | (frame["card_number"] == ""), None),
            "amount_idr": frame["amount_idr"],
            "is_conflicting": is_conflicting,
        }
    ).astype(DTYPES)


def _summary(rules: ExpectationSuite, rows: pd.DataFrame, outcomes: list[Any]) -> dict[str, Any]:
    return {
        "suite": rules.name,
        "rows": len(rows),
        "success": all(outcome.success for outcome in outcomes),
        "expectations": [
            {
                "reason": outcome.expectation_config.meta["reason"],
                "expectation": outcome.expectation_config.type,
                "checked": outcome.result["element_count"],
                "failed": outcome.result["unexpected_count"],
                **{
                    key: value.isoformat() if isinstance(value, datetime) else value
                    for key, value in outcome.expectation_config.kwargs.items()
                    if key not in {"batch_id", "row_condition"}
                },
            }
            for outcome in outcomes
        ],
    }
