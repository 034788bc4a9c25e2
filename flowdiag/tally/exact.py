"""Distinct flows as columns of numbers, whether their lanes are objects or columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from flowdiag.tally.grouping import I64, Ints, none

__all__ = ["Exact", "LaneKey", "exact"]

LaneKey = tuple[int, int, int, int | None, int, int]
"""As the keys of `Table.lanes`: level, source, destination, port, shape, code."""

_PORT = 0xFFFF_FFFF


class Exact(Struct, frozen=True):
    """Four columns."""

    srcs: Ints
    dsts: Ints
    ports: Ints
    """-1 for none."""
    shapes: Ints

    def some(self, rows: I64) -> Exact:
        """Some rows."""
        return Exact(self.srcs[rows], self.dsts[rows], self.ports[rows], self.shapes[rows])

    def and_these(self, flows: Sequence[tuple[int, int, int | None, int]]) -> Exact:
        """These rows, and behind them those of `flows` as (source, destination, port, shape)."""
        return _joined([self.srcs, self.dsts, self.ports, self.shapes], flows)


def exact(keys: Sequence[LaneKey], columns: Sequence[Ints] = ()) -> Exact:
    """The flows of lanes in `columns` (as `LaneColumns.parts`), and behind them of those with these keys."""
    return _joined(columns or [none(np.int32)] * 4, [key[1:5] for key in keys])


def _joined(columns: Sequence[Ints], flows: Sequence[tuple[int, int, int | None, int]]) -> Exact:
    """Four columns, and `flows` behind them: one column after the other, as they are long."""
    srcs, dsts, ports, shapes = zip(*flows, strict=True) if flows else ((), (), (), ())
    known = [-1 if port is None else port & _PORT for port in ports]
    return Exact(*map(_longer, columns, (srcs, dsts, known, shapes)))


def _longer(column: Ints, more: Sequence[int]) -> Ints:
    if not more:
        return column
    wide = np.array(more, np.int64)
    return np.concatenate((column, wide.astype(np.int32) if wide.max() <= np.iinfo(np.int32).max else wide))
