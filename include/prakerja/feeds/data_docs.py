"""Great Expectations' Data Docs: a static site with a page for each validated delivery, and an index.

Great Expectations' renderers and templates write each rule's sentence and table from the stored validation result:
bounds and counts, no value of any row. Its page frame loads scripts and styles from many hosts; a frame of our own
(`include/data_docs`), whose content security policy forbids every request, replaces it.
"""

from __future__ import annotations

import html
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from prakerja import atomic_files, warehouse
from prakerja.errors import PrakerjaError
from prakerja.settings import INCLUDE, Settings

# The parts of a rule that a page may show. Nothing else of a validation result reaches a page.
RULE = ("column", "value_set", "min_value", "max_value", "strict_min", "strict_max", "regex")


def build() -> Path:
    """Write the missing pages and the index; return the index's path. Safe to repeat, and to run twice at once.

    Raise `PrakerjaError` if the site cannot be written.
    """
    site = folder()
    with warehouse.transaction() as connection:
        deliveries = warehouse.rows(connection, "feeds/list_validated")
        new = {row["delivery_id"]: row for row in deliveries if not is_readable(site / page_of(row))}
        verdicts = warehouse.rows(connection, "feeds/list_verdicts", delivery_ids=list(new))
    for row in verdicts:
        _write(site / page_of(new[row["delivery_id"]]), _page(new[row["delivery_id"]], row["verdict"]))
    _write(site / "index.html", _environment().get_template("index.html").render(deliveries=deliveries, path=page_of))
    return site / "index.html"


def folder() -> Path:
    """Return the site's folder."""
    return Settings.from_environment().data_docs


def page_of(delivery: Any) -> str:
    """Return the path of a delivery's page. A revision that was rejected, then accepted, has a page for each."""
    return "{platform}/{business_date}-r{revision}-{delivery_id}.html".format(**delivery)


def is_readable(page: Path) -> bool:
    """Whether a page is there, and this process may read it: the site may be another user's, on a shared volume."""
    return os.access(page, os.R_OK)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_files.open_replacement(path) as file:
            file.write(text.encode())
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise PrakerjaError(
            f"{path} cannot be written ({why}): set PRAKERJA_DATA_DOCS to a folder you may write to"
        ) from None


def _page(delivery: Any, verdict: dict[str, Any]) -> str:
    from great_expectations.core import ExpectationSuiteValidationResult

    renderer, view = _great_expectations()
    results = [_result(entry) for entry in verdict["expectations"]]
    document = renderer.render(ExpectationSuiteValidationResult(verdict["success"], results, verdict["suite"]))
    del document.sections[0]  # the overview links to a page of the suite, which is not written
    page = view.render(document, template="delivery.html", delivery=delivery)
    return re.sub(r"\s*\n\s*", "\n", page)  # more than a third of it is indentation


def _result(entry: dict[str, Any]) -> Any:
    """Return the result of one rule as an object of Great Expectations."""
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    rule = {key: entry[key] for key in RULE if key in entry}
    if "column" in rule:
        rule["column"] = html.escape(rule["column"])  # becomes a heading, which is not escaped there
    rule |= {key: f"{value:,.0f}" for key, value in rule.items() if isinstance(value, float) and value.is_integer()}
    found = {"observed_value": entry["observed"]} if "observed" in entry else {}
    if "checked" in entry:
        found["unexpected_percent"] = round(100 * entry["failed"] / max(entry["checked"], 1), 4)
    kind = re.sub("^row_to_", "expect_column_values_to_", entry["expectation"])  # the expectation that ours extends
    return ExpectationValidationResult(
        _status(entry) == "success", ExpectationConfiguration(kind, rule, meta={"entry": entry}), found
    )


def _status(entry: dict[str, Any]) -> str:
    if entry.get("success", not entry.get("failed")):
        return "success"
    return "warning" if entry.get("severity") == "warning" else "failed"


@cache
def _environment() -> Any:
    return _great_expectations()[1].env


@cache
def _great_expectations() -> tuple[Any, Any]:
    """Return Great Expectations' renderer with our table of rules, and its view with our page frame."""
    from great_expectations.render import RenderedStringTemplateContent
    from great_expectations.render.renderer.content_block import ValidationResultsTableContentBlockRenderer
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView
    from jinja2 import ChoiceLoader, FileSystemLoader

    def word(text: str, *classes: str) -> Any:
        styling = {"params": {"word": {"classes": classes}}}
        return RenderedStringTemplateContent({"template": "$word", "params": {"word": text}, "styling": styling})

    class RuleTable(ValidationResultsTableContentBlockRenderer):
        """The table of a column's rules, with warnings as a status, the counts, and our reason."""

        @classmethod
        def _process_content_block(cls, content_block: Any, *given: Any, **more: Any) -> None:
            super()._process_content_block(content_block, *given, **more)
            content_block.header_row = ["Status", "Expectation", "Observed value", "Failed", "Checked", "Reason"]

        @classmethod
        def _get_content_block_fn(cls, expectation_type: str, expectation_config: Any = None) -> Any:  # noqa: ARG003
            render = super()._get_content_block_fn(expectation_type)

            def rows(*, result: Any, **given: Any) -> list[list[Any]]:
                entry = result.expectation_config.meta["entry"]
                counts = [f"{entry[key]:,}" if key in entry else "" for key in ("failed", "checked")]
                ((_, sentence, observed, *_),) = render(result=result, **given)
                return [[word(_status(entry), _status(entry)), sentence, observed, *counts, word(entry["reason"])]]

            return rows

        @classmethod
        def _missing_content_block_fn(cls, configuration: Any = None, expectation: Any = None, **_: Any) -> Any:
            return [
                word((configuration or expectation).type, "badge")
            ]  # an unknown expectation; their renderer does not escape it

    renderer = ValidationResultsPageRenderer({"class_name": "ValidationResultsColumnSectionRenderer"})
    renderer._column_section_renderer._table_renderer = RuleTable
    view = DefaultJinjaPageView()
    # Our templates are named .html and escaped; theirs are named .j2 and are not.
    view.env.loader = ChoiceLoader([FileSystemLoader(INCLUDE / "data_docs"), view.env.loader])
    view.env.auto_reload = False  # otherwise each cell checks whether its template has changed
    return renderer, view
