"""``-o svg`` and ``-o png``: one picture for chat, with what the charts need to be understood alone."""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import Any, ClassVar
from xml.sax.saxutils import escape

from flowdiag.model.errors import UsageError
from flowdiag.model.report import Report
from flowdiag.model.words import plural
from flowdiag.report.charts.axis import HEIGHT, INK, OTHER, PALETTE, WIDTH, charted, label, others, time_axis
from flowdiag.report.charts.draw import png_bytes, specification, svg_text, unchecked
from flowdiag.report.charts.lanes import lanes, lanes_height
from flowdiag.report.charts.layers import data
from flowdiag.report.charts.timeline import timeline, timeline_text
from flowdiag.report.escape import phrase, visible
from flowdiag.report.phrases import headline
from flowdiag.report.plotted import outside_text, plotted
from flowdiag.report.protocol import Options
from flowdiag.report.spoken import spoken_report
from flowdiag.report.times import Clock, span_text, zone_text

__all__ = ["PngReporter", "SvgReporter"]

_LETTERS = 6
_LINE = 17


def _whole(report: Report, zone: tzinfo) -> dict[str, Any]:
    """Legend, timeline and lanes under each other, with a title."""
    import altair as alt

    clock = Clock.of(report, zone)
    outside = outside_text(report, clock)
    report = spoken_report(plotted(report), clock)
    axis = time_axis(report, zone)
    if axis is None:
        raise UsageError(
            "no chart can be drawn: nothing in this report has a time",
            hint="take -o terminal or -o markdown",
        )
    window = report.window
    when = f"{span_text(window.since, window.until, zone)} {zone_text(zone, window.since, window.until)}"
    title = alt.TitleParams(
        text=visible(f"Denied traffic: {report.cluster.name or 'cluster name unknown'}", 120),
        subtitle=[f"{headline(report)}.", visible(when), *outside],
        anchor="start",
        subtitleColor=INK,
        subtitlePadding=6,
    )
    parts: list[Any] = []
    legend = _legend(report, zone)
    if legend is not None:
        parts.append(legend)
    parts.append(timeline(report, axis, zone).properties(width=WIDTH, height=HEIGHT))
    if lanes_height(report):
        parts.append(lanes(report, axis, zone).properties(width=WIDTH, height=lanes_height(report)))
    whole = alt.vconcat(*parts, title=title).resolve_scale(color="independent")
    return specification(whole, "#ffffff")


def _legend(report: Report, zone: tzinfo) -> Any | None:
    """A line for each problem with its colour, and one for each change with its letter."""
    import altair as alt

    clock = Clock.of(report, zone)
    lines = [
        {"color": PALETTE[number], "mark": "■", "text": f"{label(report, p)}  {p.title}"}
        for number, p in enumerate(charted(report))
    ]
    if others(report):
        left = len(report.problems) - len(charted(report))
        of = f" ({plural(left, 'more problem')})" if left else ""
        lines.append({"color": OTHER, "mark": "■", "text": f"other denials{of}"})
    for index, change in enumerate(report.changes[:_LETTERS]):
        text = f"{clock.text(change.at)}  {change.text}"
        lines.append({"color": INK, "mark": chr(ord("A") + index), "text": text})
    if len(report.changes) > _LETTERS:
        lines.append(
            {"color": INK, "mark": "…", "text": plural(len(report.changes) - _LETTERS, "more change")}
        )
    if not lines:
        return None
    rows = [{**line, "row": number, "text": phrase(line["text"], 130)} for number, line in enumerate(lines)]
    base = alt.Chart(data(rows)).encode(y=alt.Y("row:O", axis=None))
    marks = base.mark_text(align="center", fontSize=13, fontWeight="bold").encode(
        x=alt.value(6), text="mark:N", color=alt.Color("color:N", scale=None)
    )
    texts = base.mark_text(align="left", fontSize=12, color=INK).encode(x=alt.value(20), text="text:N")
    return alt.layer(marks, texts).properties(width=WIDTH, height=_LINE * len(rows))


class SvgReporter:
    """``-o svg``."""

    name: ClassVar[str] = "svg"
    binary: ClassVar[bool] = False

    def render(self, report: Report, options: Options) -> str:
        """An SVG file.

        Raises:
            UsageError: nothing in the report has a time.
        """
        with unchecked():
            spec = _whole(report, options.timezone)
        svg = svg_text(spec)
        report = plotted(report)
        axis = time_axis(report, options.timezone)
        title = escape(visible(f"Denied traffic: {headline(report)}"))
        words = escape(timeline_text(report, axis, options.timezone)) if axis is not None else ""
        named = f'<title id="title">{title}</title><desc id="desc">{words}</desc>'
        with_title = re.sub(
            r"<svg([^>]*)>",
            lambda match: f'<svg{match[1]} role="img" aria-labelledby="title desc">{named}',
            svg,
            count=1,
        )
        return f"{with_title}\n"


class PngReporter:
    """``-o png``: the same picture as pixels."""

    name: ClassVar[str] = "png"
    binary: ClassVar[bool] = True

    def render(self, report: Report, options: Options) -> bytes:
        """A PNG file at twice the size.

        Raises:
            UsageError: nothing in the report has a time.
        """
        with unchecked():
            spec = _whole(report, options.timezone)
        return png_bytes(spec)
