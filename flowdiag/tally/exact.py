"""Distinct flows as columns of numbers, wherever their lanes are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from flowdiag.tally.columns import LaneColumns
from flowdiag.tally.grouping import I64, Ints

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


def exact(keys: Sequence[LaneKey], columns: LaneColumns) -> Exact:
    """The flows of lanes in `columns`, and behind them of those with these keys."""
    return _joined([*columns.parts()[:4]], [key[1:5] for key in keys])


def _joined(columns: list[Ints], flows: Sequence[tuple[int, int, int | None, int]]) -> Exact:
    """Four columns, which nobody else needs, and `flows` behind them: one column after the other, as they are long."""
    more = np.array(
        [(src, dst, -1 if port is None else port & _PORT, shape) for src, dst, port, shape in flows], np.int64
    ).reshape(-1, 4)
    narrow = np.int32 if not len(more) or more.max() <= np.iinfo(np.int32).max else np.int64
    for at in range(4):
        columns[at] = np.concatenate((columns[at], more[:, at].astype(narrow)))
    return Exact(*columns)
