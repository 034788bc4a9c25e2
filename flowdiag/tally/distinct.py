"""Making a `DistinctFlow` of the lanes of one flow."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby, pairwise

from msgspec.structs import replace

from flowdiag.model.event import TimeSource
from flowdiag.model.tally import Bucket, DistinctFlow, Example
from flowdiag.model.time import NS
from flowdiag.parserkit.replies import TCP_FLAGS
from flowdiag.tally.halves import Whole
from flowdiag.tally.lane import NEVER, TIME_RANKS, FlowLane
from flowdiag.tally.pairs import Paired
from flowdiag.tally.table import POOLED, Table

__all__ = ["buckets_of", "make_flow"]

_EXAMPLES = 3
_STEADY_GAPS = 4
_STEADY_SHARE = 0.8


def make_flow(table: Table, cell: Whole, part: Paired) -> DistinctFlow:
    """One direction's part of a flow as one value."""
    level, _, _, port, number = cell.place
    whole = table.shapes[number]
    shape = whole.shape
    lanes = part.lanes
    joined = lanes[0] if len(lanes) == 1 else _joined(table, lanes)
    width = max([lane.width for lane in lanes])
    starts = sorted(part.buckets)
    sketch = joined.sketch
    examples: tuple[Example, ...] = ()
    if table.unit(number) == 1:
        # In order and each once, without unpacking their texts, which nobody reads for most flows.
        kept = sorted([one for lane in lanes for one in lane.examples or ()])
        examples = tuple([one for one, _ in groupby(kept)][:_EXAMPLES])
    source = cell.src
    if joined.src_names:
        source = replace(source, dns_names=tuple(sorted(joined.src_names)))
    time_source = TimeSource.NONE if joined.untimed else TIME_RANKS[joined.time_rank]
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
        records=sum([lane.records for lane in lanes]),
        first=joined.first if joined.first != NEVER else None,
        last=joined.last if joined.last >= 0 else None,
        time_source=time_source,
        buckets=_buckets(part, starts, width),
        tcp_flags=_flags(joined.flags),
        source_ports=tuple(sorted(joined.source_ports)[: table.limits.source_ports])
        if joined.source_ports
        else (),
        interval_s=_interval(starts, width),
        dns_names=tuple(sorted(joined.dst_names)) if joined.dst_names else (),
        folded_peers=(sketch.end_count or None) if sketch is not None else None,
        folded_ports=(sketch.port_count or None) if sketch is not None else None,
        examples=examples,
        interface_in=shape.interface_in,
        interface_out=shape.interface_out,
    )


@lru_cache(maxsize=1024)
def _flags(bits: int) -> frozenset[str]:
    return frozenset(flag for bit, flag in enumerate(TCP_FLAGS) if bits >> bit & 1)


def _joined(table: Table, lanes: Sequence[FlowLane]) -> FlowLane:
    """Join what the lanes say, but for buckets and examples."""
    joined = FlowLane(lanes[0].unit, table.limits)
    for lane in lanes:
        joined.absorb_marks(lane)
    return joined


def buckets_of(part: Paired, width: int) -> tuple[Bucket, ...]:
    """Give the counts in spans of `width` seconds, sorted; the count of records without a time comes first."""
    return _buckets(part, sorted(part.buckets), width)


def _buckets(part: Paired, starts: list[int], width: int) -> tuple[Bucket, ...]:
    counts, wide = part.buckets, width * NS
    timed = tuple([Bucket(start * NS, wide, counts[start]) for start in starts])
    return (Bucket(None, 0, part.untimed), *timed) if part.untimed else timed


def _interval(starts: list[int], width: int) -> float | None:
    """Seconds between bursts where they come steadily, as probes and scrapes do."""
    if len(starts) <= _STEADY_GAPS:
        return None
    bursts = [starts[0], *[start for before, start in pairwise(starts) if start - before > width]]
    gaps = [later - earlier for earlier, later in pairwise(bursts)]
    if len(gaps) < _STEADY_GAPS:
        return None
    typical = _median(gaps)
    far = max(width, typical / 10)
    near = sum([abs(gap - typical) <= far for gap in gaps])
    return float(typical) if near >= _STEADY_SHARE * len(gaps) else None


def _median(numbers: list[int]) -> float:
    """The median; the standard library's module for it would load `fractions` and `decimal`."""
    in_order = sorted(numbers)
    middle = len(in_order) // 2
    return in_order[middle] if len(in_order) % 2 else (in_order[middle - 1] + in_order[middle]) / 2
