"""Letting go of what is older than a moment, for a stream that never ends."""

from __future__ import annotations

from flowdiag.model.time import NS
from flowdiag.tally.grouping import mapping
from flowdiag.tally.lane import NEVER, FlowLane
from flowdiag.tally.table import Table

__all__ = ["recent"]


def recent(table: Table, before: int) -> Table:
    """What `table` counted in buckets that end after `before`, as a new table.

    Ends, shapes and lanes that nothing is left of are gone, so memory follows what was seen since then.  When the first record
    that is left came is not known, so a lane then begins where its oldest bucket does.  Flows that were folded because
    there were too many may be exact again.

    Args:
        table: not to be used any more.
        before: nanoseconds.
    """
    table.join()
    left = Table(table.limits)
    peers: dict[int, int] = {}
    shapes: dict[int, int] = {}
    for (level, src, dst, port, shape, code), lane in table.lanes.items():
        if not _trimmed(lane, before):
            continue
        for number in (src, dst):
            if number not in peers:
                peers[number] = left.peer(table.peers[number])
        if shape not in shapes:
            whole = table.shapes[shape]
            shapes[shape] = left.shape(whole.parser, whole.shape)
        left.lanes[level, peers[src], peers[dst], port, shapes[shape], code] = lane
    columns = table.columns
    columns.forget(before)
    srcs, dsts, _, kinds, _ = columns.parts()
    left.columns.absorb(
        columns,
        mapping(table.peers, lambda number: left.peer(table.peers[number]), srcs, dsts),
        mapping(
            table.shapes,
            lambda number: left.shape(table.shapes[number].parser, table.shapes[number].shape),
            kinds,
        ),
    )
    left.columns.settle()
    return left


def _trimmed(lane: FlowLane, before: int) -> bool:
    """Take old buckets out of a lane; says whether anything is left of it."""
    lane.widen_to(0)
    oldest = before // NS - lane.width
    if lane.last < before and not lane.untimed:
        return False
    buckets = lane.buckets
    old = [start for start in buckets if start <= oldest]
    if not old:
        return True
    for start in old:
        del buckets[start]
    if not buckets and not lane.untimed:
        return False
    lane.first = max(lane.first, min(buckets) * NS) if buckets else NEVER
    lane.last = lane.last if buckets else -1
    lane.extra = min(lane.extra, max(sum(buckets.values()) + lane.untimed - 1, 0))
    if lane.examples:
        lane.examples = [kept for kept in lane.examples if kept.at < 0 or kept.at >= before] or None
    return True
