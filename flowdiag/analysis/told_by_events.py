"""Refusals of which both a record of the CNI and a Kubernetes Event tell: they count once.

Cilium's agent and hubble-drop-eventer make Events of the very drops that Hubble tells of, the first of some minutes
each, and a bundle may hold both.  An Event names its own pod without an address, so the two are folded apart, and only
where the ends are known can they be held against each other.  As with a drop and its policy verdict, the larger count
stands; an Event at whose time no other record tells of its connection is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from msgspec.structs import replace

from flowdiag.model.endpoint import Endpoint
from flowdiag.model.flow import Flow
from flowdiag.model.tally import Bucket
from flowdiag.model.time import NS

__all__ = ["counted_once"]

_EVENTS = "kubernetes-events"
_LATE = NS
"""Events have whole seconds, and are written a moment after the packet was dropped."""

_Key = tuple[tuple[str | None, ...], tuple[str | None, ...], str | None, int | None, str | None]


class _Told:
    """Refusals of one bucket of a CNI's records that no Event was found to tell of yet."""

    def __init__(self, flow: Flow, start: int, bucket: Bucket) -> None:
        self.reason = flow.distinct.reason
        self.policies = {(hit.kind, hit.namespace, hit.name) for hit in flow.distinct.policies}
        self.start = start
        self.end = start + bucket.width
        self.left = bucket.count

    def meets(self, start: int, end: int) -> bool:
        return self.start < end and self.end > start


def counted_once(flows: Sequence[Flow]) -> list[Flow]:
    """Take out of the counts of Events' flows what other records of `flows` tell at the same time, between the same ends.

    An Event that names a policy which those do not name stays, since nothing else says so.
    """
    keys = {_key(flow) for flow in flows if flow.distinct.parser == _EVENTS}
    if not keys:
        return list(flows)
    told: dict[_Key, list[_Told]] = defaultdict(list)
    for flow in flows:
        if flow.distinct.parser != _EVENTS and (key := _key(flow)) in keys:
            told[key] += (
                _Told(flow, bucket.start, bucket) for bucket in flow.buckets if bucket.start is not None
            )
    return [
        left
        for flow in flows
        if (left := _left(flow, told[_key(flow)]) if flow.distinct.parser == _EVENTS else flow) is not None
    ]


def _left(flow: Flow, told: Sequence[_Told]) -> Flow | None:
    """What only the Events tell; ``None`` where that is nothing."""
    named = {(hit.kind, hit.namespace, hit.name) for hit in flow.distinct.policies}
    reason = flow.distinct.reason
    same = [one for one in told if reason in (None, one.reason) and named <= one.policies]
    kept: list[Bucket] = []
    since: int | None = None
    for bucket in flow.buckets:
        if bucket.start is None:
            kept.append(bucket)
            continue
        begin, end = bucket.start - _LATE, bucket.start + bucket.width + _LATE
        count = bucket.count
        if any(one.meets(begin, end) for one in same):
            # An Event that came again stands for those since it came before, at the time of the last.
            count -= _taken(same, begin if since is None else since, end, count)
        if count:
            kept.append(replace(bucket, count=count))
        since = begin
    if not kept:
        return None
    return flow if tuple(kept) == flow.buckets else _part(flow, tuple(kept))


def _taken(told: Sequence[_Told], begin: int, end: int, most: int) -> int:
    taken = 0
    for one in told:
        if one.meets(begin, end):
            some = min(one.left, most - taken)
            one.left -= some
            taken += some
    return taken


def _part(flow: Flow, buckets: tuple[Bucket, ...]) -> Flow:
    timed = [
        (bucket.start, bucket.start + bucket.width - 1) for bucket in buckets if bucket.start is not None
    ]
    first, last = (timed[0][0], timed[-1][1]) if timed else (None, None)
    return replace(
        flow,
        buckets=buckets,
        count=sum(bucket.count for bucket in buckets),
        first=first if first is None or flow.first is None else max(first, flow.first),
        last=last if last is None or flow.last is None else min(last, flow.last),
    )


def _key(flow: Flow) -> _Key:
    distinct = flow.distinct
    return _end(flow.src), _end(flow.dst), distinct.protocol, distinct.port, flow.direction


def _end(end: Endpoint) -> tuple[str | None, ...]:
    """A pod by its name, known to the state or not; anything else by its address."""
    if end.namespace is not None and end.name is not None:
        return end.namespace, end.name
    return (end.ip or end.entity,)
