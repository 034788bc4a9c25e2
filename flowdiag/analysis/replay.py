"""Replaying refused flows against the policies that held when they were refused.

Policies and labels change during an incident: a flow is cut at those instants (its epochs) and each part is
evaluated once, never once per record.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from flowdiag.model.flow import Flow
from flowdiag.model.objects import PolicyObject
from flowdiag.model.policy import ConnectionDecision, PolicyRef
from flowdiag.model.tally import Bucket
from flowdiag.model.time import NS

__all__ = ["changes_of", "cut", "epochs", "replay", "replay_undated"]

_LAG_S = 15
"""How long after a change is stored the dataplane may still follow the old policies."""

Evaluate = Callable[[int | None], ConnectionDecision]


def epochs(policies: Iterable[PolicyObject]) -> tuple[int, ...]:
    """Instants at which the set of valid policies changes, sorted."""
    return tuple(sorted({moment for policy in policies for moment in _moments(policy)}))


def _moments(policy: PolicyObject) -> list[int]:
    moments = (policy.created, policy.since, policy.valid_from, policy.valid_until, policy.deleted)
    return [moment for moment in moments if moment is not None]


def changes_of(policies: Iterable[PolicyObject]) -> dict[PolicyRef, list[int]]:
    """Instants at which each policy was made or changed."""
    found: dict[PolicyRef, list[int]] = defaultdict(list)
    for policy in policies:
        found[policy.ref].extend(_moments(policy))
    return found


def replay(
    flow: Flow, boundaries: Sequence[int], evaluate: Evaluate, interval: int = 0
) -> list[tuple[Flow, ConnectionDecision, int | None]]:
    """Cut a refused flow at policy changes and evaluate each part.

    A bucket in which a change falls counts with what holds at its end, as refusals follow the
    policies that cause them.  Where the replay allows a part but a change lies shortly before it,
    the policies before that change are asked too: the dataplane may not have caught up.  A record that stands
    for an interval counts with what holds at its end, where that refuses it.

    Args:
        flow: a refused flow.
        boundaries: `epochs` of the policies, and when its ends' labels changed.
        evaluate: the decision on the flow's two ends at an instant.
        interval: how long after its moment a record's packets may be, nanoseconds.

    Returns:
        Parts in time order, each with its decision and the instant of the policies it was held against.
    """
    if flow.first is None or not boundaries:
        return [(flow, evaluate(flow.first), flow.first)]
    only = _only_epoch(flow, boundaries)
    if only is not None:
        # Nearly every flow lies in one epoch.
        judged = _judged(flow, flow.buckets, *only, boundaries, evaluate)
        return _within(judged, boundaries, evaluate, interval)
    parts: dict[int, list[Bucket]] = {}
    for bucket in flow.buckets:
        # Records without a time go with the last part, whose policies hold now.
        moment = _end(bucket, flow) if bucket.start is not None else flow.last or flow.first
        parts.setdefault(bisect_right(boundaries, moment), []).append(bucket)
    results = []
    for epoch, buckets in sorted(parts.items()):
        part = _part(flow, buckets) if len(parts) > 1 else flow
        results += _judged(part, buckets, epoch, _latest(buckets, flow), boundaries, evaluate)
    return _within(results, boundaries, evaluate, interval)


def _within(
    judged: list[tuple[Flow, ConnectionDecision, int | None]],
    boundaries: Sequence[int],
    evaluate: Evaluate,
    interval: int,
) -> list[tuple[Flow, ConnectionDecision, int | None]]:
    """Give the parts, those whose records' interval spans a change with the policies at its end, if these refuse it."""
    if not interval:
        return judged
    results = []
    for part, decision, at in judged:
        late = None if decision.allowed is None else _made_within(part, boundaries, evaluate, interval)
        if late is None:
            results.append((part, decision, at))
            continue
        buckets, after, moment = late
        rest = [bucket for bucket in part.buckets if bucket not in buckets]
        if rest:
            results.append((_part(part, rest), decision, at))
        results.append((_part(part, buckets) if rest else part, after, moment))
    return results


def _made_within(
    part: Flow, boundaries: Sequence[int], evaluate: Evaluate, interval: int
) -> tuple[list[Bucket], ConnectionDecision, int] | None:
    """The last buckets before a change within their interval, and the refusal by the policies from then on."""
    starts = [bucket.start for bucket in part.buckets if bucket.start is not None]
    if not starts:
        return None
    found = None
    for boundary in boundaries[bisect_right(boundaries, max(starts)) :]:
        buckets = [
            b for b in part.buckets if b.start is not None and b.start <= boundary < b.start + interval
        ]
        if not buckets:
            break
        after = evaluate(boundary)
        if after.allowed is False:
            found = buckets, after, boundary
    return found


