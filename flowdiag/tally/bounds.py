"""Folding what is too much, by rules that give the same for any order of records and merges.

A flow stays exact if its hash is among the smallest of its group (flows alike in all but port and
outside address), and below a threshold that halves until the number of such flows fits.
How many flows of a group lie below a threshold only grows with what was seen, so a threshold that a
part needed the whole needs too; and a flow that is dropped once would be dropped in the end.
What is dropped goes to its group's remainder.  Remainders are bounded by the same threshold rule, and
what exceeds that is pooled by verdict and cause, of which there are few.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from msgspec.structs import replace

from flowdiag.model.event import Peer
from flowdiag.parserkit.sink import FlowShape
from flowdiag.tally.columns import LaneColumns
from flowdiag.tally.exact import Exact, LaneKey, exact
from flowdiag.tally.grouping import I64, U64, Mask, alike, first_of_runs, mapped, mapping
from flowdiag.tally.hashing import folded_peer, mix, mix_columns, stable_hash
from flowdiag.tally.lane import FlowLane
from flowdiag.tally.sketch import Sketch
from flowdiag.tally.table import BITS, EXACT, FOLDED, POOLED, REFUSED, Table

__all__ = ["Bounds", "compacted"]

_PROTOCOLS = frozenset({"TCP", "UDP", "SCTP", "ICMP", "ICMPv6"})
_NO_PORT = 1 << 16
_BLANK = Peer()

Cell = tuple[int, int, int | None, int]
Group = tuple[int, int, int]


def compacted(table: Table) -> Table | None:
    """`table` within its limits, as a new one; ``None`` where it is within them already."""
    return Bounds(table).compacted()


class Bounds:
    """Applies the limits of one table; computes each end's and shape's hash once."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._peer_hashes: dict[int, int] = {}
        self._shape_hashes: dict[int, int] = {}
        self._folded: dict[int, int] = {}
        self._group_shapes: dict[int, int] = {}

    # -- hashes and groups -------------------------------------------------------------------------

    def peer_hash(self, number: int) -> int:
        """Stable hash of an end."""
        found = self._peer_hashes.get(number)
        if found is None:
            found = self._peer_hashes[number] = stable_hash(self._table.peers[number])
        return found

    def _shape_hash(self, number: int) -> int:
        found = self._shape_hashes.get(number)
        if found is None:
            found = self._shape_hashes[number] = stable_hash(self._table.shapes[number])
        return found

    def cell_hash(self, cell: Cell) -> int:
        """Stable hash of a distinct flow (all its lanes)."""
        src, dst, port, shape = cell
        return mix(
            self.peer_hash(src),
            self.peer_hash(dst),
            _NO_PORT if port is None else port & 0xFFFF_FFFF,
            self._shape_hash(shape),
        )

    def _fold(self, number: int) -> int:
        found = self._folded.get(number)
        if found is None:
            peer = self._table.peers[number]
            folded = folded_peer(peer)
            found = self._folded[number] = number if folded is peer else self._table.peer(folded)
        return found

    def _group_shape(self, number: int) -> int:
        """A shape without its L7 part and ICMP type, which whoever sends chooses freely."""
        found = self._group_shapes.get(number)
        if found is None:
            whole = self._table.shapes[number]
            bare = replace(whole.shape, l7=None, icmp=None)
            found = self._group_shapes[number] = self._table.shape(whole.parser, bare)
        return found

    def _pool_shape(self, number: int) -> int:
        whole = self._table.shapes[number]
        return self._table.shape(whole.parser, _pool(whole.shape))

    def group(self, cell: Cell) -> Group:
        """What a flow is folded into when there are too many like it."""
        src, dst, _, shape = cell
        return self._fold(src), self._fold(dst), self._group_shape(shape)

    # -- what stays --------------------------------------------------------------------------------

    def compacted(self) -> Table | None:
        """See the module."""
        table = self._table
        limits = table.limits
        keys = [key for key in table.lanes if key[0] == EXACT]
        lanes = exact(keys, table.columns)
        first, of_lanes = alike(lanes.shapes, lanes.ports, lanes.dsts, lanes.srcs)
        cells = lanes.some(first)
        groups = self._groups(cells)
        dropped = self._over_group(cells, groups)
        refused = self._refused()[cells.shapes]
        table.refused_bits = self._over_all(cells, dropped, refused, limits.flows, table.refused_bits)
        table.allowed_bits = self._over_all(
            cells, dropped, ~refused, limits.allowed_flows, table.allowed_bits
        )
        pooling = self._bound_remainders(groups.some(np.flatnonzero(dropped)))
        gone = dropped[of_lanes]
        of_columns, of_keys = gone[: len(table.columns)], gone[len(table.columns) :].tolist()
        self._strip_texts({key[1:5] for key, lost in zip(keys, of_keys, strict=True) if not lost})
        if not dropped.any() and not pooling:
            return None
        lost_keys = {key for key, lost in zip(keys, of_keys, strict=True) if lost}
        return self._rebuilt(lost_keys, np.flatnonzero(of_columns))

    def _groups(self, cells: Exact) -> Exact:
        """What each distinct flow is folded into when there are too many like it."""
        fold, shape = self._fold, self._group_shape
        return Exact(
            mapped(cells.srcs, fold),
            mapped(cells.dsts, fold),
            np.full(len(cells.srcs), -1),
            mapped(cells.shapes, shape),
        )

    def _refused(self) -> Mask:
        return np.array([one.shape.verdict in REFUSED for one in self._table.shapes], bool)

    def _over_all(self, cells: Exact, dropped: Mask, among: Mask, most: int, bits: int) -> int:
        """Drop what is past the threshold that lets `most` of some cells stay; returns the threshold's bits."""
        left = np.flatnonzero(among & ~dropped)
        if len(left) <= most and bits == BITS:
            return bits
        hashes = self._hashes(cells, left)
        bits = _bits(np.sort(hashes), most, bits)
        if bits < BITS:
            dropped[left] = hashes >> np.uint64(bits) > 0
        return bits

    def _over_group(self, cells: Exact, groups: Exact) -> Mask:
        limits = self._table.limits
        first, number = alike(groups.shapes, groups.dsts, groups.srcs)
        most = np.where(
            self._refused()[groups.shapes[first]], limits.refused_per_group, limits.allowed_per_group
        ).astype(np.int64)
        dropped = np.zeros(len(number), bool)
        members = np.flatnonzero((np.bincount(number, minlength=len(first)) > most)[number])
        if not len(members):
            return dropped
        order = np.lexsort((self._hashes(cells, members), number[members]))
        of_group = number[members][order]
        begin = first_of_runs(of_group)
        rank = np.arange(len(order)) - np.repeat(begin, np.diff(begin, append=len(order)))
        dropped[members[order]] = rank >= most[of_group]
        return dropped

    def _hashes(self, cells: Exact, chosen: I64) -> U64:
        """`cell_hash` of some cells."""
        ports = cells.ports[chosen]
        return mix_columns(
            mapped(cells.srcs[chosen], self.peer_hash, np.uint64),
            mapped(cells.dsts[chosen], self.peer_hash, np.uint64),
            np.where(ports < 0, _NO_PORT, ports).astype(np.uint64),
            mapped(cells.shapes[chosen], self._shape_hash, np.uint64),
        )

    def _group_hash(self, group: Group) -> int:
        return mix(self.peer_hash(group[0]), self.peer_hash(group[1]), self._shape_hash(group[2]))

    def _group_hashes(self, groups: Exact) -> U64:
        return mix_columns(
            mapped(groups.srcs, self.peer_hash, np.uint64),
            mapped(groups.dsts, self.peer_hash, np.uint64),
            mapped(groups.shapes, self._shape_hash, np.uint64),
        )

    def _bound_remainders(self, fresh: Exact) -> bool:
        """Set how many groups' remainders are kept apart, with those of `fresh`; says whether one there has to go."""
        table = self._table
        known = {(src, dst, None, shape) for level, src, dst, _, shape, _ in table.lanes if level == FOLDED}
        all_of_them = fresh.and_these(list(known))
        first, _ = alike(all_of_them.shapes, all_of_them.dsts, all_of_them.srcs)
        if len(first) <= table.limits.folded and table.folded_bits == BITS:
            return False
        hashes = np.sort(self._group_hashes(all_of_them.some(first)))
        table.folded_bits = _bits(hashes, table.limits.folded, table.folded_bits)
        return table.folded_bits < BITS and bool(hashes[-1:] >> np.uint64(table.folded_bits) > 0)

    def _strip_texts(self, cells: set[Cell]) -> None:
        """Keep examples' text for a bounded number of flows, those of smallest hash."""
        table = self._table
        most = table.limits.example_texts
        refused = {cell for cell in cells if table.unit(cell[3]) == 1}
        if len(refused) <= most and table.text_bits == BITS:
            return
        hashed = {cell: self.cell_hash(cell) for cell in refused}
        table.text_bits = _bits(np.sort(np.array(list(hashed.values()), np.uint64)), most, table.text_bits)
        for (level, src, dst, port, shape, _), lane in table.lanes.items():
            if level == EXACT and hashed.get((src, dst, port, shape), 0) >= 1 << table.text_bits:
                lane.forget_texts()

    # -- the new table -----------------------------------------------------------------------------

    def _rebuilt(self, dropped: set[LaneKey], of_columns: I64) -> Table:
        """Without the `dropped` lanes and those `of_columns`, whose counts go to their groups or to the pool."""
        old = self._table
        new = Table(old.limits)
        new.refused_bits, new.allowed_bits = old.refused_bits, old.allowed_bits
        new.folded_bits, new.text_bits = old.folded_bits, old.text_bits
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
            end = self._group_hash(group)
            if old.folded_bits == BITS or end < 1 << old.folded_bits:
                new.lane(FOLDED, peer(group[0]), peer(group[1]), None, shape(group[2]), code).absorb(lane)
                return
            if lane.sketch is not None:
                lane.sketch.note(None, end)
            pool(lane, self._pool_shape(group[2]), code)

        def pool(lane: FlowLane, kind: int, code: int) -> None:
            blank = new.peer(_BLANK)
            new.lane(POOLED, blank, blank, None, shape(kind), code).absorb(lane)

        for key, lane in old.lanes.items():
            level, src, dst, port, kind, code = key
            if level == EXACT and key not in dropped:
                # Nobody uses the old table any more: its lanes move.
                new.lanes[level, peer(src), peer(dst), port, shape(kind), code] = lane
            elif level == POOLED:
                new.lane(level, peer(src), peer(dst), port, shape(kind), code).absorb(lane)
            elif level == FOLDED:
                fold(lane, (src, dst, kind), code)
            else:
                cell = (src, dst, port, kind)
                group = self.group(cell)
                self._sketch(lane, cell, group)
                # Whether a part had kept their text hung on its size: none that is folded keeps it.
                lane.forget_texts()
                fold(lane, group, code)
        for level, lane, group, code in self._folded_columns(of_columns):
            if level == FOLDED:
                fold(lane, group, code)
            else:
                pool(lane, group[2], code)
        columns = old.columns
        columns.remove(of_columns)
        srcs, dsts, _, kinds, _ = columns.parts()
        new.columns.absorb(columns, mapping(old.peers, peer, srcs, dsts), mapping(old.shapes, shape, kinds))
        new.columns.settle()
        return new

    def _folded_columns(self, chosen: I64) -> Iterator[tuple[int, FlowLane, Group, int]]:
        """Some lanes of the columns by what they are folded into: its level, and what the sketch says of them."""
        if not len(chosen):
            return
        table = self._table
        srcs, dsts, ports, shapes, _ = (column[chosen] for column in table.columns.parts())
        groups = self._groups(Exact(srcs, dsts, ports, shapes))
        lost = np.where(groups.srcs != srcs, srcs, np.where(groups.dsts != dsts, dsts, -1))
        hidden = np.zeros(len(chosen), np.uint64)
        hidden[lost >= 0] = mapped(lost[lost >= 0], self.peer_hash, np.uint64)
        hashes = self._group_hashes(groups)
        bits = table.folded_bits
        past = np.zeros(len(chosen), bool) if bits == BITS else hashes >> np.uint64(bits) > 0
        for level, which in ((FOLDED, np.flatnonzero(~past)), (POOLED, np.flatnonzero(past))):
            folded = LaneColumns(table.limits)
            if level == FOLDED:
                ends, kinds = self._fold, self._group_shape
            else:
                blank = table.peer(_BLANK)
                ends, kinds = lambda _: blank, lambda number: self._pool_shape(self._group_shape(number))  # noqa: B023
            numbers = folded.absorb(
                table.columns,
                mapping(table.peers, ends, srcs[which], dsts[which]),
                mapping(table.shapes, kinds, shapes[which]),
                chosen[which],
                ports=False,
            )
            folded.settle()
            sketches = [Sketch() for _ in range(len(folded))]
            for sketch, found in zip(
                sketches, _by_lane(numbers, ports[which].astype(np.uint64)), strict=True
            ):
                sketch.note_ports(found)
            told = lost[which] >= 0
            with_ends = numbers[told], hidden[which][told]
            if level == POOLED:
                with_ends = (
                    np.concatenate((with_ends[0], numbers)),
                    np.concatenate((with_ends[1], hashes[which])),
                )
            for sketch, found in zip(sketches, _by_lane(*with_ends, of=len(folded)), strict=True):
                sketch.note_ends(found)
            lanes = folded.lanes(np.arange(len(folded)))
            parts = (column.tolist() for column in folded.parts())
            for lane, sketch, src, dst, _, shape, code in zip(lanes, sketches, *parts, strict=True):
                lane.sketch = sketch
                yield level, lane, (src, dst, shape), code

    def _sketch(self, lane: FlowLane, cell: Cell, group: Group) -> None:
        src, dst, port, _ = cell
        lane.sketch = Sketch()
        end = None
        if group[0] != src:
            end = self.peer_hash(src)
        elif group[1] != dst:
            end = self.peer_hash(dst)
        lane.sketch.note(port, end)


