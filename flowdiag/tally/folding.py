"""Rebuilding a table without the lanes that its limits do not let stay; their counts go to remainders or to the pool."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowdiag.tally.columns import UNIT, LaneColumns
from flowdiag.tally.exact import Exact, LaneKey
from flowdiag.tally.grouping import I64, Mask, mapped, mapping
from flowdiag.tally.groups import Cell, Group, Groups
from flowdiag.tally.lane import FlowLane
from flowdiag.tally.sketch import Sketch
from flowdiag.tally.table import BITS, EXACT, FOLDED, POOLED, Table

__all__ = ["rebuilt"]

Renumber = Callable[[int], int]


def rebuilt(
    groups: Groups, dropped: Collection[LaneKey], of_columns: I64, cutoffs: Mapping[Group, int]
) -> Table:
    """Give the table of `groups` without some lanes, whose counts go to the remainders of their groups, or to the pool.

    Args:
        groups: of the table, which is not to be used any more.
        dropped: keys of lanes to fold.
        of_columns: numbers of lanes in `Table.columns` to fold.
        cutoffs: as in `Table`.
    """
    old = groups.table
    new = Table(old.limits)
    new.refused_bits, new.allowed_bits = old.refused_bits, old.allowed_bits
    new.folded_bits, new.allowed_folded_bits = old.folded_bits, old.allowed_folded_bits
    new.text_bits = old.text_bits
    peers: dict[int, int] = {}
    shapes: dict[int, int] = {}

    def peer(number: int) -> int:
        if number not in peers:
            peers[number] = new.peer(old.peers[number])
        return peers[number]

    def shape(number: int) -> int:
        if number not in shapes:
            shapes[number] = new.shape(old.shapes[number].parser, old.shapes[number].shape)
        return shapes[number]

    def fold(lane: FlowLane, group: Group, code: int) -> None:
        end = groups.group_hash(group)
        bits = old.allowed_folded_bits if old.unit(group[2]) == UNIT else old.folded_bits
        if bits == BITS or end < 1 << bits:
            new.lane(FOLDED, peer(group[0]), peer(group[1]), None, shape(group[2]), code).absorb(lane)
            return
        if lane.sketch is not None:
            lane.sketch.note(None, end)
        pool(lane, groups.pool_shape(group[2]), code)

    def pool(lane: FlowLane, kind: int, code: int) -> None:
        blank = peer(groups.blank())
        new.lane(POOLED, blank, blank, None, shape(kind), code).absorb(lane)

    for key, lane in old.lanes.items():
        level, src, dst, port, kind, code = key
        if level == EXACT and key not in dropped:
            # The old table is not used any more, so its lanes can move as they are.
            new.lanes[level, peer(src), peer(dst), port, shape(kind), code] = lane
        elif level == POOLED:
            new.lane(level, peer(src), peer(dst), port, shape(kind), code).absorb(lane)
        elif level == FOLDED:
            fold(lane, (src, dst, kind), code)
        else:
            cell = (src, dst, port, kind)
            group = groups.group(cell)
            lane.sketch = _sketch(groups, cell, group)
            # Whether a part had kept these texts depends on how the input was cut; so that it makes no difference,
            # all go.
            lane.forget_texts()
            fold(lane, group, code)
            # A sketch with a high port takes 8 KiB, and the old table still holds this lane.
            lane.sketch = None
    for level, lane, group, code in _folded(groups, of_columns):
        if level == FOLDED:
            fold(lane, group, code)
        else:
            pool(lane, group[2], code)
    columns = old.columns
    columns.remove(of_columns)
    srcs, dsts, _, kinds, _ = columns.parts()
    columns.renumber(mapping(old.peers, peer, srcs, dsts), mapping(old.shapes, shape, kinds))
    new.columns = columns
    folded = {(src, dst, kind) for level, src, dst, _, kind, _ in new.lanes if level == FOLDED}
    renumbered = (
        ((peer(src), peer(dst), shape(kind)), most)
        for (src, dst, kind), most in cutoffs.items()
        if src in peers and dst in peers and kind in shapes
    )
    new.cutoffs = {group: most for group, most in renumbered if group in folded}
    return new


def _sketch(groups: Groups, cell: Cell, group: Group) -> Sketch:
    sketch = Sketch()
    sketch.note(cell[2], groups.folded_hash(cell[0], cell[1], group))
    return sketch


def _folded(groups: Groups, chosen: I64) -> Iterator[tuple[int, FlowLane, Group, int]]:
    """Yield some lanes of the columns, joined by what they are folded into: its level, the lane, its group, its code."""
    if not len(chosen):
        return
    table = groups.table
    srcs, dsts, ports, shapes, _ = (column[chosen] for column in table.columns.parts())
    group = groups.of_cells(Exact(srcs, dsts, ports, shapes))
    lost = np.where(group.srcs != srcs, srcs, np.where(group.dsts != dsts, dsts, -1))
    ends = np.zeros(len(chosen), np.uint64)
    ends[lost >= 0] = mapped(lost[lost >= 0], groups.peer_hash, np.uint64)
    hashes = groups.group_hashes(group)
    bits = table.allowed_folded_bits
    past = np.zeros(len(chosen), bool) if bits == BITS else hashes >> np.uint64(bits) > 0
    blank = groups.blank()
    ways: tuple[tuple[int, Mask, Renumber, Renumber], ...] = (
        (FOLDED, ~past, groups.fold, groups.group_shape),
        (POOLED, past, lambda _: blank, lambda number: groups.pool_shape(groups.group_shape(number))),
    )
    for level, among, peer, shape in ways:
        which = np.flatnonzero(among)
        folded = LaneColumns(table.limits)
        numbers = folded.absorb(
            table.columns,
            mapping(table.peers, peer, srcs[which], dsts[which]),
            mapping(table.shapes, shape, shapes[which]),
            chosen[which],
            ports=False,
        )
        folded.settle()
        sketches = [Sketch() for _ in range(len(folded))]
        told = lost[which] >= 0
        of_ends, hidden = numbers[told], ends[which][told]
        if level == POOLED:
            of_ends, hidden = np.concatenate((of_ends, numbers)), np.concatenate((hidden, hashes[which]))
        for sketch, found in zip(sketches, _by_lane(numbers, ports[which], len(folded)), strict=True):
            sketch.note_ports(found)
        for sketch, found in zip(sketches, _by_lane(of_ends, hidden, len(folded)), strict=True):
            sketch.note_ends(found)
        lanes = folded.lanes(np.arange(len(folded)))
        parts = (column.tolist() for column in folded.parts())
        for lane, sketch, src, dst, _, kind, code in zip(lanes, sketches, *parts, strict=True):
            lane.sketch = sketch
            yield level, lane, (src, dst, kind), code


def _by_lane(lanes: I64, values: NDArray[Any], number: int) -> Iterator[list[int]]:
    """Yield the distinct values of each lane, sorted, for the lanes from 0 to below `number`."""
    order = np.lexsort((values, lanes))
    lanes, values = lanes[order], values[order]
    fresh = np.ones(len(lanes), bool)
    fresh[1:] = (lanes[1:] != lanes[:-1]) | (values[1:] != values[:-1])
    lanes, values = lanes[fresh], values[fresh]
    for start, stop in pairwise(np.searchsorted(lanes, np.arange(number + 1)).tolist()):
        yield values[start:stop].tolist()
