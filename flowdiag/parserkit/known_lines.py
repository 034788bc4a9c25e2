"""What folding has learnt from records that were read: their kinds, and the lanes that each kind is counted in."""

from __future__ import annotations

from flowdiag.model.event import FlowEvent, TimeSource
from flowdiag.parserkit.brief_lines import BriefMemory
from flowdiag.parserkit.placing import REFUSED, Placed
from flowdiag.parserkit.sink import FlowSink, Lane

__all__ = ["PLAIN", "RANKS", "Entry", "Key", "Kind", "Memory", "Scope"]

RANKS = {source: rank for rank, source in enumerate(TimeSource)}
"""How sure a time is, 0 for the surest; the numbers of `Lane.time_rank`."""

Kind = tuple[bytes | int, ...]
Key = bytes
Scope = tuple[str | None, str | None]


PLAIN = -(1 << 32)
"""See `Memory.lanes`."""


class Entry:
    """One kind: records that agree in everything but their time and their ports."""

    # The event is not among them: its line and both ends would take more memory than all of this.
    __slots__ = ("by_left", "direction", "names", "place", "policies", "rank", "refused", "weight", "witness")

    def __init__(self, event: FlowEvent, placed: Placed, sink: FlowSink, *, by_left: bool) -> None:
        self.by_left = by_left
        """The client's port is the left one."""
        self.refused = event.verdict in REFUSED
        self.rank = RANKS[event.time_source]
        self.weight = event.count
        self.witness, self.policies = event.witness, event.policies
        self.direction = placed.direction
        self.names = placed.src_names, placed.dst_names
        self.place = sink.peer(placed.src), sink.peer(placed.dst), sink.shape(placed.shape)

    def repeated(self, server: bytes, sink: FlowSink) -> int | None:
        """The number in `FlowSink.repeats` of allowed records with this server's port; ``None`` where they need a lane."""
        src, dst, shape = self.place
        # A packet with two witnesses leaves two records, which may spell its verdict differently; only lanes count
        # such a pair once.
        if self.refused or self.rank == RANKS[TimeSource.NONE] or self.witness is not None:
            return None
        src_names, dst_names = self.names
        kind = sink.kind(
            shape,
            self.direction,
            None,
            src_names=src_names,
            dst_names=dst_names,
            policies=self.policies,
            time_rank=self.rank,
        )
        return None if kind is None else sink.repeats.add(src, dst, int(server) if server else -1, kind)

    def number(self, server: bytes, sink: FlowSink) -> int:
        """Where records of a server's port are counted, as `Memory.lanes` has it."""
        repeated = self.repeated(server, sink)
        if repeated is not None:
            return repeated
        number = sink.number(self.open(server, sink))
        return ~number if self.refused else PLAIN - 1 - number

    def open(self, server: bytes, sink: FlowSink) -> Lane:
        """The lane of a server's port."""
        src, dst, shape = self.place
        port = int(server) if server else None
        lane = sink.lane(src, dst, port, shape, self.direction, self.witness)
        src_names, dst_names = self.names
        if src_names or dst_names or self.policies:
            sink.note(lane, src_names=src_names, dst_names=dst_names, policies=self.policies)
        lane.time_rank = max(lane.time_rank, self.rank)
        return lane


class Memory:
    """What is known of earlier blocks, for as long as the sink's numbers are good."""

    __slots__ = ("brief", "entries", "flags", "heavy", "lanes", "size")

    def __init__(self) -> None:
        self.lanes: dict[Scope, dict[Key, int]] = {}
        """By node and scope: key of a kind with its server's port -> where such records are counted.  What the number
        means follows from its size: from 0 on it is one of `FlowSink.repeats`; above `PLAIN` it is ``-1 - n`` for the
        lane ``n`` of refused records; from `PLAIN` down it is ``PLAIN - 1 - n`` for a lane ``n`` of which neither
        ports nor examples are kept."""
        self.heavy: dict[Scope, dict[Key, Lane]] = {}
        """The same for records that each stand for several packets or connections."""
        self.brief: dict[tuple[str | None, str | None, int], BriefMemory] = {}
        """By node, scope and sureness of times, what `flowdiag.parserkit.brief_lines` knows."""
        self.entries: dict[Scope, dict[Kind, Entry]] = {}
        self.size = 0
        self.flags: dict[bytes, tuple[int, bytes]] = {b"": (0, b"0")}
        """Text of flags -> their bits, and those of SYN and ACK as text, which is a part of a kind's key because it
        may tell a reply."""