def _by_lane(lanes: I64, values: U64, *, of: int | None = None) -> Iterator[list[int]]:
    """The distinct values of each lane, sorted; of all of them from zero on."""
    order = np.lexsort((values, lanes))
    lanes, values = lanes[order], values[order]
    fresh = np.ones(len(lanes), bool)
    fresh[1:] = (lanes[1:] != lanes[:-1]) | (values[1:] != values[:-1])
    lanes, values = lanes[fresh], values[fresh]
    number = of if of is not None else int(lanes[-1]) + 1 if len(lanes) else 0
    begin = np.searchsorted(lanes, np.arange(number + 1)).tolist()
    for start, stop in pairwise(begin):
        yield values[start:stop].tolist()


def _pool(shape: FlowShape) -> FlowShape:
    return FlowShape(
        node=None,
        protocol=shape.protocol if shape.protocol in _PROTOCOLS else None,
        icmp=None,
        verdict=shape.verdict,
        verdict_raw=None,
        cause=shape.cause,
        reason=None,
        reason_code=None,
        reason_raw=None,
        l7=None,
        turned=shape.turned,
    )


def _bits(hashes: U64, most: int, bits: int) -> int:
    """`bits`, or fewer where more than `most` of the sorted hashes are below two to the power of it."""
    while bits and (len(hashes) if bits == BITS else np.searchsorted(hashes, np.uint64(1 << bits))) > most:
        bits -= 1
    return bits
