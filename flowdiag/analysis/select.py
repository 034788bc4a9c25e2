"""Which flows count: the selection by time, namespace, pod, port, protocol and verdict.

Times cut at the tally's buckets (a second for refused traffic, a minute for allowed traffic): a bucket
that touches the span counts whole, but a minute that only begins where the span ends does not.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from flowdiag.analysis.options import Selection
from flowdiag.cluster.resolve import Resolver
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.event import FlowEvent, Peer, Verdict
from flowdiag.model.flow import Flow
from flowdiag.model.tally import Bucket, DistinctFlow

__all__ = [
    "may_be_selected",
    "selected_buckets",
    "selected_distinct",
    "selected_event",
    "selected_flow",
    "selected_verdict",
]


def selected_distinct(flow: DistinctFlow, selection: Selection) -> DistinctFlow | None:
    """The part of a distinct flow that its own words let count, before ends are known.

    What was only logged gets its verdict later, and is asked for it then (`selected_verdict`).
    """
    if flow.verdict is Verdict.LOGGED and selection.verdicts:
        selection = replace(selection, verdicts=())
    if not _shape(selection, flow.port, flow.protocol, str(flow.verdict)):
        return None
    if selection.since is None and selection.until is None:
        return flow
    buckets = tuple(selected_buckets(flow.buckets, selection))
    if not buckets:
        return None
    if len(buckets) == len(flow.buckets):
        return flow
    starts = [bucket.start for bucket in buckets if bucket.start is not None]
    ends = [bucket.start + bucket.width - 1 for bucket in buckets if bucket.start is not None]
    count = sum(bucket.count for bucket in buckets)
    return replace(
        flow,
        buckets=buckets,
        count=count,
        records=min(flow.records, count) if flow.count == flow.records else flow.records,
        # When a record was within its bucket is not known, so the bucket counts as a whole.
        first=_within_span(max(min(starts), flow.first), selection)
        if starts and flow.first is not None
        else None,
        last=_within_span(min(max(ends), flow.last), selection) if ends and flow.last is not None else None,
        examples=tuple(
            e
            for e in flow.examples
            if e.at < 0
            or (
                (selection.since is None or e.at >= selection.since)
                and (selection.until is None or e.at <= selection.until)
            )
        ),
    )


def selected_buckets(buckets: Iterable[Bucket], selection: Selection) -> list[Bucket]:
    """Those that touch the span of a selection; all where it has none."""
    if selection.since is None and selection.until is None:
        return list(buckets)
    return [bucket for bucket in buckets if _within(bucket, selection)]


def _within_span(at: int, selection: Selection) -> int:
    if selection.since is not None:
        at = max(at, selection.since)
    return at if selection.until is None else min(at, selection.until)


def may_be_selected(selection: Selection, src: Peer, dst: Peer) -> bool:
    """Whether flows between these ends can count, as far as records name them: false only where they cannot.

    A pod that is named with its namespace is in that one whatever else is known; what is outside is in none.
    """
    source, target = _place(src), _place(dst)
    if selection.namespaces and not any(
        place is None or place in selection.namespaces for place in (source, target)
    ):
        return False
    return all(
        place is None or wanted is None or "/" not in wanted or wanted.rpartition("/")[0] == place
        for place, wanted in ((source, selection.from_pod), (target, selection.to_pod))
    )


def _place(peer: Peer) -> str | None:
    """The namespace of an end that is in one for certain, ``""`` for one that is in none; ``None`` where records leave it open."""
    if peer.pod is not None and peer.namespace is not None:
        return peer.namespace
    return "" if Resolver.is_outside(peer) else None


def selected_flow(flow: Flow, selection: Selection) -> bool:
    """Whether a resolved flow's ends let it count."""
    if selection.namespaces:
        ends = {_namespace(flow.src), _namespace(flow.dst)}
        if not ends & set(selection.namespaces):
            return False
    return _is(flow.src, selection.from_pod) and _is(flow.dst, selection.to_pod)


def selected_event(event: FlowEvent, selection: Selection) -> bool:
    """Whether a record counts, by what it says itself; its time exactly."""
    if not _shape(selection, event.dst.port, event.protocol, str(event.verdict)):
        return False
    if event.at is not None:
        if selection.since is not None and event.at < selection.since:
            return False
        if selection.until is not None and event.at > selection.until:
            return False
    elif selection.since is not None or selection.until is not None:
        return False
    if selection.namespaces and not {event.src.namespace, event.dst.namespace} & set(selection.namespaces):
        return False
    return _peer_is(event.src, selection.from_pod) and _peer_is(event.dst, selection.to_pod)


def selected_verdict(selection: Selection, *verdicts: Verdict) -> bool:
    """Whether one of these verdicts of a flow, as recorded and as inferred, is asked for."""
    return not selection.verdicts or any(str(verdict) in selection.verdicts for verdict in verdicts)


def _shape(selection: Selection, port: int | None, protocol: str | None, verdict: str) -> bool:
    if selection.to_port is not None and port != selection.to_port:
        return False
    if selection.protocol is not None and (protocol or "").lower() != selection.protocol.lower():
        return False
    return not selection.verdicts or verdict in selection.verdicts


def _within(bucket: Bucket, selection: Selection) -> bool:
    if bucket.start is None:
        return False
    if selection.since is not None and bucket.start + bucket.width <= selection.since:
        return False
    return selection.until is None or bucket.start <= selection.until


def _namespace(end: Endpoint) -> str | None:
    if end.namespace is not None:
        return end.namespace
    if end.pod is not None:
        return end.pod.namespace
    return end.service.namespace if end.service is not None else None


def _is(end: Endpoint, wanted: str | None) -> bool:
    if wanted is None:
        return True
    workload = end.workload or (end.pod.workload if end.pod else None)
    names = [end.name, workload.name if workload else None, end.pod.name if end.pod else None]
    return _matches(wanted, _namespace(end), names)


def _peer_is(peer: Peer, wanted: str | None) -> bool:
    if wanted is None:
        return True
    return _matches(wanted, peer.namespace, [peer.pod, peer.workload.name if peer.workload else None])


def _matches(wanted: str, namespace: str | None, names: Iterable[str | None]) -> bool:
    where, separator, name = wanted.rpartition("/")
    if separator and where != namespace:
        return False
    # As hubble's --from-pod: a prefix of the pod's name is enough.
    return any(own is not None and own.startswith(name) for own in names)
