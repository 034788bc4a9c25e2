"""Denials over time, stacked by problem, with allowed traffic as a line behind."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from flowdiag.model.report import Report
from flowdiag.model.time import rfc3339
from flowdiag.report.charts.axis import HEIGHT, INK, OTHER, PALETTE, TimeAxis, charted, label
from flowdiag.report.charts.layers import bar, change_layers, data, gap_layer, time_x
from flowdiag.report.phrases import headline, plural
from flowdiag.report.times import day_and_clock, duration_text

__all__ = ["timeline", "timeline_height", "timeline_text"]


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
    top = max(*low, *counts.denied, 1)
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
                scale=alt.Scale(domain=[0, top], nice=True),
                axis=alt.Axis(title="denials", tickMinStep=1, format="~s"),
            ),
            color=alt.Color(
                "problem:N",
                scale=alt.Scale(domain=names, range=[*PALETTE[: len(shown)], OTHER]),
                sort=names,
                legend=None,
            ),
        )
    )
    layers = []
    gap = gap_layer(report, axis, x)
    if gap is not None:
        layers.append(gap)
    area, line = _allowed(axis, x, counts.allowed or ())
    layers.extend(filter(None, (area, bars, line)))
    layers.extend(change_layers(report, axis, x))
    return alt.layer(*layers).resolve_scale(y="independent")


def _allowed(axis: TimeAxis, x: Any, allowed: tuple[int, ...]) -> tuple[Any, Any]:
    """An area behind the bars and its edge before them, so that no bar hides where allowed traffic fell."""
    import altair as alt

    if not any(allowed):
        return None, None
    rows = [
        {"at": axis.shown(axis.at(index)), "allowed": number}
        for index, number in enumerate([*allowed[: axis.number], allowed[-1]])
    ]
    title = alt.Axis(title="allowed (line)", orient="right", grid=False, tickMinStep=1, format="~s")
    base = alt.Chart(data(rows)).encode(x=x, y=alt.Y("allowed:Q", axis=title))
    area = base.mark_area(interpolate="step-after", color=INK, opacity=0.08)
    return area, base.mark_line(interpolate="step-after", strokeWidth=1, color=INK, opacity=0.7)


def timeline_text(report: Report, axis: TimeAxis, zone: tzinfo) -> str:
    """The chart in words, for whoever does not see it."""
    denied = report.buckets.counts.denied
    if not any(denied):
        return "No denials in any span of time."
    top = max(range(len(denied)), key=lambda index: denied[index])
    peak = day_and_clock(rfc3339(axis.at(top) * 1_000_000), zone)
    return (
        f"{headline(report)}. {plural(len(denied), 'bar')} of {duration_text(report.buckets.width_s or 0)}; the highest, "
        f"{plural(denied[top], 'denial')}, begins at {peak}. {plural(len(report.changes), 'change')} marked by "
        f"letters, {plural(len(report.evidence.gaps), 'span')} of missing evidence shaded. "
        "The numbers are in the tables."
    )
