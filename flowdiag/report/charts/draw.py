"""altair charts to vega-lite specifications, and those to SVG, without a browser and without a network."""

from __future__ import annotations

import re
from typing import Any

from flowdiag.report.charts.axis import INK, LINE

__all__ = ["configured", "png_bytes", "svg_text"]

# <g class="mark-rect role-mark" role="graphics-symbol" aria-roledescription="rect mark container">, of vega 6:
# a picture with one name has no nameless pictures within.
_ROLE = re.compile(
    r'(<g [^<>]{0,200}?) role="graphics-[a-z]{1,20}"(?: aria-roledescription="[a-z -]{0,60}")?'
)


def configured(chart: Any, background: str) -> Any:
    """The chart with the look that all of them have."""
    return (
        chart.configure(aria=False, background=background, font="sans-serif")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=INK,
            titleColor=INK,
            gridColor=LINE,
            domainColor=LINE,
            tickColor=LINE,
            labelFontSize=11,
        )
        .configure_axisX(grid=False)
    )


def svg_text(spec: dict[str, Any]) -> str:
    """A vega-lite specification as SVG."""
    import vl_convert

    text: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return _ROLE.sub(r"\1", text)


def png_bytes(spec: dict[str, Any]) -> bytes:
    """A vega-lite specification as PNG, at twice its size."""
    import vl_convert

    png: bytes = vl_convert.vegalite_to_png(spec, scale=2, allowed_base_urls=[])
    return png
