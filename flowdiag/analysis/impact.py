"""Observed connections under two sets of policies: which would break, which would open.

Both sides are replays of the policies as they stand (`at=None`): what counts is what the change does to
traffic like the observed, not what was in force when it was observed.  The records decide where the old
policies cannot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from msgspec import Struct, structs

from flowdiag.cluster.index import SnapshotIndex
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Verdict
from flowdiag.model.flow import Flow
from flowdiag.model.objects import Pod, Snapshot
from flowdiag.model.policy import ConnectionDecision, EndDecision, PolicyRef
from flowdiag.model.time import rfc3339
from flowdiag.policy import PolicySet
from flowdiag.policy.ends import pod_endpoint
from flowdiag.policy.walk import policy_text
from flowdiag.report.query_types import FlowChange, FlowChanges, end_result
from flowdiag.timeline.ends import EndKey, end_key, end_name, fold_addresses

__all__ = ["Impact", "Side", "impact"]


class Side:
    """One of the two states: its objects by name and its policies, compiled."""

    def __init__(self, snapshot: Snapshot, policies: PolicySet) -> None:
        self.snapshot = snapshot
        self.policies = policies
        self.index = SnapshotIndex(snapshot)


class Impact(Struct, frozen=True, kw_only=True):
    """What becomes of the observed traffic."""

    flows: FlowChanges
    isolating: dict[FlowChange, tuple[PolicyRef, ...]]
    """For newly denied connections that no rule names: the policies that isolate the end."""


class _Fate(Enum):
    """What a change does to one observed flow."""

    DENIED = "newly denied"
    ALLOWED = "newly allowed"
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"


class _Member(Struct, frozen=True):
    flow: Flow
    fate: _Fate
    end: EndDecision | None
    """The end that decides it anew: the one that refuses, or that opened."""


_Shape = tuple[EndKey, EndKey, str | None, int | None, tuple[int | None, int | None] | None]


def impact(flows: Iterable[Flow], old: Side, new: Side) -> Impact:
    """Replay observed flows under both sides, and fold them to connections between workloads.

    A connection is newly denied where it passed before (by the old policies, or by its record where they
    cannot tell) and the new policies refuse it; newly allowed where the record and the old policies
    refused it and the new ones admit it.  Counts and times are those of the records that change.
    """
    changed = _changed(old.snapshot, new.snapshot)
    judged = [_judge(flow, old, new, changed) for flow in flows]
    grouped = _grouped(judged)
    denied: list[tuple[FlowChange, tuple[PolicyRef, ...]]] = []
    opened: list[FlowChange] = []
    unchanged = unknown = 0
    for shape, members in grouped.items():
        fates = {member.fate for member in members}
        if _Fate.DENIED in fates:
            lost = [member for member in members if member.fate is _Fate.DENIED]
            denied.append((_change(shape, lost), _isolating(lost)))
        if _Fate.ALLOWED in fates:
            opened.append(_change(shape, [member for member in members if member.fate is _Fate.ALLOWED]))
        if not fates & {_Fate.DENIED, _Fate.ALLOWED}:
            unknown += _Fate.UNKNOWN in fates
            unchanged += _Fate.UNKNOWN not in fates
    denied.sort(key=lambda pair: _order(pair[0]))
    return Impact(
        flows=FlowChanges(
            newly_denied=tuple(change for change, _ in denied),
            newly_allowed=tuple(sorted(opened, key=_order)),
            unchanged=unchanged,
            unknown=unknown,
        ),
        isolating={change: refs for change, refs in denied if refs},
    )


# --- one flow -----------------------------------------------------------------------------------------


def _judge(flow: Flow, old: Side, new: Side, changed: frozenset[PolicyRef]) -> _Member:
    was, now = _decide(flow, old), _decide(flow, new)
    record = flow.distinct.verdict
    passed = record in (Verdict.ALLOWED, Verdict.REDIRECTED)
    before, after = (None if each is None else each.allowed for each in (was, now))
    if before is None and after is False:
        # The old policies cannot tell, but the record can.
        before = True if passed else False if record is Verdict.DENIED else None
    if now is None or before is None or after is None:
        same = was is not None and was == now and _untouched(flow, was, old, new, changed)
        return _Member(flow, _Fate.UNCHANGED if same else _Fate.UNKNOWN, None)
    if before and not after:
        return _Member(flow, _Fate.DENIED, _refusing(now))
    if after and not before and not passed:
        return _Member(flow, _Fate.ALLOWED, _opening(was, now))
    return _Member(flow, _Fate.UNCHANGED, None)


def _changed(old: Snapshot, new: Snapshot) -> frozenset[PolicyRef]:
    """Policies that are not the same on both sides."""
    specs: list[dict[PolicyRef, list[object]]] = []
    for snapshot in (old, new):
        own: dict[PolicyRef, list[object]] = defaultdict(list)
        for policy in snapshot.policies:
            own[policy.ref].append((policy.spec_index, policy.spec, policy.annotations, policy.deleted))
        specs.append(own)
    before, after = specs
    return frozenset(ref for ref in {*before, *after} if before.get(ref) != after.get(ref))


def _untouched(
    flow: Flow, decision: ConnectionDecision, old: Side, new: Side, changed: frozenset[PolicyRef]
) -> bool:
    """Whether what cannot be told has nothing to do with the change.

    So it is where both ends are known, look the same on both sides, and every policy that selects them
    or gives the doubt is an unchanged one.
    """
    known = (EndpointKind.POD, EndpointKind.WORKLOAD, EndpointKind.NODE, EndpointKind.EXTERNAL)
    if any(end.kind not in known or _labels(end, old) != _labels(end, new) for end in (flow.src, flow.dst)):
        return False
    for end in (decision.egress, decision.ingress):
        if end is None:
            continue
        if changed & {*end.isolated_by, *([end.decided_by.policy] if end.decided_by else [])}:
            return False
        if any(policy_text(ref) in word for ref in changed for word in end.unknown):
            return False
    return True


def _labels(end: Endpoint, side: Side) -> object:
    """All of an end that a change of objects could make look different."""
    here = _in(side, end)
    if here is None:
        return None
    pod = here.pod
    name = end.namespace or (pod.namespace if pod is not None else "")
    namespace = side.snapshot.namespaces.get(name)
    return (
        None if pod is None else (pod.labels, pod.ports, pod.service_account, pod.host_network),
        None if namespace is None else namespace.labels,
        None if here.node is None else here.node.labels,
    )


def _decide(flow: Flow, side: Side) -> ConnectionDecision | None:
    """The policies' answer; ``None`` where an end is not in the state or its pods differ."""
    shape = flow.distinct
    src = _in(side, flow.src)
    targets = _targets(flow, side)
    if src is None or not targets:
        return None
    decisions: list[ConnectionDecision] = []
    for dst, port in targets:
        try:
            decisions.append(
                side.policies.evaluate(src, dst, shape.protocol, port, icmp=shape.icmp, nearest=False)
            )
        except ValueError:
            # Both ends are outside the cluster: no policy of it is asked.
            return ConnectionDecision(allowed=True, egress=None, ingress=None)
    first = decisions[0]
    if any(each.allowed is not first.allowed for each in decisions):
        return None
    return first


