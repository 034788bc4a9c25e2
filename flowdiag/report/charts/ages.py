"""How old pods were when they were first refused (FD601): a start-up window ends by itself."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from flowdiag.model.report import Report
from flowdiag.model.words import plural
from flowdiag.report.charts.axis import INK, LINE, TimeAxis
from flowdiag.report.charts.layers import data

__all__ = ["age_bins", "ages", "ages_height", "ages_text"]

_HEIGHT = 120
_FILL = "#5f7186"
_MAX_BINS = 30


def age_bins(report: Report) -> list[int]:
    """Pods by whole seconds of age, from 0 to the oldest; the last holds what is older still."""
    found = [min(int(age), _MAX_BINS - 1) for p in report.problems for age in p.pod_ages_s]
    bins = [0] * (max(found, default=-1) + 1)
    for second in found:
        bins[second] += 1
    return bins


def ages_height(report: Report) -> int:
    """Pixels; 0 where no problem is about young pods."""
    return _HEIGHT if age_bins(report) else 0


def ages(report: Report, axis: TimeAxis, zone: tzinfo) -> Any:
    """The chart, without its size."""
    import altair as alt

    del axis, zone
    bins = age_bins(report)
    rows = [{"from": second, "to": second + 1, "pods": number} for second, number in enumerate(bins)]
    x = alt.X(
        "from:Q",
        scale=alt.Scale(domain=[0, max(len(bins), 10)], nice=False),
        axis=alt.Axis(title="seconds after the pod started", tickMinStep=1, format="d"),
    )
    y = alt.Y("pods:Q", axis=alt.Axis(title=None, tickMinStep=1, format="d", tickCount=4))
    bars = (
        alt.Chart(data(rows)).mark_rect(color=_FILL, stroke=LINE).encode(x=x, x2="to:Q", y=y, y2=alt.datum(0))
    )
    told = [row for row in rows if row["pods"]]
    numbers = alt.Chart(data(told)).mark_text(align="left", dx=4, dy=-6, fontSize=11, color=INK)
    return alt.layer(bars, numbers.encode(x=x, y=y, text="pods:Q"))


def ages_text(report: Report, axis: TimeAxis, zone: tzinfo) -> str:
    """The chart in words."""
    del axis, zone
    bins = age_bins(report)
    told = [f"{plural(number, 'flow')} at {second} s" for second, number in enumerate(bins) if number]
    return f"First refusals by the pod's age: {', '.join(told)}. The numbers are in the table."
