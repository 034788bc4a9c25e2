"""A problem's counts over time beneath its block, with the first change marked."""

from __future__ import annotations

from flowdiag.model.report import Problem, Report
from flowdiag.model.time import NS, rfc3339
from flowdiag.model.words import done, object_text
from flowdiag.report.escape import cells, visible
from flowdiag.report.isolating import leading_change
from flowdiag.report.plotted import plotted
from flowdiag.report.screen import Screen
from flowdiag.report.sparkline import axis_of, column_of, gap_columns, narrowed, sparkline
from flowdiag.report.times import MONTHS_S, day_and_clock, ticks

__all__ = ["spark"]

_INDENT = 3
_DAY_NS = 86_400 * NS
_LEAST_NAME = 24
"""Columns that a change needs beside what else is said on its line."""


def spark(screen: Screen, report: Report, problem: Problem) -> None:
    """Bars from end to end of the evidence.

    Nothing where no record has a time, or where all of it is one bar of whole days: the line above says when it was.
    """
    part = plotted(report)
    buckets = part.buckets
    row = buckets.counts.by_problem.get(problem.id)
    if not row or buckets.start is None or not any(row):
        return
    long = len(row) * (buckets.width_s or 0) >= MONTHS_S
    start = _axis_label(screen, buckets.start, long=long)
    until = report.window.until if part is report else _end(part)
    end = _axis_label(screen, until, long=long) if until else ""
    lead = f"{' ' * _INDENT}{visible(start, 12)}  "
    narrow, step = narrowed(row, min(screen.width - cells(lead) - 8, 80))
    axis = axis_of(buckets.start, buckets.width_s, len(narrow), step)
    if axis is None or (axis.width_ns >= _DAY_NS and sum(map(bool, narrow)) == 1):
        return
    missing = gap_columns(axis, report.evidence.gaps)
    bars = sparkline(narrow, missing, ascii_only=screen.options.ascii)
    screen.literal(f"{lead}{bars}  {visible(end, 12)}")
    unknown = "   ? evidence is missing" if "?" in bars else ""
    marked = leading_change(problem)
    changes = problem.changes if marked is None else (marked, *problem.changes)
    marks = [(column_of(axis, ticks(c.at)), c) for c in changes]
    column, change = next(((c, item) for c, item in marks if c is not None), (None, None))
    if column is not None and change is not None:
        text = f"{object_text(change.object).partition(' ')[2]} {done(change.kind)} {screen.clock.text(change.at)}"
        here = cells(lead) + column
        room = screen.width - here - 2
        if room >= 30 or room >= here:
            beside = unknown if room - cells(unknown) >= _LEAST_NAME else ""
            shown = screen.phrase(text, room - cells(beside))
            screen.literal(f"{' ' * here}^ {shown}{beside}", "dim")
        else:
            beside = unknown if room >= cells(unknown) else ""
            shown = screen.phrase(text, here - _INDENT - 1)
            screen.literal(f"{shown.rjust(here - 1 - (cells(shown) - len(shown)))} ^{beside}", "dim")
        unknown = "" if beside else unknown
    if unknown:
        screen.literal(f"{' ' * cells(lead)}{unknown.strip()}", "dim")


def _end(report: Report) -> str | None:
    """The end of the bars, or of the evidence where that ends before them."""
    until, start = ticks(report.window.until), ticks(report.buckets.start)
    if until is None or start is None:
        return report.window.until
    bars = start + int((report.buckets.width_s or 0) * NS) * len(report.buckets.counts.denied)
    return rfc3339(min(until, bars))


def _axis_label(screen: Screen, moment: str, *, long: bool) -> str:
    """``14:03``; ``03-17 14:03`` where the window covers several days, and of months the day: ``2026-03-17``."""
    whole = day_and_clock(moment, screen.options.timezone)
    if long:
        return whole[:10]
    return whole[11:16] if screen.clock.day else whole[5:16]
