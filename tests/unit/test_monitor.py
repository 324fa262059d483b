"""The monitor's forecast, suppressed counts and charts, without a warehouse."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from prakerja.cohorts import public_statistics as statistics
from prakerja.feeds.overview import mask
from prakerja.monitor import app, charts, curves, drawing
from tests.support.small_cohort import card

# -- curves ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(0, 3), min_size=9, max_size=9), min_size=1, max_size=14))
def test_a_cohort_that_goes_on_as_one_of_the_earlier_lies_within_the_range_of_few(made: list[list[int]]) -> None:
    """And the range is never the wrong way around."""
    earlier = {}
    for number, per_day in enumerate(made):
        total, points = 0, []
        for left, count in zip(range(8, -1, -1), per_day, strict=True):
            total += count
            points.append(curves.Point(left, date(2021, 3, 13) - timedelta(days=left), total, total / 30))
        earlier[number] = points
    now = earlier[0][:5]
    expected = curves.forecast(now, 30, earlier)
    assert expected is not None
    assert 0 <= expected.low <= expected.middle <= expected.high <= expected.not_bought_now
    if len(earlier) < curves.MANY:
        assert expected.low <= 30 - earlier[0][-1].bought <= expected.high


# -- statistics and report ---------------------------------------------------------------------------------------------

COUNT = st.one_of(st.integers(0, 12), st.integers(0, 2000))


@given(st.lists(st.tuples(COUNT, COUNT, COUNT, COUNT, COUNT, COUNT), min_size=1, max_size=6))
def test_no_small_count_is_published_or_can_be_derived(
    made: list[tuple[int, int, int, int, int, int]],
) -> None:
    """A published sum suppresses at least two counts and ten people; no suppressed sum can be added up."""
    rows = [
        {
            "purchased": purchased, "held": held, "not_bought": left, "excluded": excluded,
            "selected": purchased + held + left + excluded, "revoked": freed + again, "reinstated": again,
            "freed": freed,
        }
        for purchased, held, left, excluded, freed, again in made
    ]  # fmt: skip
    *told, total = statistics.suppress_small_counts(rows, 10)
    true = [*rows, {name: sum(row[name] for row in rows) for name in statistics.COUNTS}]
    shown = [*told, total]
    for row, of_row in zip(true, shown, strict=True):
        for name in statistics.COUNTS:
            assert of_row[name] in (None, row[name])
            assert of_row[name] is None or not 0 < of_row[name] < 10
        for whole, parts in (
            ("selected", ("purchased", "held", "not_bought", "excluded")), ("revoked", ("freed", "reinstated")),
        ):  # fmt: skip
            assert_untold([(row[part], of_row[part]) for part in parts], of_row[whole])
    for name in statistics.COUNTS:
        assert_untold([(row[name], of_row[name]) for row, of_row in zip(rows, told, strict=True)], total[name])


def assert_untold(parts: list[tuple[int, int | None]], whole: int | None) -> None:
    lacking = [value for value, shown in parts if shown is None]
    if whole is None:
        assert lacking
    elif lacking:
        assert len(lacking) > 1
        assert sum(lacking) >= 10


# -- charts ------------------------------------------------------------------------------------------------------------


def test_what_draws_in_the_browser_is_what_the_wheel_bundles() -> None:
    bundled = vl_convert.javascript_bundle(vl_version=drawing.VEGA_LITE)
    assert (Path(app.__file__).parent / "static" / "vega.js").read_text() == bundled, "make bundle"


@pytest.mark.parametrize("file", sorted(path.stem for path in charts.SPECIFICATIONS.glob("*.json")))
def test_every_specification_compiles(file: str) -> None:
    if file == "config":
        return
    compiled = vl_convert.vegalite_to_vega(charts.Chart(file, "", "", {}, []).specification(), drawing.VEGA_LITE)
    assert compiled["marks"]


# -- pages -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "delivered", "shown"),
    [
        ("occurred_at", "2021-03-08T12:00:00+07:00", "2021-03-08T12:00:00+07:00"),
        ("amount_idr", "500000", "500000"),
        ("course_id", "KLS-0042", "KLS-0042"),
        ("course_id", "08123456789", "•••••••6789"),
        ("course_id", "317301-010203-0001", "••••••-••••••-0001"),
        ("transaction_id", "for budi@example.com", "for •@example.com"),
        ("course_id", card(1), "••••••••••••0001"),
        ("course_id", "1000 0000 0000 0001", "•••• •••• •••• 0001"),
        ("card_number", card(1), "••••••••••••0001"),
    ],
)
def test_a_damaged_row_shows_what_is_wrong_and_nobodys_number(field: str, delivered: str, shown: str) -> None:
    """Also where columns were mixed up."""
    assert mask(field, delivered) == shown
