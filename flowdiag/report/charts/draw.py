"""altair charts to vega-lite specifications, and those to SVG, without a browser and without a network."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from typing import Any

from flowdiag.report.charts.axis import INK, LINE

__all__ = ["png_bytes", "specification", "svg_text", "unchecked"]

# <g class="mark-rect role-mark" role="graphics-symbol" aria-roledescription="rect mark container">, of vega 6:
# a picture with one name has no nameless pictures within.
_ROLE = re.compile(
    r'(<g [^<>]{0,200}?) role="graphics-[a-z]{1,20}"(?: aria-roledescription="[a-z -]{0,60}")?'
)


def unchecked() -> AbstractContextManager[None]:
    """Within, altair does not hold each piece against its schema, which takes longer than drawing.

    Tests hold the whole specifications against it instead.
    """
    from altair.utils.schemapi import debug_mode

    context: AbstractContextManager[None] = debug_mode(False)
    return context


def specification(chart: Any, background: str) -> dict[str, Any]:
    """The chart as vega-lite, with the look that all of them have."""
    spec: dict[str, Any] = (
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
        .to_dict(validate=False)
    )
    return spec


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
