"""A distinct flow with its ends found becomes a flow, or a part of one where an end changed its owner."""

from __future__ import annotations

from collections import defaultdict

from flowdiag.cluster.recorded_ends import bare_name
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import Direction
from flowdiag.model.flow import Flow
from flowdiag.model.tally import Bucket, DistinctFlow

__all__ = ["flow_of", "parts_between"]


def flow_of(
    distinct: DistinctFlow,
    src: Endpoint,
    dst: Endpoint,
    via: Endpoint | None,
    buckets: tuple[Bucket, ...] | None,
    *,
    ambiguous: bool = False,
) -> Flow:
    """Make the flow.

    Args:
        distinct: what was folded.
        src: its client.
        dst: its server, behind any Service.
        via: the Service.
        buckets: those of the part; ``None`` for all.
        ambiguous: an owner changed within them.
    """
    count, first, last = distinct.count, distinct.first, distinct.last
    if buckets is None:
        buckets = distinct.buckets
    else:
        count = sum(bucket.count for bucket in buckets)
        timed = [bucket for bucket in buckets if bucket.start is not None]
        starts = [bucket.start for bucket in timed if bucket.start is not None]
        ends = [bucket.start + bucket.width - 1 for bucket in timed if bucket.start is not None]
        # A bucket knows its records' times only to its width; the flow's own ends are exact.
        first = max(min(starts), distinct.first or min(starts)) if starts else None
        last = min(max(ends), distinct.last or max(ends)) if ends else None
    return Flow(
        distinct=distinct,
        src=src,
        dst=dst,
        via=via,
        direction=distinct.direction or _direction(src, dst, distinct.node),
        count=count,
        buckets=buckets,
        first=first,
        last=last,
        ambiguous=ambiguous,
    )


def parts_between(
    distinct: DistinctFlow, cuts: list[int]
) -> list[tuple[int | None, tuple[Bucket, ...], bool]]:
    """Sort buckets by span between cuts: (an instant inside, its buckets, whether they straddle a change)."""
    parts: dict[tuple[int, bool], list[Bucket]] = defaultdict(list)
    instants: dict[tuple[int, bool], int | None] = {}
    for bucket in distinct.buckets:
        if bucket.start is None:
            key, at = (-1, True), None
        else:
            start = bucket.start if distinct.first is None else max(bucket.start, distinct.first)
            end = bucket.start + bucket.width
            if distinct.last is not None:
                end = min(end, distinct.last + 1)
            span = sum(cut <= start for cut in cuts)
            straddles = any(start < cut < end for cut in cuts)
            key, at = (span, straddles), start
        parts[key].append(bucket)
        instants.setdefault(key, at)
    return [(instants[key], tuple(parts[key]), key[1]) for key in sorted(parts)]


def _direction(src: Endpoint, dst: Endpoint, node: str | None) -> Direction | None:
    """The side that enforced, where only one end is a pod of the recording node."""
    if node is None:
        return None
    here = bare_name(node)
    local = [
        end.pod is not None and end.pod.node is not None and bare_name(end.pod.node) == here
        for end in (src, dst)
    ]
    if local == [True, False]:
        return Direction.EGRESS
    if local == [False, True]:
        return Direction.INGRESS
    return None