def _targets(flow: Flow, side: Side) -> Sequence[tuple[Endpoint, int | None]]:
    """The destination, or every pod behind a Service whose address the record has."""
    end, port = flow.dst, flow.distinct.port
    if end.kind is EndpointKind.SERVICE and end.service is not None and port is not None:
        service = side.index.services.get((end.service.namespace, end.service.name))
        backends = side.index.backends(service, port, flow.distinct.protocol) if service is not None else ()
        if backends and all(each.port is not None for each in backends):
            return [(pod_endpoint(each.pod), each.port) for each in backends]
    found = _in(side, end)
    return [] if found is None else [(found, port)]


def _in(side: Side, end: Endpoint) -> Endpoint | None:
    """An end as this side's state has it; ``None`` where it has gone from it.

    What the record says of a known pod's identity is left out: it is what the labels were then.
    """
    if end.kind is EndpointKind.NODE:
        return structs.replace(end, node=side.snapshot.nodes.get(end.name or "", end.node))
    pod = end.pod
    if pod is None:
        if end.workload is not None and (end.namespace or "", end.workload) in side.index.by_workload:
            return structs.replace(end, identity=None, identity_labels=None)
        return end
    here = _same(pod, side)
    if here is not None:
        return structs.replace(end, pod=here, identity=None, identity_labels=None)
    if pod.workload is None or (pod.namespace, pod.workload) not in side.index.by_workload:
        return None
    return Endpoint(
        kind=EndpointKind.WORKLOAD,
        namespace=pod.namespace,
        workload=pod.workload,
        known_by=end.known_by,
    )


