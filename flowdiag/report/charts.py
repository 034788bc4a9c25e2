"""Charts of a report, specified once with altair: inline SVG in the HTML, files for chat.

altair and vl-convert are imported when a chart is drawn, never at start.  The conversion runs without
a browser and may load nothing from outside.  Colours are told apart without seeing them as colours:
every problem has a number, a lane of its own and, in the HTML, a hatching.
"""

from __future__ import annotations

import re
from datetime import UTC, tzinfo
from typing import Any, ClassVar
from xml.sax.saxutils import escape

from msgspec import Struct

from flowdiag.model.errors import UsageError
from flowdiag.model.report import Problem, Report
from flowdiag.report.escape import middle, visible
from flowdiag.report.phrases import headline, instant, plural, ticks, zone_text
from flowdiag.report.protocol import Options

__all__ = [
    "PALETTE",
    "ChartFrame",
    "PngReporter",
    "SvgReporter",
    "charted",
    "describe",
    "frame",
    "inline_svg",
]

PALETTE = ("#0072b2", "#c8501e", "#12805f", "#a8528a", "#8f6a00", "#4a74b8")
"""Told apart with any colour vision (after Okabe and Ito), each at least 3:1 on white and on near black."""
OTHER = "#7a7a7a"
_INK = "#333333"
_LINE = "#dddddd"
_GAP = "#b3b3b3"

_WIDTH = 880
_HEIGHT = 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 60, 24, 44
_LANE = 26
_MAX_LANES = 12
_MAX_CHANGES = 26
_LETTER = 26
"""Pixels that a change's letters need."""


class ChartFrame(Struct, frozen=True):
    """Where the time axis stands inside an inline SVG: pixels from `left` to `right` are `start` to `end`."""

    left: int
    right: int
    top: int
    bottom: int
    start_ms: int
    end_ms: int


class _Time(Struct, frozen=True):
    start: int
    width: int
    number: int
    shift: int
    """Milliseconds added so that a UTC axis shows the wanted zone."""

    def at(self, index: int) -> int:
        return self.start + index * self.width


def charted(report: Report) -> list[Problem]:
    """Problems with a colour of their own, in the report's order."""
    rows = report.buckets.counts.by_problem
    return [p for p in report.problems if any(rows.get(p.id, ()))][: len(PALETTE)]


def frame(report: Report) -> ChartFrame | None:
    """The timeline's axis, ``None`` where nothing has a time."""
    time = _time(report, UTC)
    if time is None:
        return None
    return ChartFrame(_LEFT, _LEFT + _WIDTH, _TOP, _TOP + _HEIGHT, time.start, time.at(time.number))


def describe(report: Report) -> str:
    """The timeline in words, for whoever does not see it."""
    denied = report.buckets.counts.denied
    if not any(denied):
        return "No denials in any span of time."
    top = max(range(len(denied)), key=lambda index: denied[index])
    start = ticks(report.buckets.start)
    width = report.buckets.width_s or 0
    peak = "" if start is None else f" from second {top * width:.0f} of the axis on"
    return (
        f"{headline(report)}. {plural(len(denied), 'bar')} of {width:g} seconds; the highest has "
        f"{plural(denied[top], 'denial')}{peak}. {plural(len(report.changes), 'change')} marked by letters, "
        f"{plural(len(report.evidence.gaps), 'span')} of missing evidence shaded. The numbers are in the tables."
    )


