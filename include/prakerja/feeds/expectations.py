"""Validation of a delivery by Great Expectations: a row that fails an expectation is quarantined with its reason.

The expectations are Great Expectations' own (in set, not null, between, match regex), decided by its own metrics. Only
the result is narrowed: it holds the positions of failing rows instead of the unexpected values, which include card
numbers. This also makes it fast (docs/adr/0003). The import takes seconds: import this module where it is used.
"""

from __future__ import annotations

import copy
import gc
import importlib
import json
import logging
import math
import sys
from collections import Counter
from datetime import date, datetime, time, timedelta
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

for _name in ("great_expectations._docs_decorators", "great_expectations.expectations.registry"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # otherwise the import logs two hundred lines


class _LoadedWhenUsed(ModuleType):
    """A placeholder that imports its module on first use."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # code that inspects modules reads these names of each
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


# These two take half of the import, and only an expectation that is not used here needs them.
_later = {name: _LoadedWhenUsed(name) for name in ("scipy.stats", "altair") if name not in sys.modules}
sys.modules.update(_later)

# The import creates a million lasting objects: garbage collection meanwhile adds half of its time again.
gc.disable()
import great_expectations.expectations as gxe  # noqa: E402
from great_expectations import ExpectationSuite  # noqa: E402
from great_expectations.core.batch import Batch  # noqa: E402
from great_expectations.execution_engine import PandasExecutionEngine  # noqa: E402
from great_expectations.expectations.expectation import Expectation  # noqa: E402
from great_expectations.expectations.metadata_types import FailureSeverity  # noqa: E402
from great_expectations.expectations.registry import get_metric_kwargs  # noqa: E402
from great_expectations.expectations.row_conditions import Column  # noqa: E402
from great_expectations.validator.metric_configuration import MetricConfiguration  # noqa: E402
from great_expectations.validator.validator import Validator  # noqa: E402

gc.freeze()
gc.enable()
for _name in _later:  # other code imports the real modules
    del sys.modules[_name]

from prakerja.platforms import EVENTS, Platform  # noqa: E402
from prakerja.programme import programme  # noqa: E402
from prakerja.settings import WIB  # noqa: E402

# Great Expectations compares these dtypes as whole columns, but nullable or Arrow ones value by value.
DTYPES = {
    "is_readable": "bool",
    "transaction_id": "str",
    "event": "str",
    "occurred_at": "datetime64[us, UTC]",
    "card_number": "str",
    "amount_idr": "float64",
    "is_conflicting": "bool",
    "transaction_id_is_malformed": "bool",
}
#: The form in which Great Expectations returns its results.
RUNTIME = {"result_format": {"result_format": "COMPLETE", "partial_unexpected_count": 0}, "catch_exceptions": False}
NOTHING = pd.DataFrame(columns=list(DTYPES)).astype(DTYPES)
PREPARED: dict[tuple[str, datetime, datetime], PreparedSuite] = {}
PREPARED_MOST = 8


class RowVerdict:
    """Mixin for Great Expectations' column expectations that computes only the condition of failing rows."""

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

    # Equivalent to theirs, which rebuild the configuration for each of its keys.
    def _get_domain_kwargs(self) -> dict[str, Any]:
        return self._get_kwargs(self.domain_keys)  # type: ignore[attr-defined]

    def _get_success_kwargs(self) -> dict[str, Any]:
        return self._get_kwargs((*self.success_keys, *self.domain_keys))  # type: ignore[attr-defined]

    def _get_kwargs(self, keys: tuple[str, ...]) -> dict[str, Any]:
        given = self.configuration.kwargs  # type: ignore[attr-defined]
        return {key: given.get(key, self._get_default_value(key)) for key in keys}  # type: ignore[attr-defined]

    def _validate(self, metrics: Any, runtime_configuration: Any = None, execution_engine: Any = None) -> Any:  # noqa: ARG002
        # True for each failing row of the domain, which has no nulls unless the expectation is about nulls.
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


@cache
def suite(slug: str, *, is_all_readable: bool = False) -> ExpectationSuite:
    """Return the suite of one platform; the bounds of the business date are parameters of each validation.

    If every row is readable, no rule has that condition: it takes a fifth of the validation of a small delivery.
    """

    def on(kind: type, reason: str, column: str, *, where_readable: bool = False, **rule: Any) -> Any:
        if where_readable and not is_all_readable:
            rule["row_condition"] = Column("is_readable") == True  # noqa: E712 - builds a condition
        return kind(column=column, meta={"reason": reason}, **rule)

    return ExpectationSuite(
        name=f"{slug} transactions",
        expectations=[
            on(RowToBeInSet, "row_unreadable", "is_readable", value_set=[True]),
            on(RowToNotBeNull, "transaction_id_missing", "transaction_id", where_readable=True),
            on(RowToBeInSet, "transaction_id_malformed", "transaction_id_is_malformed", value_set=[False]),
            on(RowToNotBeNull, "event_unknown", "event", where_readable=True),
            on(RowToBeInSet, "event_unknown", "event", value_set=list(EVENTS)),
            on(RowToNotBeNull, "occurred_at_invalid", "occurred_at", where_readable=True),
            on(
                RowToBeBetween, "occurred_at_in_future", "occurred_at", max_value={"$PARAMETER": "end"}, strict_max=True
            ),
            on(RowToBeBetween, "occurred_at_too_old", "occurred_at", min_value={"$PARAMETER": "start"}),
            on(RowToNotBeNull, "card_number_malformed", "card_number", where_readable=True),
            # \Z, not $: sixteen digits and a line break are not a card number.
            on(RowToMatchRegex, "card_number_malformed", "card_number", regex=r"^[0-9]{16}\Z"),
            on(RowToNotBeNull, "amount_invalid", "amount_idr", where_readable=True),
            on(RowToBeBetween, "amount_invalid", "amount_idr", min_value=1, max_value=programme().feeds.amount_idr_max),
            on(RowToBeInSet, "transaction_conflict", "is_conflicting", value_set=[False]),
        ],
    )


@cache
def volume_suite(slug: str) -> ExpectationSuite:
    """Return the suite of a delivery's size compared with the platform's last weeks. It warns and rejects nothing."""
    rows = gxe.ExpectTableRowCountToBeBetween(
        min_value={"$PARAMETER": "least"},
        max_value={"$PARAMETER": "most"},
        severity=FailureSeverity.WARNING,
        meta={"reason": "volume_unusual"},
    )
    return ExpectationSuite(name=f"{slug} volume", expectations=[rows])


class DeliveryValidator:
    """Validates the rows of one delivery by its platform's suite, and counts them by reason."""

    def __init__(self, platform: Platform, business_date: date) -> None:
        midnight = datetime.combine(business_date, time(), WIB)
        self._platform, self._rules = platform, suite(platform.platform)
        self._bounds = {
            "start": midnight - timedelta(days=programme().feeds.days_back),
            "end": midnight + timedelta(days=1),
        }
        self._outcomes: list[dict[str, Any]] = []
        self._volume: list[dict[str, Any]] = []
        self.counts: Counter[str] = Counter()  # rows per reason

    def validate_rows(self, rows: pa.Table) -> dict[int, list[str]]:
        """Return the positions of failing rows, each with all its reasons. `rows` are canonical and without repeats.

        Raise if an expectation could not be evaluated: a rule that did not run was not met.
        """
        frame = _build_frame(rows)
        prepared = _prepared(self._platform.platform, bool(frame["is_readable"].all()), *self._bounds.values())
        outcomes = prepared.validate(frame)
        reasons: dict[int, list[str]] = {}
        for outcome in outcomes:
            reason = outcome.rule.meta["reason"]
            for position in outcome.result["unexpected_index_list"]:
                row_reasons = reasons.setdefault(position, [])
                if reason not in row_reasons:
                    row_reasons.append(reason)
        self.counts.update(reason for row_reasons in reasons.values() for reason in row_reasons)
        self._add(outcomes)
        return reasons

    def validate_volume(self, rows: int, usual: int) -> None:
        """Compare the delivery's number of rows with the platform's usual number."""
        bounds = {
            "least": math.ceil(self._platform.volume.share_least * usual),
            "most": math.floor(self._platform.volume.share_most * usual),
        }
        prepared = PreparedSuite(volume_suite(self._platform.platform), bounds)
        (outcome,) = prepared.validate(pd.DataFrame(index=range(rows)))
        self._volume = [
            {
                "reason": outcome.rule.meta["reason"],
                "expectation": outcome.rule.type,
                "severity": "warning",
                "success": outcome.success,
                "observed": rows,
                "usual": usual,
                "min_value": bounds["least"],
                "max_value": bounds["most"],
            }
        ]

    def _add(self, outcomes: list[Outcome]) -> None:
        described = [_describe_outcome(outcome) for outcome in outcomes]
        for before, now in zip(self._outcomes, described, strict=False):
            before["checked"] += now["checked"]
            before["failed"] += now["failed"]
        self._outcomes = self._outcomes or described

    @property
    def summary(self) -> dict[str, Any]:
        """The validation result that is stored: expectations, bounds and counts, no value of any row."""
        return {
            "suite": self._rules.name,
            "success": not any(outcome["failed"] for outcome in self._outcomes),
            "warnings": [outcome["reason"] for outcome in self._volume if not outcome["success"]],
            "expectations": self._volume + self._outcomes,
        }


class Outcome(NamedTuple):
    """The outcome of an expectation: whether it was met, and Great Expectations' `result`."""

    rule: Any
    success: bool
    result: dict[str, Any]


class PreparedSuite:
    """A suite with its bounds and the metrics that it needs. Finding them takes longer than computing them."""

    def __init__(self, rules: ExpectationSuite, bounds: dict[str, Any]) -> None:
        validator = _validator(NOTHING)
        configurations = validator.process_expectations_for_validation(rules.expectation_configurations, bounds)
        self._graphs, _, known = validator._generate_metric_dependency_subgraphs_for_each_expectation_configuration(
            configurations, [], False, RUNTIME
        )
        self._expectations = [configuration.to_domain_obj() for configuration in known]
        self._rules = [expectation.configuration for expectation in self._expectations]
        self._needs = [
            expectation.get_validation_dependencies(validator.execution_engine, RUNTIME).metric_configurations
            for expectation in self._expectations
        ]

    def validate(self, frame: pd.DataFrame) -> list[Outcome]:
        """Return the outcome of each expectation. Raise if one could not be evaluated."""
        validator = _validator(frame)
        graph = validator._generate_suite_level_graph_from_expectation_level_sub_graphs(self._graphs)
        metrics, failures = validator.metrics_calculator.resolve_validation_graph(graph, RUNTIME)
        if failures:
            raise RuntimeError("Great Expectations did not evaluate every expectation")
        outcomes = []
        for rule, expectation, needs in zip(self._rules, self._expectations, self._needs, strict=True):
            found = {name: metrics[metric.id] for name, metric in needs.items()}
            verdict = expectation._validate(found, copy.deepcopy(RUNTIME), validator.execution_engine)
            outcomes.append(Outcome(rule, bool(verdict["success"]), verdict["result"]))
        return outcomes


def _validator(frame: pd.DataFrame) -> Validator:
    validator = Validator(PandasExecutionEngine(), batches=[Batch(data=frame)])
    validator.metrics_calculator.show_progress_bars = False
    return validator


def _prepared(slug: str, is_all_readable: bool, start: datetime, end: datetime) -> PreparedSuite:
    """Return the prepared suite of a platform on a business date. Platforms with the same rules share one."""
    key = (_content(slug, is_all_readable), start, end)
    if key not in PREPARED:
        if len(PREPARED) == PREPARED_MOST:
            del PREPARED[next(iter(PREPARED))]
        rules = suite(slug, is_all_readable=is_all_readable)
        PREPARED[key] = PreparedSuite(rules, {"start": start, "end": end})
    return PREPARED[key]


@cache
def _content(slug: str, is_all_readable: bool) -> str:
    rules = suite(slug, is_all_readable=is_all_readable).expectation_configurations
    return json.dumps([rule.to_json_dict() for rule in rules], sort_keys=True)


def _build_frame(rows: pa.Table) -> pd.DataFrame:
    is_readable = rows["raw"].is_null()
    has_id = pc.not_equal(pc.utf8_trim_whitespace(rows["transaction_id"]), "")
    # A card delivered as a number may have lost digits: it is malformed, whatever it looks like.
    has_card = pc.and_not(pc.not_equal(rows["card_number"], ""), rows["card_is_number"])
    nothing = pa.scalar(None, pa.string())
    frame: pd.DataFrame = (
        pa.table(
            {
                "is_readable": is_readable,
                "transaction_id": pc.if_else(has_id, rows["transaction_id"], nothing),
                "event": rows["event"],
                "occurred_at": rows["occurred_at"],
                "card_number": pc.if_else(has_card, rows["card_number"], nothing),
                "amount_idr": rows["amount_idr"].cast(pa.float64(), safe=False),
                "is_conflicting": rows["is_conflicting"],
                "transaction_id_is_malformed": rows["transaction_id_is_malformed"],
            }
        )
        .to_pandas()
        .astype(DTYPES)
    )
    return frame


def _describe_outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "reason": outcome.rule.meta["reason"],
        "expectation": outcome.rule.type,
        "checked": outcome.result["element_count"],
        "failed": outcome.result["unexpected_count"],
        **{
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in outcome.rule.kwargs.items()
            if key not in {"batch_id", "row_condition"}
        },
    }
