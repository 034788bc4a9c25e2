"""What all charts share: sizes, colours, which problems have a colour, and the time axis."""

from __future__ import annotations

from datetime import UTC, tzinfo

from msgspec import Struct

from flowdiag.model.report import Problem, Report
from flowdiag.report.escape import visible
from flowdiag.report.times import instant, ticks

__all__ = [
    "BOTTOM",
    "GAP",
    "HALO",
    "HEIGHT",
    "INK",
    "LEFT",
    "LINE",
    "OTHER",
    "PALETTE",
    "RIGHT",
    "TOP",
    "WIDTH",
    "ChartFrame",
    "TimeAxis",
    "charted",
    "frame",
    "label",
    "others",
    "steps",
    "time_axis",
]

PALETTE = ("#0072b2", "#c8501e", "#12805f", "#a8528a", "#8f6a00", "#4a74b8")
"""Told apart with any colour vision (after Okabe and Ito), each at least 3:1 on white and on near black."""
OTHER = "#7a7a7a"
INK = "#333333"
LINE = "#dddddd"
GAP = "#8c8c8c"
"""Missing evidence: in a page a hatching that nothing else has, in a file a veil with a dashed edge."""
HALO = "#fefefe"
"""Behind letters that lie over lines: the colour of the paper."""

WIDTH = 880
HEIGHT = 220
LEFT, RIGHT, TOP, BOTTOM = 60, 60, 24, 44


class ChartFrame(Struct, frozen=True):
    """The time axis of every inline chart, in milliseconds."""

    start_ms: int
    end_ms: int
    width_ms: int
    """One bucket."""


class TimeAxis(Struct, frozen=True):
    """A report's buckets in milliseconds."""

    start: int
    width: int
    number: int
    shift: int
    """Milliseconds added so that a UTC axis shows the wanted zone."""

    def at(self, index: int) -> int:
        """The start of a bucket; of the one after the last, the end."""
        return self.start + index * self.width

    def shown(self, moment: int) -> int:
        """A moment as the axis shows it."""
        return moment + self.shift


def time_axis(report: Report, zone: tzinfo) -> TimeAxis | None:
    """The axis in the zone that is shown, ``None`` where nothing has a time."""
    buckets = report.buckets
    start = ticks(buckets.start)
    if start is None or not buckets.width_s or not buckets.counts.denied or buckets.start is None:
        return None
    moment = instant(buckets.start, zone)
    offset = moment.utcoffset() if moment else None
    return TimeAxis(
        start=start // 1_000_000,
        width=max(int(buckets.width_s * 1000), 1),
        number=len(buckets.counts.denied),
        shift=int(offset.total_seconds() * 1000) if offset else 0,
    )


def frame(report: Report) -> ChartFrame | None:
    """The axis of every inline chart, ``None`` where nothing has a time."""
    axis = time_axis(report, UTC)
    return None if axis is None else ChartFrame(axis.start, axis.at(axis.number), axis.width)


def charted(report: Report) -> list[Problem]:
    """Problems with a colour of their own, in the report's order."""
    rows = report.buckets.counts.by_problem
    return [p for p in report.problems if any(rows.get(p.id, ()))][: len(PALETTE)]


def others(report: Report) -> bool:
    """Whether some bar has denials of problems without a colour of their own, or of none."""
    counts = report.buckets.counts
    return sum(counts.denied) > sum(sum(counts.by_problem[problem.id]) for problem in charted(report))


def label(report: Report, problem: Problem) -> str:
    """``1 FD401``: a problem's number and code."""
    return f"{report.problems.index(problem) + 1} {visible(problem.code, 20)}"


def steps(top: int) -> list[int]:
    """Whole numbers from 0 to the first one at or above `top`, evenly apart: there is no half record."""
    step = next(
        factor * 10**power for power in range(19) for factor in (1, 2, 5) if top <= 6 * factor * 10**power
    )
    return list(range(0, -(-top // step) * step + 1, step))
