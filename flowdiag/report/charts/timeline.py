"""Denials over time, stacked by problem, with allowed traffic as a line over them."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from flowdiag.model.report import Report
from flowdiag.model.time import rfc3339
from flowdiag.model.words import plural
from flowdiag.report.charts.axis import (
    HEIGHT,
    INK,
    OTHER,
    PALETTE,
    TimeAxis,
    charted,
    label,
    steps,
    time_axis,
)
from flowdiag.report.charts.layers import (
    bar,
    change_layers,
    changes_shown,
    data,
    gap_layer,
    gaps_shown,
    time_x,
)
from flowdiag.report.phrases import headline
from flowdiag.report.times import day_and_clock, duration_text, zone_text

__all__ = ["beside_bars", "timeline", "timeline_height", "timeline_text"]


def beside_bars(report: Report, zone: tzinfo) -> frozenset[str]:
    """Which of ``allowed``, ``gaps`` and ``changes`` the chart shows: a legend names no other."""
    axis = time_axis(report, zone)
    if axis is None:
        return frozenset()
    there = {
        "allowed": any(report.buckets.counts.allowed or ()),
        "gaps": bool(gaps_shown(report, axis)),
        "changes": bool(changes_shown(report, axis)),
    }
    return frozenset(name for name, drawn in there.items() if drawn)


def timeline_height(report: Report) -> int:
    """Pixels."""
    del report
    return HEIGHT


def timeline(report: Report, axis: TimeAxis, zone: tzinfo) -> Any:
    """The chart, without its size."""
    import altair as alt

    counts = report.buckets.counts
    shown = charted(report)
    rows: list[dict[str, Any]] = []
    low = [0] * axis.number
    for problem in shown:
        name = label(report, problem)
        for index, number in enumerate(counts.by_problem[problem.id][: axis.number]):
            if number > 0:
                rows.append(bar(axis, index, number, name) | {"low": low[index], "high": low[index] + number})
                low[index] += number
    for index, number in enumerate(counts.denied[: axis.number]):
        if number > low[index]:
            rows.append(bar(axis, index, number - low[index], "other") | {"low": low[index], "high": number})
    # What was only audited or let through stands on the bars as well, and is in no count of denials.
    marks = steps(max(*low, *counts.denied, 1))
    names = [label(report, problem) for problem in shown] + ["other"]
    x = time_x(axis, zone, report)
    bars = (
        alt.Chart(data(rows))
        .mark_rect(stroke="#ffffff", strokeWidth=0.4, strokeOpacity=0.7)
        .encode(
            x=x,
            x2="until:T",
            y2="high:Q",
            y=alt.Y(
                "low:Q",
                scale=alt.Scale(domain=[0, marks[-1]], nice=False),
                axis=alt.Axis(title="denials", values=marks, format="~s"),
            ),
            color=alt.Color(
                "problem:N",
                scale=alt.Scale(domain=names, range=[*PALETTE[: len(shown)], OTHER]),
                sort=names,
                legend=None,
            ),
        )
    )
    above = (gap_layer(report, axis, x), _allowed(axis, x, counts.allowed or (), marks))
    layers = [bars, *(layer for layer in above if layer is not None)]
    layers.extend(change_layers(report, axis, x))
    return alt.layer(*layers).resolve_scale(y="independent")


def _allowed(axis: TimeAxis, x: Any, allowed: tuple[int, ...], denials: list[int]) -> Any | None:
    """A line above the bars, so that none hides where allowed traffic fell.

    Its scale is that of the denials unless more was allowed than that shows: one allowed record never
    stands as high as fifty denials.
    """
    import altair as alt

    if not any(allowed):
        return None
    rows = [
        {"at": axis.shown(axis.at(index)), "allowed": number}
        for index, number in enumerate([*allowed[: axis.number], allowed[-1]])
    ]
    own = max(allowed) > denials[-1]
    marks = steps(max(allowed)) if own else denials
    title = "allowed (line, a scale of its own)" if own else "allowed (line, same scale)"
    y = alt.Y(
        "allowed:Q",
        scale=alt.Scale(domain=[0, marks[-1]], nice=False),
        axis=alt.Axis(title=title, orient="right", grid=False, values=marks, format="~s"),
    )
    lines = alt.Chart(data(rows)).mark_line(interpolate="step-after", strokeWidth=1.6, color=INK)
    return lines.encode(x=x, y=y)


def timeline_text(report: Report, axis: TimeAxis, zone: tzinfo) -> str:
    """The chart in words, for whoever does not see it."""
    denied = report.buckets.counts.denied
    if not any(denied):
        return "No denials in any span of time."
    top = max(range(len(denied)), key=lambda index: denied[index])
    highest = rfc3339(axis.at(top) * 1_000_000)
    peak = f"{day_and_clock(highest, zone)} {zone_text(zone, highest)}"
    return (
        f"{headline(report)}. {plural(len(denied), 'bar')} of {duration_text(report.buckets.width_s or 0)}; the highest, "
        f"{plural(denied[top], 'denial')}, begins at {peak}. {plural(len(changes_shown(report, axis)), 'change')} marked by "
        f"letters, {plural(len(gaps_shown(report, axis)), 'span')} of missing evidence hatched. "
        "The numbers are in the tables."
    )
