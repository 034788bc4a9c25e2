"""The same small chart for each node, on one scale: a cause on one node only is seen at once."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from flowdiag.model.report import Report
from flowdiag.model.words import plural
from flowdiag.report.charts.axis import HALO, INK, TimeAxis
from flowdiag.report.charts.layers import change_layers, data, gap_layer, time_x
from flowdiag.report.escape import middle, visible

__all__ = ["busiest_nodes", "nodes", "nodes_height", "nodes_text"]

_ROW = 56
_BARS = 0.6
"""Part of a row that its bars may fill; the name stands above them, clear of the row above."""
_NAME = 0.92
_FILL = "#5f7186"
_MAX_NODES = 12


def busiest_nodes(report: Report) -> list[tuple[str, tuple[int, ...]]]:
    """Nodes that recorded denials and their rows, most denials first; one node alone is no comparison."""
    rows = [(name, row) for name, row in report.buckets.counts.by_node.items() if any(row)]
    rows.sort(key=lambda item: (-sum(item[1]), item[0]))
    return rows[:_MAX_NODES] if len(rows) > 1 else []


def nodes_height(report: Report) -> int:
    """Pixels; 0 where there is nothing to compare."""
    return _ROW * len(busiest_nodes(report))


def nodes(report: Report, axis: TimeAxis, zone: tzinfo) -> Any:
    """The chart, without its size."""
    import altair as alt

    shown = busiest_nodes(report)
    top = max(max(row) for _, row in shown)
    bars: list[dict[str, Any]] = []
    names: list[dict[str, Any]] = []
    for number, (name, row) in enumerate(shown):
        ground = len(shown) - 1 - number
        title = f"{middle(visible(name), 60)}: {plural(sum(row), 'denial')}"
        names.append({"at": axis.shown(axis.start), "y": ground + _NAME, "name": title, "ground": ground})
        bars.extend(
            {
                "at": axis.shown(axis.at(index)),
                "until": axis.shown(axis.at(index + 1)),
                "low": ground,
                "high": ground + _BARS * count / top,
            }
            for index, count in enumerate(row[: axis.number])
            if count
        )
    x = time_x(axis, zone, report)
    scale = alt.Scale(domain=[0, len(shown)], nice=False, zero=False)
    layers = [
        alt.Chart(data(bars))
        .mark_rect(color=_FILL)
        .encode(x=x, x2="until:T", y=alt.Y("low:Q", scale=scale, axis=None), y2="high:Q")
    ]
    base = alt.Chart(data(names))
    layers.append(
        base.mark_rule(color=_FILL, strokeWidth=0.8).encode(y=alt.Y("ground:Q", scale=scale, axis=None))
    )
    gap = gap_layer(report, axis, x)
    if gap is not None:
        layers.append(gap)
    layers.extend(change_layers(report, axis, x))
    # Names come last, on a ground of their own: no band and no dashed line runs through their letters.
    halo: dict[str, Any] = {"stroke": HALO, "strokeWidth": 4, "fill": HALO}
    layers.extend(
        base.mark_text(align="left", baseline="top", dx=8, fontSize=11, **look).encode(
            x=x, y=alt.Y("y:Q", scale=scale, axis=None), text="name:N"
        )
        for look in (halo, {"fill": INK})
    )
    return alt.layer(*layers)


def nodes_text(report: Report, axis: TimeAxis, zone: tzinfo) -> str:
    """The charts in words."""
    del axis, zone
    each = [f"{visible(name, 80)}: {plural(sum(row), 'denial')}" for name, row in busiest_nodes(report)]
    return f"{'; '.join(each)}. The numbers are in the table."
