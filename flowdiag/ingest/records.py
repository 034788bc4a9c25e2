"""Runs of lines cut between records, for formats whose records span lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flowdiag.ingest.envelopes import Rows
from flowdiag.parserkit.lines import MAX_LINE_BYTES

__all__ = ["RecordCutter", "RecordStart", "piece"]

RecordStart = Callable[[bytes], bool]
"""Whether a line begins a record."""


class RecordCutter:
    """Holds back the last record of each run until the next one begins; bounded by the longest line allowed.

    Args:
        starts: the parser's `record_start`.
    """

    def __init__(self, starts: RecordStart) -> None:
        self._starts = starts
        self._held: Rows | None = None

    def push(self, run: Rows) -> Rows | None:
        """The whole records that are known to be whole with this run."""
        if not run.lines:
            return None
        # A run peeled to its end may lack the final newline of its last line.
        together = run if self._held is None else _joined(self._held, run)
        cut = _last_start(together, self._starts)
        if cut is not None:
            at, index = cut
            self._held = piece(together, at, len(together.data), index, len(together.lines))
            return piece(together, 0, at, 0, index)
        if len(together.data) > MAX_LINE_BYTES:
            self._held = None
            return together
        self._held = together
        return None

    def rest(self) -> Rows | None:
        """What was held back; nothing is any more."""
        held, self._held = self._held, None
        return held


def piece(rows: Rows, start: int, end: int, first: int, last: int) -> Rows:
    """Bytes `start` to `end` of `rows`, which are its lines `first` to `last` (not included)."""
    return Rows(
        data=rows.data[start:end],
        lines=rows.lines[first:last],
        at=rows.at[first:last] if rows.at else None,
        node=rows.node[first:last] if rows.node else None,
        namespace=rows.namespace[first:last] if rows.namespace else None,
        pod=rows.pod[first:last] if rows.pod else None,
        container=rows.container[first:last] if rows.container else None,
        year_inferred=rows.year_inferred,
    )


def _last_start(rows: Rows, starts: RecordStart) -> tuple[int, int] | None:
    """Byte and index of the last line, other than the first, that begins a record."""
    data = rows.data
    end = len(data) - data.endswith(b"\n")
    index = len(rows.lines) - 1
    while index > 0:
        begin = data.rfind(b"\n", 0, end) + 1
        if starts(data[begin:end].removesuffix(b"\r")):
            return begin, index
        end = begin - 1
        index -= 1
    return None


def _joined(first: Rows, second: Rows) -> Rows:
    def both(name: str) -> list[Any] | None:
        left, right = getattr(first, name), getattr(second, name)
        if left is None and right is None:
            return None
        return (left or [None] * len(first.lines)) + (right or [None] * len(second.lines))

    lines: Sequence[int] = [*first.lines, *second.lines]
    if isinstance(first.lines, range) and isinstance(second.lines, range):
        lines = range(first.lines.start, second.lines.stop)
    # A line that may be cut off has no newline; what a wrapper held back until the end stands behind it.
    border = b"" if first.data.endswith(b"\n") or not first.data else b"\n"
    return Rows(
        data=first.data + border + second.data,
        lines=lines,
        at=both("at"),
        node=both("node"),
        namespace=both("namespace"),
        pod=both("pod"),
        container=both("container"),
        year_inferred=first.year_inferred or second.year_inferred,
    )
