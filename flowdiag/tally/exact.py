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
        more = np.array(
            [(src, dst, -1 if port is None else port & _PORT, shape) for src, dst, port, shape in flows],
            np.int64,
        ).reshape(-1, 4)
        return Exact(
            np.concatenate((self.srcs, more[:, 0].astype(np.int32))),
            np.concatenate((self.dsts, more[:, 1].astype(np.int32))),
            np.concatenate((self.ports, more[:, 2])),
            np.concatenate((self.shapes, more[:, 3].astype(np.int32))),
        )


def exact(keys: Sequence[LaneKey], columns: LaneColumns) -> Exact:
    """The flows of lanes in `columns`, and behind them of those with these keys."""
    srcs, dsts, ports, shapes, _ = columns.parts()
    return Exact(srcs, dsts, ports, shapes).and_these([key[1:5] for key in keys])
