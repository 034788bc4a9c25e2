"""The distinct flows of a table, as the rooms to the left want them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby, pairwise
from operator import itemgetter
from statistics import median

from msgspec.structs import replace

from flowdiag.model.event import Peer, TimeSource
from flowdiag.model.tally import Bucket, DistinctFlow, Example
from flowdiag.model.time import NS
from flowdiag.parserkit.sink import TCP_FLAGS
from flowdiag.tally.bounds import Bounds
from flowdiag.tally.halves import Place, Whole, whole_cells
from flowdiag.tally.lane import NEVER, TIME_RANKS, FlowLane
from flowdiag.tally.pairs import Paired, paired
from flowdiag.tally.table import EXACT, POOLED, REFUSED, Table

__all__ = ["distinct_flows"]

_EXAMPLES = 3
_STEADY_GAPS = 4
_STEADY_SHARE = 0.8


def distinct_flows(table: Table) -> tuple[DistinctFlow, ...]:
    """All flows of a compacted table, in an order that hangs on their contents alone."""
    bounds = Bounds(table)
    seen = _Ways(table, {key[:5] for key in table.lanes})
    found: list[tuple[tuple[int, str, int, str], Place, DistinctFlow]] = []
    for whole in whole_cells(table, bounds):
        level, _, _, _, shape = whole.place
        refused = table.shapes[shape].shape.verdict in REFUSED
        for part in paired(whole.lanes, refused=refused):
            flow = _flow(table, whole, part, reply_seen=seen.other_way(whole.place))
            first = flow.first if flow.first is not None else -1
            found.append(((first, flow.verdict, level, flow.direction or ""), whole.place, flow))
    found.sort(key=itemgetter(0))
    flows: list[DistinctFlow] = []
    for _, same in groupby(found, key=itemgetter(0)):
        alike = list(same)
        if len(alike) > 1:
            # Hashing costs: only what begins together is put in order by it.
            alike.sort(key=lambda item: bounds.cell_hash(item[1][1:]))
        flows.extend(flow for _, _, flow in alike)
    return tuple(flows)


class _Ways:
    """Which ways of a connection were seen, by ends without what the record says beside."""

    def __init__(self, table: Table, cells: Iterable[Place]) -> None:
        self._table = table
        self._ends = [_end(peer) for peer in table.peers]
        self._seen = {self._key(place, turned=self._turned(place)) for place in cells if place[0] == EXACT}

    def _turned(self, place: Place) -> bool:
        return self._table.shapes[place[4]].shape.turned

    def _key(self, place: Place, *, turned: bool) -> tuple[object, ...]:
        _, src, dst, port, shape = place
        protocol = self._table.shapes[shape].shape.protocol
        return self._ends[src], self._ends[dst], port, protocol, turned

    def other_way(self, place: Place) -> bool:
        """Whether records of the other way of this connection are there."""
        return place[0] == EXACT and self._key(place, turned=not self._turned(place)) in self._seen


def _end(peer: Peer) -> tuple[str | None, ...]:
    if peer.pod is not None:
        return (peer.namespace, peer.pod)
    if peer.ip is not None:
        return (peer.ip,)
    return (peer.namespace, peer.service, peer.node, peer.entity, peer.mac, "")


def _flow(table: Table, cell: Whole, part: Paired, *, reply_seen: bool) -> DistinctFlow:
    level, _, _, port, number = cell.place
    whole = table.shapes[number]
    shape = whole.shape
    lanes = part.lanes
    joined = lanes[0]
    if len(lanes) > 1:
        joined = FlowLane(table.unit(number), table.limits)
        for lane in lanes:
            joined.absorb_facts(lane)
    width = max(lane.width for lane in lanes)
    starts = sorted(part.buckets)
    sketch = joined.sketch
    examples: list[Example] = []
    if table.unit(number) == 1:
        examples = sorted({example for lane in lanes for example in lane.examples or ()})[:_EXAMPLES]
    source = cell.src
    if joined.src_names:
        source = replace(source, dns_names=tuple(sorted(joined.src_names)))
    rank = max(lane.time_rank for lane in lanes)
    time_source = TimeSource.NONE if joined.untimed else TIME_RANKS[rank]
    return DistinctFlow(
        parser=whole.parser,
        node=shape.node,
        src=source,
        dst=cell.dst,
        protocol=shape.protocol,
        port=port if sketch is None else sketch.only_port,
        icmp=shape.icmp,
        direction=part.direction,
        verdict=shape.verdict,
        verdict_raw=shape.verdict_raw or (joined.verdict_raw if level != POOLED else None),
        cause=shape.cause,
        reason=shape.reason,
        reason_code=shape.reason_code,
        reason_raw=shape.reason_raw or (joined.reason_raw if level != POOLED else None),
        policies=tuple(sorted(joined.policies, key=repr)) if joined.policies else (),
        l7=shape.l7,
        turned=shape.turned,
        count=sum(part.buckets.values()) + part.untimed,
        records=sum(lane.records for lane in lanes),
        first=joined.first if joined.first != NEVER else None,
        last=joined.last if joined.last >= 0 else None,
        time_source=time_source,
        buckets=_buckets(part, width, starts),
        tcp_flags=_flags(joined.flags),
        reply_seen=reply_seen,
        source_ports=tuple(sorted(joined.source_ports)[: table.limits.source_ports])
        if joined.source_ports
        else (),
        interval_s=_interval(starts, width),
        dns_names=tuple(sorted(joined.dst_names)) if joined.dst_names else (),
        folded_peers=(sketch.end_count or None) if sketch is not None else None,
        folded_ports=(sketch.port_count or None) if sketch is not None else None,
        examples=tuple(examples),
        interface_in=shape.interface_in,
        interface_out=shape.interface_out,
    )


@lru_cache(maxsize=1024)
def _flags(bits: int) -> frozenset[str]:
    return frozenset(flag for bit, flag in enumerate(TCP_FLAGS) if bits >> bit & 1)


def _buckets(part: Paired, width: int, starts: list[int]) -> tuple[Bucket, ...]:
    counts, wide = part.buckets, width * NS
    timed = tuple([Bucket(start * NS, wide, counts[start]) for start in starts])
    return (Bucket(None, 0, part.untimed), *timed) if part.untimed else timed


def _interval(starts: list[int], width: int) -> float | None:
    """Seconds between bursts where they come steadily, as probes and scrapes do."""
    if len(starts) <= _STEADY_GAPS:
        return None
    bursts = [start for i, start in enumerate(starts) if i == 0 or start - starts[i - 1] > width]
    gaps = [later - earlier for earlier, later in pairwise(bursts)]
    if len(gaps) < _STEADY_GAPS:
        return None
    typical = median(gaps)
    near = sum(abs(gap - typical) <= max(width, typical / 10) for gap in gaps)
    return float(typical) if near >= _STEADY_SHARE * len(gaps) else None