def replay_undated(
    flow: Flow, made: Mapping[PolicyRef, Sequence[int]], evaluate: Evaluate
) -> tuple[Flow, ConnectionDecision, int | None]:
    """Evaluate a refused flow of which no record has a time.

    It was refused at some moment before the policies were read.  Where those of now allow it, the last ones that
    refused are those before an isolating policy was made, as an allow policy isolates too.

    Args:
        flow: a refused flow.
        made: when policies were made or changed.
        evaluate: the decision on the flow's two ends at an instant.

    Returns:
        The flow with its decision, and the instant of the policies it was held against if that is not now.
    """
    now = evaluate(None)
    if now.allowed is not True:
        return flow, now, None
    ends = [end for end in (now.egress, now.ingress) if end is not None]
    moments = {moment for end in ends for ref in end.isolated_by for moment in made.get(ref, ())}
    for moment in sorted(moments, reverse=True):
        before = evaluate(moment - 1)
        if before.allowed is False:
            return flow, before, moment - 1
    return flow, now, None


def cut(flow: Flow, boundaries: Sequence[int]) -> list[tuple[Flow, int | None, int | None]]:
    """Cut a flow whose verdict is not known at policy changes.

    Returns:
        Parts in time order, each with an instant of the policies that held, and one of those before them
        where the change is so near that the dataplane may not have caught up.
    """
    if flow.first is None or not boundaries:
        return [(flow, flow.first, None)]
    parts: dict[tuple[int, bool], list[Bucket]] = {}
    for bucket in flow.buckets:
        moment = _end(bucket, flow) if bucket.start is not None else flow.last or flow.first
        epoch = bisect_right(boundaries, moment)
        begin = bucket.start if bucket.start is not None else moment
        near = epoch > 0 and begin <= boundaries[epoch - 1] + _LAG_S * NS
        parts.setdefault((epoch, not near), []).append(bucket)
    found: list[tuple[Flow, int | None, int | None]] = []
    for (epoch, settled), buckets in sorted(parts.items()):
        part = _part(flow, buckets) if len(parts) > 1 else flow
        moment = _latest(buckets, flow)
        found.append((part, moment, None if settled else boundaries[epoch - 1] - 1))
    return found


def _judged(
    part: Flow,
    buckets: Sequence[Bucket],
    epoch: int,
    moment: int,
    boundaries: Sequence[int],
    evaluate: Evaluate,
) -> list[tuple[Flow, ConnectionDecision, int | None]]:
    decision = evaluate(moment)
    if decision.allowed is True and epoch > 0:
        return _lagging(part, buckets, boundaries[epoch - 1], decision, moment, evaluate)
    return [(part, decision, moment)]


def _lagging(
    part: Flow,
    buckets: Sequence[Bucket],
    boundary: int,
    decision: ConnectionDecision,
    moment: int,
    evaluate: Evaluate,
) -> list[tuple[Flow, ConnectionDecision, int | None]]:
    limit = boundary + _LAG_S * NS
    early = [bucket for bucket in buckets if bucket.start is not None and bucket.start <= limit]
    before = evaluate(boundary - 1) if early else decision
    if not early or before.allowed is not False:
        return [(part, decision, moment)]
    rest = [bucket for bucket in buckets if bucket not in early]
    if not rest:
        return [(part, before, boundary - 1)]
    return [(_part(part, early), before, boundary - 1), (_part(part, rest), decision, moment)]


def _only_epoch(flow: Flow, boundaries: Sequence[int]) -> tuple[int, int] | None:
    """The epoch in which all of a flow's buckets end, and the last end; ``None`` where that is to be asked of each."""
    if not flow.buckets or flow.buckets[0].start is None:
        return None
    # Buckets are in order of time, and so are their ends.
    first, last = _end(flow.buckets[0], flow), _end(flow.buckets[-1], flow)
    epoch = bisect_right(boundaries, last)
    return (epoch, last) if bisect_right(boundaries, first) == epoch else None


def _latest(buckets: Sequence[Bucket], flow: Flow) -> int:
    """The latest end of some of its buckets, which are in order, those without a time first."""
    return max(_end(buckets[0], flow), _end(buckets[-1], flow))


def _end(bucket: Bucket, flow: Flow) -> int:
    last = flow.last if flow.last is not None else 0
    if bucket.start is None:
        return last
    return min(bucket.start + bucket.width - 1, max(last, bucket.start))


def _part(flow: Flow, buckets: Sequence[Bucket]) -> Flow:
    timed = [bucket for bucket in buckets if bucket.start is not None]
    first = min((bucket.start for bucket in timed if bucket.start is not None), default=None)
    last = max((_end(bucket, flow) for bucket in timed), default=None)
    return replace(
        flow,
        count=sum(bucket.count for bucket in buckets),
        buckets=tuple(buckets),
        # The exact ends are known only for the flow's own ends; inside, a bucket's edge has to do.
        first=None if first is None or flow.first is None else max(first, flow.first),
        last=last,
    )