def _same(pod: Pod, side: Side) -> Pod | None:
    named = side.index.by_name.get((pod.namespace, pod.name), ())
    alike = [one for one in named if one.template == pod.template and one.kind == pod.kind]
    return next((one for one in alike if one.uid == pod.uid), alike[0] if alike else None)


def _refusing(now: ConnectionDecision) -> EndDecision | None:
    ends = [end for end in (now.egress, now.ingress) if end is not None]
    return next((end for end in ends if end.allowed is False), None)


def _opening(was: ConnectionDecision | None, now: ConnectionDecision) -> EndDecision | None:
    """The end that refused before; its allowing rule is what opens the connection."""
    if was is not None and was.egress is not None and was.egress.allowed is False:
        return now.egress
    return now.ingress if now.ingress is not None else now.egress


# --- connections --------------------------------------------------------------------------------------


def _grouped(members: Sequence[_Member]) -> dict[_Shape, list[_Member]]:
    """By workloads, protocol and port; outside addresses as their range where all of it fares alike."""
    ranges = _ranges(member.flow for member in members)
    grouped: dict[_Shape, list[_Member]] = defaultdict(list)
    for member in members:
        grouped[_shape(member.flow, ranges)].append(member)
    apart: dict[_Shape, list[_Member]] = {}
    for shape, own in grouped.items():
        if len({member.fate for member in own}) == 1:
            apart.setdefault(shape, []).extend(own)
            continue
        for member in own:
            apart.setdefault(_shape(member.flow, {}), []).append(member)
    return apart


def _shape(flow: Flow, ranges: Mapping[tuple[str, EndKey], dict[str, str]]) -> _Shape:
    distinct = flow.distinct
    icmp = None if distinct.icmp is None else (distinct.icmp.type, distinct.icmp.code)
    return (
        end_key(flow.src, ranges.get(("from", end_key(flow.dst)))),
        end_key(flow.dst, ranges.get(("to", end_key(flow.src)))),
        distinct.protocol,
        distinct.port,
        icmp,
    )


def _ranges(flows: Iterable[Flow]) -> dict[tuple[str, EndKey], dict[str, str]]:
    """Ranges of outside addresses, apart for each end that they talk with."""
    outside: dict[tuple[str, EndKey], set[str]] = defaultdict(set)
    for flow in flows:
        for end, other, way in ((flow.src, flow.dst, "from"), (flow.dst, flow.src, "to")):
            if end.kind is EndpointKind.EXTERNAL and end.ip is not None:
                outside[way, end_key(other)].add(end.ip)
    return {beside: fold_addresses(addresses) for beside, addresses in outside.items()}


def _change(shape: _Shape, members: Sequence[_Member]) -> FlowChange:
    src, dst, protocol, port, _ = shape
    firsts = [member.flow.first for member in members if member.flow.first is not None]
    lasts = [member.flow.last for member in members if member.flow.last is not None]
    result = end_result(_speaker(members).end)
    return FlowChange(
        src=end_name(src),
        dst=end_name(dst),
        protocol=protocol,
        port=port,
        count=sum(member.flow.count for member in members),
        first=rfc3339(min(firsts)) if firsts else None,
        last=rfc3339(max(lasts)) if lasts else None,
        decided_by=None if result is None else result.decided_by,
    )


def _isolating(members: Sequence[_Member]) -> tuple[PolicyRef, ...]:
    end = _speaker(members).end
    return end.isolated_by if end is not None and end.decided_by is None else ()


def _speaker(members: Sequence[_Member]) -> _Member:
    """The member with most records; its rule speaks for the connection."""
    return min(
        members,
        key=lambda member: (
            -member.flow.count,
            member.flow.src.name or member.flow.src.ip or "",
            member.flow.dst.name or member.flow.dst.ip or "",
            member.flow.first or -1,
        ),
    )


def _order(change: FlowChange) -> tuple[int, str, str, str, int]:
    port = -1 if change.port is None else change.port
    return (-change.count, change.src, change.dst, change.protocol or "", port)
