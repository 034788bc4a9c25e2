"""A lane for each problem: from the first refusal to the last, and the bursts between."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from flowdiag.model.report import Problem, Report
from flowdiag.report.charts.axis import LEFT, OTHER, PALETTE, TimeAxis, charted, label
from flowdiag.report.charts.layers import bar, change_layers, data, gap_layer, time_x
from flowdiag.report.escape import phrase, visible
from flowdiag.report.phrases import state_text
from flowdiag.report.times import Clock, ticks

__all__ = ["lanes", "lanes_height", "lanes_text"]

_LANE = 26
_MAX_LANES = 12


def _problems(report: Report) -> list[Problem]:
    rows = report.buckets.counts.by_problem
    return [p for p in report.problems if any(rows.get(p.id, ()))][:_MAX_LANES]


def lanes_height(report: Report) -> int:
    """Pixels; 0 where there is no lane."""
    return _LANE * len(_problems(report))


def lanes(report: Report, axis: TimeAxis, zone: tzinfo) -> Any:
    """The chart, without its size."""
    import altair as alt

    problems = _problems(report)
    names = [label(report, problem) for problem in problems]
    known = [label(report, problem) for problem in charted(report)]
    colors = [PALETTE[known.index(name)] if name in known else OTHER for name in names]
    x = time_x(axis, zone, report)
    y = alt.Y(
        "problem:N",
        sort=names,
        scale=alt.Scale(domain=names),
        axis=alt.Axis(title=None, labelLimit=LEFT - 6),
    )
    color = alt.Color("problem:N", scale=alt.Scale(domain=names, range=colors), legend=None)
    layers = []
    spans = [
        {
            "at": axis.shown(max(first // 1_000_000, axis.start)),
            "until": axis.shown(min(last // 1_000_000, axis.at(axis.number))),
            "problem": name,
        }
        for problem, name in zip(problems, names, strict=True)
        if (first := ticks(problem.first)) is not None
        and (last := ticks(problem.last)) is not None
        and first // 1_000_000 <= axis.at(axis.number)
        and last // 1_000_000 >= axis.start
    ]
    layers.append(
        alt.Chart(data(spans))
        .mark_rule(strokeWidth=2, yOffset=10)
        .encode(x=x, x2="until:T", y=y, color=color)
    )
    rows = [
        bar(axis, index, number, name)
        for problem, name in zip(problems, names, strict=True)
        for index, number in enumerate(report.buckets.counts.by_problem[problem.id][: axis.number])
        if number
    ]
    layers.append(
        alt.Chart(data(rows))
        .mark_bar(height=14)
        .encode(
            x=x,
            x2="until:T",
            y=y,
            color=color,
            opacity=alt.Opacity("count:Q", scale=alt.Scale(type="sqrt", range=[0.35, 1]), legend=None),
        )
    )
    gap = gap_layer(report, axis, x)
    if gap is not None:
        layers.append(gap)
    layers.extend(change_layers(report, axis, x))
    return alt.layer(*layers)


def lanes_text(report: Report, axis: TimeAxis, zone: tzinfo) -> str:
    """The lanes in words."""
    del axis
    clock = Clock.of(report, zone, named=True)
    lines = [
        f"{label(report, problem)} {phrase(problem.title, 120)}: {visible(state_text(problem, clock))}"
        for problem in _problems(report)
    ]
    return ". ".join(lines)
