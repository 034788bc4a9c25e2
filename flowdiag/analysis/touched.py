"""Which workloads a change can reach at all: a policy for ten pods needs no look at a million pairs.

The egress of a source and the ingress of a destination are decided by the policies that select that end
and by how both ends look.  A pair of which neither end looks different or is selected by a changed policy
keeps its ports.
"""

from __future__ import annotations

from flowdiag.analysis.sides import Side, changed_policies
from flowdiag.model.endpoint import Endpoint
from flowdiag.model.objects import Snapshot
from flowdiag.model.policy import PolicyRef
from flowdiag.policy.matrix import workloads
from flowdiag.policy.model import Outcome, Policy
from flowdiag.policy.selecting import selects

__all__ = ["touched_workloads"]

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


def touched_workloads(old: Side, new: Side, host_pods: bool) -> frozenset[str] | None:
    """Workloads whose pairs may change, as `flowdiag.policy.whatif.compare` names them with the same `host_pods`.

    Returns:
        ``None`` where anything may change: where more than pods, namespaces and plain policies differ.
    """
    changed = changed_policies(old.snapshot, new.snapshot)
    if any((ref.group, ref.kind) not in _ALONE for ref in changed):
        return None
    if _shared(old.snapshot) != _shared(new.snapshot):
        return None
    before, after = (workloads(side.snapshot, host_pods=host_pods, inferred=False) for side in (old, new))
    looks = [
        {name: [_look(end, side) for end in ends] for name, ends in own.items()}
        for own, side in ((before, old), (after, new))
    ]
    touched = {name for name in {*before, *after} if looks[0].get(name) != looks[1].get(name)}
    for own, side in ((before, old), (after, new)):
        policies = _compiled(side, changed)
        touched.update(
            name
            for name, ends in own.items()
            if name not in touched and any(_selected(policies, end, side) for end in ends)
        )
    return frozenset(touched)


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


def _selected(policies: list[Policy], end: Endpoint, side: Side) -> bool:
    facts, _ = side.policies.facts(end, end)
    return any(selects(policy, facts).outcome is not Outcome.MISS for policy in policies)
