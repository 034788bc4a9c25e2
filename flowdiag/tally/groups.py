"""Which flows are alike in all but port and outside address, and hashes that are the same in every process."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from flowdiag.model.event import Peer
from flowdiag.parserkit.sink import FlowShape
from flowdiag.tally.exact import Exact
from flowdiag.tally.grouping import U64, Ints, mapped
from flowdiag.tally.hashing import folded_peer, mix, mix_columns, stable_hash
from flowdiag.tally.table import Table

__all__ = ["Cell", "Group", "Groups"]

_PROTOCOLS = frozenset({"TCP", "UDP", "SCTP", "ICMP", "ICMPv6"})
_NO_PORT = 1 << 16
_BLANK = Peer()

Cell = tuple[int, int, int | None, int]
"""Source, destination, port, shape."""
Group = tuple[int, int, int]
"""Source, destination, shape."""


class Groups:
    """What the flows of one table are folded into, and their hashes, each end's and shape's computed once."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._peer_hashes: dict[int, int] = {}
        self._shape_hashes: dict[int, int] = {}
        self._folded: dict[int, int] = {}
        self._taking: set[int] = set()
        self._group_shapes: dict[int, int] = {}

    def peer_hash(self, number: int) -> int:
        """Stable hash of an end."""
        found = self._peer_hashes.get(number)
        if found is None:
            found = self._peer_hashes[number] = stable_hash(self.table.peers[number])
        return found

    def _shape_hash(self, number: int) -> int:
        found = self._shape_hashes.get(number)
        if found is None:
            found = self._shape_hashes[number] = stable_hash(self.table.shapes[number])
        return found

    def cell_hash(self, cell: Cell) -> int:
        """Stable hash of a distinct flow (all its lanes)."""
        src, dst, port, shape = cell
        return self.hash_behind(self.ends_hash(src, dst), port, shape)

    def ends_hash(self, src: int, dst: int) -> int:
        """Hash of both ends, for `hash_behind`."""
        return mix(self.peer_hash(src), self.peer_hash(dst))

    def hash_behind(self, ends: int, port: int | None, shape: int) -> int:
        """`cell_hash` of a flow between ends of which `ends_hash` was asked."""
        return mix(_NO_PORT if port is None else port & 0xFFFF_FFFF, self._shape_hash(shape), after=ends)

    def fold(self, number: int) -> int:
        """Give the end that stands for an end in its group: the end itself, but for outside addresses."""
        found = self._folded.get(number)
        if found is None:
            peer = self.table.peers[number]
            folded = folded_peer(peer)
            found = self._folded[number] = number if folded is peer else self.table.peer(folded)
            if found != number:
                self._taking.add(found)
        return found

    def takes_others(self, number: int) -> bool:
        """Whether some other end that `fold` was asked for is folded into this one."""
        return number in self._taking

    def group_shape(self, number: int) -> int:
        """Give a shape without its L7 part and ICMP type, which a sender can choose freely."""
        found = self._group_shapes.get(number)
        if found is None:
            whole = self.table.shapes[number]
            bare = replace(whole.shape, l7=None, icmp=None)
            found = self._group_shapes[number] = self.table.shape(whole.parser, bare)
        return found

    def pool_shape(self, number: int) -> int:
        """Give what is left of a group's shape in the pool, where there are too many groups."""
        whole = self.table.shapes[number]
        return self.table.shape(whole.parser, _pool(whole.shape))

    def group(self, cell: Cell) -> Group:
        """Give the group of a flow: what it is folded into when there are too many like it."""
        src, dst, _, shape = cell
        return self.fold(src), self.fold(dst), self.group_shape(shape)

    def folded_hash(self, src: int, dst: int, group: Group) -> int | None:
        """Hash of the end that a flow has and its group leaves out."""
        if group[0] != src:
            return self.peer_hash(src)
        return self.peer_hash(dst) if group[1] != dst else None

    def blank(self) -> int:
        """The end that stands for all in pools."""
        return self.table.peer(_BLANK)

    def of_cells(self, cells: Exact) -> Exact:
        """What each distinct flow is folded into when there are too many like it."""
        fold, shape = self.fold, self.group_shape
        return Exact(
            mapped(cells.srcs, fold, np.int32),
            mapped(cells.dsts, fold, np.int32),
            np.full(len(cells.srcs), -1, np.int32),
            mapped(cells.shapes, shape, np.int32),
        )

    def cell_hashes(self, cells: Exact, chosen: Ints) -> U64:
        """`cell_hash` of some cells."""
        ports = cells.ports[chosen]
        return mix_columns(
            mapped(cells.srcs[chosen], self.peer_hash, np.uint64),
            mapped(cells.dsts[chosen], self.peer_hash, np.uint64),
            np.where(ports < 0, _NO_PORT, ports).astype(np.uint64),
            mapped(cells.shapes[chosen], self._shape_hash, np.uint64),
        )

    def group_hash(self, group: Group) -> int:
        """Stable hash of a group."""
        return mix(self.peer_hash(group[0]), self.peer_hash(group[1]), self._shape_hash(group[2]))

    def group_hashes(self, groups: Exact) -> U64:
        """`group_hash` of each."""
        return mix_columns(
            mapped(groups.srcs, self.peer_hash, np.uint64),
            mapped(groups.dsts, self.peer_hash, np.uint64),
            mapped(groups.shapes, self._shape_hash, np.uint64),
        )


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
