"""Counts over time in one line of characters, with an ASCII form and marks beneath."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from flowdiag.model.report import EvidenceGap
from flowdiag.model.time import NS
from flowdiag.report.times import ticks

__all__ = ["Axis", "axis_of", "column_of", "gap_columns", "narrowed", "sparkline"]

_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = ":-=+*%#@"
_NOTHING = "·"
_ASCII_NOTHING = "."
_MISSING = "?"
"""Nothing was counted, but evidence is missing there: nobody knows."""


class Axis(Struct, frozen=True):
    """`columns` equal spans from `start`, `width_ns` nanoseconds each."""

    start: int
    width_ns: int
    columns: int


def narrowed(row: Sequence[int], columns: int) -> tuple[list[int], int]:
    """Add neighbours together until at most `columns` are left; also how many make one."""
    step = max(1, -(-len(row) // max(columns, 1)))
    return [sum(row[index : index + step]) for index in range(0, len(row), step)], step


def column_of(axis: Axis, moment: int | None) -> int | None:
    """The column that holds an instant, ``None`` where it is not on the axis."""
    if moment is None:
        return None
    column = (moment - axis.start) // axis.width_ns
    return int(column) if 0 <= column < axis.columns else None


def gap_columns(axis: Axis, gaps: Sequence[EvidenceGap]) -> set[int]:
    """Columns for which evidence is missing on some node."""
    missing: set[int] = set()
    for gap in gaps:
        since, until = ticks(gap.since), ticks(gap.to)
        low, high = (since if since is not None else until), (until if until is not None else since)
        if low is None or high is None:
            continue
        first = max(0, (low - axis.start) // axis.width_ns)
        last = min(axis.columns - 1, (high - axis.start) // axis.width_ns)
        missing.update(range(int(first), int(last) + 1))
    return missing


def sparkline(row: Sequence[int], missing: set[int], *, ascii_only: bool = False) -> str:
    """One character a column, scaled to the row's largest; whatever is not zero is at least a low bar."""
    bars = _ASCII_BARS if ascii_only else _BARS
    nothing = _ASCII_NOTHING if ascii_only else _NOTHING
    top = max(row, default=0)
    marks = []
    for column, number in enumerate(row):
        if number <= 0:
            marks.append(_MISSING if column in missing else nothing)
        else:
            marks.append(bars[min(len(bars) - 1, (number * len(bars) - 1) // top)])
    return "".join(marks)


def axis_of(start: str | None, width_s: float | None, length: int, step: int) -> Axis | None:
    """The axis of a report's buckets after `narrowed` by `step`, ``None`` where no record has a time."""
    begin = ticks(start)
    if begin is None or not width_s or not length:
        return None
    return Axis(begin, int(width_s * NS) * step, length)
