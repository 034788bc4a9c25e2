"""Layers that several charts have: the time axis, spans without evidence, marks of changes."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from flowdiag.model.report import Report
from flowdiag.report.charts.axis import GAP, INK, WIDTH, TimeAxis
from flowdiag.report.times import MONTHS_S, ticks, zone_text

__all__ = ["bar", "change_layers", "changes_shown", "data", "gap_layer", "gaps_shown", "time_x"]

_MAX_CHANGES = 26
_LETTER = 26
"""Pixels that a change's letters need."""
_DAY_MS = 86_400_000
_SECONDS_MS = 12 * 60_000
"""Below this the ticks stand less than a minute apart, and hours and minutes alone would repeat."""


def data(rows: list[dict[str, Any]]) -> Any:
    """Rows for a chart."""
    import altair as alt

    make: Any = alt.Data
    return make(values=rows)


def time_x(axis: TimeAxis, zone: tzinfo, report: Report) -> Any:
    """The x encoding: the whole axis, its zone as the title, the day where it covers several, the year of months."""
    import altair as alt

    low, high = axis.shown(axis.start), axis.shown(axis.at(axis.number))
    days = low // _DAY_MS != (high - 1) // _DAY_MS
    clock = "%m-%d %H:%M" if days else "%H:%M:%S" if high - low < _SECONDS_MS else "%H:%M"
    return alt.X(
        "at:T",
        scale=alt.Scale(type="utc", domain=[low, high], nice=False),
        axis=alt.Axis(
            format="%Y-%m-%d" if high - low >= MONTHS_S * 1000 else clock,
            title=zone_text(zone, report.buckets.start, report.window.until),
            labelFlush=False,
            labelOverlap="greedy",
            labelSeparation=8,
        ),
    )


def bar(axis: TimeAxis, index: int, number: int, name: str) -> dict[str, Any]:
    """One bucket's count of one problem."""
    return {
        "at": axis.shown(axis.at(index)),
        "until": axis.shown(axis.at(index + 1)),
        "count": number,
        "problem": name,
    }


def gaps_shown(report: Report, axis: TimeAxis) -> list[dict[str, Any]]:
    """Spans of the axis in which evidence is known to be missing; a moment is a narrow one."""
    rows = []
    low, high = axis.start, axis.at(axis.number)
    for gap in report.evidence.gaps:
        since, until = ticks(gap.since), ticks(gap.to)
        first = since if since is not None else until
        last = until if until is not None else since
        if first is None or last is None:
            continue
        begin = max(first // 1_000_000, low)
        end = min(max(last // 1_000_000, first // 1_000_000 + axis.width // 4), high)
        if begin < end:
            rows.append({"at": axis.shown(begin), "until": axis.shown(end)})
    return rows


def gap_layer(report: Report, axis: TimeAxis, x: Any) -> Any | None:
    """Bands where evidence is missing, to be drawn above the bars."""
    import altair as alt

    rows = gaps_shown(report, axis)
    if not rows:
        return None
    band = alt.Chart(data(rows)).mark_rect(
        fill=GAP, fillOpacity=0.45, stroke=INK, strokeWidth=0.8, strokeDash=[2, 2]
    )
    return band.encode(x=x, x2="until:T")


def changes_shown(report: Report, axis: TimeAxis) -> list[tuple[int, str]]:
    """When, as the axis shows it, and the letter of each change that lies on the axis."""
    return sorted(
        (axis.shown(at // 1_000_000), chr(ord("A") + index))
        for index, change in enumerate(report.changes[:_MAX_CHANGES])
        if (at := ticks(change.at)) is not None and axis.start <= at // 1_000_000 <= axis.at(axis.number)
    )


def change_layers(report: Report, axis: TimeAxis, x: Any) -> list[Any]:
    """A dashed line and a letter for each change; letters that would stand on each other are one mark."""
    import altair as alt

    rows: list[dict[str, Any]] = []
    close = axis.width * axis.number * _LETTER // WIDTH
    for at, letter in changes_shown(report, axis):
        if rows and at - rows[-1]["at"] < close:
            rows[-1]["mark"] = f"{rows[-1]['mark'][0]}–{letter}"
        else:
            rows.append({"at": at, "mark": letter})
    if not rows:
        return []
    base = alt.Chart(data(rows)).encode(x=x)
    return [
        base.mark_rule(strokeDash=[4, 3], color=INK, strokeWidth=1.2),
        base.mark_text(dy=-12, fontSize=12, fontWeight="bold", color=INK).encode(
            text="mark:N", y=alt.value(0)
        ),
    ]
