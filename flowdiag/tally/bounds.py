"""Folding what is too much, by rules that give the same for any order of records and merges.

A flow stays exact if its hash is among the smallest of its group (flows alike in all but port and
outside address), and below a threshold that halves until the number of such flows fits.
How many flows of a group lie below a threshold only grows with what was seen, so a threshold that a
part needed the whole needs too; and a flow that is dropped once would be dropped in the end.
What is dropped goes to its group's remainder.  Remainders are bounded by the same threshold rule, and
what exceeds that is pooled by verdict and cause, of which there are few.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from heapq import nsmallest

from msgspec.structs import replace

from flowdiag.model.event import Peer
from flowdiag.parserkit.sink import FlowShape
from flowdiag.tally.hashing import folded_peer, mix, stable_hash
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

    def group(self, cell: Cell) -> Group:
        """What a flow is folded into when there are too many like it."""
        src, dst, _, shape = cell
        return self._fold(src), self._fold(dst), self._group_shape(shape)

    # -- what stays --------------------------------------------------------------------------------

    def compacted(self) -> Table | None:
        """See the module."""
        limits = self._table.limits
        groups: dict[Group, list[Cell]] = defaultdict(list)
        remainders: set[Group] = set()
        cells = {
            (src, dst, port, shape) for level, src, dst, port, shape, _ in self._table.lanes if level == EXACT
        }
        for cell in cells:
            groups[self.group(cell)].append(cell)
        for level, src, dst, _, shape, _ in self._table.lanes:
            if level == FOLDED:
                remainders.add((src, dst, shape))
        dropped = self._over_group(groups)
        if len(cells) - len(dropped) > limits.flows or self._table.exact_bits < BITS:
            left = [(self.cell_hash(cell), cell) for cell in cells - dropped]
            bits = _bits([number for number, _ in left], limits.flows, self._table.exact_bits)
            self._table.exact_bits = bits
            dropped.update(cell for number, cell in left if number >= 1 << bits)
        remainders.update(self.group(cell) for cell in dropped)
        pooled = self._over_remainders(remainders)
        self._strip_texts(cells - dropped)
        if not dropped and not pooled:
            return None
        return self._rebuilt(dropped, pooled)

    def _over_group(self, groups: dict[Group, list[Cell]]) -> set[Cell]:
        limits = self._table.limits
        dropped: set[Cell] = set()
        for group, members in groups.items():
            refused = self._table.shapes[group[2]].shape.verdict in REFUSED
            most = limits.refused_per_group if refused else limits.allowed_per_group
            if len(members) > most:
                kept = nsmallest(
                    most, ((self.cell_hash(cell), cell) for cell in members), key=lambda item: item[0]
                )
                dropped.update(members)
                dropped.difference_update(cell for _, cell in kept)
        return dropped

    def _group_hash(self, group: Group) -> int:
        return mix(self.peer_hash(group[0]), self.peer_hash(group[1]), self._shape_hash(group[2]))

    def _over_remainders(self, remainders: set[Group]) -> set[Group]:
        table = self._table
        if len(remainders) <= table.limits.folded and table.folded_bits == BITS:
            return set()
        hashed = [(self._group_hash(group), group) for group in remainders]
        table.folded_bits = _bits([number for number, _ in hashed], table.limits.folded, table.folded_bits)
        return {group for number, group in hashed if number >= 1 << table.folded_bits}

    def _strip_texts(self, cells: set[Cell]) -> None:
        """Keep examples' text for a bounded number of flows, those of smallest hash."""
        table = self._table
        most = table.limits.example_texts
        refused = {cell for cell in cells if table.unit(cell[3]) == 1}
        if len(refused) <= most and table.text_bits == BITS:
            return
        hashed = {cell: self.cell_hash(cell) for cell in refused}
        table.text_bits = _bits(list(hashed.values()), most, table.text_bits)
        for (level, src, dst, port, shape, _), lane in table.lanes.items():
            if level == EXACT and hashed.get((src, dst, port, shape), 0) >= 1 << table.text_bits:
                lane.forget_texts()

    # -- the new table -----------------------------------------------------------------------------

    def _rebuilt(self, dropped: set[Cell], pooled: set[Group]) -> Table:
        old = self._table
        new = Table(old.limits)
        new.exact_bits, new.folded_bits, new.text_bits = old.exact_bits, old.folded_bits, old.text_bits
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

        for (level, src, dst, port, kind, code), lane in old.lanes.items():
            cell = (src, dst, port, kind)
            if level == EXACT and cell not in dropped:
                # Nobody uses the old table any more: its lanes move.
                new.lanes[level, peer(src), peer(dst), port, shape(kind), code] = lane
                continue
            if level == POOLED:
                new.lane(level, peer(src), peer(dst), port, shape(kind), code).absorb(lane)
                continue
            if level == EXACT:
                group = self.group(cell)
                self._sketch(lane, cell, group)
                # Whether a part had kept their text hung on its size: none that is folded keeps it.
                lane.forget_texts()
            else:
                group = (src, dst, kind)
            if group not in pooled:
                target = new.lane(FOLDED, peer(group[0]), peer(group[1]), None, shape(group[2]), code)
            else:
                end = self._group_hash(group)
                if lane.sketch is not None:
                    lane.sketch.note(None, end)
                whole = old.shapes[group[2]]
                target = new.lane(
                    POOLED,
                    new.peer(_BLANK),
                    new.peer(_BLANK),
                    None,
                    new.shape(whole.parser, _pool(whole.shape)),
                    code,
                )
            target.absorb(lane)
        return new

    def _sketch(self, lane: FlowLane, cell: Cell, group: Group) -> None:
        src, dst, port, _ = cell
        lane.sketch = Sketch()
        end = None
        if group[0] != src:
            end = self.peer_hash(src)
        elif group[1] != dst:
            end = self.peer_hash(dst)
        lane.sketch.note(port, end)


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


def _bits(hashes: list[int], most: int, bits: int) -> int:
    """`bits`, or fewer where more than `most` hashes are below two to the power of it."""
    hashes.sort()
    while bits and bisect_left(hashes, 1 << bits) > most:
        bits -= 1
    return bits
