"""A chart as an SVG element for a page: fixed axis, hatchings, a title and a description."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import tzinfo
from typing import Any
from xml.sax.saxutils import escape

from flowdiag.model.report import Report
from flowdiag.report.charts.ages import ages, ages_height, ages_text
from flowdiag.report.charts.axis import (
    BOTTOM,
    GAP,
    LEFT,
    OTHER,
    PALETTE,
    RIGHT,
    TOP,
    WIDTH,
    TimeAxis,
    time_axis,
)
from flowdiag.report.charts.draw import specification, svg_text, unchecked
from flowdiag.report.charts.lanes import lanes, lanes_height, lanes_text
from flowdiag.report.charts.nodes import nodes, nodes_height, nodes_text
from flowdiag.report.charts.timeline import timeline, timeline_height, timeline_text
from flowdiag.report.escape import visible

__all__ = ["inline_svg"]

_Drawn = Callable[[Report, TimeAxis, tzinfo], Any]
_CHARTS: dict[str, tuple[Callable[[Report], int], _Drawn, _Drawn]] = {
    "timeline": (timeline_height, timeline, timeline_text),
    "lanes": (lanes_height, lanes, lanes_text),
    "nodes": (nodes_height, nodes, nodes_text),
    "ages": (ages_height, ages, ages_text),
}


def inline_svg(report: Report, kind: str, *, title: str, zone: tzinfo) -> str | None:
    """One chart as an SVG element, ``None`` where nothing has a time or there is nothing to draw.

    Args:
        report: the report.
        kind: ``timeline``, ``lanes``, ``nodes`` or ``ages``; also the prefix of the ids inside.
        title: its accessible name.
        zone: the zone that the axis shows.
    """
    axis = time_axis(report, zone)
    height_of, chart, text = _CHARTS[kind]
    height = height_of(report)
    if axis is None or not height:
        return None
    with unchecked():
        sized = chart(report, axis, zone).properties(
            width=WIDTH,
            height=height,
            autosize="none",
            padding={"left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM},
        )
        spec = specification(sized, "transparent")
    svg = svg_text(spec)
    body = svg[svg.index(">") + 1 : svg.rindex("</svg>")]
    used = []
    for number, color in enumerate([*PALETTE, OTHER]):
        if f'"{color}"' in body:
            used.append(number)
            body = body.replace(f'fill="{color}"', f'fill="url(#{kind}-h{number})"')
    fillings = [_hatch(kind, number) for number in used]
    if f'fill="{GAP}"' in body:
        fillings.append(_MISSING.format(kind=kind))
        body = re.sub(f'fill="{GAP}" fill-opacity="[0-9.]+"', f'fill="url(#{kind}-gap)"', body)
    # The time that a reader has chosen: a script gives it a place within the axes, which it measures by `plot`.
    shade = (
        f'<svg aria-hidden="true" x="{LEFT}" y="{TOP}" width="{WIDTH}" height="{height}"><rect class="plot" width="100%" height="100%" fill="none"/>'
        '<rect class="shade" height="100%"/></svg>'
        if kind != "ages"
        else ""
    )
    width, total = LEFT + WIDTH + RIGHT, TOP + height + BOTTOM
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" viewBox="0 0 {width} {total}" '
        f'aria-labelledby="{kind}-title {kind}-desc">'
        f'<title id="{kind}-title">{escape(visible(title))}</title>'
        f'<desc id="{kind}-desc">{escape(text(report, axis, zone))}</desc>'
        f"<defs>{''.join(fillings)}</defs>{body}{shade}</svg>"
    )


# Seven fillings that differ without colour: plain, rising, falling, upright, level, dotted, checked.
_HATCHES = (
    "",
    '<path d="M0 8L8 0M-2 2L2 -2M6 10L10 6" stroke="#fff" stroke-opacity=".55" stroke-width="1.4"/>',
    '<path d="M0 0L8 8M-2 6L2 10M6 -2L10 2" stroke="#fff" stroke-opacity=".55" stroke-width="1.4"/>',
    '<path d="M4 0V8" stroke="#fff" stroke-opacity=".55" stroke-width="1.6"/>',
    '<path d="M0 4H8" stroke="#fff" stroke-opacity=".55" stroke-width="1.6"/>',
    '<circle cx="4" cy="4" r="1.4" fill="#fff" fill-opacity=".6"/>',
    '<path d="M0 4H8M4 0V8" stroke="#fff" stroke-opacity=".45" stroke-width="1"/>',
)

# Missing evidence, above everything: wide stripes of paper and ink, which show in both themes and over any bar.
_MISSING = (
    '<pattern id="{kind}-gap" width="9" height="9" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="9" height="9" class="gap-ground"/><rect width="3" height="9" class="gap-stripe"/></pattern>'
)


def _hatch(kind: str, number: int) -> str:
    color = (*PALETTE, OTHER)[number]
    return (
        f'<pattern id="{kind}-h{number}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<rect width="8" height="8" fill="{color}"/>{_HATCHES[number]}</pattern>'
    )