def inline_svg(report: Report, kind: str, *, ident: str, title: str, zone: tzinfo) -> str | None:
    """One chart (``timeline`` or ``lanes``) as an SVG element for a page, ``None`` where nothing has a time.

    Args:
        report: the report.
        kind: which chart.
        ident: prefix of the ids inside, unique on the page.
        title: its accessible name.
        zone: the zone that the axis shows.
    """
    time = _time(report, zone)
    if time is None:
        return None
    chart = _timeline(report, time, zone) if kind == "timeline" else _lanes(report, time, zone)
    if chart is None:
        return None
    height = _HEIGHT if kind == "timeline" else _LANE * len(_lane_problems(report))
    spec = chart.properties(
        width=_WIDTH,
        height=height,
        autosize="none",
        padding={"left": _LEFT, "right": _RIGHT, "top": _TOP, "bottom": _BOTTOM},
    )
    svg = _svg(_configured(spec, "transparent").to_dict())
    body = svg[svg.index(">") + 1 : svg.rindex("</svg>")]
    width, total = _LEFT + _WIDTH + _RIGHT, _TOP + height + _BOTTOM
    colors = [*PALETTE, OTHER]
    for number, color in enumerate(colors):
        body = body.replace(f'fill="{color}"', f'fill="url(#{ident}-h{number})"')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" viewBox="0 0 {width} {total}" '
        f'aria-labelledby="{ident}-title {ident}-desc"><title id="{ident}-title">{escape(visible(title))}</title>'
        f'<desc id="{ident}-desc">{escape(describe(report))}</desc><defs>{_hatches(ident)}</defs>{body}</svg>'
    )


def _hatches(ident: str) -> str:
    # Six fillings that differ without colour: plain, rising, falling, upright, level, dotted.
    lines = (
        "",
        '<path d="M0 8L8 0M-2 2L2 -2M6 10L10 6" stroke="#fff" stroke-opacity=".55" stroke-width="1.4"/>',
        '<path d="M0 0L8 8M-2 6L2 10M6 -2L10 2" stroke="#fff" stroke-opacity=".55" stroke-width="1.4"/>',
        '<path d="M4 0V8" stroke="#fff" stroke-opacity=".55" stroke-width="1.6"/>',
        '<path d="M0 4H8" stroke="#fff" stroke-opacity=".55" stroke-width="1.6"/>',
        '<circle cx="4" cy="4" r="1.4" fill="#fff" fill-opacity=".6"/>',
        '<path d="M0 4H8M4 0V8" stroke="#fff" stroke-opacity=".45" stroke-width="1"/>',
    )
    return "".join(
        f'<pattern id="{ident}-h{number}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<rect width="8" height="8" fill="{color}"/>{lines[number]}</pattern>'
        for number, color in enumerate((*PALETTE, OTHER))
    )


def _time(report: Report, zone: tzinfo) -> _Time | None:
    buckets = report.buckets
    start = ticks(buckets.start)
    if start is None or not buckets.width_s or not buckets.counts.denied or buckets.start is None:
        return None
    moment = instant(buckets.start, zone)
    offset = moment.utcoffset() if moment else None
    shift = int(offset.total_seconds() * 1000) if offset else 0
    return _Time(
        start=start // 1_000_000,
        width=max(int(buckets.width_s * 1000), 1),
        number=len(buckets.counts.denied),
        shift=shift,
    )


def label(report: Report, problem: Problem) -> str:
    """``1 FD401``: a problem's number and code."""
    return f"{report.problems.index(problem) + 1} {visible(problem.code, 20)}"


def _data(rows: list[dict[str, Any]]) -> Any:
    import altair as alt

    make: Any = alt.Data
    return make(values=rows)


def _x(time: _Time, zone: tzinfo, report: Report, *, field: str = "at") -> Any:
    import altair as alt

    days = (time.width * time.number) > 86_400_000
    title = zone_text(zone, report.buckets.start)
    return alt.X(
        f"{field}:T",
        scale=alt.Scale(
            type="utc", domain=[time.start + time.shift, time.at(time.number) + time.shift], nice=False
        ),
        axis=alt.Axis(
            format="%m-%d %H:%M" if days else "%H:%M:%S" if time.width < 5000 else "%H:%M", title=title
        ),
    )


