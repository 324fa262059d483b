"""Draw the monitor's charts as files for a report, without a browser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from prakerja.errors import PrakerjaError
from prakerja.monitor import cohort
from prakerja.settings import WIB

VEGA_LITE = "6.4"


def draw_curves(folder: Path, cohorts: Sequence[int]) -> Iterator[Path]:
    """Draw the curves of cohorts by their latest figures, as PNG and SVG, and yield each file when it is written."""
    import vl_convert

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PrakerjaError(
            f"{folder} cannot be created ({error.strerror}): give --charts a folder that you may write"
        ) from None
    for number in cohorts:
        chart = cohort.page(number, datetime.now(WIB))["charts"]["curve"]
        specification = {**chart.specification(), "width": 900, "background": "white", "title": chart.title}
        svg = folder / f"gelombang-{number}.svg"
        svg.write_text(vl_convert.vegalite_to_svg(specification, vl_version=VEGA_LITE), encoding="utf-8")
        yield svg
        png = folder / f"gelombang-{number}.png"
        png.write_bytes(vl_convert.vegalite_to_png(specification, vl_version=VEGA_LITE, scale=2))
        yield png
