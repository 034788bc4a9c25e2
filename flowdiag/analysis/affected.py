"""Which workloads a change can reach at all: a policy for ten pods needs no look at a million pairs.

The egress of a source and the ingress of a destination are decided by the policies that select that end
and by how both ends look.  A pair of which neither end looks different or is selected by a changed policy
keeps its ports.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from flowdiag.analysis.sides import Side, changed_policies
from flowdiag.model.endpoint import Endpoint, EndpointKind
from flowdiag.model.event import Direction
from flowdiag.model.flow import Flow
from flowdiag.model.objects import Snapshot
from flowdiag.model.policy import PolicyRef
from flowdiag.policy import PolicySet
from flowdiag.policy.compile.cilium_traffic import PortsByName
from flowdiag.policy.matrix import workloads
from flowdiag.policy.model import Outcome, Policy
from flowdiag.policy.selecting import selects
from flowdiag.policy.traffic import OneOf
from flowdiag.policy.whatif import Touched

__all__ = ["affected_workloads", "concerns"]

_ALONE = frozenset(
    {
        ("networking.k8s.io", "NetworkPolicy"),
        ("policy.networking.k8s.io", "AdminNetworkPolicy"),
        ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy"),
        ("policy.networking.k8s.io", "ClusterNetworkPolicy"),
        ("cilium.io", "CiliumNetworkPolicy"),
        ("cilium.io", "CiliumClusterwideNetworkPolicy"),
    }
)
"""Kinds whose objects concern only the ends that they select.  Calico's policies also affect each other, by tier and name."""


def affected_workloads(old: Side, new: Side, host_pods: bool) -> Touched | None:
    """Workloads whose pairs may change, as `flowdiag.policy.whatif.compare` names them with the same `host_pods`.

    Returns:
        ``None`` where anything may change: where more than pods, namespaces and plain policies differ.
    """
    changed = changed_policies(old.snapshot, new.snapshot) | _otherwise_in_force(old.policies, new.policies)
    if any((ref.group, ref.kind) not in _ALONE for ref in changed):
        return None
    if _shared(old.snapshot) != _shared(new.snapshot):
        return None
    before, after = (workloads(side.snapshot, host_pods=host_pods, inferred=False) for side in (old, new))
    looks = [
        {name: [_look(end, side) for end in ends] for name, ends in own.items()}
        for own, side in ((before, old), (after, new))
    ]
    others = {name for name in {*before, *after} if looks[0].get(name) != looks[1].get(name)}
    touched = {direction: set(others) for direction in Direction}
    for own, side in ((before, old), (after, new)):
        policies = _compiled(side, changed)
        for name, ends in own.items() if policies else ():
            if name not in others:
                for direction in _policed(policies, ends, side):
                    touched[direction].add(name)
    return Touched(
        clients=frozenset(touched[Direction.EGRESS]), servers=frozenset(touched[Direction.INGRESS])
    )


def _otherwise_in_force(old: PolicySet, new: PolicySet) -> frozenset[PolicyRef]:
    """Policies that are written as before and mean something else, for what became of pods that they do not select.

    That is so of one that is in force or not by whom its groups have, and, to Cilium, of one with a port's name: what
    other pods call so counts as well.
    """
    found = {ref for ref, _ in {*old.notes} ^ {*new.notes}}
    return frozenset(found | {ref for ref, _ in _ports_by_name(old) ^ _ports_by_name(new)})


def _ports_by_name(policies: PolicySet) -> frozenset[tuple[PolicyRef, PortsByName]]:
    return frozenset(
        (policy.ref, item)
        for tier in policies.tiers
        for policy in tier.policies
        for rule in policy.rules.get(Direction.EGRESS, ())
        for condition in rule.traffic
        for item in (condition.items if isinstance(condition, OneOf) else (condition,))
        if isinstance(item, PortsByName)
    )


def concerns(touched: Touched | None, old: Side, host_pods: bool) -> Callable[[Flow], bool]:
    """Tell of flows whose ends are those of the old side whether the policies may answer otherwise on the new one.

    Args:
        touched: what `affected_workloads` gave.
        old: the old side.
        host_pods: as for `affected_workloads`.
    """
    named = workloads(old.snapshot, host_pods=host_pods, inferred=False) if touched is not None else {}
    names = {id(end.pod): name for name, ends in named.items() for end in ends}

    def reached(end: Endpoint, workloads: Collection[str]) -> bool:
        if end.kind is EndpointKind.EXTERNAL:
            return False
        name = names.get(id(end.pod)) if end.kind is EndpointKind.POD else None
        return name is None or name in workloads

    def concerned(flow: Flow) -> bool:
        return touched is None or reached(flow.src, touched.clients) or reached(flow.dst, touched.servers)

    return concerned


def _shared(snapshot: Snapshot) -> tuple[object, ...]:
    """What rules may refer to besides pods and namespaces; where it stands in the input does not matter."""
    return (
        [(one.kind, one.group, one.namespace, one.name, one.body) for one in snapshot.others],
        [
            (one.namespace, one.name, one.labels, one.annotations, one.cluster_ips, one.selector, one.ports)
            for one in snapshot.services
        ],
        snapshot.endpoint_slices,
        {name: (one.labels, one.addresses) for name, one in snapshot.nodes.items()},
        snapshot.config,
    )


def _look(end: Endpoint, side: Side) -> tuple[object, ...]:
    pod = end.pod
    namespace = side.snapshot.namespaces.get(end.namespace or "")
    own = None
    if pod is not None:
        own = (
            pod.name,
            pod.labels,
            pod.annotations,
            pod.ips,
            pod.node,
            pod.host_network,
            pod.host_ips,
            pod.ports,
            pod.service_account,
            pod.profiles,
        )
    return (own, None if namespace is None else namespace.labels)


def _compiled(side: Side, refs: frozenset[PolicyRef]) -> list[Policy]:
    return [policy for tier in side.policies.tiers for policy in tier.policies if policy.ref in refs]


def _policed(policies: Collection[Policy], ends: Collection[Endpoint], side: Side) -> set[Direction]:
    """Directions of the policies that select one of the ends, surely or perhaps."""
    found: set[Direction] = set()
    for end in ends:
        facts, _ = side.policies.facts(end, end)
        for policy in policies:
            if not found.issuperset(policy.directions) and selects(policy, facts).outcome is not Outcome.MISS:
                found.update(policy.directions)
    return found