def _gap_layer(report: Report, time: _Time, x: Any) -> Any | None:
    import altair as alt

    rows = []
    low, high = time.start, time.at(time.number)
    for gap in report.evidence.gaps:
        since, until = ticks(gap.since), ticks(gap.to)
        first = since if since is not None else until
        last = until if until is not None else since
        if first is None or last is None:
            continue
        begin, end = (
            max(first // 1_000_000, low),
            min(max(last // 1_000_000, first // 1_000_000 + time.width // 4), high),
        )
        if begin < end:
            rows.append({"at": begin + time.shift, "until": end + time.shift})
    if not rows:
        return None
    return alt.Chart(_data(rows)).mark_rect(color=_GAP, opacity=0.35).encode(x=x, x2="until:T")


def _change_layers(report: Report, time: _Time, x: Any) -> list[Any]:
    import altair as alt

    rows: list[dict[str, Any]] = []
    close = time.width * time.number * _LETTER // _WIDTH
    moments = sorted(
        (at // 1_000_000 + time.shift, chr(ord("A") + index))
        for index, change in enumerate(report.changes[:_MAX_CHANGES])
        if (at := ticks(change.at)) is not None and time.start <= at // 1_000_000 <= time.at(time.number)
    )
    for at, letter in moments:
        # Letters that would stand on each other stand as one mark: A-C.
        if rows and at - rows[-1]["at"] < close:
            rows[-1]["mark"] = f"{rows[-1]['mark'][0]}–{letter}"
        else:
            rows.append({"at": at, "mark": letter})
    if not rows:
        return []
    base = alt.Chart(_data(rows)).encode(x=x)
    return [
        base.mark_rule(strokeDash=[4, 3], color=_INK, strokeWidth=1.2),
        base.mark_text(dy=-8, fontSize=12, fontWeight="bold", color=_INK).encode(
            text="mark:N", y=alt.value(0)
        ),
    ]


def _timeline(report: Report, time: _Time, zone: tzinfo) -> Any:
    import altair as alt

    counts = report.buckets.counts
    shown = charted(report)
    rows: list[dict[str, Any]] = []
    low = [0] * time.number
    for problem in shown:
        name = label(report, problem)
        for index, number in enumerate(counts.by_problem[problem.id][: time.number]):
            if number > 0:
                rows.append(
                    _bar(time, index, number, name) | {"low": low[index], "high": low[index] + number}
                )
                low[index] += number
    for index, number in enumerate(counts.denied[: time.number]):
        if number > low[index]:
            rows.append(_bar(time, index, number - low[index], "other") | {"low": low[index], "high": number})
    names = [label(report, problem) for problem in shown] + ["other"]
    x = _x(time, zone, report)
    bars = (
        alt.Chart(_data(rows))
        .mark_rect(stroke="#ffffff", strokeWidth=0.4, strokeOpacity=0.7)
        .encode(
            x=x,
            x2="until:T",
            y2="high:Q",
            y=alt.Y("low:Q", axis=alt.Axis(title="denials", tickMinStep=1, format="~s")),
            color=alt.Color(
                "problem:N",
                scale=alt.Scale(domain=names, range=[*PALETTE[: len(shown)], OTHER]),
                sort=names,
                legend=None,
            ),
        )
    )
    layers = []
    gap = _gap_layer(report, time, x)
    if gap is not None:
        layers.append(gap)
    layers.append(bars)
    if counts.allowed is not None and any(counts.allowed):
        line = [
            {"at": time.at(index) + time.shift, "allowed": number}
            for index, number in enumerate([*counts.allowed[: time.number], counts.allowed[-1]])
        ]
        layers.append(
            alt.Chart(_data(line))
            .mark_line(interpolate="step-after", strokeWidth=1, color=_INK, opacity=0.7)
            .encode(
                x=x,
                y=alt.Y(
                    "allowed:Q",
                    axis=alt.Axis(
                        title="allowed (line)", orient="right", grid=False, tickMinStep=1, format="~s"
                    ),
                ),
            )
        )
    layers.extend(_change_layers(report, time, x))
    return alt.layer(*layers).resolve_scale(y="independent")


def _bar(time: _Time, index: int, number: int, name: str) -> dict[str, Any]:
    return {
        "at": time.at(index) + time.shift,
        "until": time.at(index + 1) + time.shift,
        "count": number,
        "problem": name,
    }


def _lane_problems(report: Report) -> list[Problem]:
    rows = report.buckets.counts.by_problem
    return [p for p in report.problems if any(rows.get(p.id, ()))][:_MAX_LANES]


def _lanes(report: Report, time: _Time, zone: tzinfo) -> Any | None:
    import altair as alt

    problems = _lane_problems(report)
    if not problems:
        return None
    names = [label(report, problem) for problem in problems]
    known = [label(report, problem) for problem in charted(report)]
    rows = [
        _bar(time, index, number, label(report, problem))
        for problem in problems
        for index, number in enumerate(report.buckets.counts.by_problem[problem.id][: time.number])
        if number
    ]
    colors = [PALETTE[known.index(name)] if name in known else OTHER for name in names]
    x = _x(time, zone, report)
    y = alt.Y(
        "problem:N",
        sort=names,
        scale=alt.Scale(domain=names),
        axis=alt.Axis(title=None, labelLimit=_LEFT - 6),
    )
    layers = []
    gap = _gap_layer(report, time, x)
    if gap is not None:
        layers.append(gap)
    layers.append(
        alt.Chart(_data(rows))
        .mark_bar(height=14)
        .encode(
            x=x,
            x2="until:T",
            y=y,
            color=alt.Color("problem:N", scale=alt.Scale(domain=names, range=colors), legend=None),
            opacity=alt.Opacity("count:Q", scale=alt.Scale(type="sqrt", range=[0.35, 1]), legend=None),
        )
    )
    layers.extend(_change_layers(report, time, x))
    return alt.layer(*layers)


def _configured(chart: Any, background: str) -> Any:
    return (
        chart.configure(aria=False, background=background, font="sans-serif")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=_INK,
            titleColor=_INK,
            gridColor=_LINE,
            domainColor=_LINE,
            tickColor=_LINE,
            labelFontSize=11,
        )
        .configure_axisX(grid=False)
    )


def _whole(report: Report, zone: tzinfo) -> dict[str, Any]:
    """Both charts under each other with a title and a legend, for a file of their own."""
    import altair as alt

    time = _time(report, zone)
    if time is None:
        raise UsageError(
            "no chart can be drawn: no denial in this report has a time",
            hint="take -o terminal or -o markdown",
        )
    legend = [
        middle(visible(f"{label(report, problem)}  {problem.title}"), 110) for problem in charted(report)
    ]
    letters = [
        f"{chr(ord('A') + index)}  {visible(change.text, 100)}"
        for index, change in enumerate(report.changes[:4])
    ]
    title = alt.TitleParams(
        text=visible(f"Denied traffic: {report.cluster.name or 'cluster name unknown'}", 120),
        subtitle=[headline(report), *legend, *letters],
        anchor="start",
        subtitleColor=_INK,
        subtitlePadding=6,
    )
    parts: list[Any] = [_timeline(report, time, zone).properties(width=_WIDTH, height=_HEIGHT)]
    lanes = _lanes(report, time, zone)
    if lanes is not None:
        parts.append(lanes.properties(width=_WIDTH, height=_LANE * len(_lane_problems(report))))
    whole = alt.vconcat(*parts, title=title).resolve_scale(color="independent")
    spec: dict[str, Any] = _configured(whole, "#ffffff").to_dict()
    return spec


def _svg(spec: dict[str, Any]) -> str:
    import vl_convert

    text: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return text


class SvgReporter:
    """``-o svg``: the timeline and the lanes, one picture."""

    name: ClassVar[str] = "svg"
    binary: ClassVar[bool] = False

    def render(self, report: Report, options: Options) -> str:
        """An SVG file.

        Raises:
            UsageError: nothing in the report has a time.
        """
        svg = _svg(_whole(report, options.timezone))
        title = escape(visible(f"Denied traffic: {headline(report)}"))
        named = f'<title id="title">{title}</title><desc id="desc">{escape(describe(report))}</desc>'
        return (
            re.sub(
                r"<svg([^>]*)>",
                rf'<svg\1 role="img" aria-labelledby="title desc">{_literal(named)}',
                svg,
                count=1,
            )
            + "\n"
        )


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\")


class PngReporter:
    """``-o png``: the same picture as pixels, for chat."""

    name: ClassVar[str] = "png"
    binary: ClassVar[bool] = True

    def render(self, report: Report, options: Options) -> bytes:
        """A PNG file at twice the size.

        Raises:
            UsageError: nothing in the report has a time.
        """
        import vl_convert

        png: bytes = vl_convert.vegalite_to_png(
            _whole(report, options.timezone), scale=2, allowed_base_urls=[]
        )
        return png
